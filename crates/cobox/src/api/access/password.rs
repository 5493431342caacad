//! The password that opens sessions: only its Argon2id hash is kept, in a file for its owner alone.
//!
//! It guards the API. Not its job: locking keys on disk.

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Characters that a password has at least,
pub const SHORTEST: usize = 8;
/// and bytes at most.
pub const LONGEST: usize = 1024;

/// Memory for a hash, KiB, and passes over it: a sixth of a second on a small machine.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
/// What a file may ask for at most, so that a damaged one does not take all memory.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 32;
/// Largest file that is read.
const MOST_BYTES: u64 = 4096;

/// The file.
pub struct Password(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    kind: String,
    memory: u32,
    passes: u32,
    salt: String,
    hash: String,
}

impl Password {
    /// Of a home.
    pub fn of(home: &Path) -> Self {
        Self(home.join("password"))
    }

    /// Has one been set?
    pub fn is_set(&self) -> bool {
        self.0.exists()
    }

    /// Sets it. Takes a while and much memory.
    pub fn set(&self, password: &str) -> io::Result<()> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|e| io::Error::other(e.to_string()))?;
        let kept = Kept {
            kind: "argon2id".into(),
            memory: MEMORY,
            passes: PASSES,
            salt: HEXLOWER.encode(&salt),
            hash: HEXLOWER.encode(&hash(password, &salt, MEMORY, PASSES)?[..]),
        };
        let text = serde_json::to_vec(&kept).map_err(io::Error::other)?;
        crate::config::replace_private(&self.0, &text)
    }

    /// Is this it? Takes a while and much memory.
    pub fn fits(&self, password: &str) -> io::Result<bool> {
        if self.0.metadata()?.len() > MOST_BYTES {
            return Err(damaged());
        }
        let kept: Kept = serde_json::from_slice(&std::fs::read(&self.0)?).map_err(|_| damaged())?;
        let decode = |text: &str| HEXLOWER.decode(text.as_bytes()).map_err(|_| damaged());
        let (salt, right) = (decode(&kept.salt)?, decode(&kept.hash)?);
        if kept.kind != "argon2id" || kept.memory > MOST_MEMORY || kept.passes > MOST_PASSES {
            return Err(damaged());
        }
        let given = hash(password, &salt, kept.memory, kept.passes)?;
        Ok(given[..].ct_eq(&right).into())
    }
}

fn hash(password: &str, salt: &[u8], memory: u32, passes: u32) -> io::Result<Zeroizing<[u8; 32]>> {
    let params = Params::new(memory, passes, 1, None).map_err(|_| damaged())?;
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut out[..])
        .map_err(|_| damaged())?;
    Ok(out)
}

fn damaged() -> io::Error {
    let words =
        "the file \"password\" in the home folder is damaged; set a new one with: cobox password";
    io::Error::new(ErrorKind::InvalidData, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_password_fits_and_only_its_owner_reads_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let password = Password::of(dir.path());
        assert!(!password.is_set() && password.fits("x").is_err());
        password.set("correct horse").unwrap();
        assert!(password.is_set() && password.fits("correct horse").unwrap());
        assert!(!password.fits("correct horsf").unwrap() && !password.fits("").unwrap());
        let file = dir.path().join("password");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("correct"), "{text}");
    }

    #[test]
    fn a_damaged_file_is_an_error_and_takes_no_memory() {
        let dir = tempfile::tempdir().unwrap();
        let password = Password::of(dir.path());
        let kept = |memory: u32| {
            format!(
                r#"{{"kind":"argon2id","memory":{memory},"passes":1,"salt":"0000000000000000","hash":"00"}}"#
            )
        };
        for text in [
            String::new(),
            "{}".into(),
            kept(u32::MAX),
            kept(0),
            "x".repeat(5000),
        ] {
            std::fs::write(dir.path().join("password"), &text).unwrap();
            assert!(password.fits("x").is_err(), "{text}");
        }
        std::fs::write(dir.path().join("password"), kept(8)).unwrap();
        assert!(!password.fits("x").unwrap());
    }
}
