//! Does what the machine says, then says so: first the deed, then the answer, so that a crash between the two
//! finds the deed done and gives the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cobox_keys::access::Address;
use cobox_swarm::transport::Hint;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::{Inner, lock};
use crate::admin::{
    Answer, Command, Deed, Given, MAX_MINUTES, Outcome, Picture, Report, ReportRow, Verdict, Wanted,
};
use crate::error::SpaceError;
use crate::log::{Content, now_ms};
use crate::replica::Terms;
use crate::shelf::ShelfEvent;
use crate::space::Space;

/// Nothing is missed for longer than this, whatever happens to events.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Longest hint in a report.
const MAX_HINT: usize = 512;

/// Follows the admin space until aborted.
pub(super) async fn run(inner: Arc<Inner>, mut events: Receiver<ShelfEvent>) {
    loop {
        let alive = tokio::select! {
            event = events.recv() => heard(event, inner.address),
            () = inner.wake.notified() => Some(true),
            () = tokio::time::sleep(pause(&inner)) => Some(true),
        };
        match alive {
            None => return,
            Some(false) => continue,
            Some(true) => {}
        }
        // What came meanwhile is looked at in one go.
        while !matches!(
            events.try_recv(),
            Err(TryRecvError::Empty | TryRecvError::Closed)
        ) {}
        let working = Arc::clone(&inner);
        match tokio::task::spawn_blocking(move || working.step()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a command could not be dealt with now"),
            Err(_) => return, // the runtime is shutting down
        }
    }
}

/// Whether an event is a reason to look; none: there will be no more.
fn heard(event: Result<ShelfEvent, RecvError>, ours: Address) -> Option<bool> {
    Some(match event {
        Ok(ShelfEvent::Message { address, kind }) => address == ours && kind == Command::TYPE,
        // A new writer, whose messages may have come before.
        Ok(ShelfEvent::Changed { address, .. } | ShelfEvent::Member { address, .. }) => {
            address == ours
        }
        Ok(_) => false,
        Err(RecvError::Lagged(_)) => true,
        Err(RecvError::Closed) => return None,
    })
}

/// Until the door shuts by itself, at most.
fn pause(inner: &Inner) -> Duration {
    let shuts = lock(&inner.door).shuts_at();
    let left = shuts.map(|at| Duration::from_millis(at.saturating_sub(now_ms())));
    left.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY))
}

/// What to say to a command.
struct Reply {
    outcome: Outcome,
    words: String,
    until_ms: Option<u64>,
}

impl Reply {
    fn new(outcome: Outcome, words: impl Into<String>) -> Self {
        Self {
            outcome,
            words: words.into(),
            until_ms: None,
        }
    }
}

impl Inner {
    /// Looks at everything said so far and does what is to be done. Blocks.
    pub(super) fn step(self: &Arc<Self>) -> Result<(), SpaceError> {
        let _one = lock(&self.working);
        let space = self.space()?;
        let picture = self.picture(&space)?;
        let troubles = self.make_so(&space, &picture);
        for (given, verdict) in picture.to_do() {
            let reply = self.reply(&space, given, verdict, &troubles)?;
            space.log().tell(&Answer::Command {
                id: given.id,
                outcome: reply.outcome,
                words: reply.words,
                until_ms: reply.until_ms,
            })?;
        }
        let picture = self.picture(&space)?;
        self.tend_door(&space, &picture).map(drop)
    }

    /// Makes things as they should be; what could not be, in words, by address.
    fn make_so(&self, space: &Space, picture: &Picture) -> Troubles {
        let mut troubles = Troubles::default();
        for address in &picture.touched {
            let wanted = picture.wanted.get(address);
            if let Err(error) = self.make_replica_so(address, wanted) {
                troubles.addresses.insert(*address, error.to_string());
            }
        }
        if let Some(name) = &picture.name {
            troubles.name = self.take_name(space, name).err().map(|e| e.to_string());
        }
        troubles
    }

