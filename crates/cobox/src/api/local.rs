//! Putting a file of this machine into a space without sending its bytes over HTTP.

use crate::api::types::{EntryJson, LocalFileJson};
use crate::api::{Api, ApiError, Body, Segment, blocking, files, jobs, shapes};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The call of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(put))
}

/// Put a file of this machine into a space without sending its bytes: the body names the file that the caller has open
#[utoipa::path(post, path = "/spaces/{space}/put", tag = "files", operation_id = "putLocal",
    params(("path" = Option<String>, Query, description = "path in the space, percent-encoded; the top folder if missing"), ("parents" = Option<bool>, Query, description = "create missing folders")),
    request_body = LocalFileJson,
    responses((status = 201, description = "it is committed as a new version", body = EntryJson)),
    extensions(("x-codes" = json!(["@write", "not_seen", "broken_upload"]))))]
pub async fn put(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    Body(request): Body<LocalFileJson>,
) -> Result<(StatusCode, Json<EntryJson>), ApiError> {
    let path = files::path_in(query.as_deref())?;
    let options = files::options_in(query.as_deref());
    let local = jobs::local(&request.file)?;
    let gone = Gone::default();
    let is_gone = gone.0.clone();
    let entry = blocking(move || {
        let file = open(&local, (request.device, request.inode))?;
        let mut source = Watched { file, is_gone };
        let space = api.shelf.space(&space)?;
        let entry = space.drive().write_file(&path, &mut source, options)?;
        Ok::<_, ApiError>(shapes::entry(&entry))
    });
    Ok((StatusCode::CREATED, Json(entry.await?)))
}

/// Opens the very file that was meant: with another root, as in a container, its path may name another one here.
fn open(path: &Path, meant: (u64, u64)) -> Result<File, ApiError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let is_meant = |file: &File| {
        file.metadata()
            .is_ok_and(|found| found.is_file() && (found.dev(), found.ino()) == meant)
    };
    opened.ok().filter(is_meant).ok_or_else(|| {
        let msg = "the running cobox does not see that file; send its bytes instead";
        ApiError::new(StatusCode::CONFLICT, "not_seen", msg)
    })
}

/// Set when the call ends, and with it the caller's interest.
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A file that is read only as long as somebody waits for the outcome, as an upload would be.
struct Watched {
    file: File,
    is_gone: Arc<AtomicBool>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.is_gone.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the caller went away")),
            false => self.file.read(buffer),
        }
    }
}
