//! Calls about what is inside a space: listing, reading, writing, moving, history, conflicts.

use crate::api::types::*;
use crate::api::upload::Upload;
use crate::api::{Api, ApiError, Body, Segment, blocking, bytes_in_url, shapes, time};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cobox_drive::drive::{DriveError, Restore};
use cobox_drive::handle::{FileReader, WriteOptions};
use cobox_drive::path::DrivePath;
use cobox_drive::record::Kind;
use cobox_drive::version::Dot;
use cobox_space::shelf::SpaceError;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

type Answer<T> = Result<Json<T>, ApiError>;

/// Bytes read from a file at a time.
const CHUNK: usize = 256 << 10;

/// Bytes of a refused upload that are read and thrown away before the answer.
const MAX_DRAINED: u64 = 1 << 30;

/// `GET /api/spaces/:space/drive?path=`
pub async fn listing(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Answer<ListingJson> {
    let path = path_in(query.as_deref())?;
    let listing = blocking(move || {
        let space = api.shelf.space(&space)?;
        let entry = space.drive().stat(&path)?;
        let children = match entry.kind {
            Kind::Folder => space.drive().list(&path)?,
            _ => Vec::new(),
        };
        let children = children.iter().map(shapes::entry).collect();
        Ok::<_, SpaceError>(ListingJson {
            entry: shapes::entry(&entry),
            children,
        })
    });
    listing.await.map(Json)
}

/// `GET /api/spaces/:space/files?path=&version=`, with ranges.
pub async fn read(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = path_in(query.as_deref())?;
    let version = version_in(query.as_deref())?;
    let file = blocking(move || {
        let space = api.shelf.space(&space)?;
        Ok::<_, SpaceError>(space.drive().open_file(&path, version)?)
    });
    let file = file.await?;
    let size = file.size();
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let Ok(range) = range_of(asked, size) else {
        let msg = format!("the file has {size} bytes; the range asked for is outside");
        return Err(ApiError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "bad_range",
            msg,
        ));
    };
    Ok(stream(file, range, size))
}

fn stream(file: FileReader, range: Option<Range<u64>>, size: u64) -> Response {
    let part = range.clone().unwrap_or(0..size);
    let length = part.end - part.start;
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    tokio::task::spawn_blocking(move || send_file(&file, part, &sender));
    let chunks = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let mut response = HttpBody::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(range) = range {
        let text = format!(
            "bytes {}-{}/{size}",
            range.start,
            range.end.saturating_sub(1)
        );
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn send_file(file: &FileReader, mut part: Range<u64>, sender: &mpsc::Sender<io::Result<Bytes>>) {
    while part.start < part.end {
        let want = CHUNK.min(usize::try_from(part.end - part.start).unwrap_or(CHUNK));
        let mut buffer = vec![0; want];
        let chunk = match file.read_at(part.start, &mut buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer.truncate(read);
                part.start += read as u64;
                Ok(Bytes::from(buffer))
            }
            Err(error) => Err(io::Error::other(error)),
        };
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}

/// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`; several ranges are answered with the whole file.
fn range_of(header: Option<&str>, size: u64) -> Result<Option<Range<u64>>, ()> {
    let Some(spec) = header.and_then(|h| h.strip_prefix("bytes=")) else {
        return Ok(None);
    };
    let Some((from, to)) = spec.split_once('-') else {
        return Ok(None);
    };
    let range = match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) if to >= from => from..size.min(to.saturating_add(1)),
        (Ok(from), Err(_)) if to.trim().is_empty() => from..size,
        (Err(_), Ok(last)) if from.trim().is_empty() => size.saturating_sub(last)..size,
        _ => return Ok(None),
    };
    if range.start >= size {
        Err(())
    } else {
        Ok(Some(range))
    }
}

/// `PUT /api/spaces/:space/files?path=`: the body is the file.
pub async fn write(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    body: HttpBody,
) -> Result<(StatusCode, Json<EntryJson>), ApiError> {
    let path = path_in(query.as_deref())?;
    let options = options_in(query.as_deref());
    let mut source = Upload::of(body);
    let entry = blocking(move || {
        let space = api.shelf.space(&space)?;
        let written = space.drive().write_file(&path, &mut source, options);
        if written.is_err() {
            // Whoever is still sending would not hear the answer.
            let _ = io::copy(&mut source.take(MAX_DRAINED), &mut io::sink());
        }
        Ok::<_, SpaceError>(shapes::entry(&written?))
    });
    Ok((StatusCode::CREATED, Json(entry.await?)))
}

