//! Many rows made one value, or one row for each group.

use super::QueryError;
use super::path::Path;
use super::stage::Budget;
use super::value::{Ordered, compare, float, number, size, whole};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What rows are reduced to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reduce {
    /// One value.
    Value(Fold),
    /// An object for each group; one for all rows if nothing is grouped by.
    Rows(Vec<(String, Rule)>),
}

/// One field of a reduced row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Group(Path),
    Fold(Fold),
}

/// How a column becomes one value. Rows without the field do not count.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fold {
    /// Rows, or rows that have the field.
    Count(Option<Path>),
    /// Of the numbers.
    Sum(Path),
    /// Of the numbers; null if there is none.
    Average(Path),
    /// The lowest that is not null.
    Min(Path),
    Max(Path),
    First(Path),
    Last(Path),
    /// All, in order.
    Collect(Path),
    /// Each once, ascending.
    Distinct(Path),
}

/// A fold on the way.
#[derive(Debug)]
enum Tally {
    Count(u64),
    Numbers(Numbers),
    One(Option<Value>),
    List(Vec<Value>),
    Set(BTreeSet<Ordered>),
}

#[derive(Debug, Default)]
struct Numbers {
    count: u64,
    whole: i128,
    float: f64,
    is_float: bool,
}

/// Groups on the way.
pub(super) struct Reducer<'q> {
    reduce: &'q Reduce,
    groups: BTreeMap<Vec<Option<Ordered>>, Vec<Tally>>,
}

impl Fold {
    fn start(&self) -> Tally {
        match self {
            Self::Count(_) => Tally::Count(0),
            Self::Sum(_) | Self::Average(_) => Tally::Numbers(Numbers::default()),
            Self::Min(_) | Self::Max(_) | Self::First(_) | Self::Last(_) => Tally::One(None),
            Self::Collect(_) => Tally::List(Vec::new()),
            Self::Distinct(_) => Tally::Set(BTreeSet::new()),
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Count(path) => path.as_ref(),
            Self::Sum(path)
            | Self::Average(path)
            | Self::Min(path)
            | Self::Max(path)
            | Self::First(path)
            | Self::Last(path)
            | Self::Collect(path)
            | Self::Distinct(path) => Some(path),
        }
    }

    fn add(&self, tally: &mut Tally, row: &Value, budget: &mut Budget) -> Result<(), QueryError> {
        let value = match self.path() {
            Some(path) => path.find(row),
            None => Some(row),
        };
        let Some(value) = value else {
            return Ok(());
        };
        match tally {
            Tally::Count(count) => *count += 1,
            Tally::Numbers(numbers) => numbers.add(value),
            Tally::One(kept) if self.prefers(kept.as_ref(), value) => {
                budget.give(kept.as_ref().map_or(0, size));
                budget.take(size(value))?;
                *kept = Some(value.clone());
            }
            Tally::One(_) => {}
            Tally::List(list) => {
                budget.take(size(value))?;
                list.push(value.clone());
            }
            Tally::Set(set) => {
                let value = Ordered(value.clone());
                if !set.contains(&value) {
                    budget.take(size(&value.0))?;
                    set.insert(value);
                }
            }
        }
        Ok(())
    }

    fn prefers(&self, kept: Option<&Value>, value: &Value) -> bool {
        match (self, kept) {
            (Self::Min(_) | Self::Max(_), _) if value.is_null() => false,
            (Self::Last(_), _) | (_, None) => true,
            (Self::Min(_), Some(kept)) => compare(value, kept).is_lt(),
            (Self::Max(_), Some(kept)) => compare(value, kept).is_gt(),
            _ => false,
        }
    }

    fn finish(&self, tally: Tally) -> Value {
        match tally {
            Tally::Count(count) => count.into(),
            Tally::Numbers(numbers) if matches!(self, Self::Average(_)) => numbers.average(),
            Tally::Numbers(numbers) => numbers.sum(),
            Tally::One(value) => value.unwrap_or(Value::Null),
            Tally::List(list) => Value::Array(list),
            Tally::Set(set) => set.into_iter().map(|value| value.0).collect(),
        }
    }
}