    fn make_replica_so(
        &self,
        address: &Address,
        wanted: Option<&Wanted>,
    ) -> Result<(), SpaceError> {
        let Some(wanted) = wanted else {
            return match self.shelf.replica(address) {
                Some(_) => self.shelf.unreplicate(address),
                None => Ok(()),
            };
        };
        let terms = Terms {
            name: wanted.name.clone(),
            quota: wanted.quota,
        };
        let hints: Vec<Hint> = wanted.hints.iter().filter_map(|h| h.parse().ok()).collect();
        match self.shelf.replica(address) {
            Some(replica) if replica.terms() == terms => Ok(()),
            Some(_) => {
                for hint in hints {
                    self.shelf.swarm().introduce(*address, hint);
                }
                self.shelf.adjust_replica(address, terms)
            }
            None => {
                let replica = self.shelf.replicate_within(*address, terms, &hints);
                replica.map(drop)
            }
        }
    }

    /// The name of the device is that of its space, and of its identity in there.
    pub(super) fn take_name(&self, space: &Space, name: &str) -> Result<(), SpaceError> {
        if space.name() != name {
            space.rename(name)?;
        }
        if self.shelf.name().as_deref() != Some(name) {
            self.shelf.set_name(name)?;
        }
        Ok(())
    }

    fn reply(
        &self,
        space: &Space,
        given: &Given,
        verdict: &Verdict,
        troubles: &Troubles,
    ) -> Result<Reply, SpaceError> {
        Ok(match verdict {
            Verdict::Refuse(why) => Reply::new(Outcome::Refused, why),
            Verdict::Superseded => {
                Reply::new(Outcome::Superseded, "a later command says otherwise")
            }
            Verdict::Do => match &given.command.deed {
                Deed::Replicate { address, .. } => troubles.of(address, "it is being replicated"),
                Deed::Unreplicate { address } => {
                    troubles.of(address, "it is not replicated, and its disk is free")
                }
                Deed::Quota { address, .. } => match self.shelf.replica(address) {
                    Some(_) => troubles.of(address, "the quota is set; what is held stays"),
                    None => Reply::new(Outcome::Done, "it is not replicated here now"),
                },
                Deed::Rename { .. } => match &troubles.name {
                    None => Reply::new(Outcome::Done, "that is its name"),
                    Some(why) => Reply::new(Outcome::Failed, why),
                },
                Deed::Announce { minutes } => Reply {
                    until_ms: Some(now_ms() + (*minutes).min(MAX_MINUTES) * 60_000),
                    ..Reply::new(
                        Outcome::Done,
                        "it announces itself on its local network, for one more admin",
                    )
                },
                Deed::Hide => Reply::new(Outcome::Done, "it does not announce itself"),
                Deed::AddAdmin { .. } => Reply::new(Outcome::Done, "they may command it"),
                Deed::RemoveAdmin { .. } => Reply::new(
                    Outcome::Done,
                    "they may command it no more; they can still read what is said in its admin space",
                ),
                Deed::Status => {
                    self.report(space, given)?;
                    Reply::new(Outcome::Done, "")
                }
            },
        })
    }

    /// Tells how the device is; before the answer, so that who sees the answer sees the report.
    fn report(&self, space: &Space, given: &Given) -> Result<(), SpaceError> {
        let swarm = self.shelf.swarm();
        let rows: Vec<_> = self.shelf.replicas().iter().map(|r| self.row(r)).collect();
        let mut hint = swarm.hint();
        while hint.to_string().len() > MAX_HINT {
            hint.addresses.pop();
        }
        let report = Report {
            asked: given.id,
            version: self.version.chars().take(60).collect(),
            uptime: self.started.elapsed().as_secs(),
            used: rows.iter().map(|row| row.size).sum(),
            free: swarm.free(),
            hint: hint.to_string(),
            rows,
        };
        for part in report.in_parts() {
            space.log().tell(&part)?;
        }
        Ok(())
    }

    fn row(&self, replica: &crate::replica::Replica) -> ReportRow {
        let swarm = self.shelf.swarm();
        let address = replica.address();
        let progress = swarm.progress(&address);
        ReportRow {
            address,
            known: progress.known,
            held: progress.held,
            bytes_known: progress.bytes_known,
            bytes_held: progress.bytes_held,
            size: replica.size(),
            last_contact_ms: swarm.last_contact(&address),
            over_quota: progress.over_quota,
        }
    }
}

/// What could not be made so.
#[derive(Default)]
struct Troubles {
    addresses: BTreeMap<Address, String>,
    name: Option<String>,
}

impl Troubles {
    fn of(&self, address: &Address, done: &str) -> Reply {
        match self.addresses.get(address) {
            None => Reply::new(Outcome::Done, done),
            Some(why) => Reply::new(Outcome::Failed, why),
        }
    }
}
