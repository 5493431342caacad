//! The folder written to: every step relative to an open folder, no symlink followed, nothing overwritten.

use super::shown;
use crate::error::DriveError;
use crate::path::Name;
use crate::record::{Attrs, Time};
use crate::tree::Entry;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    self, AtFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT, XattrFlags,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

const NEW_FOLDER: Mode = Mode::RWXU;
const NEW_FILE: Mode = Mode::from_raw_mode(0o600);

/// An open local folder.
pub(super) struct Target {
    fd: OwnedFd,
    path: PathBuf,
}

/// A file or folder as it was found.
pub(super) struct Existing(File);

/// A file being written under a name of its own; gone again unless finished.
pub(super) struct Made<'a> {
    folder: &'a Target,
    file: File,
    name: String,
    kept: bool,
}

impl Target {
    /// The folder the person named, created if it is missing.
    pub fn create(dir: &Path) -> Result<Self, DriveError> {
        std::fs::create_dir_all(dir).map_err(|error| DriveError::local(dir, error))?;
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = fs::open(dir, flags, Mode::empty())
            .map_err(|error| DriveError::local(dir, error.into()))?;
        Ok(Self {
            fd,
            path: dir.to_owned(),
        })
    }

    /// Makes everything that was written durable: its whole file system, since syncing each of many small files would
    /// take minutes.
    pub fn sync(&self) -> Result<(), DriveError> {
        fs::syncfs(&self.fd).map_err(|error| DriveError::local(&self.path, error.into()))
    }

    /// Full path of a child, for people.
    pub fn path_of(&self, name: &Name) -> PathBuf {
        shown(&self.path, name)
    }

    /// A child folder, created if it is missing.
    pub fn folder(&self, name: &Name) -> io::Result<Self> {
        match fs::mkdirat(&self.fd, name.as_bytes(), NEW_FOLDER) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match fs::openat(&self.fd, name.as_bytes(), flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(io::Error::other(
                    "something that is not a folder is there already",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            fd,
            path: self.path_of(name),
        })
    }

    /// What is there under a name, if it is a file; an error if it is something else.
    pub fn existing(&self, name: &Name) -> io::Result<Option<Existing>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let other = || io::Error::other("something that is not a file is there already");
        match fs::openat(&self.fd, name.as_bytes(), flags, Mode::empty()) {
            Ok(fd) => {
                let file = File::from(fd);
                match file.metadata()?.is_file() {
                    true => Ok(Some(Existing(file))),
                    false => Err(other()),
                }
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => Err(other()),
            Err(error) => Err(error.into()),
        }
    }

    /// A new file without a name that anybody waits for.
    pub fn file(&self) -> io::Result<Made<'_>> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let name = format!(".cobox-{:016x}", u64::from_le_bytes(random));
            match fs::openat(&self.fd, name.as_str(), flags, NEW_FILE) {
                Ok(fd) => {
                    return Ok(Made {
                        folder: self,
                        file: File::from(fd),
                        name,
                        kept: false,
                    });
                }
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A symlink; one with the same target may be there already.
    pub fn symlink(&self, name: &Name, to: &[u8], entry: &Entry) -> io::Result<()> {
        match fs::symlinkat(OsStr::from_bytes(to), &self.fd, name.as_bytes()) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let there = fs::readlinkat(&self.fd, name.as_bytes(), Vec::new());
                return match there.is_ok_and(|there| there.to_bytes() == to) {
                    true => Ok(()),
                    false => Err(io::Error::other(
                        "something else of this name is there already",
                    )),
                };
            }
            Err(error) => return Err(error.into()),
        }
        let times = times(entry.content.mtime);
        Ok(fs::utimensat(
            &self.fd,
            name.as_bytes(),
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Gives the folder its attributes and time, after its children. Returns what could not be kept.
    pub fn finish(&self, entry: &Entry) -> Vec<String> {
        let mut problems = xattrs(&self.fd, &entry.attrs);
        let mode = Mode::from_raw_mode(entry.attrs.mode & 0o7777);
        let done = fs::fchmod(&self.fd, mode)
            .and_then(|()| fs::futimens(&self.fd, &times(entry.content.mtime)));
        if let Err(error) = done {
            problems.push(format!(
                "its mode or time could not be set: {}",
                io::Error::from(error)
            ));
        }
        problems
    }
}

impl Existing {
    /// Same size, time and mode as the entry?
    pub fn fits(&self, entry: &Entry) -> bool {
        let time = entry.content.mtime;
        self.0.metadata().is_ok_and(|there| {
            there.len() == entry.content.size
                && (there.mtime(), there.mtime_nsec()) == (time.seconds, time.nanos.into())
                && there.mode() & 0o7777 == entry.attrs.mode
        })
    }

    /// Its bytes.
    pub fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, at)
    }
}

impl Made<'_> {
    /// Writes some bytes; what is not written stays a hole.
    pub fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, at)
    }

    /// Gives the file its size, attributes, time and name. Returns what could not be kept.
    pub fn finish(mut self, name: &Name, entry: &Entry) -> io::Result<Vec<String>> {
        self.file.set_len(entry.content.size)?;
        let problems = xattrs(&self.file, &entry.attrs);
        fs::fchmod(&self.file, Mode::from_raw_mode(entry.attrs.mode & 0o7777))?;
        fs::futimens(&self.file, &times(entry.content.mtime))?;
        self.rename(name)?;
        self.kept = true;
        Ok(problems)
    }

    fn rename(&self, name: &Name) -> io::Result<()> {
        let (dir, from, to) = (&self.folder.fd, self.name.as_str(), name.as_bytes());
        match fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL | Errno::NOSYS) => {
                // A file system that cannot refuse to replace: a link can.
                match fs::linkat(dir, from, dir, to, AtFlags::empty()) {
                    Ok(()) => Ok(fs::unlinkat(dir, from, AtFlags::empty())?),
                    Err(Errno::PERM | Errno::OPNOTSUPP)
                        if self.folder.existing(name)?.is_none() =>
                    {
                        Ok(fs::renameat(dir, from, dir, to)?)
                    }
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::unlinkat(&self.folder.fd, self.name.as_str(), AtFlags::empty());
        }
    }
}

fn times(mtime: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: mtime.seconds,
            tv_nsec: mtime.nanos.into(),
        },
    }
}

/// Sets extended attributes; returns those that this machine or user may not have.
fn xattrs(fd: impl AsFd, attrs: &Attrs) -> Vec<String> {
    let set = |(name, value): &(Vec<u8>, Vec<u8>)| {
        let done = fs::fsetxattr(&fd, OsStr::from_bytes(name), value, XattrFlags::empty());
        let reason = io::Error::from(done.err()?);
        Some(format!(
            "its attribute {} could not be set: {reason}",
            String::from_utf8_lossy(name)
        ))
    };
    attrs.xattrs.iter().filter_map(set).collect()
}
