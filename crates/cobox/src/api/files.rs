//! Calls about what is inside a space: listing, moving, history, conflicts. The bytes of files are in `transfer`.

use crate::api::types::*;
use crate::api::{Api, ApiError, Body, Segment, blocking, bytes_in_url, jobs, shapes, time};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cobox_drive::drive::{DriveError, Restore};
use cobox_drive::handle::WriteOptions;
use cobox_drive::path::DrivePath;
use cobox_drive::record::Kind;
use cobox_drive::version::Dot;
use cobox_space::shelf::SpaceError;
use cobox_space::space::Space;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Entries between two words about how far a restore is.
const TELL_EVERY: u64 = 256;

/// Deleted things that are listed.
const MOST_TRASH: usize = 1000;

type Answer<T> = Result<Json<T>, ApiError>;

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(listing))
        .routes(routes!(create_folder))
        .routes(routes!(rename))
        .routes(routes!(history))
        .routes(routes!(trash))
        .routes(routes!(restore))
        .routes(routes!(conflicts))
        .routes(routes!(resolve))
}

/// List a folder, or show one entry
#[utoipa::path(get, path = "/spaces/{space}/drive", tag = "files", operation_id = "list",
    params(
        ("path" = Option<String>, Query, description = "path in the space, percent-encoded; the top folder if missing"),
        ("at" = Option<String>, Query, description = "RFC 3339: as it was then"),
    ),
    responses((status = 200, description = "the entry, and its children if it is a folder", body = ListingJson)),
    extensions(("x-codes" = json!(["@read"]))))]
pub async fn listing(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Answer<ListingJson> {
    let path = path_in(query.as_deref())?;
    let at = instant_in(query.as_deref())?;
    let listing = blocking(move || {
        let space = api.shelf.space(&space)?;
        let drive = space.drive();
        let then = at.map(|at| api.pictures.of(&space, at)).transpose()?;
        let entry = match &then {
            Some(then) => then.stat(&path)?,
            None => drive.stat(&path)?,
        };
        let children = match (entry.kind, &then) {
            (Kind::Folder, Some(then)) => then.list(&path)?,
            (Kind::Folder, None) => drive.list(&path)?,
            _ => Vec::new(),
        };
        let shape = |entry| shapes::entry_in(drive, entry);
        Ok::<_, SpaceError>(ListingJson {
            entry: shape(&entry),
            children: children.iter().map(shape).collect(),
        })
    });
    listing.await.map(Json)
}

/// Create a folder
#[utoipa::path(post, path = "/spaces/{space}/folders", tag = "files", operation_id = "createFolder",
    params(("path" = Option<String>, Query, description = "path in the space, percent-encoded; the top folder if missing"), ("parents" = Option<bool>, Query, description = "missing folders above it too")),
    responses((status = 201, description = "done", body = EntryJson)),
    extensions(("x-codes" = json!(["@write"]))))]
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

/// Move or rename within a space
#[utoipa::path(post, path = "/spaces/{space}/move", tag = "files", operation_id = "move",
    request_body = MoveJson,
    responses((status = 204, description = "done")),
    extensions(("x-codes" = json!(["@write"]))))]
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

/// Versions of a file or folder, newest first; also of deleted ones
#[utoipa::path(get, path = "/spaces/{space}/history", tag = "files", operation_id = "history",
    params(("path" = Option<String>, Query, description = "path in the space, percent-encoded; the top folder if missing")),
    responses((status = 200, description = "one each", body = Vec<VersionJson>)),
    extensions(("x-codes" = json!(["@read"]))))]
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

/// What was deleted and can come back, the latest first
///
/// Of a deleted folder only the folder. Not what a newer file took the name of: that is in the newer one's history.
#[utoipa::path(get, path = "/spaces/{space}/trash", tag = "files", operation_id = "trash",
    responses((status = 200, description = "one each, a thousand at most", body = Vec<TrashedJson>)))]
