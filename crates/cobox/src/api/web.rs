//! WebDAV requests, handed to the mount whose secret path they know.

use crate::api::{Api, no_such_call};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Any method below `/dav/`.
pub async fn handle(State(api): State<Arc<Api>>, mut request: Request) -> Response {
    let Some(web) = api.mounts.web(request.uri().path()) else {
        return no_such_call().into_response();
    };
    if let Some(whole) = with_slash(request.uri()) {
        *request.uri_mut() = whole;
    }
    web.handler().handle(request).await.map(Body::new)
}

/// The top folder's path as it is meant when its last slash is missing.
fn with_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if path.matches('/').count() > 3 {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}/")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_top_folder_gets_its_slash() {
        let with = |uri: &str| with_slash(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(with("/dav/00/box").unwrap(), "/dav/00/box/");
        assert_eq!(with("/dav/00/box/"), None);
        assert_eq!(with("/dav/00/box/file"), None);
    }
}
