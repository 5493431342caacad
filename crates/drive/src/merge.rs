//! Pure rules: which heads remain, which is shown, what a deletion covers, what a conflict is called.
//! No tables, no clocks, no I/O.

mod names;

pub use names::{base_name, conflict_name};

use crate::record::{Attrs, Content, Life, Place, Record, Write};
use crate::version::{Clock, Dot, Rank};

/// When and by whom a version was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// names the version
    pub dot: Dot,
    /// 1 + the largest seen
    pub lamport: u64,
    /// the author's clock, ms since 1970
    pub time_ms: u64,
}

impl Stamp {
    /// Its place in the order of versions.
    pub fn rank(&self) -> Rank {
        Rank {
            lamport: self.lamport,
            writer: self.dot.writer,
        }
    }
}

/// A version of a register that nobody's record replaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head<T> {
    /// when and by whom
    pub stamp: Stamp,
    /// what was written
    pub value: T,
}

/// A folder's or file's deletion that bears on a node: of itself or of a folder above it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// the deleting version
    pub dot: Dot,
    /// what its author had seen, and therefore deleted
    pub clock: Clock,
}

/// All registers of a node as far as records have been applied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Node {
    /// where
    pub place: Vec<Head<Place>>,
    /// bytes
    pub content: Vec<Head<Content>>,
    /// attributes
    pub attrs: Vec<Head<Attrs>>,
    /// none: alive; else what the deletion covers
    pub life: Vec<Head<Option<Clock>>>,
    /// Something at or below this folder may have survived a deletion above it. Only a hint where
    /// to look: a folder without it shows nothing when it is deleted.
    pub marked: bool,
}

/// Heads that a record took away.
#[derive(Default, Debug)]
pub struct Replaced {
    /// former places
    pub place: Vec<Head<Place>>,
    /// former bytes
    pub content: Vec<Head<Content>>,
    /// former attributes
    pub attrs: Vec<Head<Attrs>>,
    /// former lives
    pub life: Vec<Head<Option<Clock>>>,
}

/// The head that is shown: highest rank. A register has at most one head per writer, so ranks differ.
pub fn winner<T>(heads: &[Head<T>]) -> Option<&Head<T>> {
    heads.iter().max_by_key(|head| head.stamp.rank())
}

/// Heads that lost and say something else than the one shown; newest first.
pub fn losers<T: PartialEq>(heads: &[Head<T>]) -> Vec<&Head<T>> {
    let Some(shown) = winner(heads) else {
        return Vec::new();
    };
    let mut losers: Vec<_> = heads
        .iter()
        .filter(|head| head.value != shown.value)
        .collect();
    losers.sort_by_key(|head| std::cmp::Reverse(head.stamp.rank()));
    losers
}

/// Writes a register: named versions go, and the writer's own earlier one, which he has always seen.
fn write<T>(heads: &mut Vec<Head<T>>, stamp: Stamp, value: T, replaces: &[Dot]) -> Vec<Head<T>> {
    let goes = |head: &mut Head<T>| {
        head.stamp.dot.writer == stamp.dot.writer || replaces.contains(&head.stamp.dot)
    };
    let gone = heads.extract_if(.., goes).collect();
    heads.push(Head { stamp, value });
    gone
}

impl Node {
    /// Applies one record of a commit with this clock; answers what it replaced.
    pub fn apply(&mut self, record: &Record, stamp: Stamp, clock: &Clock) -> Replaced {
        let mut replaced = Replaced::default();
        if let Some(Write { value, replaces }) = &record.place {
            replaced.place = write(&mut self.place, stamp, value.clone(), replaces);
        }
        if let Some(Write { value, replaces }) = &record.content {
            replaced.content = write(&mut self.content, stamp, value.clone(), replaces);
        }
        if let Some(Write { value, replaces }) = &record.attrs {
            replaced.attrs = write(&mut self.attrs, stamp, value.clone(), replaces);
        }
        if let Some(Write { value, replaces }) = &record.life {
            let value = (*value == Life::Deleted).then(|| clock.clone());
            replaced.life = write(&mut self.life, stamp, value, replaces);
        }
        replaced
    }

    /// The place that counts.
    pub fn home(&self) -> Option<&Head<Place>> {
        winner(&self.place)
    }

    /// Deleted by everybody who said something about it. Whether it is shown is another question.
    pub fn is_deleted(&self) -> bool {
        !self.life.is_empty() && self.life.iter().all(|head| head.value.is_some())
    }

