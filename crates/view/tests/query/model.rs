//! The language once more, slowly and plainly: straight over the JSON of the query, all rows in a list.

use cobox_view::query::{Outcome, compare};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

pub fn answer(mut rows: Vec<Value>, query: &Value) -> Outcome {
    let steps = steps(query);
    for (name, value) in &steps {
        rows = match name.as_str() {
            "$filter" => rows.into_iter().filter(|row| holds(value, row)).collect(),
            "$map" => rows
                .iter()
                .map(|row| map(value, row).unwrap_or(Value::Null))
                .collect(),
            "$reduce" => reduce(value, &rows),
            "$sort" => sort(value, rows),
            "$limit" => rows
                .into_iter()
                .take(value.as_u64().unwrap() as usize)
                .collect(),
            _ => unreachable!(),
        };
    }
    match steps.last() {
        Some((name, value)) if name == "$reduce" && is_fold(value) => {
            Outcome::Value(rows.remove(0))
        }
        _ => Outcome::Rows(rows),
    }
}

fn steps(query: &Value) -> Vec<(String, Value)> {
    match query {
        Value::Array(list) => list.iter().flat_map(pairs).collect(),
        object => {
            let mut given = pairs(object);
            if !given.iter().any(|(name, _)| {
                ["$filter", "$map", "$reduce", "$sort", "$limit"].contains(&name.as_str())
            }) {
                return vec![("$filter".into(), object.clone())];
            }
            let order = match object.get("$reduce") {
                Some(_) => ["$filter", "$map", "$reduce", "$sort", "$limit"],
                None => ["$filter", "$sort", "$limit", "$map", ""],
            };
            given.sort_by_key(|(name, _)| order.iter().position(|one| one == name));
            given
        }
    }
}

fn pairs(object: &Value) -> Vec<(String, Value)> {
    let fields = object.as_object().unwrap().iter();
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn get<'v>(path: &str, row: &'v Value) -> Option<&'v Value> {
    let mut here = row;
    for name in path.split('.') {
        here = match here {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            other => other.get(name)?,
        };
    }
    Some(here)
}

fn same(a: &Value, b: &Value) -> bool {
    compare(a, b).is_eq()
}

fn holds(filter: &Value, row: &Value) -> bool {
    pairs(filter)
        .iter()
        .all(|(name, value)| match name.as_str() {
            "$and" => value.as_array().unwrap().iter().all(|one| holds(one, row)),
            "$or" => value.as_array().unwrap().iter().any(|one| holds(one, row)),
            "$not" => !holds(value, row),
            path => passes(value, get(path, row)),
        })
}

fn passes(condition: &Value, value: Option<&Value>) -> bool {
    if !condition.is_object() {
        return value.is_some_and(|value| same(value, condition));
    }
    pairs(condition).iter().all(|(operator, wanted)| {
        let kind = |value: &Value| match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let ordered = |side: fn(Ordering) -> bool| {
            value.is_some_and(|value| kind(value) == kind(wanted) && side(compare(value, wanted)))
        };
        match operator.as_str() {
            "$eq" => value.is_some_and(|value| same(value, wanted)),
            "$ne" => !value.is_some_and(|value| same(value, wanted)),
            "$gt" => ordered(Ordering::is_gt),
            "$gte" => ordered(Ordering::is_ge),
            "$lt" => ordered(Ordering::is_lt),
            "$lte" => ordered(Ordering::is_le),
            "$in" => value.is_some_and(|value| {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|one| same(one, value))
            }),
            "$prefix" => value
                .and_then(Value::as_str)
                .is_some_and(|text| text.starts_with(wanted.as_str().unwrap())),
            "$contains" => match (value, wanted) {
                (Some(Value::Array(items)), wanted) => items.iter().any(|item| same(item, wanted)),
                (Some(Value::String(text)), Value::String(part)) => text.contains(part),
                _ => false,
            },
            "$exists" => value.is_some() == wanted.as_bool().unwrap(),
            "$type" => value.is_some_and(|value| kind(value) == wanted),
            "$not" => !passes(wanted, value),
            "$or" => wanted
                .as_array()
                .unwrap()
                .iter()
                .any(|one| passes(one, value)),
            _ => unreachable!(),
        }
    })
}

fn map(rule: &Value, row: &Value) -> Option<Value> {
    match rule {
        Value::Bool(true) => Some(row.clone()),
        Value::String(path) => get(path, row).cloned(),
        rule => {
            if let Some(path) = rule.get("$count") {
                return match get(path.as_str().unwrap(), row)? {
                    Value::Array(items) => Some(json!(items.len())),
                    Value::Object(fields) => Some(json!(fields.len())),
                    Value::String(text) => Some(json!(text.chars().count())),
                    _ => None,
                };
            }
            if let Some(value) = rule.get("$value") {
                return Some(value.clone());
            }
            let mut shown = Map::new();
            for (name, rule) in pairs(rule) {
                let value = match rule {
                    Value::Bool(true) => get(&name, row).cloned(),
                    rule => map(&rule, row),
                };
                shown.extend(value.map(|value| (name, value)));
            }
            Some(Value::Object(shown))
        }
    }
}

