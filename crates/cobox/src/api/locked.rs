//! What a locked program answers: that it is locked, how it can be unlocked, and nothing about anybody.
//!
//! Not its job: the way in of an unlocked one (`access`), and unlocking itself (the daemon).

use crate::api::guard::{self, Caller, Gate};
use crate::api::types::{PasswordJson, StatusJson, System};
use crate::api::{
    Access, ApiError, Body, Door, MAX_JSON, access, calls, calls_of_hub, hub_page, openapi, page,
    page_of,
};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Extension, Json, Router, middleware};
use cobox_keys::identity::Identity;
use cobox_space::shelf::SpaceError;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use zeroize::Zeroizing;

/// What the calls of a locked program work on.
pub struct LockedApi {
    /// password and sessions
    pub access: Arc<Access>,
    /// who knows it may call
    pub token: String,
    /// shown in status
    pub home: String,
    /// how many addresses are kept
    pub kept: usize,
    /// how peers reach us; empty while nothing is replicated
    pub hint: String,
    /// this is a device
    pub is_hub: bool,
    /// who was opened by a password goes here
    pub opened: mpsc::Sender<Unlocking>,
    /// becomes true when the program is to stop
    pub stop: watch::Sender<bool>,
}

/// Somebody gave the right password.
pub struct Unlocking {
    /// whom it opens
    pub identity: Arc<Identity>,
    /// told once the home is open, or why it cannot be opened
    pub done: oneshot::Sender<Result<(), String>>,
}

/// All routes of a locked program, guarded as is right for one listener.
pub fn locked_router(api: Arc<LockedApi>, door: Door) -> Router {
    let described = if api.is_hub { calls_of_hub() } else { calls() };
    let (_, description) = described.split_for_parts();
    let (docs, _) = openapi::routes().split_for_parts();
    let few = docs
        .route("/system", get(system))
        .route("/status", get(status))
        .route("/stop", post(stop))
        .route("/auth", get(access::check).post(log_in))
        .route("/unlock", post(unlock))
        .layer(middleware::from_fn(guard::bound_body))
        .layer(DefaultBodyLimit::max(MAX_JSON));
    let gate = Gate {
        token: api.token.clone(),
        access: api.access.clone(),
        door,
        is_page: page_of(api.is_hub),
    };
    let others: MethodRouter = match api.is_hub {
        true => any(async |uri: Uri| match hub_page::is_page(uri.path()) {
            true => hub_page::handle(uri).await,
            false => is_locked().into_response(),
        }),
        false => any(async |method: Method, uri: Uri, headers: HeaderMap| {
            match page::is_page(uri.path()) {
                true => page::handle(method, uri, headers).await,
                false => is_locked().into_response(),
            }
        }),
    };
    Router::new()
        .nest("/api", few)
        .fallback_service(others)
        .method_not_allowed_fallback(async || is_locked())
        .layer(Extension(openapi::finish(&description)))
        .layer(middleware::from_fn_with_state(Arc::new(gate), guard::check))
        .with_state(api)
}

fn is_locked() -> ApiError {
    let msg = "the program is locked: it keeps its copies and shows nothing; nothing was done. Unlock it in the page, or with: cobox unlock";
    ApiError::new(StatusCode::LOCKED, "locked", msg)
}

async fn system() -> Json<System> {
    Json(System {
        version: env!("CARGO_PKG_VERSION").into(),
        locked: true,
        password: true, // without one nothing is ever locked
    })
}

async fn status(State(api): State<Arc<LockedApi>>) -> Json<StatusJson> {
    Json(StatusJson {
        version: env!("CARGO_PKG_VERSION").into(),
        home: api.home.clone(),
        locked: true,
        kept: api.kept as u64,
        hint: api.hint.clone(),
        name: String::new(),
        public_key: String::new(),
        spaces: Vec::new(),
        replicas: Vec::new(),
        peers: Vec::new(),
        failed: Vec::new(),
    })
}

async fn stop(State(api): State<Arc<LockedApi>>) -> StatusCode {
    api.stop.send_replace(true);
    StatusCode::ACCEPTED
}

async fn log_in(
    State(api): State<Arc<LockedApi>>,
    Extension(caller): Extension<Caller>,
    Body(given): Body<PasswordJson>,
) -> Result<Response, ApiError> {
    open(&api, given.password.into()).await?;
    api.access.open(StatusCode::NO_CONTENT, caller.secure)
}

async fn unlock(
    State(api): State<Arc<LockedApi>>,
    Body(given): Body<PasswordJson>,
) -> Result<StatusCode, ApiError> {
    open(&api, given.password.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers when the home is open.
async fn open(api: &LockedApi, password: Zeroizing<String>) -> Result<(), ApiError> {
    let identity = api.access.check(password).await?;
    let (done, opened) = oneshot::channel();
    let gone = |_| ApiError::from(SpaceError::Stopping);
    let told = api.opened.send(Unlocking { identity, done }).await;
    told.map_err(|_| gone(()))?;
    let opened = opened.await.map_err(|_| gone(()))?;
    opened.map_err(|why| {
        let msg = format!("the password is right, but the home cannot be opened: {why}");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", msg)
    })
}