impl Numbers {
    fn add(&mut self, value: &Value) {
        let Value::Number(number) = value else {
            return;
        };
        self.count += 1;
        // No more rows can be read than would be needed to overflow this with 64-bit numbers.
        match whole(number).filter(|_| !number.is_f64()) {
            Some(whole) => self.whole += whole,
            None => {
                self.float += float(number);
                self.is_float = true;
            }
        }
    }

    fn total(&self) -> f64 {
        self.whole as f64 + self.float
    }

    fn sum(&self) -> Value {
        match self.is_float {
            true => Value::from(self.total()),
            false => number(self.whole),
        }
    }

    fn average(&self) -> Value {
        match self.count {
            0 => Value::Null,
            count => Value::from(self.total() / count as f64),
        }
    }
}

impl<'q> Reducer<'q> {
    pub(super) fn new(reduce: &'q Reduce) -> Self {
        let groups = BTreeMap::new();
        Self { reduce, groups }
    }

    fn folds(&self) -> impl Iterator<Item = &'q Fold> + use<'q> {
        let (one, many) = match self.reduce {
            Reduce::Value(fold) => (Some(fold), &[][..]),
            Reduce::Rows(rules) => (None, &rules[..]),
        };
        let of_rule = |(_, rule): &'q (String, Rule)| match rule {
            Rule::Fold(fold) => Some(fold),
            Rule::Group(_) => None,
        };
        one.into_iter().chain(many.iter().filter_map(of_rule))
    }

    fn grouping(&self) -> impl Iterator<Item = &'q Path> + use<'q> {
        let rules = match self.reduce {
            Reduce::Value(_) => &[][..],
            Reduce::Rows(rules) => &rules[..],
        };
        rules.iter().filter_map(|(_, rule)| match rule {
            Rule::Group(path) => Some(path),
            Rule::Fold(_) => None,
        })
    }

    pub(super) fn add(&mut self, row: &Value, budget: &mut Budget) -> Result<(), QueryError> {
        let find = |path: &Path| path.find(row).cloned().map(Ordered);
        let group: Vec<_> = self.grouping().map(find).collect();
        if !self.groups.contains_key(&group) {
            let values = group.iter().flatten().map(|value| size(&value.0));
            budget.take(256 + values.sum::<usize>())?;
        }
        let folds = self.folds();
        let start = || self.folds().map(Fold::start).collect();
        let start: Vec<Tally> = match self.groups.contains_key(&group) {
            true => Vec::new(),
            false => start(),
        };
        let tallies = self.groups.entry(group).or_insert(start);
        for (fold, tally) in folds.zip(tallies) {
            fold.add(tally, row, budget)?;
        }
        Ok(())
    }

    /// The reduced rows, by group.
    pub(super) fn finish(&mut self) -> Vec<Value> {
        let mut groups = std::mem::take(&mut self.groups);
        if groups.is_empty() && self.grouping().next().is_none() {
            groups.insert(Vec::new(), self.folds().map(Fold::start).collect());
        }
        let rows = groups.into_iter();
        rows.map(|(group, tallies)| self.row(group, tallies))
            .collect()
    }

    fn row(&self, group: Vec<Option<Ordered>>, tallies: Vec<Tally>) -> Value {
        let finished = self.folds().zip(tallies);
        let mut folded = finished.map(|(fold, tally)| fold.finish(tally));
        let Reduce::Rows(rules) = self.reduce else {
            return folded.next().unwrap_or(Value::Null);
        };
        let mut group = group.into_iter();
        let field = |(name, rule): &(String, Rule)| {
            let value = match rule {
                Rule::Group(_) => group.next().flatten().map(|value| value.0),
                Rule::Fold(_) => folded.next(),
            };
            Some((name.clone(), value?))
        };
        Value::Object(rules.iter().filter_map(field).collect())
    }
}
