//! The calls of the original's page (version 1.1.0-alpha.1) that have another shape here: the same verbs, its answers.
//!
//! What its page asks for, and who answers; `compat` is this file, `compat::admin` what is about devices.
//!
//! | call | answered by |
//! | --- | --- |
//! | GET /system, /system/logs; GET, POST, DELETE /auth | `program`, `access` |
//! | POST /register | `access`; needs the token, so the page falls back to logging in: `cobox password` comes first |
//! | GET /identities/current | `spaces` |
//! | PATCH /identities/:publicKey, PUT /session/:id, GET and PATCH /profile | compat |
//! | GET /peers | compat; people stand beside their devices, as the page looks for both |
//! | GET, POST /spaces; PATCH, DELETE /spaces/:address | `spaces` |
//! | GET /spaces/:address/peers, last-sync, drive/stat | compat |
//! | GET /spaces/:address/drive | `files`: a listing; no window is opened by a call that only asks |
//! | GET /spaces/mounts; POST, DELETE /spaces/:address/mounts | compat |
//! | POST /spaces/:address/connections | compat: a space is always connected |
//! | POST /spaces/:address/invites | `spaces`; the code stands at `content.code` too |
//! | GET /spaces/invites/accept | compat |
//! | the web socket at /api | `socket` |
//! | GET /admin/seeders; GET /admin/seeders/invites/accept | compat::admin |
//! | GET peers, POST connections, invites, commands/replicate and commands/unreplicate, GET commands/replicates of a seeder | compat::admin |
//! | DELETE connections of a space or a seeder | not answered: whoever is a member stays connected; its page has no button for it |
//! | GET /export, POST /import | not answered: the call gives no password that could seal what it takes away |

mod admin;

use crate::api::types::*;
use crate::api::{
    Api, ApiError, Body, Segment, blocking, bytes_in_url, mounts, shapes, spaces, time,
};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use cobox_keys::identity::PublicKey;
use cobox_space::members::Member;
use cobox_space::shelf::SpaceError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// By public key, device key or address.
type Map<T> = Json<BTreeMap<String, T>>;

/// A person as the page keeps them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AboutJson {
    /// `peer/about`
    #[serde(rename = "type")]
    pub kind: String,
    /// public key
    pub author: String,
    /// what they say about themselves
    pub content: NameJson,
}

/// Whether a peer is there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenJson {
    /// public key or device key
    pub peer_id: String,
    /// connected now
    pub online: bool,
    /// RFC 3339
    pub last_seen_at: Option<String>,
}

/// When we were last in sync with a peer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastSyncJson {
    /// device key
    pub peer_id: String,
    /// RFC 3339
    pub last_sync_at: String,
}

/// How much is in a space.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StatJson {
    /// bytes
    pub size: u64,
}

/// Where a space was mounted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LocationJson {
    /// the folder
    pub location: String,
}

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(rename_by_key))
        .routes(routes!(profile, rename_profile))
        .routes(routes!(use_identity))
        .routes(routes!(peers))
        .routes(routes!(members))
        .routes(routes!(last_sync))
        .routes(routes!(stat))
        .routes(routes!(mounted))
        .routes(routes!(mount, unmount))
        .routes(routes!(connect))
        .routes(routes!(accept))
        .merge(admin::routes())
}

/// Give ourselves a name, by public key
#[utoipa::path(patch, path = "/identities/{key}", tag = "original", operation_id = "renameIdentityByKey",
    request_body = NameJson,
    responses((status = 200, description = "name and public key", body = IdentityJson)),
    extensions(("x-codes" = json!(["bad_name", "no_such_identity", "disk_full"]))))]
async fn rename_by_key(
    State(api): State<Arc<Api>>,
    Segment(key): Segment,
    new: Body<NameJson>,
) -> Result<Json<IdentityJson>, ApiError> {
    ours(&api, &key)?;
    spaces::rename_identity(State(api), new).await
}

/// Who we are
#[utoipa::path(get, path = "/profile", tag = "original", operation_id = "getProfile",
    responses((status = 200, description = "name and public key", body = IdentityJson)))]
async fn profile(api: State<Arc<Api>>) -> Json<IdentityJson> {
    spaces::identity(api).await
}

/// Give ourselves a name
#[utoipa::path(patch, path = "/profile", tag = "original", operation_id = "renameProfile",
    request_body = NameJson,
    responses((status = 200, description = "name and public key", body = IdentityJson)),
    extensions(("x-codes" = json!(["bad_name", "disk_full"]))))]
