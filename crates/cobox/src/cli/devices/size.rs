//! Sizes as people write them: `500MB`, `20GiB`.

use crate::cli::CliError;

/// Bytes, as people write them.
pub fn size(text: &str) -> Result<u64, CliError> {
    let clean = text.trim().to_ascii_lowercase();
    let digits = clean.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match clean[digits.len()..].trim() {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1 << 30),
        "t" | "tb" | "tib" => Some(1_u64 << 40),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    let size = unit.zip(number).and_then(|(unit, n)| n.checked_mul(unit));
    size.ok_or_else(|| {
        CliError::Usage(format!("{text:?} is no size: write it like 500MB or 20GiB"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("17", 17),
            ("3k", 3 << 10),
            ("500 MB", 500 << 20),
            ("20GiB", 20 << 30),
            ("1t", 1 << 40),
        ] {
            assert_eq!(size(text).unwrap(), expected, "{text}");
        }
        for bad in ["", "MB", "-1", "1.5G", "12x", "99999999999T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
