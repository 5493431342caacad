//! What the original's page asks about devices, which it calls seeders: the verbs of `devices`, its answers.

use super::{AboutJson, about};
use crate::api::devices;
use crate::api::devices::types::{CommandJson, CommandRequest, NewAdminJson};
use crate::api::types::{CodeContentJson, CodeJson, SpaceRef};
use crate::api::{Api, ApiError, Body, Segment, blocking, spaces};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use cobox_space::admin::{Deed, Fate, Given};
use cobox_space::shelf::SpaceError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(connect))
        .routes(routes!(peers))
        .routes(routes!(invite))
        .routes(routes!(accept))
        .routes(routes!(replicate))
        .routes(routes!(unreplicate))
        .routes(routes!(replicates))
}

/// A person as this part of the page keeps them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SeederPeerJson {
    /// what they say about themselves
    pub data: AboutJson,
}

/// A space to be replicated, or not any more.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SeedJson {
    /// of the space, 64 hex digits
    pub address: String,
    /// what to call it there
    #[serde(default)]
    pub name: Option<String>,
}

/// A command to replicate or not, as the page reads it: the newest one of an address counts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SeedCommandJson {
    /// Unix ms
    pub timestamp: u64,
    /// the message
    pub value: SeedMessageJson,
}

/// The message of such a command.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SeedMessageJson {
    /// `command/replicate` or `command/unreplicate`
    #[serde(rename = "type")]
    pub kind: String,
    /// public key
    pub author: String,
    /// what it is about
    pub content: SeedJson,
}

/// Devices whose admins we are
#[utoipa::path(get, path = "/admin/seeders", tag = "original", operation_id = "listSeeders",
    responses((status = 200, description = "address and name", body = Vec<SpaceRef>)))]
async fn list(State(api): State<Arc<Api>>) -> Result<Json<Vec<SpaceRef>>, ApiError> {
    let devices = blocking(move || api.shelf.devices()).await?;
    let short = devices.iter().map(|device| spaces::short(device.space()));
    Ok(Json(short.collect()))
}

/// Connect a device: it always is
#[utoipa::path(post, path = "/admin/seeders/{device}/connections", tag = "original", operation_id = "connectSeeder",
    responses((status = 200, description = "its address and name", body = SpaceRef)))]
async fn connect(
    State(api): State<Arc<Api>>,
    Segment(device): Segment,
) -> Result<Json<SpaceRef>, ApiError> {
    let device = blocking(move || api.shelf.device_called(&device)).await?;
    Ok(Json(spaces::short(device.space())))
}

/// Who is in the admin space of a device: its admins, and itself
#[utoipa::path(get, path = "/admin/seeders/{device}/peers", tag = "original", operation_id = "listSeederPeers",
    responses((status = 200, description = "one each", body = Vec<SeederPeerJson>)))]
async fn peers(
    State(api): State<Arc<Api>>,
    Segment(device): Segment,
) -> Result<Json<Vec<SeederPeerJson>>, ApiError> {
    let members = blocking(move || api.shelf.device_called(&device)?.space().members()).await?;
    let peers = members.into_iter().map(|member| SeederPeerJson {
        data: about(member),
    });
    Ok(Json(peers.collect()))
}

/// Let somebody command a device
#[utoipa::path(post, path = "/admin/seeders/{device}/invites", tag = "original", operation_id = "inviteToSeeder",
    request_body = NewSeederAdminJson,
    responses((status = 201, description = "the code", body = CodeJson)),
    extensions(("x-codes" = json!(["bad_key", "own_key", "bad_invite", "not_an_admin", "read_only", "disk_full"]))))]
async fn invite(
    api: State<Arc<Api>>,
    device: Segment,
    Body(request): Body<NewSeederAdminJson>,
) -> Result<(StatusCode, Json<CodeJson>), ApiError> {
    let public_key = request.public_key;
    let new = Body(NewAdminJson { public_key });
    let (status, Json(made)) = devices::add_admin(api, device, new).await?;
    let content = CodeContentJson {
        code: made.code.clone(),
    };
    Ok((
        status,
        Json(CodeJson {
            code: made.code,
            name: None,
            peers: Vec::new(),
            content: Some(content),
        }),
    ))
}

