//! The gate: format, lints, all tests, one count at the end.

use crate::count::Count;
use crate::page;
use crate::run::{command, ensure, install_npm, install_python, run};

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
    let mut count = Count::new();
    cargo_test(&mut count, quick)?;
    // With a program that was not built there is nothing to browse.
    if !quick && count.passed > 0 {
        page::stories(&mut count)?;
    }
    println!(
        "{} passed, {} failed, {} skipped",
        count.passed, count.failed, count.skipped
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
        ("chromium", "chromium"),
        ("fusermount3", "fuse3"),
        ("litmus", "litmus"),
        ("git", "git"),
        ("make", "make"),
        ("python3", "python3"),
        ("rsync", "rsync"),
        ("sqlite3", "sqlite3"),
        ("pdftotext", "poppler-utils"),
        ("zbarimg", "zbar-tools"),
    ])?;
    install_npm("interop")?;
    page::prepare()?;
    install_python("interop/contract")
}

fn cargo_test(count: &mut Count, quick: bool) -> Result<(), String> {
    let mut tests = command(
        "cargo",
        &["test", "--workspace", "--locked", "--no-fail-fast"],
    );
    if quick {
        tests.env("COBOX_SKIP_INTEROP", "1");
    }
    count.run(&mut tests, Count::cargo)
}
