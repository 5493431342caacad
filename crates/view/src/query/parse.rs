//! From JSON to steps. Every refusal names the place.

mod conditions;
mod rules;

use super::path::Path;
use super::{Query, QueryError, SortKey, Step};
use serde_json::{Map as Object, Value};

/// Bytes of a query.
const MAX_TEXT: usize = 64 << 10;
/// Values within each other, and so the depth of every walk over a query.
const MAX_DEPTH: usize = 24;
const MAX_STEPS: usize = 16;
/// Fields to sort by.
const MAX_KEYS: usize = 8;

/// The names that begin a step.
const STEPS: [&str; 5] = ["$filter", "$map", "$reduce", "$sort", "$limit"];

pub(super) fn text(text: &[u8]) -> Result<Query, QueryError> {
    if text.len() > MAX_TEXT {
        return Place::default().refuse("it is longer than 64 KiB");
    }
    let value = serde_json::from_slice(text).map_err(|error| QueryError::Json {
        line: error.line(),
        column: error.column(),
        problem: problem(&error),
    })?;
    query(&value)
}

/// The words of a JSON error without the place, which is told apart.
fn problem(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let end = words.rfind(" at line ").unwrap_or(words.len());
    words[..end].to_owned()
}

pub(super) fn query(value: &Value) -> Result<Query, QueryError> {
    let place = Place::default();
    if depth(value) > MAX_DEPTH {
        return place.refuse("it is nested too deeply");
    }
    let steps = match value {
        Value::Array(list) => steps_of_list(&place, list)?,
        Value::Object(object) if object.keys().any(|key| STEPS.contains(&key.as_str())) => {
            steps_of_object(&place, object)?
        }
        Value::Object(_) => vec![Step::Filter(conditions::filter(&place, value)?)],
        _ => return place.refuse("a query is an object or a list of steps"),
    };
    Ok(Query { steps })
}

fn steps_of_list(place: &Place, list: &[Value]) -> Result<Vec<Step>, QueryError> {
    if list.len() > MAX_STEPS {
        return place.refuse("there are more than 16 steps");
    }
    let step_at = |(number, item): (usize, &Value)| {
        let place = place.item(number);
        match item {
            Value::Object(object) if object.len() == 1 => {
                let (name, value) = object.iter().next().map_or(("", item), |(n, v)| (n, v));
                step(&place, name, value)
            }
            _ => place.refuse(&format!(
                "a step is an object with one of {}",
                STEPS.join(" ")
            )),
        }
    };
    list.iter().enumerate().map(step_at).collect()
}

/// JSON objects have no order: filter, sort, limit, map; or filter, map, reduce, sort, limit.
fn steps_of_object(place: &Place, object: &Object<String, Value>) -> Result<Vec<Step>, QueryError> {
    if let Some(strange) = object.keys().find(|key| !STEPS.contains(&key.as_str())) {
        let place = place.field(strange);
        return place
            .refuse("it stands beside steps; conditions on fields belong inside \"$filter\"");
    }
    let order = match object.contains_key("$reduce") {
        true => ["$filter", "$map", "$reduce", "$sort", "$limit"],
        false => ["$filter", "$sort", "$limit", "$map", "$reduce"],
    };
    let present = order
        .iter()
        .filter_map(|name| Some((*name, object.get(*name)?)));
    present
        .map(|(name, value)| step(place, name, value))
        .collect()
}

fn step(place: &Place, name: &str, value: &Value) -> Result<Step, QueryError> {
    let inside = place.field(name);
    match name {
        "$filter" => Ok(Step::Filter(conditions::filter(&inside, value)?)),
        "$map" => Ok(Step::Map(rules::map(&inside, value)?)),
        "$reduce" => Ok(Step::Reduce(rules::reduce(&inside, value)?)),
        "$sort" => Ok(Step::Sort(sort(&inside, value)?)),
        "$limit" => match value.as_u64() {
            Some(limit) => Ok(Step::Limit(usize::try_from(limit).unwrap_or(usize::MAX))),
            None => inside.refuse("a limit is a whole number"),
        },
        _ => inside.refuse(&format!(
            "there is no such step; there are {}",
            STEPS.join(" ")
        )),
    }
}

fn sort(place: &Place, value: &Value) -> Result<Vec<SortKey>, QueryError> {
    match value {
        Value::Array(keys) if keys.is_empty() || keys.len() > MAX_KEYS => {
            place.refuse("sort by 1 to 8 fields")
        }
        Value::Array(keys) => {
            let keys = keys.iter().enumerate();
            keys.map(|(number, key)| sort_key(&place.item(number), key))
                .collect()
        }
        key => Ok(vec![sort_key(place, key)?]),
    }
}

fn sort_key(place: &Place, value: &Value) -> Result<SortKey, QueryError> {
    let Some(text) = value.as_str() else {
        return place
            .refuse("a field to sort by is a text; a minus before it turns the order round");
    };
    let (descending, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let path = path(place, text)?;
    Ok(SortKey { path, descending })
}

fn path(place: &Place, text: &str) -> Result<Path, QueryError> {
    Path::parse(text).map_or_else(
        || {
            place
                .refuse("a field is named by 1 to 16 names with dots between, such as content.text")
        },
        Ok,
    )
}

/// A path where only a path may stand.
fn path_value(place: &Place, value: &Value) -> Result<Path, QueryError> {
    match value {
        Value::String(text) => path(place, text),
        _ => place.refuse("the name of a field is expected, such as \"content.text\""),
    }
}

fn depth(value: &Value) -> usize {
    // The JSON reader stops at 128 levels, and other values come from programs.
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Where in a query we are.
#[derive(Clone, Debug, Default)]
struct Place(String);

impl Place {
    fn field(&self, name: &str) -> Self {
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(format!("{}{dot}{name}", self.0))
    }

    fn item(&self, number: usize) -> Self {
        Self(format!("{}[{number}]", self.0))
    }

    fn refuse<T>(&self, problem: &str) -> Result<T, QueryError> {
        let place = match self.0.is_empty() {
            true => "its top".to_owned(),
            false => self.0.clone(),
        };
        Err(QueryError::Invalid {
            place,
            problem: problem.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
