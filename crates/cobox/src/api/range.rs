//! Which part of a file is asked for, and whether it is needed at all: the headers, without the file.

use std::ops::Range;

/// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`; several ranges are answered with the whole file. An error: outside.
pub fn of(header: Option<&str>, size: u64) -> Result<Option<Range<u64>>, ()> {
    let Some(spec) = header.and_then(|h| h.strip_prefix("bytes=")) else {
        return Ok(None);
    };
    let Some((from, to)) = spec.split_once('-') else {
        return Ok(None);
    };
    let range = match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) if to >= from => from..size.min(to.saturating_add(1)),
        (Ok(from), Err(_)) if to.trim().is_empty() => from..size,
        (Err(_), Ok(last)) if from.trim().is_empty() => size.saturating_sub(last)..size,
        _ => return Ok(None),
    };
    match range.start >= size {
        true => Err(()),
        false => Ok(Some(range)),
    }
}

/// Does a range count, given `If-Range`? Only for the version named there; a date never fits, versions have none.
pub fn counts(if_range: Option<&str>, tag: Option<&str>) -> bool {
    if_range.is_none_or(|wanted| tag == Some(wanted.trim()))
}

/// Is the version one of those that `If-None-Match` lists?
pub fn has_it(if_none_match: Option<&str>, tag: Option<&str>) -> bool {
    let (Some(list), Some(tag)) = (if_none_match, tag) else {
        return false;
    };
    let plain = |item: &str| item.trim().trim_start_matches("W/").to_owned();
    list.split(',')
        .map(plain)
        .any(|item| item == "*" || item == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_clamped() {
        assert_eq!(of(None, 10), Ok(None));
        assert_eq!(of(Some("bytes=2-4"), 10), Ok(Some(2..5)));
        assert_eq!(of(Some("bytes=2-"), 10), Ok(Some(2..10)));
        assert_eq!(of(Some("bytes=-3"), 10), Ok(Some(7..10)));
        assert_eq!(of(Some("bytes=0-99"), 10), Ok(Some(0..10)));
        assert_eq!(of(Some("bytes=10-"), 10), Err(()));
        assert_eq!(of(Some("bytes=0-1,4-5"), 10), Ok(None));
        assert_eq!(of(Some("lines=1-2"), 10), Ok(None));
    }

    #[test]
    fn a_range_of_another_version_is_no_range() {
        assert!(counts(None, None) && counts(Some("\"a-1\""), Some("\"a-1\"")));
        assert!(!counts(Some("\"a-1\""), Some("\"a-2\"")) && !counts(Some("\"a-1\""), None));
    }

    #[test]
    fn what_the_caller_has_is_not_sent_again() {
        assert!(
            has_it(Some("\"a-2\", W/\"a-1\""), Some("\"a-1\"")) && has_it(Some("*"), Some("x"))
        );
        assert!(
            !has_it(None, Some("x"))
                && !has_it(Some("\"a-2\""), Some("\"a-1\""))
                && !has_it(Some("*"), None)
        );
    }
}