    /// The deletions that bear on this node, given those that bear on its folder. One whose author
    /// had not seen the node where it is now does not count.
    pub fn deletions(&self, above: &[Deletion]) -> Vec<Deletion> {
        let mut all = above.to_vec();
        if self.is_deleted() {
            let own = |head: &Head<Option<Clock>>| {
                head.value.clone().map(|clock| Deletion {
                    dot: head.stamp.dot,
                    clock,
                })
            };
            all.extend(self.life.iter().filter_map(own));
        }
        if let Some(home) = self.home() {
            all.retain(|deletion| deletion.clock.covers(&home.stamp.dot));
        }
        all
    }

    /// Not shown before another record about it (or, for a folder, about something below it) arrives.
    pub fn is_gone(&self) -> bool {
        let deletions = self.deletions(&[]);
        !deletions.is_empty() && !self.marked && !self.survives(&deletions)
    }

    /// Was something written here that none of the deletions had seen?
    pub fn survives(&self, deletions: &[Deletion]) -> bool {
        let unseen = |dot: &Dot| !deletions.iter().any(|deletion| deletion.clock.covers(dot));
        self.content.iter().any(|head| unseen(&head.stamp.dot))
            || self.attrs.iter().any(|head| unseen(&head.stamp.dot))
            || self
                .life
                .iter()
                .any(|head| head.value.is_none() && unseen(&head.stamp.dot))
    }

    /// Content that none of the deletions had seen.
    pub fn surviving_content(&self, deletions: &[Deletion]) -> Vec<Dot> {
        let unseen = |dot: &Dot| !deletions.iter().any(|deletion| deletion.clock.covers(dot));
        self.content
            .iter()
            .map(|head| head.stamp.dot)
            .filter(unseen)
            .collect()
    }

    /// The stamp by which the node is ordered among others of its name: its shown content's, else its place's.
    pub fn stamp(&self) -> Option<Stamp> {
        let content = winner(&self.content).map(|head| head.stamp);
        content.or_else(|| self.home().map(|head| head.stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, NodeId};
    use crate::version::WriterTag;

    const A: WriterTag = WriterTag([1; 8]);
    const B: WriterTag = WriterTag([2; 8]);

    fn stamp(writer: WriterTag, block: u64, lamport: u64) -> Stamp {
        Stamp {
            dot: Dot { writer, block },
            lamport,
            time_ms: 0,
        }
    }

    fn sized(size: u64, replaces: &[Stamp]) -> Record {
        let mut record = Record::new(NodeId::generate(Kind::File), Kind::File);
        let replaces = replaces.iter().map(|stamp| stamp.dot).collect();
        record.content = Some(Write {
            value: Content {
                size,
                ..Content::default()
            },
            replaces,
        });
        record
    }

    #[test]
    fn concurrent_versions_stay_until_one_replaces_both() {
        let (one, two, three) = (stamp(A, 1, 1), stamp(B, 1, 1), stamp(A, 2, 2));
        let mut node = Node::default();
        node.apply(&sized(1, &[]), one, &Clock::default());
        node.apply(&sized(2, &[]), two, &Clock::default());
        assert_eq!(winner(&node.content).map(|head| head.value.size), Some(2));
        assert_eq!(losers(&node.content).len(), 1);
        let replaced = node.apply(&sized(3, &[one, two]), three, &Clock::default());
        assert_eq!((node.content.len(), replaced.content.len()), (1, 2));
    }

    #[test]
    fn a_writer_has_one_head_at_most() {
        let mut node = Node::default();
        for block in 1..100 {
            node.apply(
                &sized(block, &[]),
                stamp(A, block, block),
                &Clock::default(),
            );
        }
        assert_eq!(node.content.len(), 1);
    }

    #[test]
    fn a_deletion_covers_what_its_author_had_seen() {
        let mut node = Node::default();
        node.apply(&sized(1, &[]), stamp(A, 1, 1), &Clock::default());
        let mut seen = Clock::default();
        seen.raise(A, 2);
        let mut gone = Record::new(NodeId::generate(Kind::File), Kind::File);
        gone.life = Some(Write {
            value: Life::Deleted,
            replaces: vec![],
        });
        node.apply(&gone, stamp(B, 1, 2), &seen);
        assert!(node.is_deleted() && !node.survives(&node.deletions(&[])));
        node.apply(&sized(2, &[]), stamp(A, 5, 2), &Clock::default());
        assert!(node.is_deleted() && node.survives(&node.deletions(&[])));
    }
}