/// Whom the page wants to let command a device.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSeederAdminJson {
    /// their public key, 64 hex digits
    pub public_key: String,
}

/// Become an admin of a device by an invite code
#[utoipa::path(get, path = "/admin/seeders/invites/accept", tag = "original", operation_id = "acceptSeederInvite",
    params(("code" = String, Query, description = "the code")),
    responses((status = 201, description = "the device's admin space", body = SpaceRef)),
    extensions(("x-codes" = json!(["bad_request", "bad_invite", "bad_key", "bad_name", "already_here", "name_taken", "no_name", "disk_full"]))))]
async fn accept(
    api: State<Arc<Api>>,
    query: RawQuery,
) -> Result<(StatusCode, Json<SpaceRef>), ApiError> {
    super::accept(api, query).await
}

/// Have a device replicate a space
#[utoipa::path(post, path = "/admin/seeders/{device}/commands/replicate", tag = "original", operation_id = "seed",
    request_body = SeedJson,
    responses(
        (status = 200, description = "the device has answered", body = CommandJson),
        (status = 202, description = "stored; the device does it when it hears of it", body = CommandJson),
    ),
    extensions(("x-codes" = json!(["bad_name", "not_an_admin", "read_only", "disk_full"]))))]
async fn replicate(
    api: State<Arc<Api>>,
    device: Segment,
    Body(seed): Body<SeedJson>,
) -> Result<(StatusCode, Json<CommandJson>), ApiError> {
    command(api, device, "replicate", seed).await
}

/// Have a device replicate a space no more
#[utoipa::path(post, path = "/admin/seeders/{device}/commands/unreplicate", tag = "original", operation_id = "unseed",
    request_body = SeedJson,
    responses(
        (status = 200, description = "the device has answered", body = CommandJson),
        (status = 202, description = "stored; the device does it when it hears of it", body = CommandJson),
    ),
    extensions(("x-codes" = json!(["not_an_admin", "read_only", "disk_full"]))))]
async fn unreplicate(
    api: State<Arc<Api>>,
    device: Segment,
    Body(seed): Body<SeedJson>,
) -> Result<(StatusCode, Json<CommandJson>), ApiError> {
    let seed = SeedJson { name: None, ..seed };
    command(api, device, "unreplicate", seed).await
}

async fn command(
    api: State<Arc<Api>>,
    device: Segment,
    command: &str,
    seed: SeedJson,
) -> Result<(StatusCode, Json<CommandJson>), ApiError> {
    let request = CommandRequest {
        command: command.into(),
        address: Some(seed.address),
        name: seed.name,
        ..CommandRequest::default()
    };
    devices::command(api, device, Body(request)).await
}

/// What a device was told to replicate, and not to any more
#[utoipa::path(get, path = "/admin/seeders/{device}/commands/replicates", tag = "original", operation_id = "listSeeds",
    responses((status = 200, description = "oldest first", body = Vec<SeedCommandJson>)))]
async fn replicates(
    State(api): State<Arc<Api>>,
    Segment(device): Segment,
) -> Result<Json<Vec<SeedCommandJson>>, ApiError> {
    let fates = blocking(move || {
        let picture = api.shelf.device_called(&device)?.picture()?;
        Ok::<_, SpaceError>(picture.fates)
    });
    let said = fates.await?;
    Ok(Json(said.iter().filter_map(seed).collect()))
}

/// What a stranger says does not count.
fn seed((given, fate): &(Given, Fate)) -> Option<SeedCommandJson> {
    let (address, name) = match &given.command.deed {
        Deed::Replicate { address, name, .. } => (address, name.clone()),
        Deed::Unreplicate { address } => (address, None),
        _ => return None,
    };
    if matches!(fate, Fate::Stranger) {
        return None;
    }
    Some(SeedCommandJson {
        timestamp: given.time_ms,
        value: SeedMessageJson {
            kind: format!("command/{}", given.command.deed.word()),
            author: given.author.to_string(),
            content: SeedJson {
                address: address.to_string(),
                name,
            },
        },
    })
}
