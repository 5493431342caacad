//! The call for a rehearsal: which replicator, which key, and the work as a job.

use super::{bad, sheet};
use crate::api::types::*;
use crate::api::{Api, ApiError, Body, Segment, blocking, jobs};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use cobox_keys::access::{Address, EncryptionKey};
use cobox_keys::invite::Grant;
use cobox_keys::paper::{PaperKey, Piece, pieces};
use cobox_space::shelf::{DrillPlan, DrillProgress, DrillReport, Shelf};
use cobox_space::space::Space;
use cobox_swarm::transport::Hint;
use std::sync::Arc;

/// Files of a usual sample.
const SAMPLE: usize = 20;
/// First digits of a key that may stand for it.
const DIGITS: usize = 8;

/// Rehearse: get files back from one replicator alone, with the key as it stands on paper, and compare them bit by bit
///
/// Everything happens in a temporary place that is deleted afterwards. If all is well, the space's health shows when.
#[utoipa::path(post, path = "/spaces/{space}/drill", tag = "keys", operation_id = "drill",
    params(("detach" = Option<bool>, Query, description = "answer at once, go on without the caller")),
    request_body = DrillJson,
    responses(
        (status = 200, description = "a line for each progress, the outcome last: files and bytes that are equal, and problems", body = JobLine, content_type = "application/x-ndjson",
            headers(("cobox-job" = String, description = "id of the job"))),
        (status = 202, description = "begun", body = JobJson),
    ),
    extensions(("x-codes" = json!(["bad_paper", "no_such_replicator", "no_drill", "read_only", "too_many_jobs", "disk_full"]))))]
pub async fn drill(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
    Body(wanted): Body<DrillJson>,
) -> Result<Response, ApiError> {
    let shelf = api.shelf.clone();
    let planned = blocking(move || {
        let space = shelf.space(&name)?;
        let plan = plan(&shelf, &space, &wanted)?;
        Ok::<_, ApiError>((shelf, space, plan))
    });
    let (shelf, space, plan) = planned.await?;
    let job = api
        .jobs
        .start("drill", space.address(), move |tell, cancel| {
            let mut tell = |now: DrillProgress| tell(shown(now));
            let report = shelf.drill(&space, &plan, &mut tell, cancel)?;
            Ok(done(report))
        });
    Ok(jobs::answer(&job?, query.as_deref()))
}

fn plan(shelf: &Shelf, space: &Space, wanted: &DrillJson) -> Result<DrillPlan, ApiError> {
    let sample = wanted.sample.unwrap_or(SAMPLE);
    if sample == 0 {
        return Err(ApiError::bad("sample", "a sample has at least one file"));
    }
    Ok(DrillPlan {
        key: key(space, wanted.text.as_deref())?,
        from: replicator(shelf, space, wanted.from.as_deref())?,
        sample: (!wanted.all).then_some(sample),
        patience: DrillPlan::PATIENCE,
    })
}

/// The key as it stands on paper: as typed, or as we would print it, read back from the words.
fn key(space: &Space, typed: Option<&str>) -> Result<EncryptionKey, ApiError> {
    let address = space.address();
    let Some(typed) = typed else {
        let Grant::Write(key) = space.grant() else {
            return Err(cobox_space::shelf::SpaceError::ReadOnly.into());
        };
        let key = key.clone();
        let printed = PaperKey::Space { address, key }.words();
        let words: Vec<&str> = printed.iter().collect();
        let read = PaperKey::from_words(&words).map_err(|error| ApiError::inside(&error))?;
        return opens(&read, address)
            .ok_or_else(|| ApiError::inside(&"words that give another key"));
    };
    let mut found = None;
    for piece in pieces(typed) {
        match piece {
            Piece::Key(named) => found = found.or(opens(&named.key, address)),
            Piece::Words(error) => return Err(bad(error.to_string())),
            Piece::Code => return Err(bad("the text of a QR code was misread or cut")),
            Piece::Hint(_) => {}
        }
    }
    found.ok_or_else(|| bad("the key of this space is not in that"))
}

fn opens(key: &PaperKey, of: Address) -> Option<EncryptionKey> {
    match key {
        PaperKey::Space { address, key } if *address == of => Some(key.clone()),
        _ => None,
    }
}

/// Who is meant: a hint, a device's name or key, or the best copy.
fn replicator(shelf: &Shelf, space: &Space, from: Option<&str>) -> Result<Hint, ApiError> {
    if let Some(hint) = from.and_then(|from| from.trim().parse::<Hint>().ok()) {
        return Ok(hint);
    }
    let names = sheet::device_names(shelf)?;
    let is_meant = |holder: &sheet::Holder| match from.map(str::trim) {
        None => true,
        Some(from) => {
            let key = holder.hint.device.to_string();
            let named = names
                .get(&holder.hint.device)
                .is_some_and(|name| name == from);
            named || (from.len() >= DIGITS && key.starts_with(from))
        }
    };
    let mut holders = sheet::holders(shelf, space)?
        .into_iter()
        .filter(|holder| holder.replicator);
    holders
        .find(is_meant)
        .map(|holder| holder.hint)
        .ok_or_else(|| {
            let msg =
                "no replicator of that name or key has a copy of this space; see: cobox health";
            ApiError::new(StatusCode::NOT_FOUND, "no_such_replicator", msg)
        })
}

fn shown(now: DrillProgress) -> JobProgress {
    JobProgress {
        entries: now.files,
        bytes: now.bytes,
        total_entries: now.total_files,
        total_bytes: now.total_bytes,
    }
}

fn done(report: DrillReport) -> JobDone {
    let problem = |(path, reason): (Vec<u8>, String)| ProblemJson {
        path: NameBytes::new(&path),
        reason,
    };
    JobDone {
        entries: report.files,
        bytes: report.bytes,
        problems: report.problems.into_iter().map(problem).collect(),
    }
}
