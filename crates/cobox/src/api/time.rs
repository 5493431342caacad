//! Times as people and programs write them: RFC 3339 out; RFC 3339, plain dates and "2h ago" in.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as RFC 3339 in UTC, to the millisecond.
pub fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_millis();
    format_ms(u64::try_from(now).unwrap_or(u64::MAX))
}

/// Milliseconds since 1970 as RFC 3339 in UTC.
pub fn format_ms(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("@{ms}"), |time| time.to_string())
}

/// Seconds and nanoseconds since 1970 as RFC 3339 in UTC.
pub fn format(seconds: i64, nanos: u32) -> String {
    Timestamp::new(seconds, nanos.min(999_999_999) as i32)
        .map_or_else(|_| format!("@{seconds}"), |time| time.to_string())
}

/// Reads a time: RFC 3339 (`2026-11-23T09:30:00Z`), a local `2026-11-23 [09:30[:15]]`, or `15m ago`
/// with units s, m, h, d, w. Milliseconds since 1970.
pub fn parse_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let time = text
        .strip_suffix("ago")
        .map_or_else(|| parse_point(text), |span| ago(span.trim()))?;
    u64::try_from(time.as_millisecond()).ok()
}

fn parse_point(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let local = text
        .parse::<DateTime>()
        .ok()
        .or_else(|| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)))?;
    Some(local.to_zoned(TimeZone::system()).ok()?.timestamp())
}

fn ago(span: &str) -> Option<Timestamp> {
    let seconds = i64::try_from(parse_span(span)?).ok()?;
    Timestamp::now()
        .checked_sub(jiff::SignedDuration::from_secs(seconds))
        .ok()
}

/// A length of time as people write it: `90s`, `15m`, `12h`, `7d`, `2w`. Seconds.
pub fn parse_span(span: &str) -> Option<u64> {
    let digits = span.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match span[digits.len()..].trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// A time for a person's eyes, in their own time zone, to the second.
pub fn for_people(ms: u64) -> String {
    let Ok(time) = Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(i64::MAX)) else {
        return "an unknown time".into();
    };
    let local = time.to_zoned(TimeZone::system());
    let local = local.round(Unit::Second).unwrap_or(local);
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ms in 0u64..4_000_000_000_000) {
            prop_assert_eq!(parse_ms(&format_ms(ms)), Some(ms));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse_ms(&text);
        }
    }

    #[test]
    fn dates_and_spans_are_read() {
        assert_eq!(parse_ms("1970-01-02T00:00:00Z"), Some(86_400_000));
        assert!(parse_ms("2026-11-23").is_some());
        assert!(parse_ms("2026-11-23 09:30").is_some());
        let now = parse_ms("0s ago").unwrap();
        let hour = parse_ms("1h ago").unwrap();
        assert_eq!(parse_span("7d"), Some(604_800));
        assert_eq!(parse_span("7"), None);
        assert!((3_599_000..3_601_000).contains(&(now - hour)));
        for wrong in [
            "",
            "yesterday",
            "5 ago",
            "99999999999999999999d ago",
            "2026-13-01",
        ] {
            assert_eq!(parse_ms(wrong), None, "{wrong}");
        }
    }
}
