//! The web page, as `ui/` builds it and `build.rs` embeds it. It needs nothing but what is served here.
//!
//! Every path that is no file and no call is the page itself, which knows its own places. Not its job: who may call.

use crate::api::{ApiError, no_such_call};
use crate::mounts::WEB_ROOT;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

/// Only what comes from here runs or is shown; nobody frames it. `blob:` is what the page made itself: previews.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; frame-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Files below have the hash of their bytes in their names.
const HASHED: &str = "assets/";

/// A file of the page.
struct File {
    /// without leading slash
    path: &'static str,
    /// an ETag
    tag: &'static str,
    /// what is in it
    bytes: &'static [u8],
}

/// In the order of their paths.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Is this a path of the page, and of neither a call nor a share?
pub fn is_page(path: &str) -> bool {
    let is_call = path == "/api" || path.starts_with("/api/");
    let is_web = path.starts_with(WEB_ROOT) || path == WEB_ROOT.trim_end_matches('/');
    !is_call && !is_web
}

/// Whatever no call takes.
pub async fn handle(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if !is_page(uri.path()) {
        return no_such_call().into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        let msg = "the page is only read";
        return ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", msg).into_response();
    }
    let path = uri.path().trim_start_matches('/');
    match find(path).or_else(|| place(path)) {
        Some(file) => answer(file, &headers),
        None => no_such_call().into_response(),
    }
}

fn find(path: &str) -> Option<&'static File> {
    let found = FILES.binary_search_by(|file| file.path.cmp(path));
    found.ok().map(|at| &FILES[at])
}

/// A place inside the page; a hashed file of another build is none.
fn place(path: &str) -> Option<&'static File> {
    let is_file = path.starts_with(HASHED);
    find("index.html").filter(|_| !is_file)
}

fn answer(file: &File, asked: &HeaderMap) -> Response {
    let known = asked.get(header::IF_NONE_MATCH);
    let is_known = known.is_some_and(|tag| tag == file.tag);
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.bytes.into_response(),
    };
    let cache = match file.path.starts_with(HASHED) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let set = [
        (header::CONTENT_TYPE, kind(file.path)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, cache),
        (header::ETAG, file.tag),
    ];
    for (name, value) in set {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_the_page_loads_is_here_and_has_a_type() {
        let index = std::str::from_utf8(find("index.html").unwrap().bytes).unwrap();
        let named: Vec<&str> = index
            .split('"')
            .filter_map(|text| text.strip_prefix('/'))
            .filter(|path| path.contains('.'))
            .collect();
        assert!(named.len() >= 3, "{named:?}");
        for path in named {
            assert!(find(path).is_some(), "{path}");
        }
        for file in FILES {
            assert_ne!(kind(file.path), "application/octet-stream", "{}", file.path);
        }
    }

    #[test]
    fn nothing_of_the_page_is_said_inside_html() {
        let index = std::str::from_utf8(find("index.html").unwrap().bytes).unwrap();
        assert!(
            !index.contains("<style") && !index.contains(" style=") && !index.contains(" onload=")
        );
        for script in index.split("<script").skip(1) {
            assert!(
                script.contains("></script>"),
                "the policy lets no inline script run: {script}"
            );
        }
        assert!(
            !index.contains("http://") && !index.contains("https://"),
            "nothing from elsewhere"
        );
    }

    #[test]
    fn calls_and_shares_are_not_places_and_hashed_files_of_another_build_are_missed() {
        for path in ["/", "/spaces/0f", "/apiary", "/favicon.svg"] {
            assert!(is_page(path), "{path}");
        }
        for path in ["/api", "/api/", "/api/nothing", "/dav/00/box"] {
            assert!(!is_page(path), "{path}");
        }
        assert!(place("assets/index-00000000.js").is_none() && place("spaces/0f").is_some());
    }
}