fn is_fold(rule: &Value) -> bool {
    rule.as_object()
        .is_some_and(|rule| rule.keys().all(|name| name.starts_with('$')))
}

fn reduce(rule: &Value, rows: &[Value]) -> Vec<Value> {
    if is_fold(rule) {
        return vec![fold(rule, &rows.iter().collect::<Vec<_>>())];
    }
    let mut rules = pairs(rule);
    rules.sort_by(|a, b| a.0.cmp(&b.0));
    let key = |row: &Value| -> Vec<Option<Value>> {
        let paths = rules.iter().filter_map(|(_, rule)| rule.as_str());
        paths.map(|path| get(path, row).cloned()).collect()
    };
    let mut groups: Vec<(Vec<Option<Value>>, Vec<&Value>)> = Vec::new();
    for row in rows {
        let key = key(row);
        match groups
            .iter_mut()
            .find(|(known, _)| compare_keys(known, &key).is_eq())
        {
            Some((_, group)) => group.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    if groups.is_empty() && rules.iter().all(|(_, rule)| !rule.is_string()) {
        groups.push((Vec::new(), Vec::new()));
    }
    groups.sort_by(|a, b| compare_keys(&a.0, &b.0));
    let row = |(key, group): (Vec<Option<Value>>, Vec<&Value>)| {
        let mut key = key.into_iter();
        let mut row = Map::new();
        for (name, rule) in &rules {
            let value = match rule {
                Value::String(_) => key.next().unwrap(),
                rule => Some(fold(rule, &group)),
            };
            row.extend(value.map(|value| (name.clone(), value)));
        }
        Value::Object(row)
    };
    groups.into_iter().map(row).collect()
}

fn compare_keys(a: &[Option<Value>], b: &[Option<Value>]) -> Ordering {
    let orders = a
        .iter()
        .zip(b)
        .map(|(a, b)| compare_options(a.as_ref(), b.as_ref()));
    orders.fold(Ordering::Equal, Ordering::then)
}

fn compare_options(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(a), Some(b)) => compare(a, b),
    }
}

fn fold(rule: &Value, rows: &[&Value]) -> Value {
    let (name, path) = pairs(rule).remove(0);
    let Some(path) = path.as_str() else {
        return json!(rows.len());
    };
    let values: Vec<&Value> = rows.iter().filter_map(|row| get(path, row)).collect();
    let numbers: Vec<&Value> = values
        .iter()
        .copied()
        .filter(|value| value.is_number())
        .collect();
    // Halves add up without rounding, whatever the order.
    let sum: f64 = numbers.iter().filter_map(|number| number.as_f64()).sum();
    let is_float = numbers.iter().any(|number| number.is_f64());
    let present = || values.iter().filter(|value| !value.is_null());
    let first_best = |better: fn(Ordering) -> bool| {
        let mut best: Option<&Value> = None;
        for value in present() {
            if best.is_none_or(|best| better(compare(value, best))) {
                best = Some(value);
            }
        }
        best.cloned().unwrap_or(Value::Null)
    };
    match name.as_str() {
        "$count" => json!(values.len()),
        "$sum" if is_float => json!(sum),
        "$sum" => json!(sum as i64),
        "$avg" if numbers.is_empty() => Value::Null,
        "$avg" => json!(sum / numbers.len() as f64),
        "$min" => first_best(Ordering::is_lt),
        "$max" => first_best(Ordering::is_gt),
        "$first" => values.first().map_or(Value::Null, |value| (*value).clone()),
        "$last" => values.last().map_or(Value::Null, |value| (*value).clone()),
        "$collect" => values.into_iter().cloned().collect(),
        "$distinct" => {
            let mut each: Vec<Value> = Vec::new();
            for value in values {
                if !each.iter().any(|known| same(known, value)) {
                    each.push(value.clone());
                }
            }
            each.sort_by(compare);
            Value::from(each)
        }
        _ => unreachable!(),
    }
}

fn sort(keys: &Value, mut rows: Vec<Value>) -> Vec<Value> {
    let keys: Vec<&str> = match keys {
        Value::Array(keys) => keys.iter().filter_map(Value::as_str).collect(),
        key => vec![key.as_str().unwrap()],
    };
    if keys[0].starts_with('-') {
        rows.reverse();
    }
    rows.sort_by(|a, b| {
        let order = |key: &&str| match key.strip_prefix('-') {
            Some(path) => compare_options(get(path, b), get(path, a)),
            None => compare_options(get(key, a), get(key, b)),
        };
        keys.iter().map(order).fold(Ordering::Equal, Ordering::then)
    });
    rows
}
