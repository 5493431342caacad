//! Which number a program gets for which failure.

use cobox_drive::drive::DriveError;
use cobox_drive::path::PathError;
use cobox_drive::record::RecordError;
use cobox_feed::store::StoreError;
use fuser::Errno;

/// What a request comes to.
pub(crate) type Answer<T> = Result<T, Errno>;

/// The number for a failure; what has no number of its own is an I/O error and written to the log.
pub(crate) fn of(error: DriveError) -> Errno {
    match &error {
        DriveError::NotFound(_) | DriveError::NoVersion(_) => Errno::ENOENT,
        DriveError::Exists(_) | DriveError::XattrExists => Errno::EEXIST,
        DriveError::NotAFolder(_) => Errno::ENOTDIR,
        DriveError::NotAFile(_) | DriveError::IntoItself(_) => Errno::EINVAL,
        DriveError::IsAFolder(_) => Errno::EISDIR,
        DriveError::NotEmpty(_) => Errno::ENOTEMPTY,
        DriveError::Root => Errno::EBUSY,
        DriveError::ReadOnly | DriveError::Record(RecordError::TooNew(_)) => Errno::EROFS,
        DriveError::ConflictCopy(_) => Errno::EACCES,
        DriveError::NoXattr => Errno::ENODATA,
        DriveError::TooLarge(_) => Errno::EFBIG,
        DriveError::Path(path) => of_path(path),
        DriveError::Record(RecordError::TooLarge(_)) => Errno::ENOSPC,
        DriveError::Store(StoreError::DiskFull) | DriveError::NamelessFull => Errno::ENOSPC,
        DriveError::Lost { full: true, .. } => Errno::ENOSPC,
        DriveError::Cancelled => Errno::EINTR,
        // Expected while peers are away, and told page by page.
        DriveError::NotHere(_) => Errno::EIO,
        other => {
            tracing::warn!("a program on a mounted space got an I/O error: {other}");
            Errno::EIO
        }
    }
}

pub(crate) fn of_path(error: &PathError) -> Errno {
    match error {
        PathError::TooLong(_) | PathError::TooDeep => Errno::ENAMETOOLONG,
        _ => Errno::EINVAL,
    }
}
