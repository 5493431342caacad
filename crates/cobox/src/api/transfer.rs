//! The bytes of files: down as streams with ranges and validators, up as streams.

use crate::api::types::*;
use crate::api::upload::Upload;
use crate::api::{Api, ApiError, Segment, blocking, files, guard, range, shapes, shown};
use axum::body::Body as HttpBody;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use bytes::Bytes;
use cobox_drive::drive::Drive;
use cobox_drive::handle::FileReader;
use cobox_drive::path::DrivePath;
use cobox_drive::version::Dot;
use cobox_space::shelf::SpaceError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bytes read from a file at a time.
const CHUNK: usize = 256 << 10;

/// Bytes of a refused upload that are read and thrown away before the answer.
const MAX_DRAINED: u64 = 1 << 30;

/// The calls of this file. Uploads are streamed, so their length is bounded by the disk, not by memory.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    let bounded = OpenApiRouter::new()
        .routes(routes!(read, remove))
        .layer(middleware::from_fn(guard::bound_body));
    OpenApiRouter::new()
        .routes(routes!(write))
        .layer(DefaultBodyLimit::disable())
        .merge(bounded)
}

/// Read a file, or a part of it
///
/// Answers `HEAD` too. `ETag` names the version; `Range` (one), `If-Range` and `If-None-Match` are understood.
#[utoipa::path(get, path = "/spaces/{space}/files", tag = "files", operation_id = "readFile",
    params(
        ("path" = Option<String>, Query, description = "path in the space, percent-encoded"),
        ("version" = Option<String>, Query, description = "an older version, by the id that `history` lists"),
        ("view" = Option<bool>, Query, description = "with its own type, to be shown and not saved, if it is a picture, sound, film, PDF or plain text by its name"),
        ("Range" = Option<String>, Header, description = "one range of bytes"),
        ("If-Range" = Option<String>, Header, description = "the range counts only for this version"),
        ("If-None-Match" = Option<String>, Header, description = "versions that need not be sent"),
    ),
    responses(
        (status = 200, description = "the bytes", content_type = "application/octet-stream", body = String),
        (status = 206, description = "the part asked for", content_type = "application/octet-stream", body = String),
        (status = 304, description = "it is one of those versions"),
    ),
    extensions(("x-codes" = json!(["@read", "no_such_version", "bad_range", "bad_request"]))))]
pub async fn read(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = files::path_in(query.as_deref())?;
    let version = files::version_in(query.as_deref())?;
    let name = path.names().last().map(|name| name.as_bytes().to_vec());
    let open = move || Ok::<_, SpaceError>(open(api.shelf.space(&space)?.drive(), &path, version)?);
    let (file, tag) = blocking(open).await?;
    let tag = tag.map(|dot| format!("\"{dot}\""));
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut response = if range::has_it(text(header::IF_NONE_MATCH), tag.as_deref()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let counts = range::counts(text(header::IF_RANGE), tag.as_deref());
        let asked = text(header::RANGE).filter(|_| counts);
        let part = match range::of(asked, file.size()) {
            Ok(part) => part,
            Err(()) => return Ok(outside(file.size())),
        };
        stream(file, part, method == Method::HEAD)
    };
    let name = name.unwrap_or_default();
    describe(response.headers_mut(), tag, &name);
    if files::flag(query.as_deref(), "view") {
        shown::describe(response.headers_mut(), &name);
    }
    Ok(response)
}

/// The file, and the name of its version unless that changed in between.
fn open(
    drive: &Drive,
    path: &DrivePath,
    version: Option<Dot>,
) -> Result<(FileReader, Option<Dot>), cobox_drive::drive::DriveError> {
    if version.is_some() {
        return Ok((drive.open_file(path, version)?, version));
    }
    let before = drive.stat(path)?.version;
    let file = drive.open_file(path, None)?;
    let is_same = drive.stat(path).is_ok_and(|now| now.version == before);
    Ok((file, before.filter(|_| is_same)))
}

fn outside(size: u64) -> Response {
    let msg = format!("the file has {size} bytes; the range asked for is outside");
    let refusal = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", msg);
    let mut response = refusal.into_response();
    insert(
        response.headers_mut(),
        header::CONTENT_RANGE,
        &format!("bytes */{size}"),
    );
    response
}

