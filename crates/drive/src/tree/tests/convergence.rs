//! Whatever up to four peers do and however commits travel: everybody sees what the model says.

use super::model::{Conflicts, Listing, Model};
use super::peers::*;
use crate::path::DrivePath;
use crate::record::*;
use crate::version::{Dot, WriterTag};
use cobox_view::kv::ViewError;
use proptest::prelude::*;
use std::collections::BTreeSet;

const NAMES: [&str; 4] = [
    "a",
    "b.txt",
    "c",
    "b (conflict, 01010101, 1970-01-01 00-00).txt",
];

/// Random numbers that an action is made of.
#[derive(Clone, Debug)]
struct Step {
    peer: u8,
    action: u8,
    a: u16,
    b: u16,
    c: u16,
}

fn step() -> impl Strategy<Value = Step> {
    (0..4u8, 0..20u8, any::<u16>(), any::<u16>(), any::<u16>()).prop_map(
        |(peer, action, a, b, c)| Step {
            peer,
            action,
            a,
            b,
            c,
        },
    )
}

struct Play {
    world: World,
    peers: Vec<Peer>,
    nodes: Vec<NodeId>,
    time: u64,
}

fn pick<T: Copy>(items: &[T], number: u16) -> Option<T> {
    (!items.is_empty()).then(|| items[number as usize % items.len()])
}

impl Play {
    fn new(peers: u8) -> Self {
        let peers = (1..=peers).map(Peer::new).collect();
        Self {
            world: World::default(),
            peers,
            nodes: Vec::new(),
            time: 0,
        }
    }

    /// Ids that are the same in every run, in no order.
    fn fresh(&mut self, kind: Kind) -> NodeId {
        let hash = blake3::hash(&self.nodes.len().to_le_bytes());
        let id = NodeId(hash.as_bytes()[..16].try_into().expect("16 bytes")).with_kind(kind);
        self.nodes.push(id);
        id
    }

    fn play(&mut self, step: &Step) -> Result<(), ViewError> {
        let peer = step.peer as usize % self.peers.len();
        if step.action >= 14 {
            return self.travel(peer, step);
        }
        let records = self.records(peer, step)?;
        if records.is_empty() {
            return Ok(());
        }
        self.time += u64::from(step.c % 3) * 20_000;
        // Clocks of people: one is right, one is years ahead, one stands still, one says anything.
        let clock = match peer {
            0 => self.time,
            1 => self.time + 300_000_000_000,
            2 => 7,
            _ => u64::MAX / u64::from(step.c).max(1),
        };
        self.peers[peer]
            .commit(&mut self.world, clock, records)
            .map(drop)
    }

    fn travel(&mut self, peer: usize, step: &Step) -> Result<(), ViewError> {
        let writers: Vec<WriterTag> = self.world.feeds.keys().copied().collect();
        let Some(from) = pick(&writers, step.a) else {
            return Ok(());
        };
        let held = self.peers[peer].held.get(&from).copied().unwrap_or(0);
        self.peers[peer].receive(&self.world, from, held + 1 + step.b as usize % 3)
    }

    /// What one commit says. Mostly what the program would write, sometimes less careful.
    fn records(&mut self, peer: usize, step: &Step) -> Result<Vec<Record>, ViewError> {
        let known: Vec<NodeId> = {
            let rows = &self.peers[peer];
            let applied = rows.commits(&self.world);
            let mut ids: Vec<_> = applied
                .iter()
                .flat_map(|(_, commit)| commit.records.iter().map(|record| record.node))
                .collect();
            ids.sort();
            ids.dedup();
            ids
        };
        let folders: Vec<NodeId> = known
            .iter()
            .copied()
            .filter(|id| id.kind() == Some(Kind::Folder))
            .chain([NodeId::ROOT])
            .collect();
        let files: Vec<NodeId> = known
            .iter()
            .copied()
            .filter(|id| id.kind() != Some(Kind::Folder))
            .collect();
        let parent = pick(&folders, step.a).unwrap_or(NodeId::ROOT);
        let at = NAMES[step.b as usize % NAMES.len()];
        let size = u64::from(step.c % 5);
        let node = pick(&known, step.c);
        let heads = node
            .map(|node| self.peers[peer].tree().heads(node))
            .transpose()?
            .unwrap_or_default();
        let some = |dots: &[Dot]| {
            dots.iter()
                .copied()
                .skip(usize::from(step.c.is_multiple_of(7)))
                .collect::<Vec<_>>()
        };
        Ok(match (step.action, node) {
            (0 | 1, _) => vec![created(self.fresh(Kind::File), parent, at, size)],
            (2 | 3, _) => vec![placed(self.fresh(Kind::Folder), parent, at, vec![])],
            (4, _) => {
                let mut link = created(self.fresh(Kind::Symlink), parent, at, 0);
                if let Some(write) = &mut link.content {
                    write.value.body = Body::Target(b"target".to_vec());
                }
                vec![link]
            }
            (5, _) => {
                let folder = self.fresh(Kind::Folder);
                vec![
                    placed(folder, parent, at, vec![]),
                    created(self.fresh(Kind::File), folder, "b.txt", size),
                ]
            }
            (6 | 7, Some(node)) => vec![written(node, size, some(&heads.content))],
            (8 | 9, Some(node)) => vec![placed(node, parent, at, some(&heads.place))],
            (10, Some(node)) => vec![lived(node, Life::Deleted, some(&heads.life))],
            (11, Some(node)) => vec![lived(node, Life::Alive, some(&heads.life))],
            (12, Some(node)) => {
                let mut record = Record::new(node, node.kind().unwrap_or(Kind::File));
                let value = Attrs {
                    mode: u32::from(step.a % 2),
                    xattrs: vec![],
                };
                record.attrs = Some(Write {
                    value,
                    replaces: some(&heads.attrs),
                });
                vec![record]
            }
            // Rename over a file: the target gets a new version, the source goes.
            (13, Some(source)) if files.contains(&source) => {
                match pick(&files, step.a).filter(|target| *target != source) {
                    Some(target) => {
                        let over = self.peers[peer].tree().heads(target)?;
                        let mut record = written(target, size, over.content);
                        record.succeeds = Some(source);
                        vec![record, lived(source, Life::Deleted, heads.life)]
                    }
                    None => vec![],
                }
            }
            // A folder goes with what is in it and comes back elsewhere.
            (13, Some(folder)) => vec![
                lived(folder, Life::Deleted, heads.life),
                placed(self.fresh(Kind::Folder), parent, at, vec![]),
            ],
            _ => vec![],
        })
    }
}

