//! What can go wrong with a drive call, in words for people.

use crate::path::PathError;
use crate::record::RecordError;
use cobox_feed::store::StoreError;
use cobox_view::kv::ViewError;
use std::path::PathBuf;

/// What can go wrong with a drive call; each says what it means for the data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// No such file or folder.
    #[error("there is nothing at {0}")]
    NotFound(String),
    /// Something is there already.
    #[error("{0} exists already")]
    Exists(String),
    /// A folder is needed.
    #[error("{0} is not a folder")]
    NotAFolder(String),
    /// A regular file is needed.
    #[error("{0} is a symbolic link, not a file")]
    NotAFile(String),
    /// A file is needed.
    #[error("{0} is a folder")]
    IsAFolder(String),
    /// Folder not empty and not asked to remove all.
    #[error("the folder {0} is not empty")]
    NotEmpty(String),
    /// A folder into itself.
    #[error("{0} cannot be moved into itself")]
    IntoItself(String),
    /// The root of a drive cannot be removed, moved or written to.
    #[error("this cannot be done to the top folder of a space")]
    Root,
    /// No writer here: read-only member.
    #[error("this space is read-only here")]
    ReadOnly,
    /// Bytes that no reachable peer had within the time allowed.
    #[error("part of {0} is not on this machine and no peer has sent it yet")]
    NotHere(String),
    /// No such version.
    #[error("there is no version {0}")]
    NoVersion(String),
    /// A local path could not be read or written; the rest was done.
    #[error("{path}: {source}")]
    Local {
        /// which
        path: PathBuf,
        /// cause
        source: std::io::Error,
    },
    /// The bytes to be written could not be read from where they come from; nothing was changed.
    #[error("the bytes to be written could not be read: {0}")]
    Source(#[from] std::io::Error),
    /// A record or block that does not decode.
    #[error("damaged: {0}")]
    Damaged(String),
    /// What should be the same bytes is not.
    #[error("{0} came back with other bytes")]
    Different(String),
    /// Stopped by the caller.
    #[error("stopped")]
    Cancelled,
    /// Name rules.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A losing version shown beside the winner.
    #[error(
        "{0} is a version that lost a conflict: copy it, or settle the conflict; it cannot be changed"
    )]
    ConflictCopy(String),
    /// No such extended attribute.
    #[error("there is no such extended attribute")]
    NoXattr,
    /// Such an extended attribute is there already.
    #[error("this extended attribute exists already")]
    XattrExists,
    /// A commit that nobody waited for failed; what it held is kept in memory and tried again.
    #[error("earlier changes are not stored yet: {0}")]
    Uncommitted(String),
    /// Bytes that were taken from a program could not be stored, so the rest of what it writes there is refused.
    #[error("{path}: an earlier write was lost; open it again")]
    Lost {
        /// which file
        path: String,
        /// was it for want of room?
        full: bool,
    },
    /// Beyond what any file system can hold.
    #[error("{0} cannot become that large")]
    TooLarge(String),
    /// Removed files that programs still write to live in memory, and all together hold as much as they may.
    #[error(
        "files that were removed while in use hold as much memory as they may; close some of them"
    )]
    NamelessFull,
    /// A record that cannot be written, for example too many extended attributes.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Views.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DriveError {
    /// A failed call on a local path.
    pub(crate) fn local(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Local {
            path: path.to_owned(),
            source,
        }
    }
}
