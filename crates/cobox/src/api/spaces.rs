//! Calls about people, spaces and replicas.

use crate::api::types::*;
use crate::api::{Api, ApiError, Body, Segment, blocking, health, shapes};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use cobox_space::shelf::{Failed, Shelf, SpaceError};
use cobox_space::space::Space;
use cobox_swarm::transport::Hint;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

type Answer<T> = Result<Json<T>, ApiError>;

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(identity, rename_identity))
        .routes(routes!(replicas, replicate))
        .routes(routes!(unreplicate))
        .routes(routes!(list, create))
        .routes(routes!(overview))
        .routes(routes!(join))
        .routes(routes!(show, change, delete))
        .routes(routes!(invite))
}

/// Those that a device answers too.
pub fn hub_routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(identity))
        .routes(routes!(replicas))
}

/// Who we are
#[utoipa::path(get, path = "/identities/current", tag = "people", operation_id = "getIdentity",
    responses((status = 200, description = "name (empty until given) and public key", body = IdentityJson)))]
pub async fn identity(State(api): State<Arc<Api>>) -> Json<IdentityJson> {
    Json(current(&api.shelf))
}

/// Give ourselves a name, for all our spaces
#[utoipa::path(patch, path = "/identities/current", tag = "people", operation_id = "renameIdentity",
    request_body = NameJson,
    responses((status = 200, description = "done", body = IdentityJson)),
    extensions(("x-codes" = json!(["bad_name", "disk_full"]))))]
pub async fn rename_identity(
    State(api): State<Arc<Api>>,
    Body(new): Body<NameJson>,
) -> Answer<IdentityJson> {
    let renamed = blocking(move || {
        api.shelf.set_name(&new.name)?;
        Ok::<_, SpaceError>(current(&api.shelf))
    });
    renamed.await.map(Json)
}

fn current(shelf: &Shelf) -> IdentityJson {
    IdentityJson {
        name: shelf.name().unwrap_or_default(),
        public_key: shelf.public_key().to_string(),
    }
}

/// Our spaces
#[utoipa::path(get, path = "/spaces", tag = "spaces", operation_id = "listSpaces",
    responses((status = 200, description = "one each", body = Vec<SpaceJson>)))]
pub async fn list(State(api): State<Arc<Api>>) -> Answer<Vec<SpaceJson>> {
    let spaces = blocking(move || {
        let spaces = api.shelf.people_spaces()?;
        spaces
            .iter()
            .map(|space| shapes::space(&api, space))
            .collect::<Result<_, SpaceError>>()
    });
    spaces.await.map(Json)
}

/// Our spaces, each with how safe it is and who is in it
#[utoipa::path(get, path = "/overview", tag = "spaces", operation_id = "getOverview",
    responses((status = 200, description = "one each", body = Vec<OverviewJson>)))]
pub async fn overview(State(api): State<Arc<Api>>) -> Answer<Vec<OverviewJson>> {
    let spaces = blocking(move || {
        let spaces = api.shelf.people_spaces()?;
        spaces
            .iter()
            .map(|space| shapes::overview(&api, space))
            .collect::<Result<_, SpaceError>>()
    });
    spaces.await.map(Json)
}

/// Create a space
#[utoipa::path(post, path = "/spaces", tag = "spaces", operation_id = "createSpace",
    request_body = NameJson,
    responses((status = 201, description = "its address and name", body = SpaceRef)),
    extensions(("x-codes" = json!(["bad_name", "name_taken", "no_name", "disk_full"]))))]
pub async fn create(
    State(api): State<Arc<Api>>,
    Body(new): Body<NameJson>,
) -> Result<(StatusCode, Json<SpaceRef>), ApiError> {
    let space = blocking(move || api.shelf.create(&new.name).map(|space| short(&space))).await?;
    Ok((StatusCode::CREATED, Json(space)))
}

/// Join a space by an invite code
#[utoipa::path(post, path = "/spaces/join", tag = "spaces", operation_id = "joinSpace",
    request_body = CodeJson,
    responses((status = 201, description = "what is in it arrives as peers are found", body = SpaceRef)),
    extensions(("x-codes" = json!(["bad_invite", "bad_key", "bad_name", "already_here", "name_taken", "no_name", "disk_full"]))))]
pub async fn join(
    State(api): State<Arc<Api>>,
    Body(request): Body<CodeJson>,
) -> Result<(StatusCode, Json<SpaceRef>), ApiError> {
    let hints = hints(&request.peers)?;
    let joined = blocking(move || {
        let space = api.shelf.join(&request.code, request.name.as_deref())?;
        for hint in hints {
            api.shelf.swarm().introduce(space.address(), hint);
        }
        Ok::<_, SpaceError>(short(&space))
    });
    Ok((StatusCode::CREATED, Json(joined.await?)))
}

/// Everything about a space
#[utoipa::path(get, path = "/spaces/{space}", tag = "spaces", operation_id = "getSpace",
    responses((status = 200, description = "members and copies too", body = SpaceDetailJson)))]
pub async fn show(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<SpaceDetailJson> {
    let detail = blocking(move || shapes::space_detail(&api, &*api.shelf.space(&name)?));
    detail.await.map(Json)
}

/// Rename a space for all its members, or say how many copies of it are wanted; what is missing stays as it is
#[utoipa::path(patch, path = "/spaces/{space}", tag = "spaces", operation_id = "changeSpace",
    request_body = SpaceChangeJson,
    responses((status = 200, description = "how it is now", body = SpaceTermsJson)),
    extensions(("x-codes" = json!(["bad_name", "bad_policy", "name_taken", "@write"]))))]
