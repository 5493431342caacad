//! What libsodium itself answered (`tests/vectors/make.py`), for the tests of the modules above.

use serde_json::Value;

/// One entry of a section, as JSON.
pub(crate) fn entry(section: &str, name: &str) -> Value {
    let text = include_str!("../tests/vectors/libsodium.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let found = all[section][name].clone();
    assert!(!found.is_null(), "no vector {section}/{name}");
    found
}

/// One entry that is bytes.
pub(crate) fn bytes(section: &str, name: &str) -> Vec<u8> {
    unhex(&entry(section, name))
}

/// One entry that is a key, a hash or a nonce.
pub(crate) fn fixed<const N: usize>(section: &str, name: &str) -> [u8; N] {
    bytes(section, name).try_into().unwrap()
}

/// Bytes written in hex.
pub(crate) fn unhex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(value.as_str().unwrap().as_bytes())
        .unwrap()
}
