//! The folder that a space is mounted at: made ready, given back, and freed of what a killed program left.

use super::MountError;
use rustix::mount::UnmountFlags;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// The folder is there, empty, and nothing is mounted on it.
pub(super) fn prepare(at: &Path) -> Result<(), MountError> {
    let system = |source| MountError::System {
        at: at.to_owned(),
        source,
    };
    clear_stale(at)?;
    match fs::metadata(at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(at).map_err(system)?;
        }
        Err(error) => return Err(system(error)),
        Ok(found) if !found.is_dir() => return Err(MountError::NotAFolder(at.to_owned())),
        Ok(_) => {}
    }
    if is_mount_point(at) {
        return Err(MountError::Busy(at.to_owned()));
    }
    match fs::read_dir(at).map_err(system)?.next() {
        Some(_) => Err(MountError::NotEmpty(at.to_owned())),
        None => Ok(()),
    }
}

/// Does another file system begin here?
fn is_mount_point(at: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let above = at.parent().and_then(device);
    above.is_some() && device(at) != above
}

/// Takes a mount away whose program has died; others are left alone.
///
/// # Errors
///
/// `System`, when it cannot be taken away.
pub fn clear_stale(at: &Path) -> Result<(), MountError> {
    let is_dead = |error: &io::Error| {
        matches!(
            error.raw_os_error(),
            Some(libc::ENOTCONN | libc::ECONNABORTED)
        )
    };
    // The kernel may still know the folder's details: whether anybody answers is seen by opening it.
    match fs::metadata(at).and_then(|_| fs::read_dir(at)) {
        Err(error) if is_dead(&error) => detach(at).map_err(|source| MountError::System {
            at: at.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// How much of a mount is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unmounted {
    /// all
    Whole,
    /// its name; programs that are in it still are
    Name,
}

/// Unmounts, and says in the log when programs still use it.
pub(super) fn unmount(at: &Path) -> io::Result<Unmounted> {
    match rustix::mount::unmount(at, UnmountFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::INVAL) => return Ok(Unmounted::Whole), // not mounted any more
        Err(rustix::io::Errno::PERM) if help(at, &["-u"]).is_ok() => return Ok(Unmounted::Whole),
        Err(_) => {}
    }
    tracing::warn!("{} is unmounted while programs still use it", at.display());
    detach(at).map(|()| Unmounted::Name)
}

/// Unmounts without waiting for programs that use it: by the system call where we may, else by the helper.
pub(super) fn detach(at: &Path) -> io::Result<()> {
    match rustix::mount::unmount(at, UnmountFlags::DETACH) {
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(rustix::io::Errno::PERM) => help(at, &["-u", "-z"]),
        Err(error) => Err(error.into()),
    }
}

/// Has the helper unmount, which may where we may not.
fn help(at: &Path, how: &[&str]) -> io::Result<()> {
    let mut helper = Command::new("fusermount3");
    let output = helper.args(how).arg("--").arg(at).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )),
    }
}
