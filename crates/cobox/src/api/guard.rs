//! Who may call: this machine, our own page, and whoever holds the token. Nobody else.

use crate::api::Api;
use crate::api::error::ApiError;
use crate::mounts::WEB_ROOT;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Checks Host, Origin and token of every call, and hardens every answer.
pub async fn check(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    // A WebDAV client cannot send the token: its path has a secret of its own, see `mounts`.
    let is_web = request.uri().path().starts_with(WEB_ROOT);
    let checked = match is_web {
        true => is_from_here(&api, request.headers()).and_then(|()| no_page(request.headers())),
        false => allowed(&api, request.headers()),
    };
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    harden(response.headers_mut());
    response
}

fn is_from_here(api: &Api, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = text(headers, header::HOST).unwrap_or_default();
    if !is_ours(host, api.port) {
        let msg = format!("calls for the host {host:?} are not answered here");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_host", msg));
    }
    Ok(())
}

/// Pages send where they come from; programs do not.
fn no_page(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.contains_key(header::ORIGIN) {
        true => Err(foreign_origin()),
        false => Ok(()),
    }
}

fn foreign_origin() -> ApiError {
    let msg = "calls from other web pages are refused; nothing was done";
    ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", msg)
}

fn allowed(api: &Api, headers: &HeaderMap) -> Result<(), ApiError> {
    is_from_here(api, headers)?;
    if let Some(origin) = headers.get(header::ORIGIN) {
        let ours = origin.to_str().ok().and_then(|o| o.strip_prefix("http://"));
        if !ours.is_some_and(|host| is_ours(host, api.port)) {
            return Err(foreign_origin());
        }
    }
    let given = text(headers, header::AUTHORIZATION).and_then(|h| h.strip_prefix("Bearer "));
    let right = given.is_some_and(|given| given.as_bytes().ct_eq(api.token.as_bytes()).into());
    if !right {
        let msg = "the token is missing or wrong; nothing was done. It is in the file \"token\" in the home folder";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "wrong_token", msg));
    }
    Ok(())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Is it the loopback host and our port? Anything else may be a rebound name.
fn is_ours(host: &str, port: u16) -> bool {
    let Some((name, given)) = host.rsplit_once(':') else {
        return false;
    };
    given.parse() == Ok(port) && matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn harden(headers: &mut HeaderMap) {
    let set = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_loopback_names_with_our_port_are_ours() {
        for ours in ["localhost:9112", "127.0.0.1:9112", "[::1]:9112"] {
            assert!(is_ours(ours, 9112), "{ours}");
        }
        for foreign in [
            "",
            "localhost",
            "localhost:9113",
            "evil.example:9112",
            "127.0.0.1.evil:9112",
            "::1",
        ] {
            assert!(!is_ours(foreign, 9112), "{foreign}");
        }
    }
}
