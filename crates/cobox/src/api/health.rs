//! Calls about how safe a space is: its copies on replicators, and how many are wanted.

use crate::api::{Api, ApiError, Body, Segment, Two, blocking, time};
use axum::Json;
use axum::extract::State;
use cobox_keys::identity::PublicKey;
use cobox_space::health::{Colour, Health, Judged, Policy, State as CopyState, words};
use cobox_space::shelf::SpaceError;
use cobox_space::space::Space;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// All routes about health.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(show, wish))
        .routes(routes!(lose))
}

/// How safe a space is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthJson {
    /// `green`, `amber` or `red`
    pub colour: String,
    /// why, in words
    pub reason: String,
    /// how many replicators shall hold everything
    pub threshold: u32,
    /// how old their last proof may be, in milliseconds
    pub tolerance: u64,
    /// how many hold everything, proven within the tolerance
    pub complete: u64,
    /// every replicator that is known, best first
    pub copies: Vec<CopyJson>,
}

/// One replicator.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopyJson {
    /// device key
    pub peer_id: String,
    /// `complete`, `behind`, `stale` or `partial`
    pub state: String,
    /// the same in words
    pub words: String,
    /// blocks that it has not proven to hold
    pub blocks_behind: u64,
    /// their bytes
    pub bytes_behind: u64,
    /// RFC 3339: when it last proved that it held everything
    pub last_sync_at: Option<String>,
    /// RFC 3339: when files were last got back from it alone and compared (`cobox drill`), by a member's word
    #[serde(default)]
    pub proven_at: Option<String>,
    /// connected to us now
    pub online: bool,
    /// bytes it had left
    pub free: u64,
}

/// What is wanted of the copies; what is missing stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyJson {
    /// how many replicators shall hold everything, 0 to 1000
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// how old their last proof may be, in milliseconds, at least 1000
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<u64>,
}

/// For JSON and events.
pub fn shape(health: &Health) -> HealthJson {
    let colour = match health.colour {
        Colour::Green => "green",
        Colour::Amber => "amber",
        Colour::Red => "red",
    };
    HealthJson {
        colour: colour.into(),
        reason: health.reason.clone(),
        threshold: health.policy.threshold,
        tolerance: health.policy.tolerance_ms,
        complete: health.complete() as u64,
        copies: health.copies.iter().map(copy).collect(),
    }
}

fn copy(judged: &Judged) -> CopyJson {
    let state = match judged.state {
        CopyState::Complete => "complete",
        CopyState::Behind => "behind",
        CopyState::Stale => "stale",
        CopyState::Partial => "partial",
    };
    CopyJson {
        peer_id: judged.copy.device.to_string(),
        state: state.into(),
        words: words(judged, time::now_ms()),
        blocks_behind: judged.behind.blocks,
        bytes_behind: judged.behind.bytes,
        last_sync_at: judged.copy.synced_ms.map(time::format_ms),
        proven_at: judged.copy.proven_ms.map(time::format_ms),
        online: judged.copy.reachable,
        free: judged.copy.free,
    }
}

/// How safe a space is, and why: the same for all its members, but for who is connected to whom.
#[utoipa::path(get, path = "/spaces/{space}/health", tag = "health", operation_id = "getHealth",
    responses((status = 200, description = "colour, reason, copies", body = HealthJson)))]
async fn show(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Result<Json<HealthJson>, ApiError> {
    let health = blocking(move || api.shelf.space(&space)?.health()).await?;
    Ok(Json(shape(&health)))
}

/// Changes for all members how many copies are wanted and how old their proofs may be.
#[utoipa::path(patch, path = "/spaces/{space}/health", tag = "health", operation_id = "wishForCopies",
    request_body = PolicyJson,
    responses((status = 200, description = "the health under what is wanted now", body = HealthJson)),
    extensions(("x-codes" = json!(["bad_policy", "read_only", "disk_full"]))))]
async fn wish(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    Body(wanted): Body<PolicyJson>,
) -> Result<Json<HealthJson>, ApiError> {
    let health = blocking(move || {
        let space = api.shelf.space(&space)?;
        wish_for(&space, wanted.threshold, wanted.tolerance)?;
        space.health()
    });
    Ok(Json(shape(&health.await?)))
}

/// Say for all members that a replicator is gone: what it has proven until now counts no more
///
/// Should it come back, it counts again by what it proves then. Nothing is said to the replicator, and nothing is deleted there.
#[utoipa::path(delete, path = "/spaces/{space}/health/{peerId}", tag = "health", operation_id = "loseCopy",
    responses((status = 200, description = "the health without it", body = HealthJson)),
    extensions(("x-codes" = json!(["no_such_replicator", "read_only", "disk_full"]))))]
async fn lose(
    State(api): State<Arc<Api>>,
    Two(space, device): Two,
) -> Result<Json<HealthJson>, ApiError> {
    let wrong = "that is not a device key: it has 64 hex digits";
    let device: PublicKey = device.parse().map_err(|_| ApiError::bad("peerId", wrong))?;
    let health = blocking(move || {
        let space = api.shelf.space(&space)?;
        space.lose_copy(&device)?;
        space.health()
    });
    Ok(Json(shape(&health.await?)))
}

/// Changes what is given; what is wanted then.
pub fn wish_for(
    space: &Space,
    threshold: Option<u32>,
    tolerance: Option<u64>,
) -> Result<Policy, SpaceError> {
    let now = space.policy()?;
    let policy = Policy {
        threshold: threshold.unwrap_or(now.threshold),
        tolerance_ms: tolerance.unwrap_or(now.tolerance_ms),
    };
    if policy != now {
        space.set_policy(policy)?;
    }
    Ok(policy)
}