/// `DELETE /api/spaces/:space/files?path=&recursive=true`
pub async fn remove(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, ApiError> {
    let path = path_in(query.as_deref())?;
    let recursive = flag(query.as_deref(), "recursive");
    blocking(move || {
        Ok::<_, SpaceError>(api.shelf.space(&space)?.drive().remove(&path, recursive)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/spaces/:space/folders?path=&parents=true`
pub async fn create_folder(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Result<(StatusCode, Json<EntryJson>), ApiError> {
    let path = path_in(query.as_deref())?;
    let parents = flag(query.as_deref(), "parents");
    let entry = blocking(move || {
        let entry = api
            .shelf
            .space(&space)?
            .drive()
            .create_folder(&path, parents)?;
        Ok::<_, SpaceError>(shapes::entry(&entry))
    });
    Ok((StatusCode::CREATED, Json(entry.await?)))
}

/// `POST /api/spaces/:space/move`
pub async fn rename(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    Body(request): Body<MoveJson>,
) -> Result<StatusCode, ApiError> {
    let from = parse(&request.from.bytes())?;
    let to = parse(&request.to.bytes())?;
    blocking(move || Ok::<_, SpaceError>(api.shelf.space(&space)?.drive().rename(&from, &to)?))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/spaces/:space/history?path=`
pub async fn history(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Answer<Vec<VersionJson>> {
    let path = path_in(query.as_deref())?;
    let versions = blocking(move || {
        let space = api.shelf.space(&space)?;
        let (writers, members) = (space.drive().writers()?, space.members()?);
        let versions = space.drive().history(&path)?;
        let shown = match space.drive().stat(&path) {
            Ok(entry) => entry.version,
            Err(DriveError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok::<_, SpaceError>(shapes::history(&versions, shown, &writers, &members))
    });
    versions.await.map(Json)
}

/// `POST /api/spaces/:space/restore?path=`
pub async fn restore(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    Body(request): Body<RestoreJson>,
) -> Answer<RestoredJson> {
    let path = path_in(query.as_deref())?;
    let what = match (&request.version, &request.at) {
        (Some(id), None) => Restore::Version(dot(id)?),
        (None, Some(at)) => Restore::Time(moment("at", at)?),
        _ => return Err(ApiError::bad("version", "name either a version or a time")),
    };
    let restored = blocking(move || {
        let space = api.shelf.space(&space).map_err(ApiError::from)?;
        match (space.drive().restore(&path, what), what) {
            (Err(DriveError::NotFound(path)), Restore::Time(_)) => {
                let msg = format!("there was nothing at {path} at that time");
                Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", msg))
            }
            (restored, _) => Ok(restored?),
        }
    });
    Ok(Json(RestoredJson {
        restored: restored.await?,
    }))
}

/// `GET /api/spaces/:space/conflicts`
pub async fn conflicts(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Answer<Vec<ConflictJson>> {
    let conflicts = blocking(move || {
        let space = api.shelf.space(&space)?;
        let (writers, members) = (space.drive().writers()?, space.members()?);
        let conflicts = space.drive().conflicts()?;
        Ok::<_, SpaceError>(
            conflicts
                .iter()
                .map(|c| shapes::conflict(c, &writers, &members))
                .collect(),
        )
    });
    conflicts.await.map(Json)
}

/// `POST /api/spaces/:space/resolve?path=`
pub async fn resolve(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    Body(request): Body<KeepJson>,
) -> Result<StatusCode, ApiError> {
    let path = path_in(query.as_deref())?;
    let keep = dot(&request.keep)?;
    blocking(move || Ok::<_, SpaceError>(api.shelf.space(&space)?.drive().resolve(&path, keep)?))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A path given as exact bytes.
pub fn parse(bytes: &[u8]) -> Result<DrivePath, ApiError> {
    DrivePath::parse(bytes).map_err(|error| DriveError::from(error).into())
}

/// A time in a request.
pub fn moment(param: &str, text: &str) -> Result<u64, ApiError> {
    let help = "that is not a time: use 2026-11-23T09:30:00Z, \"2026-11-23 09:30\" or \"2h ago\"";
    time::parse_ms(text).ok_or_else(|| ApiError::bad(param, help))
}

fn dot(text: &str) -> Result<Dot, ApiError> {
    let help = "that is not a version: use an id that `cobox history` lists";
    let wrong = |_| ApiError::bad("version", help);
    text.trim().parse().map_err(wrong)
}

/// How a file is to be written.
pub(super) fn options_in(query: Option<&str>) -> WriteOptions {
    WriteOptions {
        parents: flag(query, "parents"),
        ..WriteOptions::default()
    }
}

/// The path in the space that a call is about.
pub(super) fn path_in(query: Option<&str>) -> Result<DrivePath, ApiError> {
    parse(&bytes_in_url::parameter(query, "path").unwrap_or_default())
}

fn version_in(query: Option<&str>) -> Result<Option<Dot>, ApiError> {
    let Some(text) = bytes_in_url::parameter(query, "version") else {
        return Ok(None);
    };
    dot(&String::from_utf8_lossy(&text)).map(Some)
}

fn flag(query: Option<&str>, name: &str) -> bool {
    bytes_in_url::parameter(query, name).is_some_and(|value| value == b"true")
}

#[cfg(test)]
mod tests {
    use super::range_of;

    #[test]
    fn ranges_are_read_and_clamped() {
        assert_eq!(range_of(None, 10), Ok(None));
        assert_eq!(range_of(Some("bytes=2-4"), 10), Ok(Some(2..5)));
        assert_eq!(range_of(Some("bytes=2-"), 10), Ok(Some(2..10)));
        assert_eq!(range_of(Some("bytes=-3"), 10), Ok(Some(7..10)));
        assert_eq!(range_of(Some("bytes=0-99"), 10), Ok(Some(0..10)));
        assert_eq!(range_of(Some("bytes=10-"), 10), Err(()));
        assert_eq!(range_of(Some("bytes=0-1,4-5"), 10), Ok(None));
        assert_eq!(range_of(Some("lines=1-2"), 10), Ok(None));
    }
}
