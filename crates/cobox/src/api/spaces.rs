//! Calls about people, spaces and replicas.

use crate::api::types::*;
use crate::api::{Api, ApiError, Body, Segment, blocking, shapes};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use cobox_space::shelf::{Shelf, SpaceError};
use cobox_space::space::Space;
use cobox_swarm::transport::Hint;
use std::sync::Arc;

type Answer<T> = Result<Json<T>, ApiError>;

/// `GET /api/system`
pub async fn system() -> Json<System> {
    Json(System {
        version: env!("CARGO_PKG_VERSION").into(),
    })
}

/// `GET /api/status`
pub async fn status(State(api): State<Arc<Api>>) -> Answer<StatusJson> {
    let status = blocking(move || {
        let shelf = &api.shelf;
        let spaces = shelf
            .people_spaces()?
            .iter()
            .map(|s| shapes::space(&api, s))
            .collect::<Result<_, _>>()?;
        Ok::<_, SpaceError>(StatusJson {
            version: env!("CARGO_PKG_VERSION").into(),
            home: api.home.clone(),
            name: shelf.name().unwrap_or_default(),
            public_key: shelf.public_key().to_string(),
            hint: shelf.hint().to_string(),
            spaces,
            replicas: shelf
                .replicas()
                .iter()
                .map(|r| shapes::replica(shelf, r))
                .collect(),
            peers: shelf.swarm().peers().iter().map(shapes::peer).collect(),
        })
    });
    status.await.map(Json)
}

/// `GET /api/identities/current`
pub async fn identity(State(api): State<Arc<Api>>) -> Json<IdentityJson> {
    Json(current(&api.shelf))
}

/// `PATCH /api/identities/current`
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

/// `GET /api/spaces`
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

/// `POST /api/spaces`
pub async fn create(
    State(api): State<Arc<Api>>,
    Body(new): Body<NameJson>,
) -> Result<(StatusCode, Json<SpaceRef>), ApiError> {
    let space = blocking(move || api.shelf.create(&new.name).map(|space| short(&space))).await?;
    Ok((StatusCode::CREATED, Json(space)))
}

/// `POST /api/spaces/join`
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

/// `GET /api/spaces/:space`
pub async fn show(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<SpaceDetailJson> {
    let detail = blocking(move || shapes::space_detail(&api, &*api.shelf.space(&name)?));
    detail.await.map(Json)
}

/// `PATCH /api/spaces/:space`
pub async fn rename(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
    Body(new): Body<NameJson>,
) -> Answer<SpaceRef> {
    let renamed = blocking(move || {
        let space = api.shelf.space(&name)?;
        space.rename(&new.name)?;
        Ok::<_, SpaceError>(short(&space))
    });
    renamed.await.map(Json)
}

/// `DELETE /api/spaces/:space`
pub async fn delete(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<SpaceRef> {
    let deleted = blocking(move || {
        let space = api.shelf.space(&name)?;
        let gone = short(&space);
        api.mounts.forget(&space);
        api.shelf.delete(&space.address())?;
        Ok::<_, SpaceError>(gone)
    });
    deleted.await.map(Json)
}

/// `POST /api/spaces/:space/invites`
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
    let code = blocking(move || api.shelf.space(&name)?.invite(&recipient)).await?;
    Ok(Json(CodeJson {
        code,
        name: None,
        peers: Vec::new(),
    }))
}

/// `GET /api/replicas`
pub async fn replicas(State(api): State<Arc<Api>>) -> Json<Vec<ReplicaJson>> {
    Json(
        api.shelf
            .replicas()
            .iter()
            .map(|r| shapes::replica(&api.shelf, r))
            .collect(),
    )
}

/// `POST /api/replicas`
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

/// `DELETE /api/replicas/:address`
pub async fn unreplicate(
    State(api): State<Arc<Api>>,
    Segment(text): Segment,
) -> Result<StatusCode, ApiError> {
    let address = address(&text)?;
    blocking(move || api.shelf.unreplicate(&address)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn short(space: &Space) -> SpaceRef {
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
