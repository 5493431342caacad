//! Making what is pending part of the tree: who asks, when, and in which portions.

use super::plan::{Plan, Planned, Which};
use super::shared::{Body, Shared};
use super::state::{DeadDraft, Doomed, File};
use super::{FileId, Overlay, gone, lock};
use crate::drive::commit::DraftId;
use crate::drive::compose::Form;
use crate::drive::edit::Edit;
use crate::drive::records::dismissed;
use crate::error::DriveError;
use crate::record::{NodeId, Record};
use crate::version::Dot;
use cobox_feed::store::StoreError;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Pending changes are committed when nothing was changed for so long,
const QUIET: Duration = Duration::from_millis(100);
/// or at the latest so long after the first of them.
const LATEST: Duration = Duration::from_millis(500);
/// How often the thread looks while bytes of open files wait for their time.
const LOOK: Duration = Duration::from_millis(250);
/// After a failed commit the next try comes so much later.
const RETRY: Duration = Duration::from_secs(5);
/// Bytes in memory above which a commit does not wait for its time; writers wait above twice as many.
const MANY_BYTES: u64 = 48 << 20;
/// Bytes of a commit, and its records, about.
const PORTION: u64 = 16 << 20;
const RECORDS: usize = 4096;

/// When the thread has something to do.
#[derive(Default)]
pub(super) struct Committer {
    clock: Mutex<Clock>,
    woken: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct Clock {
    first: Option<Instant>,
    last: Option<Instant>,
    closed: bool,
    ended: bool,
    /// Why the last commit failed, until somebody is told.
    failed: Option<DriveError>,
    retry: Option<Instant>,
}

/// A locked body and how its bytes become content.
struct Written<'a> {
    body: MutexGuard<'a, Body>,
    form: Option<Form>,
}

impl Overlay {
    /// Starts the thread; it ends with `close`, or when the overlay is dropped.
    pub(super) fn start(self: &Arc<Self>) -> Result<(), DriveError> {
        let overlay = Arc::downgrade(self);
        let thread = std::thread::Builder::new().name("overlay".into());
        thread
            .spawn(move || run(&overlay))
            .map_err(DriveError::Source)?;
        Ok(())
    }

    /// Something changed.
    pub(super) fn wake(&self) {
        let mut clock = lock(&self.committer.clock);
        let now = Instant::now();
        clock.last = Some(now);
        if clock.first.is_none() {
            clock.first = Some(now);
            self.committer.woken.notify_all();
        } else if self.dirty.load(Ordering::Acquire) > MANY_BYTES {
            self.committer.woken.notify_all();
        }
    }

