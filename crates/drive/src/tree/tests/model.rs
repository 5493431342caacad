//! The definition, computed by brute force from a set of commits. Slow, plain, no state.

use crate::merge::{Stamp, conflict_name};
use crate::path::{DrivePath, Name};
use crate::record::*;
use crate::tree::Cause;
use crate::version::{Clock, Dot, Rank};
use std::collections::{BTreeMap, BTreeSet};

/// What is shown at a path: kind, node, version, is it a copy.
pub type Listing = BTreeMap<DrivePath, (Kind, NodeId, Option<Dot>, bool)>;
/// Where, why, between which versions.
pub type Conflicts = BTreeSet<(DrivePath, Cause, BTreeSet<Dot>)>;

pub struct Model {
    commits: BTreeMap<Dot, Commit>,
    clocks: BTreeMap<Dot, Clock>,
    lamports: BTreeMap<Dot, u64>,
}

type Group = Vec<(NodeId, Vec<Dot>)>;

struct Shown {
    name: Name,
    base: Name,
    id: NodeId,
    version: Option<Dot>,
    copy: bool,
    members: Group,
}

impl Model {
    pub fn new(commits: Vec<(Dot, Commit)>) -> Self {
        let mut model = Self {
            commits: commits.into_iter().collect(),
            clocks: BTreeMap::new(),
            lamports: BTreeMap::new(),
        };
        for dot in model.commits.keys().copied().collect::<Vec<_>>() {
            model.learn(dot);
        }
        model
    }

    fn learn(&mut self, dot: Dot) {
        if self.clocks.contains_key(&dot) {
            return;
        }
        let own = Dot { block: 0, ..dot }..dot;
        let before: Vec<Dot> = self.commits.range(own).map(|(dot, _)| *dot).collect();
        let mut clock = Clock::default();
        let mut lamport = 0;
        if let Some(last) = before.last() {
            self.learn(*last);
            clock = self.clocks[last].clone();
            lamport = self.lamports[last];
        }
        for seen in self.commits[&dot].header.seen.clone() {
            clock.raise(seen.writer, seen.length);
            let range = Dot {
                writer: seen.writer,
                block: 0,
            }..Dot {
                writer: seen.writer,
                block: seen.length,
            };
            let last = self.commits.range(range).next_back().map(|(dot, _)| *dot);
            if let Some(last) = last {
                self.learn(last);
                lamport = lamport.max(self.lamports[&last]);
            }
        }
        clock.raise(dot.writer, dot.block + 1);
        self.clocks.insert(dot, clock);
        self.lamports.insert(dot, lamport + 1);
    }

    fn rank(&self, dot: &Dot) -> Rank {
        Rank {
            lamport: self.lamports[dot],
            writer: dot.writer,
        }
    }

    /// Records that count, with the commit they are in.
    fn records(&self, node: NodeId) -> Vec<(Dot, &Record)> {
        let mut found = Vec::new();
        for (dot, commit) in &self.commits {
            let first = commit.records.iter().find(|record| record.node == node);
            found.extend(
                first
                    .filter(|record| self.fair(dot, record))
                    .map(|record| (*dot, record)),
            );
        }
        found
    }

    fn fair(&self, dot: &Dot, record: &Record) -> bool {
        let mut all = Vec::new();
        all.extend(record.place.iter().flat_map(|write| &write.replaces));
        all.extend(record.content.iter().flat_map(|write| &write.replaces));
        all.extend(record.attrs.iter().flat_map(|write| &write.replaces));
        all.extend(record.life.iter().flat_map(|write| &write.replaces));
        all.into_iter()
            .all(|replaced| replaced != dot && self.clocks[dot].covers(replaced))
    }

    /// Versions that no record replaces and that are their writer's last; newest first.
    fn heads<T: Clone>(
        &self,
        node: NodeId,
        get: impl Fn(&Record) -> Option<&Write<T>>,
    ) -> Vec<(Dot, T)> {
        let records = self.records(node);
        let writes: Vec<(Dot, &Write<T>)> = records
            .iter()
            .filter_map(|(dot, record)| Some((*dot, get(record)?)))
            .collect();
        let gone = |dot: &Dot| {
            writes.iter().any(|(other, write)| {
                (write.replaces.contains(dot) && self.clocks[other].covers(dot))
                    || (other.writer == dot.writer && other.block > dot.block)
            })
        };
        let mut heads: Vec<_> = writes
            .iter()
            .filter(|(dot, _)| !gone(dot))
            .map(|(dot, write)| (*dot, write.value.clone()))
            .collect();
        heads.sort_by_key(|(dot, _)| std::cmp::Reverse(self.rank(dot)));
        heads
    }

