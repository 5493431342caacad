//! Benchmarks: builds the release program, then starts the measuring script with the names asked for.

use crate::run::{command, ensure, install_npm, run as execute};

/// Runs all benchmarks, or those named. Results are printed and appended to `bench/results/`.
pub fn run(words: &[String]) -> Result<(), String> {
    ensure(&[
        ("python3", "python3"),
        ("node", "nodejs"),
        ("npm", "npm"),
        ("ip", "iproute2"),
        ("syncthing", "syncthing"),
        ("restic", "restic"),
        ("gocryptfs", "gocryptfs"),
        ("fusermount3", "fuse3"),
        ("fio", "fio"),
        ("git", "git"),
    ])?;
    for what in [
        ["-p", "cobox", "--bins"],
        ["-p", "cobox-swarm", "--examples"],
        ["-p", "cobox-space", "--examples"],
    ] {
        execute(command("cargo", &["build", "--release", "--locked"]).args(what))?;
    }
    install_npm("bench")?;
    execute(command("python3", &["bench/run.py"]).args(words))
}
