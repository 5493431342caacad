//! The same program from its beginning, in the same process: so nothing of what it knew is left in its memory.
//!
//! Wiping each key where it lies cannot be complete: libraries copy, buffers grow and leave their old place behind, and
//! rows of open spaces lie in caches. The kernel takes the whole memory away when a process begins another program.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Begins again with the words of before, the same port, and `more`. Comes back only if that failed.
pub fn begin(port: u16, more: &[&str]) -> io::Error {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| "cobox".into());
    let port = ["--port".into(), OsString::from(port.to_string())];
    let mut command = Command::new(program());
    command.arg0(name).args(words).args(port).args(more);
    command.exec()
}

/// Ours, also if another one was installed in its place meanwhile.
fn program() -> PathBuf {
    let named = std::env::current_exe().ok().filter(|path| path.exists());
    named.unwrap_or_else(|| Path::new("/proc/self/exe").to_owned())
}