    fn places(&self, node: NodeId) -> Vec<(Dot, Place)> {
        self.heads(node, |record| record.place.as_ref())
    }

    pub fn contents(&self, node: NodeId) -> Vec<(Dot, Content)> {
        self.heads(node, |record| record.content.as_ref())
    }

    fn lives(&self, node: NodeId) -> Vec<(Dot, Life)> {
        self.heads(node, |record| record.life.as_ref())
    }

    fn attrs(&self, node: NodeId) -> Vec<(Dot, Attrs)> {
        self.heads(node, |record| record.attrs.as_ref())
    }

    pub fn nodes(&self) -> BTreeSet<NodeId> {
        let ids: BTreeSet<NodeId> = self
            .commits
            .values()
            .flat_map(|commit| commit.records.iter().map(|record| record.node))
            .collect();
        ids.into_iter()
            .filter(|id| !self.records(*id).is_empty())
            .collect()
    }

    /// Dots of everything that was ever said about a node.
    pub fn versions(&self, node: NodeId) -> BTreeSet<Dot> {
        let says = |record: &Record| {
            record.place.is_some()
                || record.content.is_some()
                || record.attrs.is_some()
                || record.life.is_some()
        };
        self.records(node)
            .into_iter()
            .filter(|(_, record)| says(record))
            .map(|(dot, _)| dot)
            .collect()
    }

    fn home(&self, node: NodeId) -> Option<(Dot, Place)> {
        self.places(node).into_iter().next()
    }

    fn loops(&self) -> BTreeSet<NodeId> {
        let nodes = self.nodes();
        let mut ignored = BTreeSet::new();
        for start in &nodes {
            let (mut circle, mut at) = (vec![*start], *start);
            while let Some((_, place)) = self.home(at).filter(|_| circle.len() <= nodes.len()) {
                if place.parent == *start {
                    let highest = circle
                        .iter()
                        .max_by_key(|id| (self.home(**id).map(|(dot, _)| self.rank(&dot)), **id));
                    ignored.extend(highest);
                    break;
                }
                at = place.parent;
                circle.push(at);
            }
        }
        ignored
    }

    fn deleted(&self, node: NodeId) -> bool {
        let lives = self.lives(node);
        !lives.is_empty() && lives.iter().all(|(_, life)| *life == Life::Deleted)
    }

    fn deletions(&self, node: NodeId, above: &[Dot]) -> Vec<Dot> {
        let mut all = above.to_vec();
        if self.deleted(node) {
            all.extend(self.lives(node).iter().map(|(dot, _)| *dot));
        }
        let home = self.home(node);
        all.retain(|dot| {
            home.as_ref()
                .is_none_or(|(home, _)| self.clocks[dot].covers(home))
        });
        all
    }

    fn visible(&self, node: NodeId, deletions: &[Dot], loops: &BTreeSet<NodeId>) -> bool {
        let unseen = |dot: &Dot| {
            !deletions
                .iter()
                .any(|deletion| self.clocks[deletion].covers(dot))
        };
        let fresh = self.contents(node).iter().any(|(dot, _)| unseen(dot))
            || self.attrs(node).iter().any(|(dot, _)| unseen(dot))
            || self
                .lives(node)
                .iter()
                .any(|(dot, life)| *life == Life::Alive && unseen(dot));
        deletions.is_empty()
            || fresh
            || self
                .children(node, loops)
                .into_iter()
                .any(|child| self.visible(child, &self.deletions(child, deletions), loops))
    }

    fn children(&self, folder: NodeId, loops: &BTreeSet<NodeId>) -> Vec<NodeId> {
        let here = |id: &NodeId| {
            self.home(*id)
                .is_some_and(|(_, place)| place.parent == folder)
        };
        self.nodes()
            .into_iter()
            .filter(|id| here(id) && !loops.contains(id))
            .collect()
    }

