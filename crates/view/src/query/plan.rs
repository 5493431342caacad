//! Which index to walk, between which ends, in which direction.
//!
//! An index lists rows by the values of some fields, and within equal values in the order of all rows. It can serve a query
//! that fixes all its fields, each to one value or a few; the one with the most fields is taken. A range of the order narrows
//! whatever is walked, and sorting by the order is no work. The filter is still asked of every row that is read: an index may
//! only leave out what could not match.

use super::filter::{Filter, Side, Test};
use super::path::Path;
use super::scan::{Records, Stretch};
use super::value::{equal, float, whole};
use super::{Query, Step};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Runs of an index that one query walks side by side.
const MAX_PREFIXES: usize = 256;

/// A list of rows by the values of some fields.
#[derive(Clone, Debug)]
pub struct Index {
    /// For people.
    pub name: String,
    /// At least one.
    pub fields: Vec<Path>,
}

/// What is declared about rows.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The field by which all rows and all indexes ascend: a whole number from 0 to 2^64 - 1 in every row.
    pub order: Path,
    /// The indexes.
    pub indexes: Vec<Index>,
}

/// How a query is answered.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) stretch: Stretch,
    name: Option<String>,
    order: Path,
    equal: Vec<(Path, Vec<Value>)>,
    /// The first sort is done by walking.
    pub(super) skip_sort: bool,
    sorts: bool,
}

/// What a filter demands of every row.
#[derive(Default)]
struct Demands {
    equal: BTreeMap<Path, Vec<Value>>,
    low: i128,
    high: i128,
}

impl Plan {
    /// For a query over these rows.
    pub(super) fn new<R: Records>(query: &Query, records: &R) -> Self {
        let schema = records.schema();
        let demands = Demands::of(query, &schema.order);
        let usable = schema
            .indexes
            .iter()
            .enumerate()
            .filter_map(|(number, index)| {
                let prefixes = prefixes(records, index, &demands)?;
                Some((number, index, prefixes))
            });
        // Of equals the first.
        let best = usable.reduce(|best, other| {
            let is_better = other.1.fields.len() > best.1.fields.len();
            if is_better { other } else { best }
        });
        let (backward, skip_sort) = walking_sorts(query, &schema.order);
        let sorts = query
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Sort(_)));
        let mut plan = Self {
            stretch: Stretch {
                index: None,
                prefixes: vec![Vec::new()],
                range: demands.range(),
                backward,
            },
            name: None,
            order: schema.order.clone(),
            equal: Vec::new(),
            skip_sort,
            sorts: sorts.count() > usize::from(skip_sort),
        };
        if let Some((number, index, prefixes)) = best {
            let values = |field: &Path| Some((field.clone(), demands.equal.get(field)?.clone()));
            plan.stretch.index = Some(number);
            plan.name = Some(index.name.clone());
            plan.equal = index.fields.iter().filter_map(values).collect();
            plan.stretch.prefixes = prefixes;
        }
        plan
    }

    /// The index walked; none: the rows themselves.
    pub fn index(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Is every row read?
    pub fn is_scan(&self) -> bool {
        self.stretch.index.is_none() && self.stretch.range == Some(0..=u64::MAX)
    }

    /// For programs: `{ index, equal, range, order, sortedInMemory, scan }`.
    pub fn explain(&self) -> Value {
        let equal = self.equal.iter();
        let equal: serde_json::Map<String, Value> = equal
            .map(|(path, values)| (path.to_string(), values.clone().into()))
            .collect();
        let order = match self.stretch.backward {
            true => format!("-{}", self.order),
            false => self.order.to_string(),
        };
        let range = match &self.stretch.range {
            Some(range) if (0..=u64::MAX) == *range => Value::Null,
            Some(range) => json!({ "from": range.start(), "to": range.end() }),
            None => json!("empty"),
        };
        json!({
            "index": self.name,
            "equal": equal,
            "range": range,
            "order": order,
            "sortedInMemory": self.sorts,
            "scan": self.is_scan(),
        })
    }
}

