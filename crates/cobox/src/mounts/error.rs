//! Why a space cannot be mounted or unmounted.

use cobox_mount::MountError;
use cobox_space::shelf::SpaceError;
use std::io;
use std::path::PathBuf;

/// Why a space cannot be mounted or unmounted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MountsError {
    /// One mount per space.
    #[error("{0} is mounted already, at {1}; unmount it first to mount it elsewhere")]
    Already(String, String),
    /// Nothing to unmount.
    #[error("{0} is not mounted")]
    NotMounted(String),
    /// Something is in the folder.
    #[error(
        "the folder {} is not empty, and mounting would hide what is in it; nothing was changed: empty it or choose another folder with --at", .0.display()
    )]
    NotEmpty(PathBuf),
    /// Not a folder.
    #[error("{} is not a folder; choose another one with --at", .0.display())]
    NotAFolder(PathBuf),
    /// The program may have another current folder than whoever asks.
    #[error("{} is not a whole path: it must begin with a slash", .0.display())]
    Relative(PathBuf),
    /// Another file system's mount point.
    #[error("something else is mounted at {}; choose another folder with --at", .0.display())]
    Taken(PathBuf),
    /// In a space that is mounted.
    #[error("{} is inside the mounted space at {}; choose a folder outside with --at", .0.display(), .1.display())]
    Inside(PathBuf, PathBuf),
    /// No home folder of the person is known.
    #[error("no home folder is known for this user: name a folder with --at")]
    NoUsualPlace,
    /// A frozen picture is shown on folders only.
    #[error(
        "the past cannot be shown over WebDAV; mount it as a folder, or take it out: cobox export --at"
    )]
    PastOverWeb,
    /// The system gave no random bytes.
    #[error("no address that nobody can guess could be made: {0}")]
    NoSecret(io::Error),
    /// The folder cannot be used.
    #[error("{action} {}: {source}; choose another one with --at", path.display())]
    Folder {
        /// what was tried
        action: &'static str,
        /// on which folder
        path: PathBuf,
        /// why it failed
        source: io::Error,
    },
    /// Mounting itself.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// Remembering it.
    #[error(transparent)]
    Space(#[from] SpaceError),
}
