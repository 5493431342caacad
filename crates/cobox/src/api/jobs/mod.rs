//! Calls for long work: an import, an export; and those about work that runs.
//!
//! A call that starts work answers lines of JSON (progress first, the outcome last) and stops it when the caller goes
//! away; with `detach=true` it answers at once, and the work goes on until it ends or is stopped.

mod registry;

pub use registry::{Job, JobEvent, Jobs, is_running};

use crate::api::types::*;
use crate::api::{Api, ApiError, Body, Segment, blocking, files};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cobox_drive::import::{Outcome, Progress};
use cobox_space::space::Space;
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Names the job in the answer that follows it.
const JOB: HeaderName = HeaderName::from_static("cobox-job");

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(import))
        .routes(routes!(export))
        .routes(routes!(list))
        .routes(routes!(show, remove))
}

/// Bring files and folders of this machine into a space
#[utoipa::path(post, path = "/spaces/{space}/import", tag = "jobs", operation_id = "import",
    params(("detach" = Option<bool>, Query, description = "answer at once, go on without the caller")),
    request_body = ImportJson,
    responses(
        (status = 200, description = "a line for each progress, the outcome last", body = JobLine, content_type = "application/x-ndjson",
            headers(("cobox-job" = String, description = "id of the job"))),
        (status = 202, description = "begun", body = JobJson),
    ),
    extensions(("x-codes" = json!(["@write", "too_many_jobs"]))))]
pub async fn import(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    Body(request): Body<ImportJson>,
) -> Result<Response, ApiError> {
    let to = files::parse(&request.to.bytes())?;
    let paths: Result<Vec<_>, _> = request.paths.iter().map(local).collect();
    let paths = paths?;
    let space = space_of(&api, space).await?;
    let job = api
        .jobs
        .start("import", space.address(), move |tell, cancel| {
            let mut tell = |progress| tell(shown(progress));
            Ok(done(space.drive().import(&paths, &to, &mut tell, cancel)?))
        });
    Ok(answer(&job?, query.as_deref()))
}

/// Write a space, or a part of it, into a folder of this machine
#[utoipa::path(post, path = "/spaces/{space}/export", tag = "jobs", operation_id = "export",
    params(("detach" = Option<bool>, Query, description = "answer at once, go on without the caller")),
    request_body = ExportJson,
    responses(
        (status = 200, description = "a line for each progress, the outcome last", body = JobLine, content_type = "application/x-ndjson",
            headers(("cobox-job" = String, description = "id of the job"))),
        (status = 202, description = "begun", body = JobJson),
    ),
    extensions(("x-codes" = json!(["@read", "local_file", "too_many_jobs"]))))]
pub async fn export(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    Body(request): Body<ExportJson>,
) -> Result<Response, ApiError> {
    let path = files::parse(&request.path.bytes())?;
    let dir = local(&request.dir)?;
    let at = request.at.as_deref().map(|text| files::moment("at", text));
    let at = at.transpose()?;
    let space = space_of(&api, space).await?;
    let job = api
        .jobs
        .start("export", space.address(), move |tell, cancel| {
            let missing = space.await_tree(|| {
                tell(JobProgress::default());
                cancel.load(Ordering::Relaxed)
            });
            let mut tell = |progress| tell(shown(progress));
            let mut outcome = space.drive().export(&path, &dir, at, &mut tell, cancel)?;
            let missing = missing.map(|reason| (dir, format!("it is not complete: {reason}")));
            outcome.problems.extend(missing);
            Ok(done(outcome))
        });
    Ok(answer(&job?, query.as_deref()))
}

/// Long work that runs or has ended lately, oldest first
#[utoipa::path(get, path = "/jobs", tag = "jobs", operation_id = "listJobs",
    responses((status = 200, description = "one each", body = Vec<JobJson>)))]
pub async fn list(State(api): State<Arc<Api>>) -> Json<Vec<JobJson>> {
    Json(api.jobs.list())
}

/// How a job stands
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", operation_id = "getJob",
    responses((status = 200, description = "how it stands", body = JobJson)),
    extensions(("x-codes" = json!(["no_such_job", "bad_request"]))))]
pub async fn show(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
) -> Result<Json<JobJson>, ApiError> {
    Ok(Json(api.jobs.get(&id)?.now()))
}

/// Stop a job that runs, or forget one that has ended
///
/// Files that an import has committed stay, whole; an export leaves no half file.
#[utoipa::path(delete, path = "/jobs/{id}", tag = "jobs", operation_id = "stopJob",
    responses(
        (status = 200, description = "it had ended, and is forgotten", body = JobJson),
        (status = 202, description = "it was told to stop", body = JobJson),
    ),
    extensions(("x-codes" = json!(["no_such_job", "bad_request"]))))]
pub async fn remove(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<JobJson>), ApiError> {
    let (job, ran) = api.jobs.remove(&id)?;
    let status = if ran {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(job)))
}

async fn space_of(api: &Arc<Api>, space: String) -> Result<Arc<Space>, ApiError> {
    let api = api.clone();
    blocking(move || api.shelf.space(&space)).await
}

/// A path on this machine.
pub(super) fn local(path: &NameBytes) -> Result<PathBuf, ApiError> {
    let path = PathBuf::from(OsString::from_vec(path.bytes()));
    if path.is_absolute() {
        return Ok(path);
    }
    Err(ApiError::bad("paths", "local paths must be absolute"))
}

/// The answer to whoever started a job.
pub(super) fn answer(job: &Arc<Job>, query: Option<&str>) -> Response {
    let now = job.now();
    let id = HeaderValue::from_str(&now.id);
    let mut response = match files::flag(query, "detach") {
        true => (StatusCode::ACCEPTED, Json(now)).into_response(),
        false => lines(job),
    };
    if let Ok(id) = id {
        response.headers_mut().insert(JOB, id);
    }
    response
}

/// Follows a job line by line. A slow reader misses progress, never the outcome.
fn lines(job: &Arc<Job>) -> Response {
    let mut now = job.follow();
    now.mark_changed(); // it may have ended already
    let from = Some((now, job.leash()));
    let lines = futures_util::stream::unfold(from, async |from| {
        let (mut now, leash) = from?;
        if now.changed().await.is_err() {
            return None;
        }
        let job = now.borrow_and_update().clone();
        let rest = is_running(&job).then_some((now, leash));
        Some((Ok::<_, Infallible>(line(job)), rest))
    });
    let mut response = HttpBody::from_stream(lines).into_response();
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn line(job: JobJson) -> Bytes {
    let line = match (job.done, job.error) {
        (Some(done), _) => JobLine::Done(done),
        (_, Some(error)) => JobLine::Error(error),
        _ => JobLine::Progress(job.progress),
    };
    let mut text = serde_json::to_vec(&line).unwrap_or_default();
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
