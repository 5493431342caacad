//! Words for people: times as names, texts about conflicts and files.

use crate::errno::{self, Answer};
use cobox_drive::drive::Drive;
use cobox_drive::path::DrivePath;
use cobox_drive::tree::{Cause, Conflict, Version, WriterInfo};
use cobox_drive::version::WriterTag;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;

/// Texts about files are called like the file, with this behind.
pub(super) const SUFFIX: &[u8] = b".txt";

/// A time as a name that sorts: `2026-11-28T07:30:00Z`.
pub(super) fn format_time(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

/// The last moment that a name stands for: `2026-11-28T07:30:00Z`, here `2026-11-28 08:30` or the day `2026-11-28`, or
/// `2h ago` with units m, h, d, w.
pub(super) fn parse_time(name: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(name).ok()?;
    let time = match text.strip_suffix(" ago") {
        Some(span) => ago(span)?,
        None => text.parse::<Timestamp>().ok().or_else(|| local(text))?,
    };
    u64::try_from(time.as_millisecond()).ok()?.checked_add(999)
}

fn local(text: &str) -> Option<Timestamp> {
    let day = |day: Date| day.at(23, 59, 59, 0);
    let time = match text.contains(':') {
        true => text.parse::<DateTime>(),
        false => text.parse().map(day),
    };
    let there = time.ok()?.to_zoned(TimeZone::system());
    Some(there.ok()?.timestamp())
}

fn ago(span: &str) -> Option<Timestamp> {
    let digits = span.trim_end_matches(|c: char| !c.is_ascii_digit());
    let minutes = match &span[digits.len()..] {
        "m" => 1,
        "h" => 60,
        "d" => 1_440,
        "w" => 10_080,
        _ => return None,
    };
    let minutes = digits.parse::<i64>().ok()?.checked_mul(minutes)?;
    let span = SignedDuration::try_from_mins(minutes)?;
    Timestamp::now().checked_sub(span).ok()
}

/// Name and text of each open conflict.
pub(super) fn conflicts(drive: &Drive) -> Answer<Vec<(String, String)>> {
    let writers = drive.writers().map_err(errno::of)?;
    let all = drive.conflicts().map_err(errno::of)?;
    let one = |(number, conflict): (usize, &Conflict)| {
        let leaf = conflict.path.names().last().map(|name| name.to_string());
        let leaf = leaf.unwrap_or_default().replace('/', "_");
        let leaf: String = leaf.chars().take(60).collect();
        (
            format!("{:03} {leaf}.txt", number + 1),
            about(conflict, &writers),
        )
    };
    Ok(all.iter().enumerate().map(one).collect())
}

fn about(conflict: &Conflict, writers: &[WriterInfo]) -> String {
    let cause = match conflict.cause {
        Cause::Content => "people wrote it at the same time",
        Cause::Place => "people moved it at the same time",
        Cause::Attrs => "people changed its details at the same time",
        Cause::Life => "somebody deleted it while somebody else changed it",
        Cause::Name => "two files have this name",
        Cause::Loop => "folders were moved into each other",
    };
    let mut text = format!("{}\n{cause}\n\n", conflict.path);
    for (index, version) in conflict.versions.iter().enumerate() {
        let shown = if index == 0 { "shown" } else { "beside" };
        let _ = writeln!(text, "{shown:7} {}", line(version, writers)); // a String takes everything
    }
    text.push_str(
        "\nThe versions lie beside each other in the folder. Remove those you do not want,\n",
    );
    text.push_str("or settle it with: cobox resolve SPACE:PATH --keep ID\n");
    text
}

fn line(version: &Version, writers: &[WriterInfo]) -> String {
    let size = version
        .content
        .as_ref()
        .map_or(String::new(), |content| format!("{} bytes", content.size));
    let what = if version.deleted { "deleted" } else { &size };
    let (time, who) = (
        format_time(version.time_ms),
        device(&version.writer, writers),
    );
    format!("{time}  {who}  {what}  {}", version.dot)
}

fn device(tag: &WriterTag, writers: &[WriterInfo]) -> String {
    let known = writers.iter().find(|writer| writer.tag == *tag);
    known.map_or_else(
        || tag.to_string(),
        |writer| writer.claim.device_name.clone(),
    )
}

/// What is known about a file: how much of it is here, and its versions.
pub(super) fn status(drive: &Drive, path: &DrivePath) -> Answer<String> {
    let entry = drive.stat(path).map_err(errno::of)?;
    let writers = drive.writers().map_err(errno::of)?;
    let history = drive.history(path).map_err(errno::of)?;
    let held = drive.held(&entry);
    let mut text = format!(
        "{path}\nsize     {} bytes\nhere     {held} bytes\n",
        entry.content.size
    );
    if entry.conflict {
        text.push_str("conflict a version that lost; the newest is beside it\n");
    }
    text.push_str("\nversions, newest first\n");
    for version in &history {
        let _ = writeln!(text, "{}", line(version, &writers)); // a String takes everything
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_all_that_was_committed_in_its_second() {
        let ms = 1_795_851_000_123;
        let name = format_time(ms);
        assert_eq!(name, "2026-11-28T07:30:00Z");
        assert_eq!(parse_time(name.as_bytes()), Some(1_795_851_000_999));
    }

    #[test]
    fn a_day_ends_with_its_last_second() {
        let noon = parse_time(b"2026-05-01 12:00").expect("a time");
        let day = parse_time(b"2026-05-01").expect("a day");
        assert_eq!(day - noon, (12 * 3600 - 1) * 1000);
    }

    #[test]
    fn a_while_ago_is_before_now() {
        let ago = |name| parse_time(name).expect("a time");
        let now = ago(b"0m ago");
        assert!((86_399_000..86_401_000).contains(&(now - ago(b"24h ago"))));
        assert!(ago(b"1w ago") < ago(b"6d ago"));
    }

    #[test]
    fn other_names_stand_for_no_time() {
        let wrong: [&[u8]; 7] = [
            b"yesterday",
            b"\xff",
            b"",
            b"5",
            b"5 ago",
            b"9999999999999999w ago",
            b"2026-13-01",
        ];
        for name in wrong {
            assert_eq!(parse_time(name), None);
        }
    }
}
