//! Questions in JSON over rows of JSON: filter, map, reduce, sort, limit. A planner picks a declared index by itself.
//!
//! Pure: what the rows are, where they lie and under which keys is told by [`Records`]. Not its job: keeping indexes, or
//! following what is new (it says only whether a new row belongs to the answer, [`Query::each`]). The language is
//! described for people in `docs/query.md`.

mod filter;
mod map;
mod parse;
mod path;
mod plan;
mod reduce;
mod run;
mod scan;
mod stage;
mod value;

pub use path::Path;
pub use plan::{Index, Plan, Schema};
pub use run::{Answer, Each, Outcome, run};
pub use scan::{Page, Position, Positions, Records, Stretch, Walk};
pub use value::{Ordered, compare, key_bytes};

use filter::Filter;
use map::Map;
use reduce::Reduce;

/// What is wrong with a query, or too much in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is not JSON.
    #[error("the query is not JSON: line {line}, column {column}: {problem}")]
    Json {
        /// from 1
        line: usize,
        /// from 1; 0 at the end of a line
        column: usize,
        /// what is wrong there
        problem: String,
    },
    /// JSON, but not a query.
    #[error("the query is not understood at {place}: {problem}")]
    Invalid {
        /// the way to the wrong value, such as `$filter.timestamp.$gt`
        place: String,
        /// what is wrong there
        problem: String,
    },
    /// The answer would take more than the limits allow; nothing was changed by trying.
    #[error(
        "the query asks for too much: {0}; narrow its filter, or add an index field such as type or timestamp"
    )]
    TooMuch(String),
}

/// How much work and memory one query may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Rows in an answer; [`Answer::more`] says that there are others.
    pub rows: usize,
    /// Bytes of rows and groups held at once, roughly.
    pub bytes: usize,
    /// Rows read.
    pub touched: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 10_000,
            bytes: 64 << 20,
            touched: 10_000_000,
        }
    }
}

/// A query that has been understood: steps, done one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Filter(Filter),
    Map(Map),
    Reduce(Reduce),
    Sort(Vec<SortKey>),
    Limit(usize),
}

/// One field to sort by.
#[derive(Clone, Debug, PartialEq)]
struct SortKey {
    path: Path,
    descending: bool,
}

impl Query {
    /// Reads a query: at most 64 KiB of JSON.
    ///
    /// # Errors
    ///
    /// `Json` or `Invalid`, with the place.
    pub fn parse(text: &[u8]) -> Result<Self, QueryError> {
        parse::text(text)
    }

    /// Reads a query that is JSON already.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the place.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, QueryError> {
        parse::query(value)
    }
}