fn stream(file: FileReader, part: Option<Range<u64>>, head_only: bool) -> Response {
    let size = file.size();
    let sent = part.clone().unwrap_or(0..size);
    let length = sent.end - sent.start;
    let mut response = match head_only {
        true => Response::default(),
        false => body(file, sent.clone()).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if part.is_some() {
        let text = format!("bytes {}-{}/{size}", sent.start, sent.end.saturating_sub(1));
        insert(headers, header::CONTENT_RANGE, &text);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn body(file: FileReader, part: Range<u64>) -> HttpBody {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    tokio::task::spawn_blocking(move || send_file(&file, part, &sender));
    body_of(receiver)
}

/// What somebody sends piece by piece.
pub(super) fn body_of(receiver: mpsc::Receiver<io::Result<Bytes>>) -> HttpBody {
    let chunks = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    HttpBody::from_stream(chunks)
}

/// Headers that a file has however much of it is sent.
fn describe(headers: &mut HeaderMap, tag: Option<String>, name: &[u8]) {
    insert(headers, header::CONTENT_TYPE, "application/octet-stream");
    insert(headers, header::ACCEPT_RANGES, "bytes");
    insert(
        headers,
        header::CONTENT_DISPOSITION,
        &disposition("attachment", name),
    );
    if let Some(tag) = tag {
        insert(headers, header::ETAG, &tag);
    }
}

pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// What may stand in `filename*` as it is (RFC 8187).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Under which name it is to be saved (`attachment`: it is, and never shown as a page): the name whole for those who
/// understand it, and a plain one.
pub(super) fn disposition(how: &str, name: &[u8]) -> String {
    let whole = String::from_utf8_lossy(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._ ".contains(c);
    let plain: String = whole
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let whole = percent_encode(whole.as_bytes(), PLAIN);
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{whole}")
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

/// Write a file: the body is the file, as a stream
#[utoipa::path(put, path = "/spaces/{space}/files", tag = "files", operation_id = "writeFile",
    params(
        ("path" = Option<String>, Query, description = "path in the space, percent-encoded"),
        ("parents" = Option<bool>, Query, description = "create missing folders"),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "the bytes"),
    responses((status = 201, description = "it is committed as a new version", body = EntryJson)),
    extensions(("x-codes" = json!(["@write", "broken_upload", "bad_request"]))))]
pub async fn write(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: HttpBody,
) -> Result<(StatusCode, Json<EntryJson>), ApiError> {
    if headers.contains_key(header::CONTENT_RANGE) {
        let msg = "parts of a file cannot be written; send it as a whole. Nothing was changed";
        return Err(ApiError::bad("Content-Range", msg));
    }
    let path = files::path_in(query.as_deref())?;
    let options = files::options_in(query.as_deref());
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

/// Remove a file or folder; it stays in the history
#[utoipa::path(delete, path = "/spaces/{space}/files", tag = "files", operation_id = "remove",
    params(
        ("path" = Option<String>, Query, description = "path in the space, percent-encoded"),
        ("recursive" = Option<bool>, Query, description = "a folder with everything inside"),
    ),
    responses((status = 204, description = "done")),
    extensions(("x-codes" = json!(["@write"]))))]
pub async fn remove(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, ApiError> {
    let path = files::path_in(query.as_deref())?;
    let recursive = files::flag(query.as_deref(), "recursive");
    let remove = move || {
        let space = api.shelf.space(&space)?;
        Ok::<_, SpaceError>(space.drive().remove(&path, recursive)?)
    };
    blocking(remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_name_breaks_out_of_its_header(name in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = disposition("attachment", &name);
            prop_assert_eq!(text.matches('"').count(), 2);
            prop_assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
    }

    #[test]
    fn names_are_given_plain_and_whole() {
        assert_eq!(
            disposition("attachment", "schön \"1\".txt".as_bytes()),
            "attachment; filename=\"sch_n _1_.txt\"; filename*=UTF-8''sch%C3%B6n%20%221%22.txt"
        );
    }
}
