//! What is shown of each row: fields picked, renamed, counted.

use super::path::Path;
use serde_json::Value;

/// A rule that makes one value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Map {
    /// The row itself.
    Whole,
    /// The value there.
    Path(Path),
    /// How many: items of an array, fields of an object, characters of a text.
    Count(Path),
    /// Always this.
    Value(Value),
    /// An object of rules; what a rule does not find is left out.
    Fields(Vec<(String, Map)>),
}

impl Map {
    /// The row as it is shown; a single value that is not there is null.
    pub(super) fn row(&self, row: Value) -> Value {
        match self {
            Self::Whole => row,
            _ => self.value(&row).unwrap_or(Value::Null),
        }
    }

    fn value(&self, row: &Value) -> Option<Value> {
        match self {
            Self::Whole => Some(row.clone()),
            Self::Path(path) => path.find(row).cloned(),
            Self::Count(path) => path.find(row).and_then(count),
            Self::Value(value) => Some(value.clone()),
            Self::Fields(rules) => {
                let field = |(name, rule): &(String, Self)| Some((name.clone(), rule.value(row)?));
                Some(Value::Object(rules.iter().filter_map(field).collect()))
            }
        }
    }
}

fn count(value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => Some(items.len().into()),
        Value::Object(fields) => Some(fields.len().into()),
        Value::String(text) => Some(text.chars().count().into()),
        _ => None,
    }
}
