//! What a browser may show of a file: pictures, sound, films, PDF and plain text, known by the ends of their names.
//!
//! The bytes are somebody else's. The type is one of these or none (and nobody guesses: `nosniff`), and the policy runs nothing.

use crate::api::transfer::{disposition, insert};
use axum::http::{HeaderMap, header};

/// PDF: the browser's own viewer does not work in a sandbox. It runs no script of the document with our rights.
const PDF_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'";

/// Headers of a file that is to be shown. What is nothing of the kind stays what is saved.
pub fn describe(headers: &mut HeaderMap, name: &[u8]) {
    let Some(kind) = kind(name) else { return };
    insert(headers, header::CONTENT_TYPE, kind);
    insert(
        headers,
        header::CONTENT_DISPOSITION,
        &disposition("inline", name),
    );
    if kind == "application/pdf" {
        insert(headers, header::CONTENT_SECURITY_POLICY, PDF_POLICY);
        insert(headers, header::X_FRAME_OPTIONS, "SAMEORIGIN");
    }
}

fn kind(name: &[u8]) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    Some(match &name[dot + 1..] {
        b"png" | b"apng" => "image/png",
        b"jpg" | b"jpeg" | b"jpe" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"bmp" => "image/bmp",
        b"ico" => "image/x-icon",
        // Scripts in it do not run: inside of a picture never, and on its own it is in the sandbox.
        b"svg" => "image/svg+xml",
        b"mp3" => "audio/mpeg",
        b"m4a" | b"aac" => "audio/mp4",
        b"ogg" | b"oga" | b"opus" => "audio/ogg",
        b"wav" => "audio/wav",
        b"flac" => "audio/flac",
        b"mp4" | b"m4v" => "video/mp4",
        b"webm" => "video/webm",
        b"mov" => "video/quicktime",
        b"ogv" => "video/ogg",
        b"pdf" => "application/pdf",
        b"txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_is_never_shown() {
        let pages: [&[u8]; 8] = [
            b"a.html",
            b"a.htm",
            b"a.xhtml",
            b"a.xml",
            b"a.js",
            b"html",
            b"a.png.html",
            b"",
        ];
        for name in pages {
            assert_eq!(kind(name), None, "{}", String::from_utf8_lossy(name));
        }
        assert_eq!(kind(b"a.html.PNG"), Some("image/png"));
    }

    #[test]
    fn only_pdf_leaves_the_sandbox_and_only_for_our_page() {
        let mut headers = HeaderMap::new();
        describe(&mut headers, b"a.svg");
        assert!(!headers.contains_key(header::CONTENT_SECURITY_POLICY));
        describe(&mut headers, b"a.pdf");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "SAMEORIGIN");
    }
}