/// For people.
impl std::fmt::Display for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(formatter, "index {name}")?,
            None if self.is_scan() => formatter.write_str("no index: every row is read")?,
            None => write!(formatter, "rows by {}", self.order)?,
        }
        for (path, values) in &self.equal {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            write!(formatter, ", {path} = {}", values.join(" or "))?;
        }
        match &self.stretch.range {
            None => formatter.write_str(", nothing can match")?,
            Some(range) if *range == (0..=u64::MAX) => {}
            Some(range) => {
                let (from, to) = (range.start(), range.end());
                write!(formatter, ", {} from {from} to {to}", self.order)?;
            }
        }
        if self.stretch.backward {
            formatter.write_str(", backward")?;
        }
        if self.sorts {
            formatter.write_str(", sorted in memory")?;
        }
        Ok(())
    }
}

/// (walk backward, the first sort needs no work)
fn walking_sorts(query: &Query, order: &Path) -> (bool, bool) {
    let after = |step: &&Step| !matches!(step, Step::Filter(_));
    match query.steps.iter().find(after) {
        Some(Step::Sort(keys)) => match &keys[..] {
            [key] if key.path == *order => (key.descending, true),
            _ => (false, false),
        },
        _ => (false, false),
    }
}

/// Prefixes of an index that hold all rows that can match; none if it cannot serve.
fn prefixes<R: Records>(records: &R, index: &Index, demands: &Demands) -> Option<Vec<Vec<u8>>> {
    let mut prefixes = vec![Vec::new()];
    for field in &index.fields {
        let mut parts = BTreeSet::new();
        for value in demands.equal.get(field)? {
            parts.extend(records.parts(field, value)?);
        }
        if prefixes.len() * parts.len() > MAX_PREFIXES {
            return None;
        }
        let longer = |prefix: &Vec<u8>| {
            let prefix = prefix.clone();
            parts.iter().map(move |part| [&prefix[..], part].concat())
        };
        prefixes = prefixes.iter().flat_map(longer).collect();
    }
    Some(prefixes)
}

impl Demands {
    /// From the filters that stand before every other step.
    fn of(query: &Query, order: &Path) -> Self {
        let mut demands = Self {
            low: 0,
            high: u64::MAX.into(),
            ..Self::default()
        };
        for step in &query.steps {
            let Step::Filter(filter) = step else {
                break;
            };
            demands.add(filter, order);
        }
        demands
    }

    fn add(&mut self, filter: &Filter, order: &Path) {
        match filter {
            Filter::All(all) => all.iter().for_each(|one| self.add(one, order)),
            Filter::Field(path, test) => {
                if path == order {
                    self.narrow(test);
                }
                match test {
                    Test::Equal(value) => self.demand(path, std::slice::from_ref(value)),
                    Test::In(values) => self.demand(path, values),
                    _ => {}
                }
            }
            Filter::Any(_) | Filter::Not(_) => {}
        }
    }

    fn demand(&mut self, path: &Path, values: &[Value]) {
        let known = self.equal.entry(path.clone());
        let both = known.or_insert_with(|| values.to_vec());
        both.retain(|one| values.iter().any(|other| equal(one, other)));
    }

    fn narrow(&mut self, test: &Test) {
        let Test::Order(side, Value::Number(number)) = test else {
            if let Test::Equal(value) = test {
                self.narrow(&Test::Order(Side::From, value.clone()));
                self.narrow(&Test::Order(Side::Until, value.clone()));
            }
            return;
        };
        let (floor, ceiling) = around(number);
        match side {
            Side::Above => self.low = self.low.max(floor.saturating_add(1)),
            Side::From => self.low = self.low.max(ceiling),
            Side::Below => self.high = self.high.min(ceiling.saturating_sub(1)),
            Side::Until => self.high = self.high.min(floor),
        }
    }

    fn range(&self) -> Option<RangeInclusive<u64>> {
        let possible = self.equal.values().all(|values| !values.is_empty());
        let low = u64::try_from(self.low).ok()?;
        let high = u64::try_from(self.high).ok()?;
        (possible && low <= high).then_some(low..=high)
    }
}

/// The whole numbers next to a number; itself, if it is one.
fn around(number: &serde_json::Number) -> (i128, i128) {
    match whole(number) {
        Some(whole) => (whole, whole),
        None => (float(number).floor() as i128, float(number).ceil() as i128),
    }
}
