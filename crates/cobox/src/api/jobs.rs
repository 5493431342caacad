//! Long work: answered as lines of JSON, progress first, the outcome last. Ends when the caller goes away.

use crate::api::types::*;
use crate::api::{Api, ApiError, Body, Segment, blocking, files};
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cobox_drive::drive::{Drive, DriveError};
use cobox_drive::import::{Outcome, Progress};
use cobox_space::shelf::SpaceError;
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// `POST /api/spaces/:space/import`
pub async fn import(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    Body(request): Body<ImportJson>,
) -> Result<Response, ApiError> {
    let to = files::parse(&request.to.bytes())?;
    let paths = request
        .paths
        .iter()
        .map(local)
        .collect::<Result<Vec<_>, _>>()?;
    let drive = drive_of(api, space).await?;
    Ok(job(move |progress, cancel| {
        drive.import(&paths, &to, progress, cancel)
    }))
}

/// `POST /api/spaces/:space/export`
pub async fn export(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    Body(request): Body<ExportJson>,
) -> Result<Response, ApiError> {
    let path = files::parse(&request.path.bytes())?;
    let dir = local(&request.dir)?;
    let at = request
        .at
        .as_deref()
        .map(|text| files::moment("at", text))
        .transpose()?;
    let space = blocking(move || api.shelf.space(&space)).await?;
    Ok(job(move |progress, cancel| {
        let missing = space.await_tree(|| {
            progress(Progress::default());
            cancel.load(Ordering::Relaxed)
        });
        let mut outcome = space.drive().export(&path, &dir, at, progress, cancel)?;
        let missing = missing.map(|reason| (dir, format!("it is not complete: {reason}")));
        outcome.problems.extend(missing);
        Ok(outcome)
    }))
}

async fn drive_of(api: Arc<Api>, space: String) -> Result<Arc<Drive>, ApiError> {
    blocking(move || Ok::<_, SpaceError>(api.shelf.space(&space)?.drive().clone())).await
}

/// A path on this machine.
pub(super) fn local(path: &NameBytes) -> Result<PathBuf, ApiError> {
    let path = PathBuf::from(OsString::from_vec(path.bytes()));
    if path.is_absolute() {
        return Ok(path);
    }
    Err(ApiError::bad("paths", "local paths must be absolute"))
}

/// Runs `work` on a blocking thread and streams what it reports.
fn job(
    work: impl FnOnce(&mut dyn FnMut(Progress), &AtomicBool) -> Result<Outcome, DriveError>
    + Send
    + 'static,
) -> Response {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(16);
    tokio::task::spawn_blocking(move || {
        let cancel = AtomicBool::new(false);
        let mut report = |progress: Progress| {
            let gone = match sender.try_send(Ok(line(&JobLine::Progress(shown(progress))))) {
                Err(mpsc::error::TrySendError::Closed(_)) => true,
                // A slow reader misses progress, never the outcome.
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => false,
            };
            cancel.store(gone, Ordering::Relaxed);
        };
        let last = match work(&mut report, &cancel) {
            Ok(outcome) => JobLine::Done(done(outcome)),
            Err(error) => JobLine::Error(ApiError::from(error).into_json()),
        };
        let _ = sender.blocking_send(Ok(line(&last)));
    });
    let lines = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|line| (line, receiver))
    });
    let mut response = HttpBody::from_stream(lines).into_response();
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn line(line: &JobLine) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

fn shown(progress: Progress) -> JobProgress {
    JobProgress {
        entries: progress.entries,
        bytes: progress.bytes,
        total_entries: progress.total_entries,
        total_bytes: progress.total_bytes,
    }
}

fn done(outcome: Outcome) -> JobDone {
    let problem = |(path, reason): (PathBuf, String)| ProblemJson {
        path: NameBytes::new(path.as_os_str().as_bytes()),
        reason,
    };
    JobDone {
        entries: outcome.done.entries,
        bytes: outcome.done.bytes,
        problems: outcome.problems.into_iter().map(problem).collect(),
    }
}
