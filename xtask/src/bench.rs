//! Benchmarks: builds the release program, then starts the measuring script with the names asked for.

use crate::run::{command, ensure, root, run as execute};

/// Runs all benchmarks, or those named. Results are printed and appended to `bench/results/`.
pub fn run(names: &[String]) -> Result<(), String> {
    ensure(&[
        ("python3", "python3"),
        ("node", "nodejs"),
        ("npm", "npm"),
        ("syncthing", "syncthing"),
        ("restic", "restic"),
    ])?;
    execute(&mut command(
        "cargo",
        &["build", "--release", "--locked", "-p", "cobox"],
    ))?;
    execute(command("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(root().join("bench")))?;
    execute(command("python3", &["bench/run.py"]).args(names))
}
