//! The gate: format, lints, all tests, one count at the end.

use crate::page;
use crate::run::{command, ensure, install_npm, install_python, run};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs everything that must pass. `quick` leaves out what needs other languages.
pub fn test(quick: bool) -> Result<(), String> {
    if !quick {
        prepare()?;
    }
    run(&mut command("cargo", &["fmt", "--all", "--check"]))?;
    run(&mut command(
        "cargo",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    ))?;
    if !quick {
        page::test()?;
    }
    let count = cargo_test(quick)?;
    println!(
        "{} passed, {} failed, {} skipped",
        count.passed, count.failed, count.ignored
    );
    if count.failed > 0 || !count.clean {
        return Err("tests failed".into());
    }
    if count.passed == 0 {
        return Err("no test ran".into());
    }
    Ok(())
}

/// Tools and packages the tests use, from Debian, npm and PyPI, by name.
fn prepare() -> Result<(), String> {
    ensure(&[
        ("node", "nodejs"),
        ("npm", "npm"),
        ("cc", "gcc"),
        ("fusermount3", "fuse3"),
        ("litmus", "litmus"),
        ("git", "git"),
        ("make", "make"),
        ("python3", "python3"),
        ("rsync", "rsync"),
        ("sqlite3", "sqlite3"),
    ])?;
    install_npm("interop")?;
    page::prepare()?;
    install_python("interop/contract")
}

#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
    clean: bool,
}

/// Runs `cargo test`, passes its output through and adds up the lines that count.
fn cargo_test(quick: bool) -> Result<Count, String> {
    let mut tests = command(
        "cargo",
        &["test", "--workspace", "--locked", "--no-fail-fast"],
    );
    if quick {
        tests.env("COBOX_SKIP_INTEROP", "1");
    }
    let mut child = tests
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cargo test: {e}"))?;
    let mut count = Count::default();
    let output = child.stdout.take().ok_or("cargo test: no output")?;
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|e| format!("cargo test: {e}"))?;
        println!("{line}");
        if let Some(result) = line.strip_prefix("test result: ") {
            count.passed += number_before(result, " passed");
            count.failed += number_before(result, " failed");
            count.ignored += number_before(result, " ignored");
        }
    }
    count.clean = child
        .wait()
        .map_err(|e| format!("cargo test: {e}"))?
        .success();
    Ok(count)
}

fn number_before(text: &str, word: &str) -> u64 {
    let Some(end) = text.find(word) else { return 0 };
    let digits = text[..end].rsplit(' ').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::number_before;

    #[test]
    fn counts_are_read_from_the_runners_line() {
        let line = "ok. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(number_before(line, " passed"), 12);
        assert_eq!(number_before(line, " failed"), 3);
        assert_eq!(number_before(line, " ignored"), 1);
        assert_eq!(number_before("nothing", " passed"), 0);
    }
}
