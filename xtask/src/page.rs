//! The web page: built from `ui/` into `crates/cobox/page`, which is committed, so that cargo alone builds the program.
//!
//! The same sources and locked tools give the same bytes; the gate builds it again and compares.

use crate::count::Count;
use crate::run::{command, ensure, install_npm, root, run};
use std::path::PathBuf;

/// Writes the description of the API that the page is typed by, and builds the page that goes into the program.
pub fn build() -> Result<(), String> {
    prepare()?;
    let describe = [
        "test",
        "--workspace",
        "--locked",
        "--bin",
        "cobox",
        "the_page_is_made_for_the_calls_that_there_are",
    ];
    run(command("cargo", &describe).env("COBOX_WRITE_OPENAPI", "1"))?;
    npm("embed")
}

/// Types, words, unit tests; and what is committed is what `ui/` builds.
pub fn test() -> Result<(), String> {
    npm("test")
}

/// The page in a real browser, with the programs that `cargo test` has built.
pub fn stories(count: &mut Count) -> Result<(), String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    let mut npm = command("npm", &["run", "--silent", "e2e"]);
    npm.current_dir(root().join("ui"))
        .env("COBOX", root().join(target).join("debug/cobox"));
    count.run(&mut npm, Count::node)
}

/// What building it needs.
pub fn prepare() -> Result<(), String> {
    ensure(&[("node", "nodejs"), ("npm", "npm")])?;
    install_npm("ui")
}

fn npm(script: &str) -> Result<(), String> {
    run(command("npm", &["run", script]).current_dir(root().join("ui")))
}
