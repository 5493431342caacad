//! Filters.

use super::super::QueryError;
use super::super::filter::{Filter, Side, Test};
use super::super::path::Path;
use super::{Place, path};
use serde_json::{Map as Object, Value};

/// Values of one `$in`.
const MAX_IN: usize = 1000;
const OPERATORS: &str = "$eq $ne $gt $gte $lt $lte $in $prefix $contains $exists $type $not";

/// A filter on the whole row.
pub(super) fn filter(place: &Place, value: &Value) -> Result<Filter, QueryError> {
    match value {
        Value::Object(object) => object_filter(place, None, object),
        _ => place.refuse("a filter is an object"),
    }
}

/// Conditions on the row, or on what is at `at`. Those of one object must all hold.
fn object_filter(
    place: &Place,
    at: Option<&Path>,
    object: &Object<String, Value>,
) -> Result<Filter, QueryError> {
    let conditions = object.iter().map(|(name, value)| {
        let inside = place.field(name);
        match name.as_str() {
            "$and" => Ok(Filter::All(list(&inside, at, value)?)),
            "$or" => Ok(Filter::Any(list(&inside, at, value)?)),
            "$not" => Ok(Filter::Not(Box::new(inner(&inside, at, value)?))),
            operator if operator.starts_with('$') => match at {
                Some(path) => test(&inside, path, operator, value),
                None => inside.refuse("$and, $or, $not or the name of a field is expected"),
            },
            field => condition(&inside, at, field, value),
        }
    });
    let mut all: Vec<Filter> = conditions.collect::<Result<_, _>>()?;
    match all.len() {
        1 => Ok(all.remove(0)),
        _ => Ok(Filter::All(all)),
    }
}

fn condition(
    place: &Place,
    at: Option<&Path>,
    field: &str,
    value: &Value,
) -> Result<Filter, QueryError> {
    let mut here = path(place, field)?;
    if let Some(outer) = at {
        let Some(joined) = outer.join(&here) else {
            return place.refuse("the names lead more than 16 levels deep");
        };
        here = joined;
    }
    match value {
        Value::Object(object) if object.is_empty() => {
            place.refuse("an empty object is no condition; to compare with it use \"$eq\"")
        }
        Value::Object(object) => {
            let operators = object.keys().filter(|key| key.starts_with('$')).count();
            if operators != 0 && operators != object.len() {
                return place.refuse("names of fields and operators stand side by side");
            }
            object_filter(place, Some(&here), object)
        }
        value => Ok(Filter::Field(here, Test::Equal(value.clone()))),
    }
}

fn list(place: &Place, at: Option<&Path>, value: &Value) -> Result<Vec<Filter>, QueryError> {
    match value {
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().enumerate();
            items
                .map(|(number, item)| inner(&place.item(number), at, item))
                .collect()
        }
        _ => place.refuse("a list of filters is expected, with at least one"),
    }
}

fn inner(place: &Place, at: Option<&Path>, value: &Value) -> Result<Filter, QueryError> {
    match (value, at) {
        (Value::Object(object), _) if object.is_empty() && at.is_some() => {
            place.refuse("an empty object is no condition; to compare with it use \"$eq\"")
        }
        (Value::Object(object), _) => object_filter(place, at, object),
        (value, Some(path)) => Ok(Filter::Field(path.clone(), Test::Equal(value.clone()))),
        _ => place.refuse("a filter is an object"),
    }
}

fn test(place: &Place, path: &Path, operator: &str, value: &Value) -> Result<Filter, QueryError> {
    let test = match operator {
        "$eq" => Test::Equal(value.clone()),
        "$ne" => {
            let equal = Filter::Field(path.clone(), Test::Equal(value.clone()));
            return Ok(Filter::Not(Box::new(equal)));
        }
        "$gt" => ordered(place, Side::Above, value)?,
        "$gte" => ordered(place, Side::From, value)?,
        "$lt" => ordered(place, Side::Below, value)?,
        "$lte" => ordered(place, Side::Until, value)?,
        "$in" => Test::In(values(place, value)?),
        "$prefix" => match value.as_str() {
            Some(prefix) => Test::Prefix(prefix.to_owned()),
            None => return place.refuse("a text is expected"),
        },
        "$contains" => Test::Contains(value.clone()),
        "$exists" => match value.as_bool() {
            Some(exists) => Test::Exists(exists),
            None => return place.refuse("true or false is expected"),
        },
        "$type" => Test::Kind(kind(place, value)?),
        _ => return place.refuse(&format!("there is no such operator; there are {OPERATORS}")),
    };
    Ok(Filter::Field(path.clone(), test))
}

fn ordered(place: &Place, side: Side, value: &Value) -> Result<Test, QueryError> {
    match value {
        Value::Number(_) | Value::String(_) => Ok(Test::Order(side, value.clone())),
        _ => place.refuse("only numbers and texts are compared this way"),
    }
}

fn values(place: &Place, value: &Value) -> Result<Vec<Value>, QueryError> {
    match value {
        Value::Array(values) if values.len() <= MAX_IN => Ok(values.clone()),
        _ => place.refuse("a list of at most 1000 values is expected"),
    }
}

fn kind(place: &Place, value: &Value) -> Result<u8, QueryError> {
    const KINDS: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];
    let known = (0u8..).zip(KINDS).find(|(_, name)| value == name);
    known.map_or_else(
        || place.refuse(&format!("one of {} is expected", KINDS.join(" "))),
        |(rank, _)| Ok(rank),
    )
}