/// The whole tree as the rows show it, asked in every way there is.
fn see(peer: &Peer) -> Result<(Listing, Conflicts), ViewError> {
    let mut listing = Listing::new();
    let (mut files, mut folders, mut bytes) = (0, 0, 0);
    let mut stack = vec![DrivePath::default()];
    while let Some(path) = stack.pop() {
        let group = peer.tree().folders(&path)?;
        assert_eq!(peer.tree().list_nodes(&group)?, peer.tree().list(&path)?);
        for entry in peer.tree().list(&path)? {
            let here = path.join(entry.name.clone());
            assert_eq!(peer.tree().lookup(&here)?.as_ref(), Some(&entry), "{here}");
            assert_eq!(
                peer.tree().child(&group, &entry.name)?.as_ref(),
                Some(&entry),
                "{here}"
            );
            match entry.kind {
                Kind::Folder => {
                    folders += peer.tree().folders(&here)?.len() as u64;
                    stack.push(here.clone());
                }
                _ => {
                    let own = entry.version == peer.tree().shown_version(entry.node)?;
                    files += u64::from(own);
                    bytes += if own { entry.content.size } else { 0 };
                }
            }
            listing.insert(
                here,
                (entry.kind, entry.node, entry.version, entry.conflict),
            );
        }
    }
    assert_eq!(peer.tree().totals()?, (files, folders, bytes));
    let conflicts = peer.tree().conflicts()?.into_iter();
    let conflicts = conflicts.map(|one| {
        (
            one.path,
            one.cause,
            one.versions.iter().map(|version| version.dot).collect(),
        )
    });
    Ok((listing, conflicts.collect()))
}

fn same<T: Ord + std::fmt::Debug>(one: &BTreeSet<T>, other: &BTreeSet<T>) {
    let (more, less): (Vec<_>, Vec<_>) = (
        one.difference(other).collect(),
        other.difference(one).collect(),
    );
    assert!(
        more.is_empty() && less.is_empty(),
        "shown {more:#?}\nexpected {less:#?}"
    );
}

fn check(peer: &Peer, world: &World) -> Result<(), ViewError> {
    let model = Model::new(peer.commits(world));
    let (listing, conflicts) = see(peer)?;
    let (expected, expected_conflicts) = model.see();
    same(
        &listing.into_iter().collect(),
        &expected.into_iter().collect(),
    );
    same(&conflicts, &expected_conflicts);
    for node in model.nodes() {
        let history = peer.tree().node_history(node)?;
        assert_eq!(
            history
                .iter()
                .map(|version| version.dot)
                .collect::<BTreeSet<_>>(),
            model.versions(node)
        );
        for version in history {
            assert_eq!(peer.tree().content_at(node, version.dot)?, version.content);
        }
    }
    Ok(())
}

fn run(peers: u8, steps: &[Step]) -> Result<(), ViewError> {
    let mut play = Play::new(peers);
    for (number, step) in steps.iter().enumerate() {
        play.play(step)?;
        if number % 16 == 15 {
            check(
                &play.peers[step.peer as usize % play.peers.len()],
                &play.world,
            )?;
        }
    }
    // A late-comer takes everything in another order than everybody else did.
    let mut late = Peer::new(99);
    for count in 1..=steps.len() {
        for writer in play.world.feeds.keys().rev().copied().collect::<Vec<_>>() {
            late.receive(&play.world, writer, count)?;
        }
    }
    check(&late, &play.world)?;
    for peer in &mut play.peers {
        peer.receive_all(&play.world)?;
        let (mine, theirs) = (see(peer)?, see(&late)?);
        same(
            &mine.0.into_iter().collect(),
            &theirs.0.into_iter().collect(),
        );
        same(&mine.1, &theirs.1);
    }
    Ok(())
}

/// Few in daily runs; `DRIVE_CASES=5000` for a night.
fn cases() -> u32 {
    std::env::var("DRIVE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_peers_see_what_the_model_says(peers in 1..=4u8, steps in proptest::collection::vec(step(), 1..120)) {
        run(peers, &steps)?;
    }
}
