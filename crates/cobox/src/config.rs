//! Where the program keeps things, and how its parts find each other: home folder, API token, run file.
//!
//! Not its job: what is inside the home's store, which belongs to `cobox_space`.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Port of the API, as the original's.
pub const DEFAULT_PORT: u16 = 9112;

/// What can go wrong with the program's own files.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No home folder is known for this user.
    #[error("no home folder is known for this user: name one with --home DIR")]
    NoHome,
    /// A file of ours cannot be used.
    #[error("{action} {path}: {source}")]
    File {
        /// what was tried
        action: &'static str,
        /// on which file
        path: PathBuf,
        /// why it failed
        source: io::Error,
    },
}

/// One home folder: an identity, its spaces and replicas, and the running program's marks.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
}

/// What the running program leaves for other commands to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// process id
    pub pid: u32,
    /// port of the API on 127.0.0.1
    pub port: u16,
}

impl Home {
    /// The folder asked for, else `COBOX_HOME`, else the XDG data folder.
    pub fn resolve(asked: Option<PathBuf>) -> Result<Self, ConfigError> {
        let dir = asked
            .or_else(|| std::env::var_os("COBOX_HOME").map(PathBuf::from))
            .or_else(|| {
                directories::ProjectDirs::from("", "", "cobox").map(|d| d.data_dir().into())
            })
            .ok_or(ConfigError::NoHome)?;
        let dir = std::path::absolute(&dir).map_err(|source| file("find", &dir, source))?;
        Ok(Self { dir })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder, readable by its owner only.
    pub fn create(&self) -> Result<(), ConfigError> {
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|source| file("create", &self.dir, source))
    }

    /// A fresh token for this run, in a file that only its owner can read.
    pub fn write_token(&self) -> Result<String, ConfigError> {
        let path = self.dir.join("token");
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|e| file("make a token for", &path, io::Error::other(e.to_string())))?;
        let token = HEXLOWER.encode(&bytes);
        replace(&path, token.as_bytes())?;
        Ok(token)
    }

    /// The token of the running program.
    pub fn read_token(&self) -> Result<String, ConfigError> {
        let path = self.dir.join("token");
        let text = fs::read_to_string(&path).map_err(|source| file("read", &path, source))?;
        Ok(text.trim().to_owned())
    }

    /// Says that a program runs here.
    pub fn write_running(&self, running: Running) -> Result<(), ConfigError> {
        let path = self.dir.join("run");
        let text =
            serde_json::to_vec(&running).map_err(|e| file("write", &path, io::Error::other(e)))?;
        replace(&path, &text)
    }

    /// The program that runs here, if it said so and may still be there.
    pub fn read_running(&self) -> Option<Running> {
        let text = fs::read(self.dir.join("run")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Takes the marks of a run away.
    pub fn clear_running(&self) {
        let _ = fs::remove_file(self.dir.join("run"));
        let _ = fs::remove_file(self.dir.join("token"));
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), ConfigError> {
    replace_private(path, bytes).map_err(|source| file("write", path, source))
}

/// Writes a file of mode 0600 in one step: other programs see the old or the new one, never half.
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut options = fs::OpenOptions::new();
    let mut out = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&new, path)
}

fn file(action: &'static str, path: &Path, source: io::Error) -> ConfigError {
    ConfigError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_token_is_for_its_owner_only_and_new_each_run() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().join("home"))).unwrap();
        home.create().unwrap();
        let first = home.write_token().unwrap();
        let second = home.write_token().unwrap();
        assert_ne!(first, second);
        assert_eq!(home.read_token().unwrap(), second);
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home.path().join("token")), 0o600);
        assert_eq!(mode(home.path()), 0o700);
    }

    #[test]
    fn a_run_is_found_and_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().into())).unwrap();
        assert_eq!(home.read_running(), None);
        let running = Running { pid: 7, port: 4242 };
        home.write_running(running).unwrap();
        assert_eq!(home.read_running(), Some(running));
        home.clear_running();
        assert_eq!(home.read_running(), None);
    }
}
