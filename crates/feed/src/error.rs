//! What can go wrong with the disk, and what the caller can do about it.

use std::sync::Arc;

/// What went wrong with the disk.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder is in use.
    #[error("the data folder is in use by another running program")]
    Locked,
    /// No space left; nothing acknowledged was lost; the set can be used again when there is space.
    #[error("the disk is full")]
    DiskFull,
    /// Any other failed call; after a failed sync the set refuses further writes until re-opened.
    #[error("{action}: {source}")]
    Io {
        /// what was being done
        action: &'static str,
        /// cause
        source: Arc<std::io::Error>,
    },
    /// A sync failed earlier: this set takes no more writes in this run.
    #[error("an earlier write could not be made durable; restart the program")]
    Poisoned,
    /// The data folder was made by a newer program.
    #[error("the data folder needs a newer program")]
    TooNew,
    /// The index table file failed even after being rebuilt.
    #[error("the index cannot be used: {0}")]
    Index(Arc<str>),
    /// The store was closed, or the address was removed from it.
    #[error("the data folder was closed or the space was removed from it")]
    Closed,
    /// `Batch::append` on a feed whose key pair this program does not hold, or on a feed of another set.
    #[error("this program cannot sign for that feed")]
    NotOwn,
    /// `Batch::append_at` and the feed has another length: an earlier commit failed, or somebody else appended.
    #[error("an earlier write failed; nothing of this one was kept")]
    Moved,
    /// A block larger than 15 MiB, or a batch larger than a segment can hold.
    #[error("the block or batch is too large: {bytes} bytes")]
    TooLarge {
        /// how large it is
        bytes: u64,
    },
}

impl StoreError {
    /// Wraps a failed call; "no space left" (and a used-up quota) becomes [`StoreError::DiskFull`].
    pub(crate) fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> StoreError {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        move |source| match source.kind() {
            StorageFull | QuotaExceeded => StoreError::DiskFull,
            _ => StoreError::Io {
                action,
                source: Arc::new(source),
            },
        }
    }
}