    fn show(&self, group: &Group, loops: &BTreeSet<NodeId>) -> Vec<Shown> {
        let mut here: Vec<(NodeId, Vec<Dot>, bool)> = Vec::new();
        for (folder, above) in group {
            here.extend(
                self.children(*folder, loops)
                    .into_iter()
                    .map(|id| (id, self.deletions(id, above), false)),
            );
            if *folder == NodeId::ROOT {
                here.extend(loops.iter().map(|id| (*id, self.deletions(*id, &[]), true)));
            }
        }
        here.retain(|(id, deletions, _)| self.visible(*id, deletions, loops));
        let name = |id: &NodeId| {
            self.home(*id)
                .map(|(_, place)| place.name)
                .expect("children have places")
        };
        let bases: BTreeSet<Name> = here.iter().map(|(id, _, _)| name(id)).collect();
        let plain: BTreeSet<Name> = here
            .iter()
            .filter(|(_, _, looped)| !looped)
            .map(|(id, _, _)| name(id))
            .collect();
        let mut shown = Vec::new();
        for base in bases {
            let same: Vec<_> = here.iter().filter(|(id, _, _)| name(id) == base).collect();
            shown.extend(self.settle(&base, &same, &plain));
        }
        shown
    }

    fn settle(
        &self,
        base: &Name,
        same: &[&(NodeId, Vec<Dot>, bool)],
        plain: &BTreeSet<Name>,
    ) -> Vec<Shown> {
        let is_folder = |id: &NodeId| id.kind() == Some(Kind::Folder);
        let mut folders: Group = same
            .iter()
            .filter(|one| is_folder(&one.0) && !one.2)
            .map(|one| (one.0, one.1.clone()))
            .collect();
        folders.sort_by_key(|one| one.0);
        let mut files: Vec<NodeId> = same
            .iter()
            .filter(|one| !is_folder(&one.0))
            .map(|one| one.0)
            .collect();
        files.sort_by_key(|id| {
            std::cmp::Reverse((self.home(*id).map(|(dot, _)| self.rank(&dot)), *id))
        });
        let looped: Vec<_> = same.iter().filter(|one| one.2).collect();
        let version = |id: &NodeId| self.contents(*id).first().map(|(dot, _)| *dot);
        let mut shown = Vec::new();
        let mut copies: Vec<(Dot, NodeId, Option<Dot>, Group)> = Vec::new();
        let mut losing = files.clone();
        let id = folders.first().map(|one| one.0);
        if let Some(id) = id.or(files.first().copied()) {
            if folders.is_empty() {
                losing.remove(0);
            }
            shown.push(Shown {
                name: base.clone(),
                base: base.clone(),
                id,
                version: version(&id),
                copy: false,
                members: folders,
            });
        }
        for id in losing {
            let dot = version(&id)
                .or(self.home(id).map(|(dot, _)| dot))
                .expect("it has a place");
            copies.push((dot, id, version(&id), Vec::new()));
        }
        for (id, deletions, _) in looped {
            let dot = version(id)
                .or(self.home(*id).map(|(dot, _)| dot))
                .expect("it has a place");
            copies.push((dot, *id, version(id), vec![(*id, deletions.clone())]));
        }
        for id in &files {
            let heads = self.contents(*id);
            for (dot, value) in heads.iter().skip(1) {
                if *value != heads[0].1 {
                    copies.push((*dot, *id, Some(*dot), Vec::new()));
                }
            }
        }
        copies.sort_by_key(|(dot, id, _, _)| std::cmp::Reverse((self.rank(dot), *id, *dot)));
        let mut used = BTreeSet::new();
        for (dot, id, version, members) in copies {
            let stamp = Stamp {
                dot,
                lamport: self.lamports[&dot],
                time_ms: self.commits[&dot].header.time_ms,
            };
            let names =
                (0..).map(|turn| conflict_name(base, is_folder(&id), "", &stamp, turn, &id));
            let name = names
                .into_iter()
                .find(|name| !plain.contains(name) && !used.contains(name))
                .expect("some turn is free");
            used.insert(name.clone());
            shown.push(Shown {
                name,
                base: base.clone(),
                id,
                version,
                copy: true,
                members,
            });
        }
        shown
    }

    /// The whole tree as shown, and all conflicts in it.
    pub fn see(&self) -> (Listing, Conflicts) {
        let loops = self.loops();
        let (mut listing, mut conflicts) = (Listing::new(), Conflicts::new());
        self.walk(
            &DrivePath::default(),
            &vec![(NodeId::ROOT, Vec::new())],
            &loops,
            &mut listing,
            &mut conflicts,
        );
        (listing, conflicts)
    }

