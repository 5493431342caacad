//! Answering: plan, walk, push rows through the steps.

use super::plan::Plan;
use super::scan::{Records, Walk};
use super::stage::{self, Flow, Pipeline};
use super::{Limits, Query, QueryError, Step};
use serde_json::Value;

/// What came of a query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The rows, or the value they were reduced to.
    pub outcome: Outcome,
    /// There are more rows than an answer may have.
    pub more: bool,
    /// Rows that were read.
    pub touched: u64,
    /// How they were found.
    pub plan: Plan,
}

/// Rows or one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// In order.
    Rows(Vec<Value>),
    /// Of a reduction without groups.
    Value(Value),
}

/// Answers a query.
///
/// # Errors
///
/// `QueryError::TooMuch`, or the table's.
pub fn run<R: Records>(query: &Query, records: &R, limits: &Limits) -> Result<Answer, R::Error> {
    let plan = Plan::new(query, records);
    let mut pipeline = Pipeline::new(&query.steps, plan.skip_sort, limits);
    let mut walk = Walk::new(records, &plan.stretch);
    let mut touched = 0;
    while let Some(position) = walk.step()? {
        touched += 1;
        if touched > limits.touched {
            let most = limits.touched;
            return Err(QueryError::TooMuch(format!("it reads more than {most} rows")).into());
        }
        let Some(row) = records.row(&position)? else {
            continue;
        };
        if pipeline.push(row)? == Flow::Enough {
            break;
        }
    }
    let (mut rows, more) = pipeline.finish()?;
    let outcome = match stage::is_single(&query.steps) {
        true => Outcome::Value(rows.pop().unwrap_or(Value::Null)),
        false => Outcome::Rows(rows),
    };
    Ok(Answer {
        outcome,
        more,
        touched,
        plan,
    })
}

/// A query asked of one row at a time, as rows come.
#[derive(Clone, Debug)]
pub struct Each(Vec<Step>);

impl Query {
    /// The query for rows that are new: its filters and maps. Sorting and limits concern what is there already.
    ///
    /// # Errors
    ///
    /// `Invalid` if it reduces: what goes on has no end to count to.
    pub fn each(&self) -> Result<Each, QueryError> {
        if let Some(number) = self.steps.iter().position(stage::reduces) {
            return Err(QueryError::Invalid {
                place: format!("$reduce (step {})", number + 1),
                problem: "what goes on has no end to reduce to; ask without live results".into(),
            });
        }
        Ok(Each(self.steps.clone()))
    }
}

impl Each {
    /// The row as the query shows it, if it belongs to the answer.
    pub fn shown(&self, row: Value) -> Option<Value> {
        stage::each(&self.0, row)
    }
}