async fn rename_profile(
    api: State<Arc<Api>>,
    new: Body<NameJson>,
) -> Result<Json<IdentityJson>, ApiError> {
    spaces::rename_identity(api, new).await
}

/// Choose an identity; a home has one
#[utoipa::path(put, path = "/session/{id}", tag = "original", operation_id = "useIdentity",
    responses((status = 204, description = "it is the one in use")),
    extensions(("x-codes" = json!(["no_such_identity"]))))]
async fn use_identity(
    State(api): State<Arc<Api>>,
    Segment(id): Segment,
) -> Result<StatusCode, ApiError> {
    ours(&api, &id).map(|()| StatusCode::NO_CONTENT)
}

fn ours(api: &Api, key: &str) -> Result<(), ApiError> {
    if key == "current" || key == api.shelf.public_key().to_string() {
        return Ok(());
    }
    let msg = "there is no such identity in this home; nothing was changed";
    Err(ApiError::new(
        StatusCode::NOT_FOUND,
        "no_such_identity",
        msg,
    ))
}

/// Who is there: devices and people
#[utoipa::path(get, path = "/peers", tag = "original", operation_id = "listPeers",
    responses((status = 200, description = "by key", body = BTreeMap<String, SeenJson>)))]
async fn peers(State(api): State<Arc<Api>>) -> Result<Map<SeenJson>, ApiError> {
    let peers = blocking(move || {
        let mut all = BTreeMap::new();
        for peer in api.shelf.swarm().peers() {
            let last_seen = peer.last_sync.iter().map(|(_, at)| *at).max();
            note(&mut all, peer.device.to_string(), peer.connected, last_seen);
        }
        for space in api.shelf.spaces() {
            for member in space.members()?.into_iter().filter(|member| !member.me) {
                note(
                    &mut all,
                    member.public_key.to_string(),
                    member.online,
                    member.last_seen,
                );
            }
        }
        Ok::<_, SpaceError>(all)
    });
    peers.await.map(Json)
}

/// The same person may be met in several spaces: what is newest counts.
fn note(all: &mut BTreeMap<String, SeenJson>, key: String, online: bool, last_seen: Option<u64>) {
    let last_seen_at = last_seen.map(time::format_ms);
    let seen = SeenJson {
        peer_id: key.clone(),
        online,
        last_seen_at,
    };
    let entry = all.entry(key).or_insert_with(|| seen.clone());
    entry.online |= seen.online;
    entry.last_seen_at = entry.last_seen_at.take().max(seen.last_seen_at);
}

/// The people of a space
#[utoipa::path(get, path = "/spaces/{space}/peers", tag = "original", operation_id = "listSpacePeers",
    responses((status = 200, description = "by public key", body = BTreeMap<String, AboutJson>)))]
async fn members(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Result<Map<AboutJson>, ApiError> {
    let members = blocking(move || api.shelf.space(&space)?.members()).await?;
    let by_key = |member: Member| (member.public_key.to_string(), about(member));
    Ok(Json(members.into_iter().map(by_key).collect()))
}

fn about(member: Member) -> AboutJson {
    AboutJson {
        kind: "peer/about".into(),
        author: member.public_key.to_string(),
        content: NameJson { name: member.name },
    }
}

/// When the copies of a space were last in sync with us
#[utoipa::path(get, path = "/spaces/{space}/last-sync", tag = "original", operation_id = "getLastSync",
    responses((status = 200, description = "by device key", body = BTreeMap<String, LastSyncJson>)))]
async fn last_sync(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Result<Map<LastSyncJson>, ApiError> {
    let synced = blocking(move || {
        let address = api.shelf.space(&space)?.address();
        let receipts = api.shelf.swarm().receipts(&address).into_iter();
        let mut newest: BTreeMap<String, u64> = receipts
            .map(|receipt| (receipt.device.to_string(), receipt.time_ms))
            .collect();
        for peer in api.shelf.swarm().peers() {
            for (_, at) in peer.last_sync.iter().filter(|(of, _)| *of == address) {
                let known = newest.entry(peer.device.to_string()).or_default();
                *known = (*known).max(*at);
            }
        }
        Ok::<_, SpaceError>(newest)
    });
    let shape = |(peer_id, at): (String, u64)| {
        (
            peer_id.clone(),
            LastSyncJson {
                peer_id,
                last_sync_at: time::format_ms(at),
            },
        )
    };
    Ok(Json(synced.await?.into_iter().map(shape).collect()))
}

/// How much is in a space
#[utoipa::path(get, path = "/spaces/{space}/drive/stat", tag = "original", operation_id = "getDriveStat",
    responses((status = 200, description = "its size", body = StatJson)))]
