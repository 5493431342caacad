//! What a person sees who opens a device's address in a browser: what this is, and where to go. Always the same, and
//! nothing about anybody: not even the device's name.
//!
//! A device has no page of its own because it is commanded through its admin space, from the page of a person's program.

use crate::api::no_such_call;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{Html, IntoResponse, Response};

const PAGE: &str = include_str!("hub_page.html");

/// Nothing runs in it, nothing is loaded, nobody frames it; its own style is known by its hash.
const POLICY: &str = concat!(
    "default-src 'none'; style-src 'sha256-",
    "+LyB2uYMHJ72dFoiYzvy7yolD9b30pCW/lXVdEoTVnY=",
    "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
);

/// Only its front door.
pub fn is_page(path: &str) -> bool {
    path == "/"
}

/// Whatever no call takes.
pub async fn handle(uri: Uri) -> Response {
    if !is_page(uri.path()) {
        return no_such_call().into_response();
    }
    let mut response = Html(PAGE).into_response();
    let policy = HeaderValue::from_static(POLICY);
    let name = header::CONTENT_SECURITY_POLICY;
    response.headers_mut().insert(name, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_policy_knows_the_style_and_nothing_else_is_loaded() {
        let (_, rest) = PAGE.split_once("<style>").unwrap();
        let (style, rest) = rest.split_once("</style>").unwrap();
        let hash = BASE64.encode(&Sha256::digest(style));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
        for foreign in ["src=", "<link", "<script", "url(", " style="] {
            assert!(!rest.contains(foreign), "{foreign}");
        }
    }
}
