//! The story of a lost computer at full size: only a printed sheet and a hub are left of 10 000 files and a large one.
//!
//! Not its job: the story, which is a test; the gate runs it with less.

use crate::run::{command, ensure, root, run};
use std::path::PathBuf;

/// Builds the release program and runs the story with it.
pub fn story() -> Result<(), String> {
    ensure(&[
        ("pdftotext", "poppler-utils"),
        ("zbarimg", "zbar-tools"),
        ("diff", "diffutils"),
    ])?;
    run(&mut command(
        "cargo",
        &["build", "--release", "--locked", "-p", "cobox", "--bins"],
    ))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    let mut tests = command(
        "cargo",
        &["test", "--workspace", "--locked", "--test", "paper"],
    );
    run(tests
        .args(["--", "--ignored", "--nocapture"])
        .env("COBOX", root().join(target).join("release/cobox"))
        .env("COBOX_PATIENCE", "900"))
}
