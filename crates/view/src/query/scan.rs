//! Where rows come from, and walking over them in order through one index.

use super::QueryError;
use super::path::Path;
use super::plan::Schema;
use serde_json::Value;
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Positions read at first, and at most, of one run.
const FIRST_PAGE: usize = 32;
const LARGEST_PAGE: usize = 1024;

/// Where a row stands in the order of all rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number that [`Schema::order`] names in the row.
    pub order: u64,
    /// What tells rows of the same number apart.
    pub place: Vec<u8>,
}

/// A stretch of an index.
#[derive(Debug)]
pub struct Page<'a> {
    /// Number in [`Schema::indexes`]; none: all rows.
    pub index: Option<usize>,
    /// One part for each field of the index, joined.
    pub prefix: &'a [u8],
    /// Orders wanted, both ends too.
    pub range: RangeInclusive<u64>,
    /// Go on behind this one.
    pub after: Option<&'a Position>,
    /// From the end to the beginning.
    pub backward: bool,
    /// At most so many.
    pub limit: usize,
}

/// What is walked: some runs of one index side by side, or all rows.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Number in [`Schema::indexes`]; none: the rows themselves.
    pub index: Option<usize>,
    /// Of the runs: of each one part for each field of the index, joined. One empty prefix: all of it.
    pub prefixes: Vec<Vec<u8>>,
    /// Orders wanted, both ends too; none: nothing can match.
    pub range: Option<RangeInclusive<u64>>,
    /// From the end to the beginning.
    pub backward: bool,
}

/// Lists of positions: what can be walked.
pub trait Positions {
    /// What can go wrong.
    type Error;

    /// Positions in order; fewer than asked for only at the end.
    ///
    /// # Errors
    ///
    /// The table's.
    fn positions(&self, page: &Page<'_>) -> Result<Vec<Position>, Self::Error>;
}

/// Rows with indexes.
pub trait Records: Positions<Error: From<QueryError>> {
    /// Which indexes there are.
    fn schema(&self) -> &Schema;

    /// Under which parts of keys rows with this value in this field are found in an index; several: under any of them. All
    /// parts of a field have one length. `None`: such a value cannot be looked up. Finding other rows too does no harm.
    fn parts(&self, field: &Path, value: &Value) -> Option<Vec<Vec<u8>>>;

    /// The row there; `None` if it is not to be shown.
    ///
    /// # Errors
    ///
    /// The table's.
    fn row(&self, position: &Position) -> Result<Option<Value>, Self::Error>;
}

/// All positions of a stretch in order, each once.
pub struct Walk<'a, P: Positions> {
    lists: &'a P,
    stretch: &'a Stretch,
    runs: Vec<Run<'a>>,
}

struct Run<'a> {
    prefix: &'a [u8],
    ahead: VecDeque<Position>,
    last: Option<Position>,
    page: usize,
    ended: bool,
}

impl<'a, P: Positions> Walk<'a, P> {
    /// At its beginning.
    pub fn new(lists: &'a P, stretch: &'a Stretch) -> Self {
        let run = |prefix: &'a Vec<u8>| Run {
            prefix,
            ahead: VecDeque::new(),
            last: None,
            page: FIRST_PAGE,
            ended: false,
        };
        Self {
            lists,
            stretch,
            runs: stretch.prefixes.iter().map(run).collect(),
        }
    }

    /// The next one.
    ///
    /// # Errors
    ///
    /// The table's.
    pub fn step(&mut self) -> Result<Option<Position>, P::Error> {
        let Some(range) = &self.stretch.range else {
            return Ok(None);
        };
        for run in &mut self.runs {
            run.fill(self.lists, self.stretch, range)?;
        }
        let heads = self.runs.iter().filter_map(|run| run.ahead.front());
        let next = match self.stretch.backward {
            true => heads.max(),
            false => heads.min(),
        };
        let Some(next) = next.cloned() else {
            return Ok(None);
        };
        for run in &mut self.runs {
            // Two prefixes may lead to the same row.
            if run.ahead.front() == Some(&next) {
                run.ahead.pop_front();
            }
        }
        Ok(Some(next))
    }
}

impl Run<'_> {
    fn fill<P: Positions>(
        &mut self,
        lists: &P,
        stretch: &Stretch,
        range: &RangeInclusive<u64>,
    ) -> Result<(), P::Error> {
        if self.ended || !self.ahead.is_empty() {
            return Ok(());
        }
        let page = Page {
            index: stretch.index,
            prefix: self.prefix,
            range: range.clone(),
            after: self.last.as_ref(),
            backward: stretch.backward,
            limit: self.page,
        };
        let found = lists.positions(&page)?;
        self.ended = found.len() < self.page;
        self.last = found.last().cloned().or(self.last.take());
        self.ahead = found.into();
        self.page = (self.page * 2).min(LARGEST_PAGE);
        Ok(())
    }
}
