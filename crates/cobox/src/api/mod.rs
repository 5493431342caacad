//! The REST API on loopback. Each route calls one verb of `space` or `drive` and translates.
//!
//! Not its job: deciding anything, or knowing how bytes are kept.

pub mod bytes_in_url;
pub mod devices;
mod error;
mod events;
mod files;
mod guard;
mod jobs;
mod local;
mod mounts;
mod shapes;
mod spaces;
pub mod time;
pub mod types;
mod upload;
mod web;

pub use error::ApiError;

use crate::mounts::{Mounts, WEB_ROOT};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{any, delete, get, patch, post};
use axum::{Json, Router, middleware};
use cobox_space::hub::Hub;
use cobox_space::shelf::Shelf;
use std::sync::Arc;
use tokio::sync::watch;

/// Largest JSON body.
const MAX_JSON: usize = 1 << 20;

/// What every route works on.
pub struct Api {
    /// the open home
    pub shelf: Shelf,
    /// the device that runs here, if this is one: then there are only a few calls
    pub hub: Option<Hub>,
    /// what is mounted of it
    pub mounts: Arc<Mounts>,
    /// shown in status
    pub home: String,
    /// who knows it may call
    pub token: String,
    /// our port, for the Host check
    pub port: u16,
    /// becomes true when the program is to stop
    pub stop: watch::Sender<bool>,
}

/// All routes, guarded.
pub fn router(api: Arc<Api>) -> Router {
    let routes = match api.hub {
        Some(_) => hub_routes(),
        None => people_routes(),
    };
    Router::new()
        .nest("/api", routes)
        .route(&format!("{WEB_ROOT}{{*path}}"), any(web::handle))
        .fallback(async || no_such_call())
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "wrong_method",
                "this call does not exist with this method",
            )
        })
        .layer(middleware::from_fn_with_state(api.clone(), guard::check))
        .with_state(api)
}

/// A device has no spaces, files or people of its own; what it does is commanded through its admin space.
fn hub_routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/system", get(spaces::system))
        .route("/status", get(spaces::status))
        .route("/stop", post(stop))
        .route("/identities/current", get(spaces::identity))
        .route("/events", get(events::all))
        .route("/replicas", get(spaces::replicas))
        .merge(Router::from(devices::hub_routes()))
        .layer(DefaultBodyLimit::max(MAX_JSON))
}

fn people_routes() -> Router<Arc<Api>> {
    let routes = Router::new()
        .route("/system", get(spaces::system))
        .route("/status", get(spaces::status))
        .route("/stop", post(stop))
        .route(
            "/identities/current",
            get(spaces::identity).patch(spaces::rename_identity),
        )
        .route("/events", get(events::all))
        .route("/replicas", get(spaces::replicas).post(spaces::replicate))
        .route("/replicas/{address}", delete(spaces::unreplicate))
        .route("/spaces", get(spaces::list).post(spaces::create))
        .route("/spaces/join", post(spaces::join))
        .route("/spaces/{space}", get(spaces::show))
        .route(
            "/spaces/{space}",
            patch(spaces::rename).delete(spaces::delete),
        )
        .route(
            "/spaces/{space}/mount",
            post(mounts::mount).delete(mounts::unmount),
        )
        .route("/spaces/{space}/invites", post(spaces::invite))
        .route("/spaces/{space}/events", get(events::of_space))
        .route("/spaces/{space}/drive", get(files::listing))
        .route("/spaces/{space}/folders", post(files::create_folder))
        .route("/spaces/{space}/move", post(files::rename))
        .route("/spaces/{space}/history", get(files::history))
        .route("/spaces/{space}/restore", post(files::restore))
        .route("/spaces/{space}/conflicts", get(files::conflicts))
        .route("/spaces/{space}/resolve", post(files::resolve))
        .route("/spaces/{space}/put", post(local::put))
        .route("/spaces/{space}/import", post(jobs::import))
        .route("/spaces/{space}/export", post(jobs::export))
        .merge(Router::from(devices::routes()))
        .layer(DefaultBodyLimit::max(MAX_JSON));
    // Uploads are streamed, so their length is bounded by the disk, not by memory.
    let streams = Router::new()
        .route(
            "/spaces/{space}/files",
            get(files::read).put(files::write).delete(files::remove),
        )
        .layer(DefaultBodyLimit::disable());
    routes.merge(streams)
}

fn no_such_call() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no_such_call",
        "there is no such call",
    )
}

async fn stop(State(api): State<Arc<Api>>) -> StatusCode {
    api.stop.send_replace(true);
    StatusCode::ACCEPTED
}

/// A JSON body whose refusal is one of our errors.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
{
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(refused) => {
                let code = if refused.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    "too_large"
                } else {
                    "bad_request"
                };
                Err(ApiError::new(refused.status(), code, refused.body_text()))
            }
        }
    }
}

/// The one changing segment of a route: the name or address of a space or replica.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(refused) => Err(ApiError::bad("space", refused.body_text())),
        }
    }
}

/// Runs a blocking verb away from the network threads.
pub async fn blocking<T, E>(
    verb: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    match tokio::task::spawn_blocking(verb).await {
        Ok(result) => result.map_err(Into::into),
        Err(failed) => {
            tracing::error!("a call failed inside: {failed}");
            let msg = "the program failed inside; what was reported as done before is safe";
            Err(ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed",
                msg,
            ))
        }
    }
}
