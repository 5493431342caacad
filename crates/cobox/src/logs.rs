//! What was logged lately, kept in memory beside standard error, so that a person can read it without a terminal.
//!
//! Bounded: the oldest lines go first. Not its job: what is logged.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

/// Lines kept,
const LINES: usize = 500;
/// and bytes of each.
const LONGEST: usize = 2000;

/// The last lines.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<VecDeque<String>>>);

impl Logs {
    /// Oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.kept().iter().cloned().collect()
    }

    fn keep(&self, text: &str) {
        let mut kept = self.kept();
        for line in text.lines() {
            while kept.len() >= LINES {
                kept.pop_front();
            }
            let end = line.floor_char_boundary(LONGEST);
            kept.push_back(line[..end].to_owned());
        }
    }

    /// Whole after each statement, so a panic elsewhere spoils nothing.
    fn kept(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One event on its way to standard error; the subscriber hands each over in one piece.
pub struct Both<'a>(&'a Logs);

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Both<'a>;

    fn make_writer(&'a self) -> Both<'a> {
        Both(self)
    }
}

impl Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.keep(&String::from_utf8_lossy(bytes));
        io::stderr().write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_more() {
        let logs = Logs::default();
        for n in 0..LINES + 10 {
            logs.keep(&format!("{n} {}\n", "ä".repeat(LONGEST)));
        }
        let lines = logs.lines();
        assert_eq!(lines.len(), LINES);
        assert!(lines[0].starts_with("10 ") && lines.iter().all(|line| line.len() <= LONGEST));
    }
}
