//! Renaming. A file that takes the place of another becomes its next version, so that history survives the habit of
//! editors to write beside and rename over.

use super::look::Picture;
use super::plan::Which;
use super::state::{File, State};
use super::{FileId, Overlay, Replace, gone, lock};
use crate::drive::now;
use crate::error::DriveError;
use crate::path::Name;
use crate::record::{Kind, NodeId};

/// Commits that one rename asks for at most: a file whose bytes were lost to a failed write never gets into the tree.
const TRIES: usize = 4;

/// A name in a folder.
type At<'a> = (FileId, &'a Name);

/// What a rename is about, looked up.
struct Move<'a> {
    from: (NodeId, &'a Name),
    to: (NodeId, &'a Name),
    source: FileId,
    target: Option<FileId>,
}

/// What has to be in the tree before a rename can be done in memory.
fn first(state: &State, what: &Move<'_>, replace: Replace) -> Option<FileId> {
    let target = what.target.filter(|_| replace != Replace::Refused);
    let is_exchange = target.is_some() && replace == Replace::Exchange;
    let is_first = |id: &FileId| {
        let Some(file) = state.file(*id) else {
            return false;
        };
        let is_target = Some(*id) == target;
        // The tree would show at the new name what this took the place of, or the place that it has left.
        let is_between = file.born && (file.fresh || is_target && file.pending.place.is_some());
        // It was durable under the name that it loses: a power cut must find it, or what comes in its place, there.
        let is_durable = (is_exchange || is_target) && has_draft(file);
        is_between || is_durable || is_exchange && !file.born
    };
    let is_passed_on = |target| !is_exchange && is_unwritten(state, what.source, target);
    let passed_on = target.is_some_and(is_passed_on).then_some(what.source);
    let mut both = std::iter::once(what.source).chain(target);
    both.find(is_first).or(passed_on)
}

/// Would bytes that are not committed have to pass from node to node? Those of an open file stay with its node.
fn is_unwritten(state: &State, source: FileId, target: FileId) -> bool {
    let is_born = |id| state.file(id).is_some_and(|file| file.born);
    let is_open = |file: &File| file.shared.as_ref().is_some_and(|shared| shared.is_open());
    let is_unwritten = |file: &File| file.born && file.is_pending() && !is_open(file);
    is_born(target) && state.file(source).is_some_and(is_unwritten)
}

/// Was it synced since its last commit?
fn has_draft(file: &File) -> bool {
    file.shared
        .as_ref()
        .is_some_and(|shared| shared.draft().is_some())
}

impl Overlay {
    /// Moves or renames.
    pub fn rename(&self, from: At<'_>, to: At<'_>, replace: Replace) -> Result<(), DriveError> {
        self.check_writable()?;
        let mut tries = 0..TRIES;
        let (mut state, picture, what, _one) = loop {
            let target = self.peek(to)?.filter(|_| replace == Replace::Allowed);
            if let Some(target) = target {
                self.prepare(from, target)?;
            }
            // A file that is being committed under one node cannot become the next version of another.
            let one = target.map(|_| lock(&self.committing));
            let mut state = self.state();
            let picture = self.picture()?;
            let Some(what) = self.look_up(&mut state, &picture, from, to)? else {
                return Ok(());
            };
            match first(&state, &what, replace) {
                Some(first) if tries.next().is_some() => {
                    drop((state, one));
                    self.commit(Which::File(first))?;
                }
                _ if what.target.is_some() && replace == Replace::Allowed && one.is_none() => {}
                _ => break (state, picture, what, one),
            }
        };
        match (what.target, replace) {
            (Some(_), Replace::Refused) => return Err(DriveError::Exists(to.1.to_string())),
            (None, Replace::Exchange) => return Err(DriveError::NotFound(to.1.to_string())),
            (Some(target), Replace::Exchange) => {
                self.check_loop(&state, target, from.0)?;
                self.exchange(&mut state, &what, target);
            }
            (Some(target), _) => self.replace(&mut state, &picture, &what, target)?,
            (None, _) => self.place(&mut state, &what),
        }
        self.touch_folder(&mut state, what.from.0);
        self.touch_folder(&mut state, what.to.0);
        if let Some(node) = state.file(what.source).map(|file| file.node) {
            state.touch(node, |times| times.ctime = now());
        }
        drop(state);
        self.wake();
        Ok(())
    }

    fn peek(&self, (folder, name): At<'_>) -> Result<Option<FileId>, DriveError> {
        let mut state = self.state();
        let picture = self.picture()?;
        self.find(&mut state, &picture, folder, name)
    }

    /// What is open keeps its bytes, and a losing version is settled, before another takes the place.
    fn prepare(&self, from: At<'_>, target: FileId) -> Result<(), DriveError> {
        if self.peek(from)?.is_none_or(|source| source == target) {
            return Ok(());
        }
        self.keep_what_is_open(target)?;
        let loser = self.state().file(target).and_then(|file| file.copy);
        match loser {
            Some(loser) => self.dismiss(target, loser),
            None => Ok(()),
        }
    }

    /// Finds both ends and refuses what cannot be; none when there is nothing to do.
    fn look_up<'a>(
        &self,
        state: &mut State,
        picture: &Picture,
        from: At<'a>,
        to: At<'a>,
    ) -> Result<Option<Move<'a>>, DriveError> {
        let source = self.find(state, picture, from.0, from.1)?;
        let source = source.ok_or_else(|| DriveError::NotFound(from.1.to_string()))?;
        let target = self.find(state, picture, to.0, to.1)?;
        if target == Some(source) {
            return Ok(None);
        }
        if state.file(source).is_some_and(|file| file.copy.is_some()) {
            return Err(DriveError::ConflictCopy(from.1.to_string()));
        }
        self.check_loop(state, source, to.0)?;
        Ok(Some(Move {
            from: (self.parent_node(state, picture, from.0)?, from.1),
            to: (self.parent_node(state, picture, to.0)?, to.1),
            source,
            target,
        }))
    }

    /// A folder does not go into itself.
    fn check_loop(&self, state: &State, moved: FileId, into: FileId) -> Result<(), DriveError> {
        let mut at = into;
        loop {
            if at == moved {
                return Err(DriveError::IntoItself(self.words(state, moved)));
            }
            let above = state.file(at).and_then(|file| file.at.as_ref());
            match above.and_then(|(folder, _)| state.by_key(&(*folder, None))) {
                Some(above) => at = above,
                None => return Ok(()),
            }
        }
    }

    fn place(&self, state: &mut State, what: &Move<'_>) {
        let (folder, name) = (what.to.0, what.to.1.clone());
        let file = state.file(what.source).map(|file| (file.node, file.born));
        if let Some((node, true)) = file {
            state.freed.freed(what.from.0, what.from.1.clone(), node);
        }
        let succeeds = state.freed.predecessor(folder, &name);
        state.change(what.source, |file| {
            file.at = Some((folder, name.clone()));
            file.pending.place = file.at.clone();
            file.pending.succeeds = succeeds.filter(|old| *old != file.node);
        });
        state.put(what.from.0, what.from.1.clone(), None);
        state.put(folder, name, Some(what.source));
    }

    fn exchange(&self, state: &mut State, what: &Move<'_>, target: FileId) {
        for (id, (folder, name)) in [(what.source, what.to), (target, what.from)] {
            state.change(id, |file| {
                file.at = Some((folder, name.clone()));
                file.pending.place = file.at.clone();
            });
            state.put(folder, name.clone(), Some(id));
        }
    }

    fn replace(
        &self,
        state: &mut State,
        picture: &Picture,
        what: &Move<'_>,
        target: FileId,
    ) -> Result<(), DriveError> {
        let kind_of = |id| state.file(id).map(|file| file.kind).ok_or_else(|| gone(id));
        let (source_kind, target_kind) = (kind_of(what.source)?, kind_of(target)?);
        match (source_kind, target_kind) {
            (Kind::Folder, Kind::Folder) => self.check_empty(state, picture, target)?,
            (Kind::Folder, _) => return Err(DriveError::NotAFolder(what.to.1.to_string())),
            (_, Kind::Folder) => return Err(DriveError::IsAFolder(what.to.1.to_string())),
            _ => {}
        }
        // The bytes of a file that is open and in the tree stay with its node.
        let is_free = |file: &File| !file.born || file.shared.is_none();
        let is_next_version = source_kind == target_kind
            && source_kind != Kind::Folder
            && state.file(target).is_some_and(|file| file.born)
            && state.file(what.source).is_some_and(is_free);
        if is_next_version {
            return self.succeed(state, picture, what, target);
        }
        self.unlink(state, picture, what.to.0, what.to.1, target)?;
        self.place(state, what);
        Ok(())
    }

    /// The source becomes the next version of the target's node; what had the name lives only while it is open.
    fn succeed(
        &self,
        state: &mut State,
        picture: &Picture,
        what: &Move<'_>,
        target: FileId,
    ) -> Result<(), DriveError> {
        let file = state.file(target).ok_or_else(|| gone(target))?;
        let (node, told, place) = (file.node, file.told, file.pending.place.clone());
        let source = state.file(what.source).ok_or_else(|| gone(what.source))?;
        let (old, kind) = (source.node, source.kind);
        if source.born {
            // Clean by now: its bytes become the target's, and its own node goes.
            let attrs = self.attrs(state, picture, what.source)?;
            state.doom(old, kind);
            state.freed.freed(what.from.0, what.from.1.clone(), old);
            state.change(what.source, |file| {
                file.pending.bytes_of = Some(old);
                file.pending.attrs = Some(attrs);
            });
        }
        self.orphan(state, target);
        state.rebind(what.source, node);
        state.change(what.source, |file| {
            file.born = true;
            file.told = told;
            file.at = Some((what.to.0, what.to.1.clone()));
            file.pending.place = place;
            file.pending.succeeds = None;
        });
        state.put(what.from.0, what.from.1.clone(), None);
        state.put(what.to.0, what.to.1.clone(), Some(what.source));
        Ok(())
    }
}