    /// Lets writers wait while too much is in memory and the disk gets it.
    pub(super) fn wait_for_room(&self) -> Result<(), DriveError> {
        let mut clock = lock(&self.committer.clock);
        while self.dirty.load(Ordering::Acquire) > 2 * MANY_BYTES && !clock.closed {
            if clock.retry.is_some() {
                drop(clock);
                return self.failed();
            }
            let wait = self.committer.done.wait_timeout(clock, LOOK);
            clock = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// The failure of a commit that nobody waited for, told once.
    pub(super) fn failed(&self) -> Result<(), DriveError> {
        match lock(&self.committer.clock).failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Commits everything and ends the thread.
    pub fn close(&self) -> Result<(), DriveError> {
        let committed = match self.drive.is_writable() {
            true => self.commit(Which::All),
            false => Ok(()),
        };
        let mut clock = lock(&self.committer.clock);
        clock.closed = true;
        self.committer.woken.notify_all();
        self.committer.done.notify_all();
        while !clock.ended {
            let wait = self.committer.done.wait(clock);
            clock = wait.unwrap_or_else(PoisonError::into_inner);
        }
        committed
    }

    /// Commits what is pending; durable, and shown by the tree, when it returns.
    pub(super) fn commit(&self, which: Which) -> Result<(), DriveError> {
        let _one = lock(&self.committing);
        let mut plan = Plan::of(&self.state(), which);
        if plan.is_empty() {
            return Ok(());
        }
        let mut failed = Ok(());
        let files = std::mem::take(&mut plan.files);
        let mut portions = portions(files).into_iter().peekable();
        let (mut doomed, mut dead) = (plan.doomed.clone(), plan.dead_drafts.clone());
        while portions.peek().is_some() || !doomed.is_empty() || !dead.is_empty() {
            let files = portions.next().unwrap_or_default();
            // Deletions come last: what is renamed or written anew is there by then.
            let dying: Vec<_> = match portions.peek() {
                Some(_) => Vec::new(),
                None => doomed.drain(..doomed.len().min(RECORDS)).collect(),
            };
            let nodes = files.iter().map(|file| file.node);
            let nodes = nodes.chain(dying.iter().map(|one| one.node)).collect();
            let is_last = portions.peek().is_none() && doomed.is_empty();
            let ended = ended(&mut dead, &nodes, is_last);
            let (skipped, outcome) = self.write(files, &dying, ended)?;
            plan.left.extend(skipped);
            failed = failed.and(outcome);
        }
        let mut state = self.state();
        let settled = &plan.dead_drafts;
        state.dead_drafts.retain(|draft| !settled.contains(draft));
        state.settle(plan.stamp, |id| plan.left.contains(&id));
        failed
    }

    /// One commit, which also ends the drafts of what is dead. Files whose bytes cannot be had are left out: which, and why.
    fn write(
        &self,
        files: Vec<Planned>,
        doomed: &[Doomed],
        dead: Vec<DraftId>,
    ) -> Result<(Vec<FileId>, Result<(), DriveError>), DriveError> {
        let mut intake = self.drive.intake()?;
        let shared: Vec<_> = files.iter().map(|file| file.shared.clone()).collect();
        let (mut skipped, mut failed) = (Vec::new(), Ok(()));
        let mut written = Vec::with_capacity(files.len());
        let mut kept = Vec::with_capacity(files.len());
        for (file, shared) in files.into_iter().zip(&shared) {
            let mut body = shared.as_ref().map(|shared| shared.body());
            let form = match body.as_deref_mut() {
                Some(Body::Writing(edit)) => edit
                    .check()
                    .and_then(|()| edit.form(&self.drive, &mut intake)),
                _ => Ok(None),
            };
            match form {
                Ok(form) => {
                    written.push(body.map(|body| Written { body, form }));
                    kept.push(file);
                }
                Err(error) => {
                    drop(body);
                    self.give_up(file.id);
                    skipped.push(file.id);
                    // Whoever wrote there was told; it is no failure of what others wrote.
                    if !matches!(error, DriveError::Lost { .. }) {
                        failed = Err(error);
                    }
                }
            }
        }
        let mut work = self.drive.work()?;
        let mut changes = Vec::new();
        let mut at = Vec::new();
        for (file, written) in kept.iter().zip(&mut written) {
            let form = written.as_mut().and_then(|written| written.form.take());
            let edit = written.as_ref().and_then(|written| edit_of(&written.body));
            at.push(changes.len());
            self.records(file, edit, form, &mut work, &mut intake, &mut changes)?;
        }
        for one in doomed {
            changes.push(self.deletion(one, &work)?);
        }
        let edits = written
            .iter()
            .flatten()
            .filter_map(|written| edit_of(&written.body));
        let of_edits: Vec<DraftId> = edits.filter_map(|edit| edit.draft).collect();
        let drafts = [of_edits.as_slice(), &dead].concat();
        let finished = self.drive.finish(work, Some(intake), changes, &drafts);
        let finished = finished.inspect_err(|error| {
            for written in written.iter_mut().flatten() {
                if let Body::Writing(edit) = &mut *written.body {
                    edit.note_failure(error);
                }
            }
        });
        if let Some((dot, records)) = finished? {
            // Beside a version by somebody else: what is shown now has to be compared.
            if !kept.iter().any(|file| file.outdated) {
                lock(&self.ours).insert(dot.block);
            }
            self.settle(kept, written, dot, &records, &at)?;
        }
        Ok((skipped, failed))
    }

    /// The commit is durable and in the tree.
    fn settle(
        &self,
        files: Vec<Planned>,
        written: Vec<Option<Written<'_>>>,
        dot: Dot,
        records: &[Record],
        at: &[usize],
    ) -> Result<(), DriveError> {
        let mut outcome = Ok(());
        for ((file, written), at) in files.into_iter().zip(written).zip(at) {
            let shared = file.shared.clone();
            // Locked until the file's state says the same as its bytes: whoever closed it in between would make it look new
            // and empty, and whoever opened it then would write that.
            let mut body = written.map(|written| written.body);
            if let Some(Body::Writing(edit)) = body.as_deref_mut() {
                outcome = outcome.and(edit.settled(&self.drive, dot, &records[*at]));
            }
            let mut state = self.state();
            if let (Some(Body::Writing(edit)), Some(shared)) = (body.as_deref(), &shared) {
                self.account(shared.note(edit));
            }
            let same = |now: &&mut File| now.node == file.node && !now.orphan;
            match state.file_mut(file.id).filter(same) {
                Some(now) => settled(now, &file, dot, records[*at].content.is_some()),
                // It lost its name while it was being committed.
                None if !file.born => state.doom(file.node, file.kind),
                None => {}
            }
        }
        outcome
    }

    /// Bytes that were lost to a failed write of the store stay lost: once nobody has the file open, so is its edit.
    fn give_up(&self, id: FileId) {
        let shared = self.state().file(id).and_then(|file| file.shared.clone());
        let Some(shared) = shared.filter(|shared| !shared.is_open()) else {
            return;
        };
        if edit_of(&shared.body()).is_none_or(|edit| !edit.failed) {
            return;
        }
        let mut state = self.state();
        if let Some(file) = state.file_mut(id) {
            file.shared = None;
            self.account(-shared.give_up());
        }
        if state.file(id).is_some_and(|file| !file.born) {
            let at = state.file(id).and_then(|file| file.at.clone());
            state.orphan(id);
            if let Some((folder, name)) = at {
                state.put(folder, name, None);
            }
        }
        state.drop_if_idle(id);
    }

    /// Settles a conflict by giving up a losing version that somebody removed.
    pub(super) fn dismiss(&self, id: FileId, loser: Dot) -> Result<(), DriveError> {
        let _one = lock(&self.committing);
        let node = self.state().file(id).map(|file| file.node);
        let node = node.ok_or_else(|| gone(id))?;
        let work = self.drive.work()?;
        let (winner, copy) = (work.tree().entry(node)?, work.tree().copy(node, loser)?);
        let (Some(winner), Some(copy)) = (winner, copy) else {
            return Err(gone(id));
        };
        let change = dismissed(&winner, &copy).into();
        self.drive.finish(work, None, vec![change], &[])?;
        let mut state = self.state();
        self.orphan(&mut state, id);
        Ok(())
    }
}

/// A file after its commit.
fn settled(now: &mut File, then: &Planned, dot: Dot, has_content: bool) {
    now.born = true;
    now.fresh &= !has_content;
    if has_content {
        now.told = Some(dot);
    }
    if now.stamp == then.stamp {
        now.pending = Default::default();
    }
    let is_idle = |shared: &Shared| !shared.is_open() && !shared.is_changed();
    if now.shared.as_deref().is_some_and(is_idle) {
        now.shared = None;
    }
}

fn edit_of(body: &Body) -> Option<&Edit> {
    match body {
        Body::Writing(edit) => Some(edit),
        Body::Reading(_) => None,
    }
}

/// The dead drafts of nodes that a portion deletes or writes anew go with it: a power cut before another portion took
/// them would bring back what is gone, as a newer version even. The rest, of what never was in the tree, go with the last.
fn ended(dead: &mut Vec<DeadDraft>, nodes: &HashSet<NodeId>, is_last: bool) -> Vec<DraftId> {
    let goes = |one: &DeadDraft| is_last || nodes.contains(&one.node);
    let (now, later) = std::mem::take(dead).into_iter().partition(goes);
    *dead = later;
    let now: Vec<DeadDraft> = now;
    now.into_iter().map(|one| one.id).collect()
}

/// Files with bytes stored ahead go alone: those hang on an intake of their own. So do those beside whose version there
/// is a newer one of the same node: a commit changes a node once.
fn portions(files: Vec<Planned>) -> Vec<Vec<Planned>> {
    let mut portions: Vec<Vec<Planned>> = Vec::new();
    let (mut open, mut bytes) = (Vec::new(), 0);
    for file in files {
        let staged = file.shared.as_ref().is_some_and(
            |shared| matches!(&*shared.body(), Body::Writing(edit) if edit.staged.is_some()),
        );
        let size = file.shared.as_ref().map_or(0, |shared| shared.size());
        let alone = staged || file.outdated;
        if alone || bytes + size > PORTION || open.len() >= RECORDS {
            portions
                .extend(Some(std::mem::take(&mut open)).filter(|open: &Vec<_>| !open.is_empty()));
            bytes = 0;
        }
        if alone {
            portions.push(vec![file]);
            continue;
        }
        bytes += size;
        open.push(file);
    }
    portions.extend(Some(open).filter(|open| !open.is_empty()));
    portions
}

fn run(overlay: &Weak<Overlay>) {
    while let Some(overlay) = overlay.upgrade() {
        match overlay.next_turn() {
            Turn::End => break,
            Turn::Wait => {}
            Turn::Commit => overlay.take_turn(),
        }
    }
}

enum Turn {
    Wait,
    Commit,
    End,
}

impl Overlay {
    /// Waits for a moment at most, so that an overlay that everybody has dropped can end.
    fn next_turn(&self) -> Turn {
        let mut clock = lock(&self.committer.clock);
        if clock.closed {
            clock.ended = true;
            self.committer.done.notify_all();
            return Turn::End;
        }
        let wait = clock.wait(self.dirty.load(Ordering::Acquire));
        if wait.is_zero() {
            (clock.first, clock.last) = (None, None);
            return Turn::Commit;
        }
        let waited = self.committer.woken.wait_timeout(clock, wait);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        Turn::Wait
    }

    fn take_turn(&self) {
        let outcome = self.commit(Which::Due);
        let still = self.state().is_pending();
        let mut clock = lock(&self.committer.clock);
        clock.retry = None;
        if let Err(error) = outcome {
            tracing::warn!("changes on a mounted space could not be committed yet: {error}");
            clock.failed = Some(match error {
                DriveError::Store(StoreError::DiskFull) => error,
                other => DriveError::Uncommitted(other.to_string()),
            });
            clock.retry = Some(Instant::now() + RETRY);
        }
        if still {
            // Bytes of open files wait for their time, or what failed is tried again.
            let soon = Instant::now() + LOOK;
            clock.first.get_or_insert(soon);
            clock.last.get_or_insert(soon);
        }
        self.committer.done.notify_all();
    }
}

impl Clock {
    /// How long until a commit; zero is now.
    fn wait(&self, dirty: u64) -> Duration {
        const IDLE: Duration = Duration::from_secs(60);
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return IDLE;
        };
        let due = (first + LATEST).min(last + QUIET);
        let due = self.retry.map_or(due, |retry| due.max(retry));
        match dirty > MANY_BYTES && self.retry.is_none() {
            true => Duration::ZERO,
            false => due.saturating_duration_since(Instant::now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    #[test]
    fn a_dead_draft_goes_with_the_portion_that_ends_its_file() {
        let [deleted, rewritten, unborn] = [1, 2, 3].map(|number| DeadDraft {
            id: [number; 16],
            node: NodeId::generate(Kind::File),
            born: number < 3,
        });
        let mut dead = vec![unborn, deleted, rewritten];
        let mut with =
            |nodes: &[NodeId], is_last| ended(&mut dead, &nodes.iter().copied().collect(), is_last);
        assert_eq!(with(&[rewritten.node], false), [rewritten.id]);
        assert_eq!(with(&[NodeId::generate(Kind::File)], false), [[0; 16]; 0]);
        assert_eq!(with(&[deleted.node], false), [deleted.id]);
        assert_eq!(with(&[], true), [unborn.id]);
    }
}