pub async fn trash(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Answer<Vec<TrashedJson>> {
    let trash = blocking(move || {
        let space = api.shelf.space(&space)?;
        let (writers, members) = (space.drive().writers()?, space.members()?);
        let trash = space.drive().trash(MOST_TRASH)?;
        let shape = |one| shapes::trashed(one, &writers, &members);
        Ok::<_, SpaceError>(trash.iter().map(shape).collect())
    });
    trash.await.map(Json)
}

/// Bring back a version, or everything below a folder as of a time
///
/// All of it in one commit, or nothing.
#[utoipa::path(post, path = "/spaces/{space}/restore", tag = "files", operation_id = "restore",
    params(
        ("path" = Option<String>, Query, description = "path in the space, percent-encoded; the top folder if missing"),
        ("detach" = Option<bool>, Query, description = "answer at once, go on as a job"),
    ),
    request_body = RestoreJson,
    responses(
        (status = 200, description = "how much came back, as new versions", body = RestoredJson),
        (status = 202, description = "begun", body = JobJson),
    ),
    extensions(("x-codes" = json!(["@write", "no_such_version", "stopped", "too_many_jobs"]))))]
pub async fn restore(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    Body(request): Body<RestoreJson>,
) -> Result<Response, ApiError> {
    let path = path_in(query.as_deref())?;
    let what = match (&request.version, &request.at) {
        (Some(id), None) => Restore::Version(dot(id)?),
        (None, Some(at)) => Restore::Time(moment("at", at)?),
        _ => return Err(ApiError::bad("version", "name either a version or a time")),
    };
    let detach = flag(query.as_deref(), "detach");
    let jobs = api.jobs.clone();
    let space = blocking(move || api.shelf.space(&space)).await?;
    if let Some(to) = &request.to {
        let Restore::Version(version) = what else {
            return Err(ApiError::bad("to", "only a version can come back beside"));
        };
        let to = parse(&to.bytes())?;
        let drive = space.drive().clone();
        blocking(move || drive.restore_as(&path, version, &to).map(drop)).await?;
        return Ok(Json(RestoredJson { restored: 1 }).into_response());
    }
    if !detach {
        let restored = blocking(move || bring_back(&space, &path, what, &mut |_| true)).await?;
        return Ok(Json(RestoredJson { restored }).into_response());
    }
    let job = jobs.start("restore", space.address(), move |tell, cancel| {
        let mut go_on = |entries| {
            if entries % TELL_EVERY == 0 {
                tell(JobProgress {
                    entries,
                    ..JobProgress::default()
                });
            }
            !cancel.load(Ordering::Relaxed)
        };
        let entries = bring_back(&space, &path, what, &mut go_on)?;
        Ok(JobDone {
            entries,
            ..JobDone::default()
        })
    });
    Ok(jobs::answer(&job?, query.as_deref()))
}

fn bring_back(
    space: &Space,
    path: &DrivePath,
    what: Restore,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, ApiError> {
    match (space.drive().restore_while(path, what, go_on), what) {
        (Err(DriveError::NotFound(path)), Restore::Time(_)) => {
            let msg = format!("there was nothing at {path} at that time");
            Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", msg))
        }
        (restored, _) => Ok(restored?),
    }
}

/// Versions that compete because people worked apart
#[utoipa::path(get, path = "/spaces/{space}/conflicts", tag = "files", operation_id = "listConflicts",
    responses((status = 200, description = "one each", body = Vec<ConflictJson>)))]
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

/// Settle a conflict: keep one version, the others stay in the history
#[utoipa::path(post, path = "/spaces/{space}/resolve", tag = "files", operation_id = "resolve",
    params(("path" = Option<String>, Query, description = "path in the space, percent-encoded; the top folder if missing")),
    request_body = KeepJson,
    responses((status = 204, description = "done")),
    extensions(("x-codes" = json!(["@write", "no_such_version"]))))]
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

/// The time that a call is about, if it says one.
pub(super) fn instant_in(query: Option<&str>) -> Result<Option<u64>, ApiError> {
    let text = bytes_in_url::text(query, "at");
    text.map(|text| moment("at", &text)).transpose()
}

/// Which version of a file a call is about, if it says so.
pub(super) fn version_in(query: Option<&str>) -> Result<Option<Dot>, ApiError> {
    let Some(text) = bytes_in_url::parameter(query, "version") else {
        return Ok(None);
    };
    dot(&String::from_utf8_lossy(&text)).map(Some)
}

/// Is a switch in the query on?
pub(super) fn flag(query: Option<&str>, name: &str) -> bool {
    bytes_in_url::parameter(query, name).is_some_and(|value| value == b"true")
}
