//! What the losing side of a conflict is called: `name (conflict, WHO TAG, WHEN).ext`.

use super::Stamp;
use crate::path::{MAX_NAME, Name};
use crate::record::NodeId;
use crate::version::WriterTag;

const OPENING: &[u8] = b" (conflict, ";
/// Longest ending that is taken for a file type, dot included.
const MAX_EXTENSION: usize = 17;
/// Most characters of a device's name in a conflict name.
const MAX_WHO: usize = 32;

/// The name under which a losing version is shown. `who` is the device name of its writer, if known;
/// `turn` is raised until the name is free. A stem that would be too long is cut and carries
/// the beginning of the node's id instead, so that two long names do not meet.
pub fn conflict_name(
    base: &Name,
    folder: bool,
    who: &str,
    stamp: &Stamp,
    turn: u32,
    node: &NodeId,
) -> Name {
    let (stem, extension) = split(base.as_bytes(), folder);
    let suffix = suffix(who, stamp, turn);
    let fits = stem.len() + suffix.len() + extension.len() <= MAX_NAME;
    let stem = if fits {
        stem.to_vec()
    } else {
        shorten(stem, suffix.len() + extension.len(), node)
    };
    Name::known_good([&stem, suffix.as_bytes(), extension].concat())
}

/// The name that a conflict name was made from, if it is one and was not cut.
pub fn base_name(name: &Name) -> Option<Name> {
    let bytes = name.as_bytes();
    let begin = bytes
        .windows(OPENING.len())
        .rposition(|part| part == OPENING)?;
    let length = bytes[begin..].iter().position(|byte| *byte == b')')? + 1;
    Name::new([&bytes[..begin], &bytes[begin + length..]].concat()).ok()
}

fn split(name: &[u8], folder: bool) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(at) if at > 0 && !folder && name.len() - at <= MAX_EXTENSION => name.split_at(at),
        _ => (name, b""),
    }
}

fn suffix(who: &str, stamp: &Stamp, turn: u32) -> String {
    let plain = |c: &char| !c.is_control() && !matches!(c, '/' | '(' | ')');
    let who: String = who.chars().filter(plain).take(MAX_WHO).collect();
    let who = if who.trim().is_empty() {
        String::new()
    } else {
        format!("{} ", who.trim())
    };
    let WriterTag([a, b, c, d, ..]) = stamp.dot.writer;
    let when = minute(stamp.time_ms);
    let turn = if turn == 0 {
        String::new()
    } else {
        format!(", {}", turn + 1)
    };
    format!(" (conflict, {who}{a:02x}{b:02x}{c:02x}{d:02x}, {when}{turn})")
}

fn shorten(stem: &[u8], taken: usize, node: &NodeId) -> Vec<u8> {
    let [a, b, c, d, ..] = node.0;
    let id = format!("~{a:02x}{b:02x}{c:02x}{d:02x}");
    let mut room = MAX_NAME.saturating_sub(taken + id.len()).min(stem.len());
    // Do not cut a UTF-8 character in two.
    while room > 0 && stem.get(room).is_some_and(|byte| byte & 0xc0 == 0x80) {
        room -= 1;
    }
    [&stem[..room], id.as_bytes()].concat()
}

/// `YYYY-MM-DD HH-MM`, UTC. Years beyond 9999 do not occur in honest clocks and are shown as they come.
fn minute(time_ms: u64) -> String {
    let minutes = time_ms / 60_000;
    let (year, month, day) = civil(minutes / 1440);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}-{:02}",
        minutes / 60 % 24,
        minutes % 60
    )
}

/// Year, month and day of a day number since 1970, by counting in 400-year cycles that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day + 2) / 153;
    let day = day - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (cycle * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::PathError;
    use crate::version::Dot;

    const NODE: NodeId = NodeId([0xab; 16]);

    fn stamp(time_ms: u64) -> Stamp {
        Stamp {
            dot: Dot {
                writer: WriterTag([0x12; 8]),
                block: 1,
            },
            lamport: 1,
            time_ms,
        }
    }

    fn shown(base: &str, folder: bool, who: &str, turn: u32) -> Result<String, PathError> {
        let base = Name::new(base)?;
        Ok(conflict_name(&base, folder, who, &stamp(1_700_000_000_000), turn, &NODE).to_string())
    }

    #[test]
    fn the_suffix_goes_before_the_ending() -> Result<(), PathError> {
        assert_eq!(
            shown("a.txt", false, "Bob", 0)?,
            "a (conflict, Bob 12121212, 2023-11-14 22-13).txt"
        );
        assert_eq!(
            shown("a.txt", false, "", 1)?,
            "a (conflict, 12121212, 2023-11-14 22-13, 2).txt"
        );
        assert_eq!(
            shown("a.b", true, "x/(y)", 0)?,
            "a.b (conflict, xy 12121212, 2023-11-14 22-13)"
        );
        assert_eq!(
            shown(".bashrc", false, "", 0)?,
            ".bashrc (conflict, 12121212, 2023-11-14 22-13)"
        );
        Ok(())
    }

    #[test]
    fn the_base_is_found_again() -> Result<(), PathError> {
        for base in ["a.txt", "a", ".x", "a (conflict, b).c", "Ö.é"] {
            let base = Name::new(base)?;
            let name = conflict_name(&base, false, "Bob", &stamp(0), 3, &NODE);
            assert_eq!(base_name(&name), Some(base));
        }
        assert_eq!(base_name(&Name::new("plain.txt")?), None);
        Ok(())
    }

    #[test]
    fn long_names_stay_names() -> Result<(), PathError> {
        for base in [
            "ä".repeat(127),
            "x".repeat(255),
            format!("{}.txt", "ö".repeat(125)),
        ] {
            let name = conflict_name(
                &Name::new(base)?,
                false,
                &"w".repeat(99),
                &stamp(u64::MAX),
                u32::MAX - 1,
                &NODE,
            );
            assert_eq!(Name::new(name.as_bytes()), Ok(name.clone()));
            assert!(std::str::from_utf8(name.as_bytes()).is_ok(), "{name}");
        }
        Ok(())
    }

    #[test]
    fn days_become_dates() {
        let known = [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (19_675, (2023, 11, 14)),
        ];
        for (days, date) in known {
            assert_eq!(civil(days), date);
        }
    }
}
