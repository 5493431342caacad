//! Words for people: times as names, texts about conflicts and files.

use crate::errno::{self, Answer};
use cobox_drive::drive::Drive;
use cobox_drive::path::DrivePath;
use cobox_drive::tree::{Cause, Conflict, Version, WriterInfo};
use cobox_drive::version::WriterTag;
use jiff::Timestamp;
use std::fmt::Write;

/// Texts about files are called like the file, with this behind.
pub(super) const SUFFIX: &[u8] = b".txt";

/// A time as a name that sorts: `2026-11-28T07:30:00Z`.
pub(super) fn format_time(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

/// The last moment that a name stands for: a second, or (`2026-11-28`) a day.
pub(super) fn parse_time(name: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(name).ok()?;
    let (time, last) = match text.parse::<Timestamp>() {
        Ok(time) => (time, 999),
        Err(_) => (format!("{text}T23:59:59Z").parse().ok()?, 999),
    };
    u64::try_from(time.as_millisecond()).ok()?.checked_add(last)
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
        assert_eq!(parse_time(b"1970-01-02"), Some(2 * 86_400_000 - 1));
        assert_eq!(parse_time(b"yesterday"), None);
        assert_eq!(parse_time(b"\xff"), None);
    }
}