pub async fn change(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
    Body(new): Body<SpaceChangeJson>,
) -> Answer<SpaceTermsJson> {
    let changed = blocking(move || {
        let space = api.shelf.space(&name)?;
        let policy = health::wish_for(&space, new.threshold, new.tolerance)?;
        if let Some(name) = new.name {
            space.rename(&name)?;
        }
        Ok::<_, SpaceError>(SpaceTermsJson {
            space: short(&space),
            threshold: policy.threshold,
            tolerance: policy.tolerance_ms,
        })
    });
    changed.await.map(Json)
}

/// Leave a space and remove it from this machine: what is only here is lost
#[utoipa::path(delete, path = "/spaces/{space}", tag = "spaces", operation_id = "deleteSpace",
    responses((status = 200, description = "what is gone", body = SpaceRef)))]
pub async fn delete(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<SpaceRef> {
    let deleted = blocking(move || {
        if let Some((address, failed)) = unopened(&api.shelf, &name) {
            api.shelf.delete(&address)?;
            let name = failed.name.unwrap_or_default();
            let address = address.to_string();
            return Ok(SpaceRef { address, name });
        }
        let space = api.shelf.space(&name)?;
        let gone = short(&space);
        api.mounts.forget(&space);
        api.pictures.forget();
        api.shelf.delete(&space.address())?;
        Ok::<_, SpaceError>(gone)
    });
    deleted.await.map(Json)
}

/// Make an invite code that only one person can open
#[utoipa::path(post, path = "/spaces/{space}/invites", tag = "people", operation_id = "invite",
    request_body = InviteJson,
    responses((status = 200, description = "the code", body = CodeJson)),
    extensions(("x-codes" = json!(["bad_key", "own_key", "read_only", "no_name", "disk_full"]))))]
pub async fn invite(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
    Body(request): Body<InviteJson>,
) -> Answer<CodeJson> {
    let wrong = |_| {
        ApiError::bad(
            "publicKey",
            "that is not a public key: it has 64 hex digits; ask the person for the output of: cobox name",
        )
    };
    let recipient: PublicKey = request.public_key.trim().parse().map_err(wrong)?;
    let code = blocking(move || {
        let space = api.shelf.space(&name)?;
        match request.read_only {
            true => space.invite_to_read(&recipient),
            false => space.invite(&recipient),
        }
    });
    let code = code.await?;
    let content = Some(CodeContentJson { code: code.clone() });
    Ok(Json(CodeJson {
        code,
        name: None,
        peers: Vec::new(),
        content,
    }))
}

/// What is replicated for others
#[utoipa::path(get, path = "/replicas", tag = "replicas", operation_id = "listReplicas",
    responses((status = 200, description = "one each", body = Vec<ReplicaJson>)))]
pub async fn replicas(State(api): State<Arc<Api>>) -> Json<Vec<ReplicaJson>> {
    Json(
        api.shelf
            .replicas()
            .iter()
            .map(|r| shapes::replica(&api.shelf, r))
            .collect(),
    )
}

/// Replicate a space by its address, without being able to read it
#[utoipa::path(post, path = "/replicas", tag = "replicas", operation_id = "replicate",
    request_body = ReplicateJson,
    responses((status = 201, description = "done", body = ReplicaJson)),
    extensions(("x-codes" = json!(["bad_name", "already_here", "name_taken", "disk_full"]))))]
pub async fn replicate(
    State(api): State<Arc<Api>>,
    Body(request): Body<ReplicateJson>,
) -> Result<(StatusCode, Json<ReplicaJson>), ApiError> {
    let address = address(&request.address)?;
    let hints = hints(&request.peers)?;
    let replica = blocking(move || {
        let replica = api
            .shelf
            .replicate(address, request.name.as_deref(), &hints)?;
        Ok::<_, SpaceError>(shapes::replica(&api.shelf, &replica))
    });
    Ok((StatusCode::CREATED, Json(replica.await?)))
}

/// Stop replicating a space and free the disk
#[utoipa::path(delete, path = "/replicas/{address}", tag = "replicas", operation_id = "unreplicate",
    responses((status = 204, description = "done")),
    extensions(("x-codes" = json!(["bad_request", "no_such_space"]))))]
pub async fn unreplicate(
    State(api): State<Arc<Api>>,
    Segment(text): Segment,
) -> Result<StatusCode, ApiError> {
    let address = address(&text)?;
    blocking(move || api.shelf.unreplicate(&address)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A space of this address that could not be opened.
fn unopened(shelf: &Shelf, address: &str) -> Option<(Address, Failed)> {
    let address: Address = address.parse().ok()?;
    let failed = shelf.failed().remove(&address)?;
    (!failed.is_replica).then_some((address, failed))
}

/// Address and name of a space.
pub(super) fn short(space: &Space) -> SpaceRef {
    SpaceRef {
        address: space.address().to_string(),
        name: space.name(),
    }
}

fn address(text: &str) -> Result<Address, ApiError> {
    let wrong = |_| {
        ApiError::bad(
            "address",
            "that is not an address: an address has 64 hex digits",
        )
    };
    text.trim().parse().map_err(wrong)
}

fn hints(texts: &[String]) -> Result<Vec<Hint>, ApiError> {
    let wrong = |_| {
        ApiError::bad(
            "peers",
            "that is not a peer hint: use the line that `cobox status` prints on the other machine",
        )
    };
    texts
        .iter()
        .map(|text| text.trim().parse::<Hint>().map_err(wrong))
        .collect()
}
