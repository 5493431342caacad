//! What is printed: text for people, JSON for programs, progress bars where work is long.

use crate::api::types::{JobProgress, ProgressJson, SpaceJson};
use crate::cli::CliError;
use crate::client::ClientError;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How to print.
pub struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    /// For people, or for programs.
    pub fn new(json: bool) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour }
    }

    /// Are we printing for programs?
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: its JSON, or the text made for people.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        let line = if self.json {
            serde_json::to_string(value).unwrap_or_default()
        } else {
            text(value)
        };
        line_out(line.trim_end());
    }

    /// Something worth noticing (a name, a key) in the accent colour.
    pub fn accent(&self, text: &str) -> String {
        if self.colour {
            format!("\x1b[38;2;172;255;172m{text}\x1b[0m")
        } else {
            text.into()
        }
    }

    /// Prints an error where errors belong.
    pub fn error(&self, error: &CliError) {
        if self.json {
            let json = match error {
                CliError::Client(ClientError::Refused(refused)) => json!({ "errors": [refused] }),
                other => json!({ "errors": [{ "msg": other.to_string(), "code": "failed" }] }),
            };
            eprintln!("{json}");
        } else {
            eprintln!("cobox: {error}");
        }
    }

    /// A bar for a long job; hidden for programs and where nobody looks.
    pub fn bar(&self, what: &'static str) -> Bar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if self.json || !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_style(style("{spinner} {msg} {binary_bytes}  {prefix}"));
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar(bar)
    }
}

/// Progress of a long job.
pub struct Bar(ProgressBar);

impl Bar {
    /// Shows how far it is; a bar only once it is known how much there is.
    pub fn show(&self, now: JobProgress) {
        self.0.set_position(now.bytes);
        if now.total_entries == 0 {
            let so_far = count(now.entries, "entry", "entries");
            return self.0.set_prefix(format!("{so_far} so far"));
        }
        if self.0.length().is_none() {
            let full = "{msg} {bar:28.green/white} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {prefix}";
            self.0.set_style(style(full).progress_chars("█▉▊▋▌▍▎▏ "));
        }
        self.0.set_length(now.total_bytes.max(now.bytes));
        let total = now.total_entries.max(now.entries);
        self.0
            .set_prefix(format!("{} of {total} entries", now.entries));
    }

    /// Says something beside it.
    pub fn say(&self, text: &str) {
        self.0.suspend(|| eprintln!("{text}"));
    }

    /// Takes it away.
    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// One line on standard output; a closed pipe is no error.
pub fn line_out(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Bytes for people.
pub fn bytes(count: u64) -> String {
    HumanBytes(count).to_string()
}

/// `1 file`, `2 files`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How far a space is on this machine, in words; never called complete before all of it is shown.
pub fn here(space: &SpaceJson) -> String {
    if space.waiting {
        return "waiting for a device that has it".into();
    }
    match (
        space.progress.held >= space.progress.known,
        space.indexed,
        &space.last_sync_at,
    ) {
        (true, false, _) => "reading what has come".into(),
        (true, true, None) => "complete; no other copy has been met yet".into(),
        _ => progress(&space.progress),
    }
}

/// How far a copy is, in words.
pub fn progress(progress: &ProgressJson) -> String {
    if progress.held >= progress.known {
        return "complete".into();
    }
    let percent = progress.bytes_held.saturating_mul(100) / progress.bytes_known.max(1);
    format!(
        "{} % ({} of {})",
        percent.min(99),
        bytes(progress.bytes_held),
        bytes(progress.bytes_known)
    )
}

/// Rows with aligned columns; numbers to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let width = |column| cells(column).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let aligned = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| align(cell, *width));
        format!("  {}", aligned.collect::<Vec<_>>().join("  "))
            .trim_end()
            .to_owned()
            + "\n"
    };
    rows.iter().map(line).collect()
}

fn align(cell: &str, width: usize) -> String {
    let number = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    if number {
        format!("{cell:>width$}")
    } else {
        format!("{cell:<width$}")
    }
}

/// A name that may hold anything, safe to print on a terminal: nothing in it moves the cursor or turns the text around.
pub fn printable(name: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let safe = |c: char| {
        if c.is_control() || turns(c) {
            '\u{fffd}'
        } else {
            c
        }
    };
    name.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".into(), "1".into()],
            vec!["long".into(), "22".into()],
        ];
        assert_eq!(table(&rows), "  a      1\n  long  22\n");
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(printable("\u{202e}gpj.exe"), "\u{fffd}gpj.exe");
    }

    #[test]
    fn an_unfinished_copy_is_never_called_complete() {
        let far = ProgressJson {
            known: 1000,
            held: 999,
            bytes_known: 1000,
            bytes_held: 1000,
        };
        assert!(progress(&far).starts_with("99 %"));
    }
}
