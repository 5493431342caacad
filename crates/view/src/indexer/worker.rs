//! The thread: numbers what arrived, hands it to the views, lets views that are behind catch up.

use super::Options;
use super::ear::{Ear, Heard};
use super::intake::Intake;
use super::progress::Progress;
use super::slot::Slot;
use crate::journal::{Entry, Journal, lengths_before};
use crate::kv::{Database, ViewError};
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::Event;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is there is still applied before a stop, unless it takes longer.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Rebuilds in a row before it is called trouble: a view that always finds its own rows damaged must not spin.
const REBUILDS: u32 = 3;

pub(super) struct Worker {
    db: Database,
    intake: Intake,
    slots: Vec<Slot>,
    journal: Journal,
    progress: Arc<Progress>,
    ear: Ear,
    /// First commit since rows were durable.
    dirty_since: Option<Instant>,
    /// When feeds that failed, or the file, are tried again.
    retry_at: Option<Instant>,
    /// The file failed: it must be opened again first.
    broken: bool,
    rebuilds: u32,
    /// A feed turned out to be forked: what waits for more of it need not.
    forked: bool,
    options: Options,
}

impl Worker {
    pub fn new(
        db: Database,
        intake: Intake,
        slots: Vec<Slot>,
        progress: Arc<Progress>,
        ear: Ear,
        options: Options,
    ) -> Result<Self, ViewError> {
        let mut worker = Self {
            db,
            intake,
            slots,
            journal: Journal::default(),
            progress,
            ear,
            dirty_since: None,
            retry_at: None,
            broken: false,
            rebuilds: 0,
            forked: false,
            options,
        };
        worker.load_or_rebuild()?;
        Ok(worker)
    }

    pub fn run(mut self) -> Result<(), ViewError> {
        let _closing = Closing(self.progress.clone());
        let mut stop_by = None;
        loop {
            // Asked first: what came before the order to stop is then seen by the round after it.
            let stopping = self.ear.orders.is_stopping();
            let worked = match self.round() {
                Ok(worked) => worked,
                Err(error) => self.recover(error),
            };
            if stopping {
                let by = *stop_by.get_or_insert_with(|| Instant::now() + STOP_GRACE);
                if !worked || Instant::now() >= by {
                    break;
                }
            } else if !worked {
                let heard = self.ear.wait(self.deadline());
                self.note(heard);
            }
        }
        self.db.flush()
    }

    /// Everything that can be done now, up to one batch per view. False: nothing was left to do.
    fn round(&mut self) -> Result<bool, ViewError> {
        self.listen();
        if self.ear.orders.take_rebuild() {
            self.start_over()?;
        }
        if !self.retry()? {
            return Ok(false);
        }
        let mut worked = self.advance()?;
        worked |= self.go_on()?;
        for number in 0..self.slots.len() {
            worked |= self.catch_up(number)?;
        }
        self.flush_if_due()?;
        if self.intake.has_failed() {
            self.retry_at
                .get_or_insert_with(|| Instant::now() + self.options.retry_after);
        }
        if !worked {
            self.rebuilds = 0;
        }
        Ok(worked)
    }

    fn listen(&mut self) {
        while let Some(heard) = self.ear.try_next() {
            self.note(Some(heard));
        }
    }

    fn note(&mut self, heard: Option<Heard>) {
        let is_new = match heard {
            Some(Heard::Event(Event::Admitted(feed) | Event::Appended { feed, .. })) => {
                self.intake.look_at(feed)
            }
            Some(Heard::Gap) => {
                self.intake.look_at_all();
                self.forked = true; // perhaps
                true
            }
            Some(Heard::Event(Event::Forked(_))) => {
                self.forked = true;
                true
            }
            _ => false,
        };
        if is_new {
            self.unstick();
        }
    }

    fn unstick(&mut self) {
        for slot in &mut self.slots {
            slot.stuck = false;
        }
    }

    /// Numbers what is new and hands it to the views that are up to date.
    fn advance(&mut self) -> Result<bool, ViewError> {
        if !self.intake.is_waiting() {
            return Ok(false);
        }
        let mut rows = self.db.begin()?;
        let seq = self.journal.next();
        let entries = self.intake.read_new(&mut self.journal, &mut rows)?;
        if entries.is_empty() {
            return Ok(false);
        }
        let next = self.journal.next();
        let current: Vec<usize> = (0..self.slots.len())
            .filter(|number| self.slots[*number].cursor == seq)
            .collect();
        for number in &current {
            self.slots[*number].apply(&mut rows, &entries, next)?;
        }
        rows.commit()?;
        self.tell_committed(&current, &entries);
        Ok(true)
    }

