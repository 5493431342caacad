//! Rules of `$map` and `$reduce`.

use super::super::QueryError;
use super::super::map::Map;
use super::super::path::Path;
use super::super::reduce::{Fold, Reduce, Rule};
use super::{Place, path, path_value};
use serde_json::{Map as Object, Value};

const FOLDS: &str = "$count $sum $avg $min $max $first $last $collect $distinct";
const NO_RULE: &str = "a rule is the name of a field, true, {\"$count\": field}, {\"$value\": anything} or an object of rules";

pub(super) fn map(place: &Place, value: &Value) -> Result<Map, QueryError> {
    match value {
        Value::Bool(true) => Ok(Map::Whole),
        Value::String(text) => Ok(Map::Path(path(place, text)?)),
        Value::Object(object) => match operator(place, object)? {
            Some(("$count", field)) => Ok(Map::Count(path_value(&place.field("$count"), field)?)),
            Some(("$value", value)) => Ok(Map::Value(value.clone())),
            Some((name, _)) => place.field(name).refuse(NO_RULE),
            None => fields(place, object),
        },
        _ => place.refuse(NO_RULE),
    }
}

fn fields(place: &Place, object: &Object<String, Value>) -> Result<Map, QueryError> {
    let rule = |(name, value): (&String, &Value)| {
        let inside = place.field(name);
        let rule = match value {
            // The field of this very name.
            Value::Bool(true) => Map::Path(path(&inside, name)?),
            value => map(&inside, value)?,
        };
        Ok((name.clone(), rule))
    };
    Ok(Map::Fields(
        object.iter().map(rule).collect::<Result<_, _>>()?,
    ))
}

pub(super) fn reduce(place: &Place, value: &Value) -> Result<Reduce, QueryError> {
    let Value::Object(object) = value else {
        return place.refuse("a reduction is an object");
    };
    if let Some((name, field)) = operator(place, object)? {
        return Ok(Reduce::Value(fold(&place.field(name), name, field)?));
    }
    if object.is_empty() {
        return place.refuse("say what to reduce to, such as {\"$count\": true}");
    }
    let rule = |(name, value): (&String, &Value)| {
        let inside = place.field(name);
        let rule = match value {
            Value::String(text) => Rule::Group(path(&inside, text)?),
            Value::Object(object) => match operator(&inside, object)? {
                Some((operator, field)) => {
                    Rule::Fold(fold(&inside.field(operator), operator, field)?)
                }
                None => return inside.refuse(&format!("one of {FOLDS} is expected")),
            },
            _ => return inside.refuse("a field to group by, or a reduction, is expected"),
        };
        Ok((name.clone(), rule))
    };
    let mut rules: Vec<_> = object.iter().map(rule).collect::<Result<_, _>>()?;
    // Groups come in the order of their fields' names, however the JSON was kept.
    rules.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(Reduce::Rows(rules))
}

fn fold(place: &Place, name: &str, value: &Value) -> Result<Fold, QueryError> {
    if (name, value) == ("$count", &Value::Bool(true)) {
        return Ok(Fold::Count(None));
    }
    let make: fn(Path) -> Fold = match name {
        "$count" => |path| Fold::Count(Some(path)),
        "$sum" => Fold::Sum,
        "$avg" => Fold::Average,
        "$min" => Fold::Min,
        "$max" => Fold::Max,
        "$first" => Fold::First,
        "$last" => Fold::Last,
        "$collect" => Fold::Collect,
        "$distinct" => Fold::Distinct,
        _ => return place.refuse(&format!("there is no such reduction; there are {FOLDS}")),
    };
    Ok(make(path_value(place, value)?))
}

/// The one operator of an object of operators; none if the object has plain names.
fn operator<'o>(
    place: &Place,
    object: &'o Object<String, Value>,
) -> Result<Option<(&'o str, &'o Value)>, QueryError> {
    let mut operators = object.iter().filter(|(name, _)| name.starts_with('$'));
    match (operators.next(), object.len()) {
        (None, _) => Ok(None),
        (Some((name, value)), 1) => Ok(Some((name.as_str(), value))),
        (Some((name, _)), _) => place
            .field(name)
            .refuse("an operator stands alone in its object"),
    }
}
