//! Looks for many byte strings at once in files and in captured traffic.

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Byte strings that must not appear, each with what it would give away.
#[derive(Default)]
pub struct Needles {
    all: Vec<(String, Vec<u8>)>,
    /// For the first two bytes of anything in the haystack: which needles begin so.
    starts: Vec<Vec<usize>>,
}

impl Needles {
    /// A string as it is.
    pub fn raw(&mut self, what: &str, bytes: &[u8]) {
        assert!(
            bytes.len() >= 6,
            "{what} is so short that it appears by chance"
        );
        if self.starts.is_empty() {
            self.starts.resize(1 << 16, Vec::new());
        }
        self.starts[start(bytes)].push(self.all.len());
        self.all.push((what.into(), bytes.to_vec()));
    }

    /// A string as it is, and in the letters in which programs like to write bytes.
    pub fn in_all_forms(&mut self, what: &str, bytes: &[u8]) {
        self.raw(what, bytes);
        self.raw(&format!("{what} in hex"), HEXLOWER.encode(bytes).as_bytes());
        self.raw(&format!("{what} in hex"), HEXUPPER.encode(bytes).as_bytes());
        self.raw(
            &format!("{what} in base32"),
            BASE32_NOPAD.encode(bytes).as_bytes(),
        );
        self.raw(
            &format!("{what} in base32"),
            BASE32_NOPAD.encode(bytes).to_lowercase().as_bytes(),
        );
        // Base64 of a text that stands somewhere in a longer one: three ways to fall on its letters.
        for skip in 0..3 {
            let inner = &bytes[skip..];
            let whole = &inner[..inner.len() - inner.len() % 3];
            if whole.len() >= 6 {
                self.raw(
                    &format!("{what} in base64"),
                    BASE64_NOPAD.encode(whole).as_bytes(),
                );
                self.raw(
                    &format!("{what} in base64"),
                    BASE64URL_NOPAD.encode(whole).as_bytes(),
                );
            }
        }
    }

    /// What of it is in `haystack`.
    pub fn found_in(&self, haystack: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for place in 0..haystack.len().saturating_sub(1) {
            for candidate in &self.starts[start(&haystack[place..])] {
                let (what, needle) = &self.all[*candidate];
                if haystack[place..].starts_with(needle) {
                    found.insert(format!("{what} at byte {place}"));
                }
            }
        }
        found
    }

    /// What of it is in any file below `top`, or in the name of one; also the bytes looked at.
    pub fn found_below(&self, top: &Path) -> (BTreeSet<String>, u64) {
        let (mut found, mut looked) = (BTreeSet::new(), 0);
        let mut open = vec![top.to_owned()];
        while let Some(path) = open.pop() {
            let data = fs::symlink_metadata(&path).unwrap();
            let bytes = if data.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_vec()
            } else if data.is_dir() {
                open.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            looked += bytes.len() as u64;
            let name = path
                .strip_prefix(top)
                .unwrap()
                .as_os_str()
                .as_encoded_bytes();
            let inside = self.found_in(&bytes).into_iter().chain(self.found_in(name));
            found.extend(inside.map(|what| format!("{what} of {path:?}")));
        }
        (found, looked)
    }
}

fn start(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}