async fn stat(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Result<Json<StatJson>, ApiError> {
    let size = blocking(move || {
        let (_, _, size) = api.shelf.space(&space)?.drive().totals()?;
        Ok::<_, SpaceError>(size)
    });
    Ok(Json(StatJson { size: size.await? }))
}

/// Where our spaces are mounted
#[utoipa::path(get, path = "/spaces/mounts", tag = "original", operation_id = "listMounts",
    responses((status = 200, description = "by address; null where it is not", body = BTreeMap<String, Option<String>>)))]
async fn mounted(State(api): State<Arc<Api>>) -> Map<Option<String>> {
    let at = |address| {
        let shown = api
            .mounts
            .get(&address)
            .filter(|shown| shown.problem.is_none())?;
        Some(shapes::mount(api.port, &shown).at)
    };
    let spaces = api.shelf.spaces().into_iter().map(|space| space.address());
    Json(
        spaces
            .map(|address| (address.to_string(), at(address)))
            .collect(),
    )
}

/// Mount a space at its usual place
#[utoipa::path(post, path = "/spaces/{space}/mounts", tag = "original", operation_id = "mountUsual",
    responses((status = 201, description = "where", body = LocationJson)),
    extensions(("x-codes" = json!(["bad_folder", "already_mounted", "not_empty", "mount_failed"]))))]
async fn mount(
    api: State<Arc<Api>>,
    space: Segment,
) -> Result<(StatusCode, Json<LocationJson>), ApiError> {
    let (status, Json(mounted)) = mounts::mount(api, space, Body(MountRequest::default())).await?;
    Ok((
        status,
        Json(LocationJson {
            location: mounted.at,
        }),
    ))
}

/// Unmount a space
#[utoipa::path(delete, path = "/spaces/{space}/mounts", tag = "original", operation_id = "unmountUsual",
    responses((status = 200, description = "where it was", body = LocationJson)),
    extensions(("x-codes" = json!(["not_mounted", "mount_failed", "disk_full"]))))]
async fn unmount(api: State<Arc<Api>>, space: Segment) -> Result<Json<LocationJson>, ApiError> {
    let Json(unmounted) = mounts::unmount(api, space).await?;
    Ok(Json(LocationJson {
        location: unmounted.at,
    }))
}

/// Connect a space: it always is
#[utoipa::path(post, path = "/spaces/{space}/connections", tag = "original", operation_id = "connectSpace",
    responses((status = 200, description = "its address and name", body = SpaceRef)))]
async fn connect(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Result<Json<SpaceRef>, ApiError> {
    let space = blocking(move || api.shelf.space(&space)).await?;
    Ok(Json(spaces::short(&space)))
}

/// Join a space by an invite code
#[utoipa::path(get, path = "/spaces/invites/accept", tag = "original", operation_id = "acceptInvite",
    params(("code" = String, Query, description = "the code")),
    responses((status = 201, description = "the space", body = SpaceRef)),
    extensions(("x-codes" = json!(["bad_request", "bad_invite", "bad_key", "bad_name", "already_here", "name_taken", "no_name", "disk_full"]))))]
async fn accept(
    api: State<Arc<Api>>,
    RawQuery(query): RawQuery,
) -> Result<(StatusCode, Json<SpaceRef>), ApiError> {
    let code = bytes_in_url::parameter(query.as_deref(), "code");
    let code = code.and_then(|bytes| String::from_utf8(bytes).ok());
    let code = code.ok_or_else(|| ApiError::bad("code", "the invite code is missing"))?;
    let request = CodeJson {
        code,
        name: None,
        peers: Vec::new(),
        content: None,
    };
    spaces::join(api, Body(request)).await
}

/// The page looks for people, events tell of devices: the event about the person whose device came or went.
pub fn of_person(api: &Api, event: &EventJson) -> Option<EventJson> {
    let peer = event.peer.as_ref()?;
    let device: PublicKey = peer.peer_id.parse().ok()?;
    let space = api.shelf.space(&event.address).ok()?;
    let person = space.person_of(&device).ok()??;
    let peer = PresenceJson {
        peer_id: person.public_key.to_string(),
        online: person.online,
        last_seen_at: peer.last_seen_at.clone(),
    };
    let data = serde_json::to_value(&peer).ok()?;
    Some(EventJson {
        data,
        peer: Some(peer),
        ..event.clone()
    })
}
