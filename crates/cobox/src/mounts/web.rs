//! Where a space is found over WebDAV: a path below the API's port that nobody can guess.
//!
//! File managers cannot send our token. A password (HTTP Basic) would be asked for by each, kept by most, refused by
//! Windows without TLS, and sent by a browser to whatever page makes it; a path is none of that.

use super::place::file_name;
use cobox_space::space::Space;
use data_encoding::HEXLOWER;
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq;

/// First segment of every such path.
pub const ROOT: &str = "/dav/";

/// A new one for each mount.
pub(super) fn secret() -> Result<[u8; 16], std::io::Error> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(secret)
}

/// Where the paths of a space begin, not percent-encoded. The name is for people: file managers show it.
pub(super) fn prefix(secret: &[u8; 16], space: &Space) -> String {
    let name = file_name(&space.name(), &space.address());
    format!("{ROOT}{}/{name}/", HEXLOWER.encode(secret))
}

/// Is this percent-encoded path below a prefix (or the prefix without its last slash)? In a time that says nothing
/// about the secret.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    let path: Vec<u8> = percent_decode_str(path).collect();
    let (whole, bare) = (prefix.as_bytes(), prefix.trim_end_matches('/').as_bytes());
    let same = match path.get(..whole.len()) {
        Some(begin) => begin.ct_eq(whole),
        None => path.ct_eq(bare),
    };
    same.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_with_the_whole_prefix_is_below_it() {
        let prefix = "/dav/0011/our garden/";
        for below in ["", "/", "/a", "/a/b%2Fc"] {
            assert!(
                is_below(&format!("/dav/0011/our%20garden{below}"), prefix),
                "{below}"
            );
        }
        for other in [
            "/dav/0011/our%20gardens",
            "/dav/0012/our%20garden/",
            "/dav/0011/",
            "/dav/",
            "/",
            "",
        ] {
            assert!(!is_below(other, prefix), "{other}");
        }
    }
}
