//! Which of the protocol's failures one of ours is.

use cobox_drive::drive::DriveError;
use cobox_drive::path::PathError;
use cobox_drive::record::RecordError;
use cobox_feed::store::StoreError;
use dav_server::fs::{FsError, FsResult};

/// The failure as a client is told; what has no name there is written to the log.
pub(super) fn of(error: &DriveError) -> FsError {
    match error {
        DriveError::NotFound(_) => FsError::NotFound,
        DriveError::Exists(_) | DriveError::NotEmpty(_) => FsError::Exists,
        DriveError::ReadOnly
        | DriveError::ConflictCopy(_)
        | DriveError::IsAFolder(_)
        | DriveError::NotAFolder(_)
        | DriveError::NotAFile(_)
        | DriveError::IntoItself(_)
        | DriveError::Root => FsError::Forbidden,
        DriveError::TooLarge(_) => FsError::TooLarge,
        DriveError::Path(PathError::TooLong(_) | PathError::TooDeep) => FsError::PathTooLong,
        DriveError::Path(_) => FsError::Forbidden,
        DriveError::Record(RecordError::TooLarge(_)) => FsError::InsufficientStorage,
        DriveError::Store(StoreError::DiskFull) | DriveError::Lost { full: true, .. } => {
            FsError::InsufficientStorage
        }
        other => {
            tracing::warn!("a WebDAV client was told of a failure: {other}");
            FsError::GeneralFailure
        }
    }
}

/// Drive calls block: not on the threads that serve connections.
pub(super) async fn blocking<T: Send + 'static>(
    verb: impl FnOnce() -> Result<T, DriveError> + Send + 'static,
) -> FsResult<T> {
    match tokio::task::spawn_blocking(verb).await {
        Ok(done) => done.map_err(|error| of(&error)),
        Err(failed) => {
            tracing::error!("a WebDAV request failed inside: {failed}");
            Err(FsError::GeneralFailure)
        }
    }
}