    fn walk(
        &self,
        path: &DrivePath,
        group: &Group,
        loops: &BTreeSet<NodeId>,
        listing: &mut Listing,
        conflicts: &mut Conflicts,
    ) {
        let shown = self.show(group, loops);
        let bases: BTreeSet<&Name> = shown.iter().map(|one| &one.base).collect();
        for base in bases {
            let ids: BTreeSet<NodeId> = shown
                .iter()
                .filter(|one| one.base == *base && !loops.contains(&one.id))
                .map(|one| one.id)
                .collect();
            if ids.len() > 1 {
                let dot = |id: &NodeId| {
                    self.contents(*id)
                        .first()
                        .map(|(dot, _)| *dot)
                        .or(self.home(*id).map(|(dot, _)| dot))
                };
                conflicts.insert((
                    path.join(base.clone()),
                    Cause::Name,
                    ids.iter().filter_map(dot).collect(),
                ));
            }
        }
        let mut told = BTreeSet::new();
        for one in &shown {
            let here = path.join(one.name.clone());
            let kind = one.id.kind().expect("made by the test");
            assert!(
                listing
                    .insert(here.clone(), (kind, one.id, one.version, one.copy))
                    .is_none(),
                "{here} twice"
            );
            let mut ids: Vec<NodeId> = one.members.iter().map(|member| member.0).collect();
            if ids.is_empty() {
                ids.push(one.id);
            }
            for id in ids {
                // Of several entries for one node, the first shows its newest version.
                if told.insert(id) {
                    self.conflicts_of(id, &here, group, loops, conflicts);
                }
            }
            if !one.members.is_empty() {
                self.walk(&here, &one.members, loops, listing, conflicts);
            }
        }
    }

    fn conflicts_of(
        &self,
        id: NodeId,
        path: &DrivePath,
        group: &Group,
        loops: &BTreeSet<NodeId>,
        conflicts: &mut Conflicts,
    ) {
        let mut add = |cause, dots: BTreeSet<Dot>| {
            conflicts.insert((path.clone(), cause, dots));
        };
        if let Some(dots) = rivals(&self.contents(id)) {
            add(Cause::Content, dots);
        }
        if let Some(dots) = rivals(&self.places(id)) {
            add(Cause::Place, dots);
        }
        if let Some(dots) = rivals(&self.attrs(id)) {
            add(Cause::Attrs, dots);
        }
        let home = self.home(id);
        if loops.contains(&id) {
            add(Cause::Loop, home.iter().map(|(dot, _)| *dot).collect());
        }
        let parent = home
            .map(|(_, place)| place.parent)
            .filter(|_| !loops.contains(&id));
        let above = group
            .iter()
            .find(|member| Some(member.0) == parent)
            .map_or(Vec::new(), |member| member.1.clone());
        let deletions = self.deletions(id, &above);
        let uncovered =
            |dot: &Dot, ends: &[Dot]| !ends.iter().any(|end| self.clocks[end].covers(dot));
        let contents: Vec<Dot> = self.contents(id).iter().map(|(dot, _)| *dot).collect();
        let unaware = |dot: &Dot| deletions.iter().any(|end| !self.clocks[dot].covers(end));
        let unseen: Vec<Dot> = contents
            .iter()
            .filter(|dot| uncovered(dot, &deletions) && unaware(dot))
            .copied()
            .collect();
        let lives = self.lives(id);
        let ends: Vec<Dot> = lives
            .iter()
            .filter(|(_, life)| *life == Life::Deleted)
            .map(|(dot, _)| *dot)
            .collect();
        if !unseen.is_empty() {
            let own = deletions.iter().filter(|end| ends.contains(end));
            add(Cause::Life, unseen.iter().chain(own).copied().collect());
        } else if lives.len() > ends.len()
            && ends
                .iter()
                .any(|end| contents.iter().any(|dot| uncovered(dot, &[*end])))
        {
            add(Cause::Life, lives.iter().map(|(dot, _)| *dot).collect());
        }
    }
}

fn rivals<T: PartialEq>(heads: &[(Dot, T)]) -> Option<BTreeSet<Dot>> {
    let different = |(_, value): &&(Dot, T)| *value != heads[0].1;
    let losing: BTreeSet<Dot> = heads
        .iter()
        .filter(different)
        .map(|(dot, _)| *dot)
        .collect();
    (!losing.is_empty()).then(|| losing.into_iter().chain([heads[0].0]).collect())
}
