//! Which rows: conditions on fields, joined by and, or, not.

use super::path::Path;
use super::value::{compare, equal, rank};
use serde_json::Value;
use std::cmp::Ordering;

/// A condition on a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Field(Path, Test),
}

/// A condition on one field. A row without the field passes only `Exists(false)`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Equal(Value),
    In(Vec<Value>),
    /// Of the same kind as the value, and on this side of it.
    Order(Side, Value),
    Prefix(String),
    /// A text with this in it, or an array with this item.
    Contains(Value),
    Exists(bool),
    /// `null`, `boolean`, `number`, `string`, `array`, `object`, by rank.
    Kind(u8),
}

/// Which side of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    From,
    Below,
    Until,
}

impl Side {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Above => order.is_gt(),
            Self::From => order.is_ge(),
            Self::Below => order.is_lt(),
            Self::Until => order.is_le(),
        }
    }
}

impl Filter {
    pub(super) fn holds(&self, row: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(row)),
            Self::Any(any) => any.iter().any(|one| one.holds(row)),
            Self::Not(not) => !not.holds(row),
            Self::Field(path, test) => test.holds(path.find(row)),
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            return *self == Self::Exists(false);
        };
        match self {
            Self::Equal(wanted) => equal(value, wanted),
            Self::In(wanted) => wanted.iter().any(|one| equal(value, one)),
            Self::Order(side, mark) => {
                rank(value) == rank(mark) && side.holds(compare(value, mark))
            }
            Self::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Contains(part) => contains(value, part),
            Self::Exists(exists) => *exists,
            Self::Kind(kind) => rank(value) == *kind,
        }
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Array(items), part) => items.iter().any(|item| equal(item, part)),
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        _ => false,
    }
}
