//! How many tests passed, failed and were left out, read from what their runners say.

use crate::run::shown;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Of all runners so far.
#[derive(Default)]
pub struct Count {
    /// that passed
    pub passed: u64,
    /// that failed, or were ended
    pub failed: u64,
    /// that were not run
    pub skipped: u64,
    /// Every runner ended well.
    pub clean: bool,
}

impl Count {
    /// Nothing yet, and nothing wrong.
    pub fn new() -> Self {
        Self {
            clean: true,
            ..Self::default()
        }
    }

    /// Runs tests, passes their output through, and adds up the lines that count.
    pub fn run(&mut self, tests: &mut Command, read: fn(&mut Self, &str)) -> Result<(), String> {
        let words = shown(tests);
        eprintln!("$ {words}");
        let failed = |error| format!("{words}: {error}");
        tests.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = tests.spawn().map_err(failed)?;
        let output = child.stdout.take().ok_or(format!("{words}: no output"))?;
        for line in BufReader::new(output).lines() {
            let line = line.map_err(failed)?;
            println!("{line}");
            read(self, &line);
        }
        self.clean &= child.wait().map_err(failed)?.success();
        Ok(())
    }

    /// A line of `cargo test`.
    pub fn cargo(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
            self.skipped += number_before(result, " ignored");
        }
    }

    /// A line of Node's runner, which ends with a sum of all files.
    pub fn node(&mut self, line: &str) {
        let Some((what, number)) = line.strip_prefix("ℹ ").and_then(|sum| sum.split_once(' '))
        else {
            return;
        };
        let number = number.trim().parse().unwrap_or(0);
        match what {
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" | "todo" => self.skipped += number,
            _ => {}
        }
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    let Some(end) = text.find(word) else { return 0 };
    let digits = text[..end].rsplit(' ').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Count, number_before};

    #[test]
    fn counts_are_read_from_the_runners_line() {
        let line = "ok. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(number_before(line, " passed"), 12);
        assert_eq!(number_before(line, " failed"), 3);
        assert_eq!(number_before(line, " ignored"), 1);
        assert_eq!(number_before("nothing", " passed"), 0);
    }

    #[test]
    fn counts_of_both_runners_are_added_up() {
        let mut count = Count::new();
        count.cargo("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured");
        for line in [
            "✔ a story (3 ms)",
            "ℹ tests 9",
            "ℹ pass 6",
            "ℹ fail 1",
            "ℹ cancelled 1",
            "ℹ skipped 1",
            "ℹ todo 0",
        ] {
            count.node(line);
        }
        assert_eq!((count.passed, count.failed, count.skipped), (18, 2, 2));
    }
}
