//! Peers without feeds: rows in memory, commits that arrive in any order, the same gate.

use crate::path::Name;
use crate::record::*;
use crate::tree::gate::{Evidence, Passage, passage};
use crate::tree::{Tree, apply_commit};
use crate::version::{Clock, Dot, WriterTag};
use cobox_view::kv::{MemoryRows, ViewError};
use std::collections::BTreeMap;

/// Everything that was ever committed, per writer in order.
#[derive(Default, Clone)]
pub struct World {
    pub feeds: BTreeMap<WriterTag, Vec<(Dot, Commit)>>,
}

/// One member: writes, holds some of the others' commits, applies what it can.
pub struct Peer {
    pub tag: WriterTag,
    pub rows: MemoryRows,
    /// commits held per writer
    pub held: BTreeMap<WriterTag, usize>,
    pub applied: BTreeMap<WriterTag, usize>,
}

struct Reached(Clock);

impl Evidence for Reached {
    fn dealt_with(&self, writer: &WriterTag) -> Option<u64> {
        Some(self.0.length(writer))
    }

    fn is_forked(&self, _: &WriterTag) -> bool {
        false
    }

    fn tree_hash(&self, _: &WriterTag, _: u64) -> Option<[u8; 32]> {
        None
    }
}

impl Peer {
    pub fn new(number: u8) -> Self {
        let tag = WriterTag([number; 8]);
        Self {
            tag,
            rows: MemoryRows::default(),
            held: BTreeMap::new(),
            applied: BTreeMap::new(),
        }
    }

    pub fn tree(&self) -> Tree<'_, MemoryRows> {
        Tree(&self.rows)
    }

    /// Writes a commit of these records and applies it.
    pub fn commit(
        &mut self,
        world: &mut World,
        time_ms: u64,
        records: Vec<Record>,
    ) -> Result<Dot, ViewError> {
        let (now, before) = (self.tree().clock()?, self.tree().seen_by(self.tag)?);
        let changed = now
            .0
            .iter()
            .filter(|(writer, length)| **writer != self.tag && before.length(writer) < **length);
        let seen = changed.map(|(writer, length)| Seen {
            writer: *writer,
            length: *length,
            tree_hash: [0; 16],
        });
        let header = CommitHeader {
            time_ms,
            seen: seen.collect(),
            ..CommitHeader::default()
        };
        let feed = world.feeds.entry(self.tag).or_default();
        // Some commits take two blocks.
        let block = feed
            .last()
            .map_or(1, |(dot, _)| dot.block + 1 + time_ms % 2);
        let dot = Dot {
            writer: self.tag,
            block,
        };
        feed.push((dot, Commit { header, records }));
        let count = feed.len();
        self.held.insert(self.tag, count);
        self.advance(world)?;
        Ok(dot)
    }

    /// Takes over more of what others wrote.
    pub fn receive(
        &mut self,
        world: &World,
        from: WriterTag,
        upto: usize,
    ) -> Result<(), ViewError> {
        let held = self.held.entry(from).or_default();
        *held = upto
            .min(world.feeds.get(&from).map_or(0, Vec::len))
            .max(*held);
        self.advance(world)
    }

    pub fn receive_all(&mut self, world: &World) -> Result<(), ViewError> {
        world
            .feeds
            .keys()
            .try_for_each(|writer| self.receive(world, *writer, usize::MAX))
    }

    fn advance(&mut self, world: &World) -> Result<(), ViewError> {
        let mut progress = true;
        while std::mem::take(&mut progress) {
            for (writer, held) in self.held.clone() {
                let next = self.applied.get(&writer).copied().unwrap_or(0);
                let Some((dot, commit)) = world
                    .feeds
                    .get(&writer)
                    .and_then(|feed| feed.get(next))
                    .filter(|_| next < held)
                else {
                    continue;
                };
                let reached = Reached(self.tree().clock()?);
                if passage(&writer, &commit.header.seen, &reached) == Passage::Wait {
                    continue;
                }
                apply_commit(&mut self.rows, *dot, commit)?;
                self.applied.insert(writer, next + 1);
                progress = true;
            }
        }
        Ok(())
    }

    /// What is applied here.
    pub fn commits(&self, world: &World) -> Vec<(Dot, Commit)> {
        let of = |(writer, count): (&WriterTag, &usize)| world.feeds[writer][..*count].to_vec();
        self.applied.iter().flat_map(of).collect()
    }
}

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a good name in a test")
}

pub fn placed(node: NodeId, parent: NodeId, at: &str, replaces: Vec<Dot>) -> Record {
    let mut record = Record::new(node, node.kind().unwrap_or(Kind::File));
    record.place = Some(Write {
        value: Place {
            parent,
            name: name(at),
        },
        replaces,
    });
    record
}

pub fn created(node: NodeId, parent: NodeId, at: &str, size: u64) -> Record {
    let mut record = placed(node, parent, at, vec![]);
    record.content = Some(Write {
        value: sized(size),
        replaces: vec![],
    });
    record
}

pub fn sized(size: u64) -> Content {
    Content {
        size,
        ..Content::default()
    }
}

pub fn written(node: NodeId, size: u64, replaces: Vec<Dot>) -> Record {
    let mut record = Record::new(node, node.kind().unwrap_or(Kind::File));
    record.content = Some(Write {
        value: sized(size),
        replaces,
    });
    record
}

pub fn lived(node: NodeId, life: Life, replaces: Vec<Dot>) -> Record {
    let mut record = Record::new(node, node.kind().unwrap_or(Kind::File));
    record.life = Some(Write {
        value: life,
        replaces,
    });
    record
}
