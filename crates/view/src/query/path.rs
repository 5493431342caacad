//! The way to a field: `content.tags.0`.

use serde_json::Value;

/// Names on one way.
const MAX_NAMES: usize = 16;
/// Bytes of one name.
const MAX_NAME: usize = 256;

/// Names of fields, from the row inward. A number also names an item of an array.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<String>);

impl Path {
    /// Reads `a.b.c`; `None` if a name is empty or too long, or there are too many.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_NAMES * (MAX_NAME + 1) {
            return None;
        }
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        let fits = |name: &String| !name.is_empty() && name.len() <= MAX_NAME;
        (names.len() <= MAX_NAMES && names.iter().all(fits)).then_some(Self(names))
    }

    /// This way, then another; `None` if that is too long.
    pub(super) fn join(&self, inner: &Self) -> Option<Self> {
        let names = [&self.0[..], &inner.0[..]].concat();
        (names.len() <= MAX_NAMES).then_some(Self(names))
    }

    /// What is there in a row.
    pub fn find<'v>(&self, row: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(row, |value, name| match value {
            Value::Object(fields) => fields.get(name),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ways_lead_through_objects_and_arrays() {
        let row = json!({ "a": { "b": [1, { "c": 2 }] } });
        let find = |text: &str| Path::parse(text).unwrap().find(&row).cloned();
        assert_eq!(find("a.b.1.c"), Some(json!(2)));
        assert_eq!(find("a.b.2"), None);
        assert_eq!(find("a.x"), None);
        assert_eq!(find("a.b.c"), None);
    }

    #[test]
    fn what_is_no_way_is_refused() {
        for wrong in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(Path::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(Path::parse(&["a"; 17].join(".")), None);
        assert!(Path::parse(&["a"; 16].join(".")).is_some());
        assert_eq!(Path::parse(&"a".repeat(257)), None);
    }
}
