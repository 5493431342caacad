//! Calls about the program itself.

use crate::api::types::*;
use crate::api::{Api, ApiError, Next, blocking, shapes};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cobox_space::shelf::SpaceError;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(system))
        .routes(routes!(logs))
        .routes(routes!(status))
        .routes(routes!(stop))
}

/// Which program answers; needs no token
#[utoipa::path(get, path = "/system", tag = "program", operation_id = "getSystem",
    responses((status = 200, description = "its version", body = System)))]
pub async fn system(State(api): State<Arc<Api>>) -> Result<Json<System>, ApiError> {
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION").into(),
        locked: false,
        password: api.access.is_set().await?,
    }))
}

/// What runs here: spaces, replicas, peers, and how peers reach us
#[utoipa::path(get, path = "/status", tag = "program", operation_id = "getStatus",
    responses((status = 200, description = "everything at a glance", body = StatusJson)))]
pub async fn status(State(api): State<Arc<Api>>) -> Result<Json<StatusJson>, ApiError> {
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
            locked: false,
            kept: (shelf.spaces().len() + shelf.replicas().len()) as u64,
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

/// What was logged lately, oldest line first
#[utoipa::path(get, path = "/system/logs", tag = "program", operation_id = "getLogs",
    responses((status = 200, description = "lines", body = Vec<String>)))]
pub async fn logs(State(api): State<Arc<Api>>) -> Json<Vec<String>> {
    Json(api.logs.lines())
}

/// Stop the program in an orderly way
#[utoipa::path(post, path = "/stop", tag = "program", operation_id = "stop",
    responses((status = 202, description = "it is about to")))]
pub async fn stop(State(api): State<Arc<Api>>) -> StatusCode {
    api.end(Next::Stop);
    StatusCode::ACCEPTED
}
