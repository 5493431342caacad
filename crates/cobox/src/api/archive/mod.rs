//! Folders and several files as one download: a ZIP file, made while it is sent.

mod zip;

use crate::api::files::{instant_in, parse};
use crate::api::transfer::disposition;
use crate::api::{Api, ApiError, Segment, blocking, bytes_in_url, transfer};
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::Response;
use bytes::Bytes;
use cobox_drive::drive::{Drive, DriveError, Picture};
use cobox_drive::handle::FileReader;
use cobox_drive::path::DrivePath;
use cobox_drive::record::{Body, Kind};
use cobox_drive::tree::Entry;
use std::collections::BTreeSet;
use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;
use tokio::sync::mpsc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zip::{Header, Zip};

/// Bytes that are sent at a time.
const CHUNK: usize = 256 << 10;

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(archive))
}

/// Download folders and files as one ZIP file
///
/// It is made while it is sent. If something cannot be read, it breaks off and is no whole archive.
#[utoipa::path(get, path = "/spaces/{space}/archive", tag = "files", operation_id = "archive",
    params(
        ("path" = Option<String>, Query, description = "path in the space, percent-encoded; several times for several; the top folder if missing"),
        ("at" = Option<String>, Query, description = "RFC 3339: as it was then"),
    ),
    responses((status = 200, description = "the archive", content_type = "application/zip", body = String)),
    extensions(("x-codes" = json!(["@read"]))))]
pub async fn archive(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let paths = bytes_in_url::parameters(query.as_deref(), "path");
    let paths: Result<Vec<_>, _> = paths.iter().map(|path| parse(path)).collect();
    let mut paths = paths?;
    if paths.is_empty() {
        paths.push(DrivePath::default());
    }
    let at = instant_in(query.as_deref())?;
    let (source, named) = blocking(move || {
        let space = api.shelf.space(&space)?;
        let source = match at {
            Some(at) => Source::Then(api.pictures.of(&space, at)?),
            None => Source::Now(space.drive().clone()),
        };
        // What is not there is told before anything is sent.
        paths
            .iter()
            .try_for_each(|path| source.stat(path).map(drop))?;
        Ok::<_, ApiError>((source, (paths, space.name())))
    })
    .await?;
    let (paths, space) = named;
    let name = match paths.as_slice() {
        [one] => one.names().last().map(|name| name.as_bytes().to_vec()),
        _ => None,
    };
    let file = [name.unwrap_or_else(|| space.into_bytes()), b".zip".to_vec()].concat();
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let told = sender.clone();
        if let Err(error) = send(&source, &paths, Pipe(sender)) {
            let _ = told.blocking_send(Err(error)); // whoever hung up does not listen
        }
    });
    let mut response = Response::new(transfer::body_of(receiver));
    let headers = response.headers_mut();
    transfer::insert(headers, header::CONTENT_TYPE, "application/zip");
    transfer::insert(
        headers,
        header::CONTENT_DISPOSITION,
        &disposition("attachment", &file),
    );
    Ok(response)
}

/// The space now, or as it was.
enum Source {
    Now(Arc<Drive>),
    Then(Arc<Picture>),
}

impl Source {
    fn stat(&self, path: &DrivePath) -> Result<Entry, DriveError> {
        match self {
            Self::Now(drive) => drive.stat(path),
            Self::Then(picture) => picture.stat(path),
        }
    }

    fn list(&self, path: &DrivePath) -> Result<Vec<Entry>, DriveError> {
        match self {
            Self::Now(drive) => drive.list(path),
            Self::Then(picture) => picture.list(path),
        }
    }

    fn open(&self, path: &DrivePath) -> Result<FileReader, DriveError> {
        match self {
            Self::Now(drive) => drive.open_file(path, None),
            Self::Then(picture) => picture.open(path),
        }
    }
}

/// A file from its beginning to its end.
struct Whole {
    file: FileReader,
    at: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, buffer);
        let read = read.map_err(io::Error::other)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// To whoever downloads.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn send(source: &Source, paths: &[DrivePath], pipe: Pipe) -> io::Result<()> {
    let mut zip = Zip::new(BufWriter::with_capacity(CHUNK, pipe));
    let mut taken = BTreeSet::new();
    let mut todo = Vec::new();
    for path in paths.iter().rev() {
        let name = path.names().last().map(|name| name.as_bytes().to_vec());
        let name = name.unwrap_or_default();
        // Two of one name, from different folders: the first is whole.
        if taken.insert(name.clone()) {
            todo.push((path.clone(), name));
        }
    }
    while let Some((path, name)) = todo.pop() {
        let entry = match source.stat(&path) {
            // It went away in the meantime.
            Err(DriveError::NotFound(_)) => continue,
            found => found.map_err(io::Error::other)?,
        };
        add(source, &mut zip, &path, &name, &entry)?;
        if entry.kind == Kind::Folder {
            for child in source
                .list(&path)
                .map_err(io::Error::other)?
                .into_iter()
                .rev()
            {
                let below = match name.is_empty() {
                    true => child.name.as_bytes().to_vec(),
                    false => [&name, child.name.as_bytes()].join(&b'/'),
                };
                todo.push((path.join(child.name), below));
            }
        }
    }
    zip.finish()?.flush()
}

fn add<W: Write>(
    source: &Source,
    zip: &mut Zip<W>,
    path: &DrivePath,
    name: &[u8],
    entry: &Entry,
) -> io::Result<()> {
    let header = |name, kind: u32| Header {
        name,
        mode: kind | entry.attrs.mode & 0o7777,
        mtime: entry.content.mtime.seconds,
        size: entry.content.size,
    };
    match (entry.kind, &entry.content.body) {
        (Kind::Folder, _) if name.is_empty() => Ok(()),
        (Kind::Folder, _) => {
            let name = [name, b"/"].concat();
            zip.add(&header(&name, 0o040_000), &mut io::empty())
        }
        (Kind::Symlink, Body::Target(target)) => {
            zip.add(&header(name, 0o120_000), &mut target.as_slice())
        }
        (Kind::Symlink, _) => Ok(()),
        (Kind::File, _) => {
            let file = source.open(path).map_err(io::Error::other)?;
            zip.add(&header(name, 0o100_000), &mut Whole { file, at: 0 })
        }
    }
}
