//! Who may call: this machine, our own page, and whoever holds the token or is logged in. Nobody else.

use crate::api::door::{Door, Remote};
use crate::api::error::ApiError;
use crate::api::{Access, MAX_JSON, Session, no_such_call};
use crate::mounts::WEB_ROOT;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Calls that need neither token nor session: they say nothing about anybody, or are the way in.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/api/system"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/docs"),
    ("POST", "/api/auth"),
    ("POST", "/api/auth/here"),
    ("PUT", "/api/auth/tickets"),
];

/// How much of a refused body is read and thrown away, in pieces of some kilobytes each,
const MOST_PIECES: usize = 4096;
/// and for how long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a browser says that a request comes from.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What one listener lets in by.
pub struct Gate {
    /// who knows it may call
    pub token: String,
    /// password and sessions
    pub access: Arc<Access>,
    /// by which names we are called there
    pub door: Door,
    /// paths of a page that is shown there, to everybody
    pub is_page: fn(&str) -> bool,
}

/// Who calls, for the few calls that make a difference.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// holds the token, not just a session
    pub has_token: bool,
    /// came over TLS
    pub secure: bool,
    /// from where on this machine; none if from elsewhere
    pub remote: Option<SocketAddr>,
}

/// Does a call need neither token nor session?
pub fn is_open(method: &str, path: &str) -> bool {
    let method = if method == "HEAD" { "GET" } else { method };
    OPEN.contains(&(method, path))
}

/// Refuses a body that is announced as larger than any call takes, also where none is expected.
pub async fn bound_body(request: Request, next: Next) -> Response {
    let announced = text(request.headers(), header::CONTENT_LENGTH);
    let length = announced.and_then(|text| text.parse::<u64>().ok());
    if length.is_none_or(|length| length <= MAX_JSON as u64) {
        return next.run(request).await;
    }
    // Whoever is still sending would not hear the answer.
    let mut body = request.into_body().into_data_stream().take(MOST_PIECES);
    let drained = async { while let Some(Ok(_)) = body.next().await {} };
    let _ = tokio::time::timeout(PATIENCE, drained).await; // who sends more than that does not listen
    let msg = format!(
        "the body is larger than the {MAX_JSON} bytes that this call takes; nothing was done"
    );
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", msg).into_response()
}

/// Checks Host, Origin and token of every call, and hardens every answer.
pub async fn check(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let door = &gate.door;
    // A WebDAV client cannot send the token: its path has a secret of its own, see `mounts`.
    let is_web = request.uri().path().starts_with(WEB_ROOT);
    // A page says nothing about anybody.
    let is_page = (gate.is_page)(request.uri().path());
    let headers = request.headers();
    let checked = is_from_here(door, headers).and_then(|()| match is_web {
        true => no_page(headers),
        false => no_foreign_page(door, headers),
    });
    let checked = checked.and_then(|()| match is_web {
        true if door.is_local() => Ok(Let::Anybody),
        true => Err(no_such_call()), // a share is for this machine
        false if is_page => Ok(Let::Anybody),
        false => may_call(&gate, &request),
    });
    let mut response = match checked {
        Ok(by) => {
            let caller = Caller {
                has_token: matches!(by, Let::Token),
                secure: door.is_secure(),
                remote: remote(&request).filter(|_| door.is_local()),
            };
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(by.session());
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    harden(response.headers_mut());
    response
}

fn remote(request: &Request) -> Option<SocketAddr> {
    let info = request.extensions().get::<ConnectInfo<Remote>>();
    info.and_then(|ConnectInfo(Remote(at))| *at)
}

fn is_from_here(door: &Door, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = text(headers, header::HOST).unwrap_or_default();
    if door.is_called(host) {
        return Ok(());
    }
    let msg = format!("calls for the host {host:?} are not answered here");
    Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_host", msg))
}

/// Pages send where they come from; programs do not.
fn no_page(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.contains_key(header::ORIGIN) {
        true => Err(foreign_origin()),
        false => Ok(()),
    }
}

fn no_foreign_page(door: &Door, headers: &HeaderMap) -> Result<(), ApiError> {
    let is_own =
        |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| door.is_own_page(origin));
    match headers.get(header::ORIGIN) {
        Some(origin) if !is_own(origin) => Err(foreign_origin()),
        _ => Ok(()),
    }
}

fn foreign_origin() -> ApiError {
    let msg = "calls from other web pages are refused; nothing was done";
    ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", msg)
}

/// By what somebody is let in.
enum Let {
    Token,
    Session(Session),
    /// neither is needed
    Anybody,
}

impl Let {
    fn session(self) -> Session {
        match self {
            Self::Session(session) => session,
            Self::Token | Self::Anybody => Session::default(),
        }
    }
}

fn may_call(gate: &Gate, request: &Request) -> Result<Let, ApiError> {
    let headers = request.headers();
    let given = text(headers, header::AUTHORIZATION).and_then(|h| h.strip_prefix("Bearer "));
    if given.is_some_and(|given| given.as_bytes().ct_eq(gate.token.as_bytes()).into()) {
        return Ok(Let::Token);
    }
    if is_open(request.method().as_str(), request.uri().path()) {
        return Ok(Let::Anybody);
    }
    let session = given.is_none().then(|| gate.access.session(headers));
    if let Some(session) = session.flatten() {
        // The browser adds the cookie by itself, also for other pages of this machine, which may send no Origin.
        return match text(headers, SITE) {
            None | Some("same-origin" | "none") => Ok(Let::Session(session)),
            Some(_) => Err(foreign_origin()),
        };
    }
    let msg = "the token is missing or wrong, and you are not logged in; nothing was done. The token is in the file \"token\" in the home folder";
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "wrong_token", msg))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn harden(headers: &mut HeaderMap) {
    let set = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in set {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    // What pages are made of may be kept by the browser; answers of calls may not.
    let cache = headers.entry(header::CACHE_CONTROL);
    cache.or_insert(HeaderValue::from_static("no-store"));
    // Our pages have their own.
    let strict = "default-src 'none'; frame-ancestors 'none'; sandbox";
    let policy = headers.entry(header::CONTENT_SECURITY_POLICY);
    policy.or_insert(HeaderValue::from_static(strict));
}
