//! Rows pushed through steps, one after the other; steps that need them all keep them within a budget.

use super::filter::Filter;
use super::map::Map;
use super::reduce::{Reduce, Reducer};
use super::value::{compare, size};
use super::{Limits, QueryError, SortKey, Step};
use serde_json::Value;
use std::cmp::Ordering;

/// Memory that a query may still take.
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), QueryError> {
        let too_much = || QueryError::TooMuch("its rows take more memory than is allowed".into());
        self.left = self.left.checked_sub(bytes).ok_or_else(too_much)?;
        Ok(())
    }

    pub(super) fn give(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes);
    }
}

/// Does a step want more rows?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    More,
    Enough,
}

enum Stage<'q> {
    Filter(&'q Filter),
    Map(&'q Map),
    Reduce(Reducer<'q>),
    Sort(Sorter<'q>),
    Limit(usize),
}

/// All steps, and what has come out of them.
pub(super) struct Pipeline<'q> {
    stages: Vec<Stage<'q>>,
    end: End,
}

struct End {
    rows: Vec<Value>,
    most: usize,
    /// A row came that had no room.
    more: bool,
    budget: Budget,
}

impl<'q> Pipeline<'q> {
    pub(super) fn new(steps: &'q [Step], skip_sort: bool, limits: &Limits) -> Self {
        let mut skip = skip_sort;
        let stage = |(number, step): (usize, &'q Step)| {
            Some(match step {
                Step::Filter(filter) => Stage::Filter(filter),
                Step::Map(map) => Stage::Map(map),
                Step::Reduce(reduce) => Stage::Reduce(Reducer::new(reduce)),
                Step::Sort(_) if std::mem::take(&mut skip) => return None,
                Step::Sort(keys) => {
                    let keep = kept(&steps[number + 1..], limits.rows);
                    Stage::Sort(Sorter::new(keys, keep))
                }
                Step::Limit(limit) => Stage::Limit(*limit),
            })
        };
        Self {
            stages: steps.iter().enumerate().filter_map(stage).collect(),
            end: End {
                rows: Vec::new(),
                most: limits.rows,
                more: false,
                budget: Budget { left: limits.bytes },
            },
        }
    }

    pub(super) fn push(&mut self, row: Value) -> Result<Flow, QueryError> {
        push(&mut self.stages, &mut self.end, row)
    }

    /// What comes out, and whether there was more than fits.
    pub(super) fn finish(mut self) -> Result<(Vec<Value>, bool), QueryError> {
        for number in 0..self.stages.len() {
            let (here, after) = self.stages.split_at_mut(number + 1);
            for row in here[number].drain() {
                if push(after, &mut self.end, row)? == Flow::Enough {
                    break;
                }
            }
        }
        Ok((self.end.rows, self.end.more))
    }
}

/// How many sorted rows the steps behind can use.
fn kept(after: &[Step], most: usize) -> Option<usize> {
    let mut behind = after.iter().filter(|step| !matches!(step, Step::Map(_)));
    match behind.next() {
        None => Some(most.saturating_add(1)),
        Some(Step::Limit(limit)) => Some(*limit),
        Some(_) => None,
    }
}

fn push(stages: &mut [Stage<'_>], end: &mut End, row: Value) -> Result<Flow, QueryError> {
    let Some((stage, after)) = stages.split_first_mut() else {
        return end.push(row);
    };
    match stage {
        Stage::Filter(filter) if !filter.holds(&row) => Ok(Flow::More),
        Stage::Filter(_) => push(after, end, row),
        Stage::Map(map) => push(after, end, map.row(row)),
        Stage::Reduce(reducer) => {
            reducer.add(&row, &mut end.budget)?;
            Ok(Flow::More)
        }
        Stage::Sort(sorter) => {
            sorter.add(row, &mut end.budget)?;
            Ok(Flow::More)
        }
        Stage::Limit(0) => Ok(Flow::Enough),
        Stage::Limit(left) => {
            *left -= 1;
            let last = *left == 0;
            let flow = push(after, end, row)?;
            Ok(if last { Flow::Enough } else { flow })
        }
    }
}

impl Stage<'_> {
    fn drain(&mut self) -> Vec<Value> {
        match self {
            Self::Reduce(reducer) => reducer.finish(),
            Self::Sort(sorter) => sorter.finish(),
            _ => Vec::new(),
        }
    }
}

impl End {
    fn push(&mut self, row: Value) -> Result<Flow, QueryError> {
        if self.rows.len() >= self.most {
            self.more = true;
            return Ok(Flow::Enough);
        }
        self.budget.take(size(&row))?;
        self.rows.push(row);
        Ok(Flow::More)
    }
}

/// Rows being sorted, with the order in which they came.
struct Sorter<'q> {
    keys: &'q [SortKey],
    keep: Option<usize>,
    rows: Vec<(u64, Value)>,
    came: u64,
}

impl<'q> Sorter<'q> {
    fn new(keys: &'q [SortKey], keep: Option<usize>) -> Self {
        Self {
            keys,
            keep,
            rows: Vec::new(),
            came: 0,
        }
    }

    fn add(&mut self, row: Value, budget: &mut Budget) -> Result<(), QueryError> {
        budget.take(size(&row))?;
        self.rows.push((self.came, row));
        self.came += 1;
        // Cutting now and then costs less than a heap, and holds no more than about twice what is kept.
        let Some(keep) = self.keep else {
            return Ok(());
        };
        if self.rows.len() >= keep.saturating_mul(2).saturating_add(256) {
            self.sort();
            let dropped = self.rows.drain(keep..).map(|(_, row)| size(&row));
            budget.give(dropped.sum());
        }
        Ok(())
    }

    fn sort(&mut self) {
        let keys = self.keys;
        self.rows
            .sort_unstable_by(|one, other| order(keys, one, other));
    }

    fn finish(&mut self) -> Vec<Value> {
        self.sort();
        let rows = std::mem::take(&mut self.rows).into_iter();
        rows.map(|(_, row)| row).collect()
    }
}

/// Rows without a field come before those with it. Rows that are alike stay in the order in which they came, or in the
/// opposite one if the first field is sorted downward.
fn order(keys: &[SortKey], one: &(u64, Value), other: &(u64, Value)) -> Ordering {
    let turned = |order: Ordering, key: &SortKey| match key.descending {
        true => order.reverse(),
        false => order,
    };
    let by_field = |key: &SortKey| {
        let order = match (key.path.find(&one.1), key.path.find(&other.1)) {
            (Some(one), Some(other)) => compare(one, other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        };
        turned(order, key)
    };
    let fields = keys.iter().map(by_field).find(|order| order.is_ne());
    let came = one.0.cmp(&other.0);
    fields.unwrap_or_else(|| keys.first().map_or(came, |key| turned(came, key)))
}

/// For a single row: through filters and maps only.
pub(super) fn each(steps: &[Step], row: Value) -> Option<Value> {
    let shown = |row: Value, step: &Step| match step {
        Step::Filter(filter) => filter.holds(&row).then_some(row),
        Step::Map(map) => Some(map.row(row)),
        Step::Sort(_) | Step::Limit(_) | Step::Reduce(_) => Some(row),
    };
    steps.iter().try_fold(row, shown)
}

/// Does a step make many rows one?
pub(super) fn reduces(step: &Step) -> bool {
    matches!(step, Step::Reduce(_))
}

/// Is the answer a single value?
pub(super) fn is_single(steps: &[Step]) -> bool {
    matches!(steps.last(), Some(Step::Reduce(Reduce::Value(_))))
}