    /// Views that are up to date look again at what they keep waiting. False: nothing was to be looked at.
    fn go_on(&mut self) -> Result<bool, ViewError> {
        if !std::mem::take(&mut self.forked) {
            return Ok(false);
        }
        let next = self.journal.next();
        let current: Vec<usize> = (0..self.slots.len())
            .filter(|number| self.slots[*number].cursor == next)
            .collect();
        let mut rows = self.db.begin()?;
        for number in &current {
            self.slots[*number].go_on(&mut rows)?;
        }
        rows.commit()?;
        self.tell_committed(&current, &[]);
        Ok(true)
    }

    /// Hands entries that were numbered before to a view that is behind. False: it is not, or cannot go on.
    fn catch_up(&mut self, number: usize) -> Result<bool, ViewError> {
        let slot = &self.slots[number];
        if slot.stuck || slot.cursor >= self.journal.next() {
            return Ok(false);
        }
        let from = slot.cursor;
        let mut rows = self.db.begin()?;
        let (entries, cursor) = self.intake.read_again(&rows, from)?;
        if cursor == from {
            self.slots[number].stuck = true;
            return Ok(false);
        }
        self.slots[number].apply(&mut rows, &entries, cursor)?;
        rows.commit()?;
        self.tell_committed(&[number], &entries);
        Ok(true)
    }

    /// After a commit: events first, so that who waits for rows finds what the views tell as well.
    fn tell_committed(&mut self, numbers: &[usize], entries: &[Entry]) {
        for number in numbers {
            self.slots[*number].view.committed();
        }
        self.progress.update(|state| {
            for number in numbers {
                let applied = &mut state.views[*number];
                applied.extend(last_of_each_run(entries));
            }
        });
        self.dirty_since.get_or_insert_with(Instant::now);
    }

    fn flush_if_due(&mut self) -> Result<(), ViewError> {
        let is_old = self
            .dirty_since
            .is_some_and(|since| since.elapsed() >= self.options.flush_after);
        if is_old || self.db.unflushed() >= self.options.flush_bytes {
            self.db.flush()?;
            self.dirty_since = None;
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        let flush = self
            .dirty_since
            .filter(|_| !self.broken)
            .map(|since| since + self.options.flush_after);
        [flush, self.retry_at].into_iter().flatten().min()
    }

    /// Tries again what failed, when it is time. False: the file is still broken.
    fn retry(&mut self) -> Result<bool, ViewError> {
        if self.retry_at.is_some_and(|at| Instant::now() >= at) {
            self.retry_at = None;
            self.intake.retry();
            self.unstick();
            if self.broken {
                self.db.reopen()?;
                self.load_or_rebuild()?;
            }
        }
        Ok(!self.broken)
    }

    /// After an error: throw everything away if that heals it, else pause. False: there is nothing to do for now.
    fn recover(&mut self, error: ViewError) -> bool {
        let error = match error {
            ViewError::Damaged(what) if self.rebuilds < REBUILDS => {
                self.rebuilds += 1;
                tracing::warn!(what, "the views are damaged and are computed again");
                match self.start_over() {
                    Ok(()) => return true,
                    Err(error) => error,
                }
            }
            error => error,
        };
        tracing::warn!(%error, "the views cannot be brought up to date");
        for slot in &mut self.slots {
            slot.view.reset();
        }
        self.broken = true;
        self.retry_at = Some(Instant::now() + self.options.retry_after);
        self.progress.update(|state| state.trouble = Some(error));
        false
    }

    fn load_or_rebuild(&mut self) -> Result<(), ViewError> {
        match self.load() {
            Err(ViewError::Damaged(what)) => {
                tracing::warn!(what, "the views are damaged and are computed again");
                self.start_over()
            }
            other => other,
        }
    }

    fn start_over(&mut self) -> Result<(), ViewError> {
        self.db.start_anew()?;
        self.load()
    }

    /// Takes up what the file says: at the start, and whenever a transaction was dropped.
    fn load(&mut self) -> Result<(), ViewError> {
        let mut rows = self.db.begin()?;
        let mut changed = false;
        self.journal = Journal::load(&rows)?;
        let mut views = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            slot.view.reset();
            changed |= slot.load(&mut rows, self.journal.next())?;
            views.push(lengths_before(&rows, &self.journal, slot.cursor)?);
        }
        if changed {
            rows.commit()?;
        }
        self.broken = false;
        self.intake.look_at_all();
        self.progress.update(|state| {
            state.views = views;
            state.trouble = None;
        });
        Ok(())
    }
}

/// (feed, blocks applied) after each stretch of one feed.
fn last_of_each_run(entries: &[Entry]) -> impl Iterator<Item = (FeedKey, u64)> + '_ {
    let stretches = entries.chunk_by(|before, after| before.feed == after.feed);
    stretches
        .filter_map(|stretch| stretch.last())
        .map(|last| (last.feed, last.index + 1))
}

/// Says that the thread has ended, however it ends.
struct Closing(Arc<Progress>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.update(|state| state.closed = true);
    }
}
