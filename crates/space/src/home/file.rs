//! One small file of the home folder: written whole or not at all, checked when read.
//!
//! `magic (8) | format (1) | length (4, LE) | body | CRC-32 of all before (4, LE)`. The checksum
//! finds damage by a disk; what must withstand people is sealed or signed inside the body.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::SpaceError;

const FORMAT: u8 = 1;
const HEAD: usize = 13;
const TAIL: usize = 4;
/// 10 000 spaces with their hints take a few MiB.
const MAX_FILE: u64 = 64 << 20;

/// A file of the home folder, by its path and the eight bytes it begins with.
#[derive(Clone, Debug)]
pub(super) struct HomeFile {
    path: PathBuf,
    magic: [u8; 8],
}

impl HomeFile {
    pub(super) fn new(dir: &Path, name: &str, magic: &[u8; 8]) -> Self {
        Self {
            path: dir.join(name),
            magic: *magic,
        }
    }

    /// Whether there is such a file.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// What to say of a body that does not decode.
    pub(super) fn damaged(&self) -> SpaceError {
        SpaceError::DamagedHome(self.path.clone())
    }

    /// What to say of a body that a newer program wrote.
    pub(super) fn too_new(&self) -> SpaceError {
        SpaceError::HomeTooNew(self.path.clone())
    }

    /// Takes away what a crash left of a replacement.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub(super) fn sweep(&self) -> Result<(), SpaceError> {
        match fs::remove_file(self.path.with_extension("new")) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.failed("cannot clean up beside")(error))
            }
            _ => Ok(()),
        }
    }

    /// The body; `None` if there is no such file.
    ///
    /// # Errors
    ///
    /// `Home`, `DamagedHome` or `HomeTooNew`.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, SpaceError> {
        let mut whole = Zeroizing::new(Vec::new());
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(self.failed("cannot open"))?,
        };
        file.take(MAX_FILE)
            .read_to_end(&mut whole)
            .map_err(self.failed("cannot read"))?;
        self.unwrap(&whole).map(Some)
    }

    /// Replaces the file. When this returns the new body is durable; after a crash before, the file
    /// is as it was.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub(super) fn write(&self, body: &[u8]) -> Result<(), SpaceError> {
        let whole = self.wrap(body)?;
        let new = self.path.with_extension("new");
        let written = self.write_new(&new, &whole);
        written.map_err(self.failed("cannot write"))?;
        fs::rename(&new, &self.path).map_err(self.failed("cannot replace"))?;
        let dir = self.path.parent().unwrap_or(Path::new("."));
        sync_dir(dir).map_err(self.failed("cannot make durable"))
    }

    /// Takes the file away, durably; it may be gone already.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub(super) fn remove(&self) -> Result<(), SpaceError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            removed => removed.map_err(self.failed("cannot remove"))?,
        }
        let dir = self.path.parent().unwrap_or(Path::new("."));
        sync_dir(dir).map_err(self.failed("cannot make durable"))
    }

    fn write_new(&self, new: &Path, whole: &[u8]) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(new)?;
        file.write_all(whole)?;
        file.sync_all()
    }

    fn wrap(&self, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, SpaceError> {
        let fits = u32::try_from(body.len())
            .ok()
            .filter(|length| u64::from(*length) < MAX_FILE - 64);
        let length =
            fits.ok_or_else(|| self.failed("cannot write")(ErrorKind::FileTooLarge.into()))?;
        let mut whole = Zeroizing::new(Vec::with_capacity(HEAD + body.len() + TAIL));
        whole.extend_from_slice(&self.magic);
        whole.push(FORMAT);
        whole.extend_from_slice(&length.to_le_bytes());
        whole.extend_from_slice(body);
        let sum = crc32fast::hash(&whole);
        whole.extend_from_slice(&sum.to_le_bytes());
        Ok(whole)
    }

    fn unwrap(&self, whole: &[u8]) -> Result<Zeroizing<Vec<u8>>, SpaceError> {
        let checked = whole.split_last_chunk::<TAIL>().filter(|(before, sum)| {
            before.starts_with(&self.magic) && crc32fast::hash(before).to_le_bytes() == **sum
        });
        let (before, _) = checked.ok_or_else(|| self.damaged())?;
        let (head, body) = before
            .split_at_checked(HEAD)
            .ok_or_else(|| self.damaged())?;
        if head[8] > FORMAT {
            return Err(self.too_new());
        }
        if head[9..] != (body.len() as u64).to_le_bytes()[..4] {
            return Err(self.damaged());
        }
        Ok(Zeroizing::new(body.to_vec()))
    }

    fn failed(&self, action: &'static str) -> impl Fn(std::io::Error) -> SpaceError {
        let path = self.path.clone();
        move |source| SpaceError::Home {
            action,
            path: path.clone(),
            source,
        }
    }
}

/// A new or replaced name in a folder is durable only when the folder is.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(dir: &Path) -> HomeFile {
        HomeFile::new(dir, "thing", b"cbxTHING")
    }

    #[test]
    fn what_is_written_is_read_and_only_its_owner_may_look() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        assert!(file.read().unwrap().is_none());
        file.write(b"first").unwrap();
        file.write(b"second").unwrap();
        assert_eq!(&**file.read().unwrap().unwrap(), b"second");
        let mode = fs::metadata(dir.path().join("thing"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn any_flipped_or_missing_byte_is_damage_and_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        file.write(b"body").unwrap();
        let path = dir.path().join("thing");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert!(
                matches!(file.read(), Err(SpaceError::DamagedHome(_))),
                "byte {at}"
            );
            fs::write(&path, &good[..at]).unwrap();
            assert!(
                matches!(file.read(), Err(SpaceError::DamagedHome(_))),
                "cut at {at}"
            );
            assert_eq!(fs::read(&path).unwrap(), &good[..at]);
        }
    }

    #[test]
    fn a_later_format_is_not_called_damage() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        file.write(b"body").unwrap();
        let path = dir.path().join("thing");
        let mut newer = fs::read(&path).unwrap();
        newer[8] = 2;
        let end = newer.len() - TAIL;
        let sum = crc32fast::hash(&newer[..end]).to_le_bytes();
        newer[end..].copy_from_slice(&sum);
        fs::write(&path, &newer).unwrap();
        assert!(matches!(file.read(), Err(SpaceError::HomeTooNew(_))));
    }
}
