//! The REST API on loopback. Each route calls one verb of `space` or `drive` and translates.
//!
//! Not its job: deciding anything, or knowing how bytes are kept.

mod access;
mod annotations;
mod archive;
pub mod bytes_in_url;
mod compat;
pub mod devices;
mod door;
mod error;
mod events;
mod files;
mod guard;
mod health;
mod hub_page;
mod jobs;
mod keys;
mod local;
mod locked;
mod members;
mod messages;
mod mounts;
pub mod moving;
mod openapi;
mod page;
mod pictures;
mod program;
mod qr;
pub mod query;
mod range;
mod settings;
mod shapes;
mod shown;
mod socket;
mod spaces;
pub mod time;
mod transfer;
pub mod types;
mod upload;
mod web;

pub use access::{Access, Session};
pub use door::{Door, Reach, Remote};
pub use error::ApiError;
pub use events::{NEWS, watch_state};
pub use jobs::Jobs;
pub use locked::{LockedApi, Unlocking, locked_router};
pub use pictures::Pictures;

use crate::logs::Logs;
use crate::mounts::{Mounts, WEB_ROOT};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{MethodRouter, any};
use axum::{Extension, Json, Router, middleware};
use cobox_space::hub::Hub;
use cobox_space::shelf::{Luggage, Shelf};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, watch};
use types::EventJson;
use utoipa_axum::router::OpenApiRouter;

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
    /// password and sessions
    pub access: Arc<Access>,
    /// long work
    pub jobs: Arc<Jobs>,
    /// spaces as they were, while they are browsed
    pub pictures: Arc<Pictures>,
    /// the last lines of the log
    pub logs: Logs,
    /// shown in status
    pub home: String,
    /// who knows it may call
    pub token: String,
    /// our port on loopback, shown in the addresses of WebDAV shares
    pub port: u16,
    /// what looks different now, for those who follow
    pub news: broadcast::Sender<EventJson>,
    /// becomes true when the program is to stop
    pub stop: watch::Sender<bool>,
    /// and what then
    pub next: Mutex<Next>,
}

/// What comes after the program has put everything down in order.
#[derive(Default)]
pub enum Next {
    /// It ends.
    #[default]
    Stop,
    /// It begins anew with nothing of before in its memory, locked.
    Lock,
    /// Somebody moves in; it begins anew as theirs.
    MoveIn(Box<Luggage>),
}

impl Api {
    /// Puts everything down in order, and then does what comes next.
    pub fn end(&self, next: Next) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        self.stop.send_replace(true);
    }

    /// What was asked for; told once.
    pub fn asked(&self) -> Next {
        std::mem::take(&mut *self.next.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All calls with their description, not yet guarded. Each topic brings its own.
fn calls() -> OpenApiRouter<Arc<Api>> {
    let small = OpenApiRouter::new()
        .merge(program::routes())
        .merge(settings::routes())
        .merge(access::routes())
        .merge(moving::routes())
        .merge(openapi::routes())
        .merge(qr::routes())
        .merge(spaces::routes())
        .merge(mounts::routes())
        .merge(files::routes())
        .merge(archive::routes())
        .merge(local::routes())
        .merge(jobs::routes())
        .merge(keys::routes())
        .merge(query::routes())
        .merge(annotations::routes())
        .merge(health::routes())
        .merge(members::routes())
        .merge(messages::routes())
        .merge(events::routes())
        .merge(socket::routes())
        .merge(compat::routes())
        .merge(devices::routes())
        .layer(middleware::from_fn(guard::bound_body))
        .layer(DefaultBodyLimit::max(MAX_JSON));
    openapi::router().nest(
        "/api",
        small
            .merge(transfer::routes())
            .merge(moving::large_routes()),
    )
}

/// The calls of a device: it has no spaces, files or people of its own, and is commanded through its admin space.
fn calls_of_hub() -> OpenApiRouter<Arc<Api>> {
    let few = OpenApiRouter::new()
        .merge(program::routes())
        .merge(access::routes())
        .merge(openapi::routes())
        .merge(spaces::hub_routes())
        .merge(events::hub_routes())
        .merge(devices::hub_routes())
        .layer(middleware::from_fn(guard::bound_body))
        .layer(DefaultBodyLimit::max(MAX_JSON));
    openapi::router().nest("/api", few)
}

/// All routes, guarded as is right for one listener.
pub fn router(api: Arc<Api>, door: Door) -> Router {
    let (calls, others): (_, MethodRouter) = match api.hub {
        Some(_) => (calls_of_hub(), any(hub_page::handle)),
        None => (calls(), any(page::handle)),
    };
    let (router, description) = calls.split_for_parts();
    let gate = guard::Gate {
        token: api.token.clone(),
        access: api.access.clone(),
        door,
        is_page: page_of(api.hub.is_some()),
    };
    router
        .route(&format!("{WEB_ROOT}{{*path}}"), any(web::handle))
        .fallback_service(others)
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "wrong_method",
                "this call does not exist with this method",
            )
        })
        .layer(Extension(openapi::finish(&description)))
        .layer(middleware::from_fn_with_state(Arc::new(gate), guard::check))
        .with_state(api)
}

/// Which paths show something to everybody: the page of a person's program, one plain page of a device.
fn page_of(is_hub: bool) -> fn(&str) -> bool {
    match is_hub {
        true => hub_page::is_page,
        false => page::is_page,
    }
}

fn no_such_call() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no_such_call",
        "there is no such call",
    )
}

/// A JSON body whose refusal is one of our errors.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T> FromRequest<S> for Body<T>
where
    Json<Object<T>>: FromRequest<S, Rejection = JsonRejection>,
{
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, ApiError> {
        match Json::<Object<T>>::from_request(request, state).await {
            Ok(Json(Object(value))) => Ok(Self(value)),
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

/// A JSON object: a list would be taken for one whose fields have no names.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, fields: M) -> Result<T, M::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
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

/// The two changing segments of a route.
pub struct Two(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for Two {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((one, two))) => Ok(Self(one, two)),
            Err(refused) => Err(ApiError::bad("path", refused.body_text())),
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
        Err(failed) => Err(ApiError::inside(&failed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The page's types are made from the file. `cargo xtask page` writes it (it sets the variable) and builds the page anew.
    #[test]
    fn the_page_is_made_for_the_calls_that_there_are() {
        let (_, description) = calls().split_for_parts();
        let now = serde_json::to_string_pretty(&*openapi::finish(&description)).unwrap() + "\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/openapi.json");
        if std::env::var_os("COBOX_WRITE_OPENAPI").is_some() {
            std::fs::write(&file, &now).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == now,
            "ui/openapi.json is not the calls that there are; write it with: cargo xtask page"
        );
    }
}
