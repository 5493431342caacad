//! How safe a space is: which copies count, and whether they are as many and as new as wanted.
//!
//! Pure: what devices have signed comes in, a colour and its reason in words come out; the same on every
//! peer that knows the same. Not its job: asking the network or the log.

use cobox_keys::identity::PublicKey;
use cobox_swarm::swarm::Held;

#[cfg(test)]
mod tests;
mod words;

pub use words::{duration, words};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A copy that was in sync so short a time ago counts as up to date whatever was written since: word of it may
/// still be on its way.
const RECENT: u64 = 10 * MINUTE;

/// What the members want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// how many replicators shall hold everything
    pub threshold: u32,
    /// how old their last proof may be, in ms
    pub tolerance_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            threshold: 1,
            tolerance_ms: 7 * DAY,
        }
    }
}

impl Policy {
    /// After so long (ms) a proof is renewed in the log: early enough that one that is a round late still counts.
    pub(crate) fn renewal_ms(&self) -> u64 {
        (self.tolerance_ms / 4).clamp(5 * MINUTE, DAY)
    }
}

/// What is known of one replicator, by receipts that its device signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// its device key
    pub device: PublicKey,
    /// what it held when it last said, if it did
    pub held: Option<Held>,
    /// it said then that nothing was missing
    pub complete: bool,
    /// when it last said so, Unix ms
    pub told_ms: Option<u64>,
    /// when it last said that nothing was missing, Unix ms
    pub synced_ms: Option<u64>,
    /// bytes it had left then
    pub free: u64,
    /// connected to us now
    pub reachable: bool,
    /// when files were last got back from it alone and compared, by a member's word, Unix ms
    pub proven_ms: Option<u64>,
}

/// How one copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// it holds everything, as proven within the tolerance
    Complete,
    /// it held everything within the tolerance, and has not proven what was written since
    Behind,
    /// it once held everything, too long ago
    Stale,
    /// it never said that it held everything
    Partial,
}

/// One copy, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// as known
    pub copy: Holder,
    /// as judged
    pub state: State,
    /// what we know of and it has not proven to hold
    pub behind: Held,
}

/// How safe a space is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// as many complete copies as wanted
    Green,
    /// some, but too few, or not up to date
    Amber,
    /// none within the tolerance
    Red,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// how safe
    pub colour: Colour,
    /// why, in words
    pub reason: String,
    /// what is wanted
    pub policy: Policy,
    /// what exists, as far as we know
    pub known: Held,
    /// every copy, best first
    pub copies: Vec<Judged>,
    /// when this may change though nothing happens, Unix ms
    pub until_ms: Option<u64>,
}

impl Health {
    /// Copies that count in full.
    pub fn complete(&self) -> usize {
        self.count(State::Complete)
    }

    fn count(&self, state: State) -> usize {
        let copies = self.copies.iter();
        copies.filter(|judged| judged.state == state).count()
    }
}

/// Judges `copies` of what is `known`, at `now` (Unix ms).
pub fn judge(copies: Vec<Holder>, known: Held, policy: Policy, now: u64) -> Health {
    let judged = |copy: Holder| Judged {
        state: state(&copy, known, &policy, now),
        behind: behind(&copy, known),
        copy,
    };
    let mut copies: Vec<_> = copies.into_iter().map(judged).collect();
    copies.sort_by_key(|one| {
        let newest_first = std::cmp::Reverse(one.copy.synced_ms);
        (one.state as u8, newest_first, one.copy.device)
    });
    let until_ms = copies
        .iter()
        .filter_map(|one| turning_point(&one.copy, &policy, now));
    let mut health = Health {
        colour: Colour::Red,
        reason: String::new(),
        policy,
        known,
        until_ms: until_ms.min(),
        copies,
    };
    health.colour = colour(&health);
    health.reason = words::reason(&health, now);
    health
}

fn behind(copy: &Holder, known: Held) -> Held {
    let held = match (copy.held, copy.complete) {
        (Some(held), _) => held,
        (None, true) => known, // an older program, which says no more than this
        (None, false) => Held::default(),
    };
    Held {
        blocks: known.blocks.saturating_sub(held.blocks),
        bytes: known.bytes.saturating_sub(held.bytes),
    }
}

fn state(copy: &Holder, known: Held, policy: &Policy, now: u64) -> State {
    let Some(synced) = copy.synced_ms else {
        return State::Partial;
    };
    let age = now.saturating_sub(synced);
    let has_all = copy.complete && behind(copy, known).blocks == 0;
    if age > policy.tolerance_ms {
        State::Stale
    } else if has_all || age <= RECENT {
        State::Complete
    } else {
        State::Behind
    }
}

/// When a copy's state may change by the passing of time alone.
fn turning_point(copy: &Holder, policy: &Policy, now: u64) -> Option<u64> {
    let synced = copy.synced_ms?;
    let points = [RECENT, policy.tolerance_ms].map(|age| synced.saturating_add(age));
    let later = points.into_iter().filter(|point| *point >= now).min()?;
    Some(later.saturating_add(1))
}

fn colour(health: &Health) -> Colour {
    let (complete, behind) = (health.complete(), health.count(State::Behind));
    if complete >= health.policy.threshold as usize {
        Colour::Green
    } else if complete + behind > 0 {
        Colour::Amber
    } else {
        Colour::Red
    }
}
