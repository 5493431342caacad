//! Paths of any bytes in a URL's query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// For use as a query value or path segment.
pub fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, KEPT).to_string()
}

/// A parameter of a raw query, decoded to its exact bytes.
pub fn parameter(query: Option<&str>, name: &str) -> Option<Vec<u8>> {
    let pairs = query?.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| percent_decode_str(value).collect())
}

/// All values of a parameter that may come several times.
pub fn parameters(query: Option<&str>, name: &str) -> Vec<Vec<u8>> {
    let pairs = query.unwrap_or_default().split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| percent_decode_str(value).collect())
        .collect()
}

/// The same as text; what is not UTF-8 is shown as such.
pub fn text(query: Option<&str>, name: &str) -> Option<String> {
    let bytes = parameter(query, name)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_survive_a_query(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let query = format!("x=1&path={}&y=2", encode(&bytes));
            prop_assert_eq!(parameter(Some(&query), "path"), Some(bytes));
        }
    }
}
