//! The body of a new version: from runs alone, or from what was written over an older version. Pure.

use crate::content::intake::Layout;
use crate::content::run::{self, Extent};
use crate::record::{Body, Content, MAX_RUNS, MAX_SPLICES, Run, Splice};
use crate::version::Dot;
use std::ops::Range;

/// New bytes on their way to becoming a body.
pub(crate) enum Form {
    /// All of the file.
    Whole(Layout),
    /// Parts of it.
    Edit(Edited),
}

/// A body, or the runs of a table that must be stored first.
#[derive(Debug)]
pub(crate) enum Composed {
    Body(Body),
    Table(Vec<Run>),
}

/// What was written over a version.
pub(crate) struct Edited {
    /// What the splices are laid over.
    pub base: Base,
    /// All of the older version, laid out.
    pub extents: Vec<Extent>,
    /// The shortest the file was since that version: bytes of the base beyond are gone.
    pub floor: u64,
    /// Bytes now.
    pub size: u64,
    /// New bytes, one after the other as they were taken in.
    pub layout: Layout,
    /// Where they belong: offset in the file, range in the layout; a later one lies over an earlier one.
    pub segments: Vec<Segment>,
}

/// An offset in the file and a range of the layout.
pub(crate) type Segment = (u64, Range<u64>);

/// What a new version's splices may be laid over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base {
    under: Under,
    splices: Vec<Splice>,
}

#[derive(Clone, Debug, Default)]
enum Under {
    #[default]
    Nothing,
    Version(Dot),
    Table(Run),
}

impl Base {
    /// The base for edits of a version: what it is itself laid over, else the version.
    pub fn of(content: &Content, version: Option<Dot>) -> Self {
        let (under, splices) = match (&content.body, version) {
            (Body::Splices { base, splices }, _) => (Under::Version(*base), splices.clone()),
            (Body::Table { table, splices }, _) => (Under::Table(table.clone()), splices.clone()),
            (Body::Runs(_), Some(dot)) => (Under::Version(dot), Vec::new()),
            _ => (Under::Nothing, Vec::new()),
        };
        Self { under, splices }
    }

    /// Does the next version fit as splices, if `more` runs are laid over?
    pub fn has_room(&self, more: usize) -> bool {
        // Each new one can cut an old one in two, and one hole may be needed.
        !matches!(self.under, Under::Nothing) && self.splices.len() + 2 * more < MAX_SPLICES
    }
}

impl Form {
    /// The body, given the runs of the layout. None if a compressed run would have to be cut.
    pub fn compose(&self, runs: Vec<Run>) -> Option<Composed> {
        match self {
            Self::Whole(_) => Some(from_runs(runs)),
            Self::Edit(edited) => edited.compose(&runs),
        }
    }

    /// The new bytes.
    pub fn layout(&self) -> &Layout {
        match self {
            Self::Whole(layout) => layout,
            Self::Edit(edited) => &edited.layout,
        }
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(layout) => layout.size,
            Self::Edit(edited) => edited.size,
        }
    }

    /// Can `runs` runs be more than a register holds?
    pub fn may_need_table(&self, runs: usize) -> bool {
        match self {
            Self::Whole(_) => runs > MAX_RUNS,
            Self::Edit(edited) => !edited.base.has_room(runs + edited.segments.len()),
        }
    }
}

impl Edited {
    fn compose(&self, runs: &[Run]) -> Option<Composed> {
        let splices = self.new_splices(runs)?;
        if let Some(body) = self.spliced(&splices) {
            return Some(Composed::Body(body));
        }
        let mut extents = self.extents.clone();
        run::resize(&mut extents, self.floor);
        run::resize(&mut extents, self.size);
        splices
            .iter()
            .for_each(|splice| run::lay(&mut extents, splice));
        // Compressed runs were unpacked before the edit if it could come to this.
        run::runs(&extents).map(from_runs)
    }

    /// New bytes by their place in the file, those that are beyond its end left out.
    fn new_splices(&self, runs: &[Run]) -> Option<Vec<Splice>> {
        let stored = run::extents(runs.to_vec(), self.layout.size);
        let mut splices = Vec::new();
        if self.size > self.floor {
            splices.push(Splice {
                at: self.floor,
                run: run::hole(self.size - self.floor),
            });
        }
        for (at, part) in &self.segments {
            let end = part.end.min(part.start + self.size.saturating_sub(*at));
            let mut at = *at;
            for run in run::part(&stored, part.start..end.max(part.start))? {
                let length = run.length;
                splices.push(Splice { at, run });
                at += length;
            }
        }
        Some(splices)
    }

    /// Old and new splices over the base, if they fit.
    fn spliced(&self, new: &[Splice]) -> Option<Body> {
        // Laid over a hole that stands for the base: what is left of the hole shows the base.
        let mut all = vec![Extent {
            at: 0,
            length: u64::MAX,
            run: base_mark(),
            skip: 0,
        }];
        self.base
            .splices
            .iter()
            .chain(new)
            .for_each(|splice| run::lay(&mut all, splice));
        run::resize(&mut all, self.size);
        let kept: Vec<Extent> = all
            .into_iter()
            .filter(|extent| extent.run != base_mark())
            .collect();
        let mut splices: Vec<Splice> = Vec::with_capacity(kept.len());
        for extent in &kept {
            let run = match run::runs(std::slice::from_ref(extent))?.pop() {
                Some(run) => run,
                None => continue,
            };
            let next_to = |last: &&mut Splice| last.at + last.run.length == extent.at;
            if let Some(last) = splices.last_mut().filter(next_to) {
                let mut both = vec![last.run.clone()];
                run::push(&mut both, run.clone());
                if let [joined] = both.as_slice() {
                    last.run = joined.clone();
                    continue;
                }
            }
            splices.push(Splice { at: extent.at, run });
        }
        if splices.len() > MAX_SPLICES {
            return None;
        }
        match &self.base.under {
            Under::Nothing => None,
            Under::Version(dot) => Some(Body::Splices {
                base: *dot,
                splices,
            }),
            Under::Table(table) => Some(Body::Table {
                table: table.clone(),
                splices,
            }),
        }
    }
}

fn from_runs(runs: Vec<Run>) -> Composed {
    match runs.len() {
        0 => Composed::Body(Body::None),
        1..=MAX_RUNS => Composed::Body(Body::Runs(runs)),
        _ => Composed::Table(runs),
    }
}

/// A run that no record holds: stands for the base while splices are laid over it.
fn base_mark() -> Run {
    Run {
        block: u64::MAX,
        ..run::hole(u64::MAX)
    }
}
