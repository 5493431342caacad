//! How safe a space is: which copies count, and whether they are as many and as new as wanted.
//!
//! Pure: what devices have signed comes in, a colour and its reason in words come out; the same on every
//! peer that knows the same. Not its job: asking the network or the log.

use std::fmt::Write;

use cobox_keys::identity::PublicKey;
use cobox_swarm::swarm::Held;

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
    health.reason = reason(&health, now);
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

fn reason(health: &Health, now: u64) -> String {
    let tolerance = duration(health.policy.tolerance_ms);
    if health.policy.threshold == 0 {
        return "no copies on replicators are wanted".into();
    }
    if health.copies.is_empty() {
        return "no replicator keeps a copy: what is only on members' machines is lost with them"
            .into();
    }
    if health.colour == Colour::Red {
        let newest = health
            .copies
            .iter()
            .filter_map(|one| one.copy.synced_ms)
            .max();
        return match newest {
            Some(at) => format!(
                "no copy was in sync within the last {tolerance}; the newest proof is {} old",
                duration(now.saturating_sub(at))
            ),
            None => "no copy has been complete yet".into(),
        };
    }
    let mut reason = format!(
        "{} of {} wanted copies {} complete and was proven within the last {tolerance}",
        health.complete(),
        health.policy.threshold,
        if health.complete() == 1 { "is" } else { "are" },
    );
    if health.complete() != 1 {
        reason = reason.replace("and was proven", "and were proven");
    }
    for one in health
        .copies
        .iter()
        .filter(|one| one.state != State::Complete)
    {
        let _ = write!(reason, "; {} {}", short(&one.copy.device), words(one, now));
    }
    reason
}

/// How one copy is, in words.
pub fn words(judged: &Judged, now: u64) -> String {
    let Judged {
        copy,
        state,
        behind,
    } = judged;
    let ago = copy.synced_ms.map(|at| duration(now.saturating_sub(at)));
    let ago = ago.unwrap_or_default();
    match state {
        State::Complete if behind.blocks == 0 => "is complete".into(),
        State::Complete => format!("was complete {ago} ago and is catching up"),
        State::Behind => format!(
            "is behind by {} blocks ({} bytes); in sync {ago} ago",
            behind.blocks, behind.bytes
        ),
        State::Stale => format!("was last in sync {ago} ago"),
        State::Partial => format!(
            "has not been complete yet: {} blocks ({} bytes) to come",
            behind.blocks, behind.bytes
        ),
    }
}

fn short(device: &PublicKey) -> String {
    device.to_string()[..8].to_owned()
}

/// A length of time for people, in its largest whole unit: `3 days`.
pub fn duration(ms: u64) -> String {
    let units = [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")];
    let unit = units.into_iter().find(|(length, _)| ms >= *length);
    let (length, name) = unit.unwrap_or((SECOND, "second"));
    match ms / length {
        1 => format!("1 {name}"),
        count => format!("{count} {name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Colour::{Amber, Green, Red};
    use State::{Behind, Complete, Partial, Stale};

    const NOW: u64 = 1_800_000_000_000;
    const KNOWN: Held = Held {
        blocks: 100,
        bytes: 5000,
    };

    /// A copy that said at `age` before now that it is complete, and held so many blocks.
    fn copy(device: u8, age: u64, blocks: u64) -> Holder {
        Holder {
            device: PublicKey([device; 32]),
            held: Some(Held {
                blocks,
                bytes: blocks * 50,
            }),
            complete: true,
            told_ms: Some(NOW - age),
            synced_ms: Some(NOW - age),
            free: 0,
            reachable: false,
            proven_ms: None,
        }
    }

    fn partial(device: u8, blocks: u64) -> Holder {
        Holder {
            complete: false,
            synced_ms: None,
            ..copy(device, 0, blocks)
        }
    }

    fn policy(threshold: u32, tolerance_ms: u64) -> Policy {
        Policy {
            threshold,
            tolerance_ms,
        }
    }

    /// What it is about, copies, threshold, tolerance; then colour and states.
    type Row = (
        &'static str,
        Vec<Holder>,
        u32,
        u64,
        Colour,
        &'static [State],
    );

    #[test]
    fn the_table_of_verdicts() {
        let week = 7 * DAY;
        let table: &[Row] = &[
            ("nobody", vec![], 1, week, Red, &[]),
            ("nobody wanted", vec![], 0, week, Green, &[]),
            (
                "one fresh",
                vec![copy(1, HOUR, 100)],
                1,
                week,
                Green,
                &[Complete],
            ),
            (
                "one of two",
                vec![copy(1, HOUR, 100)],
                2,
                week,
                Amber,
                &[Complete],
            ),
            (
                "two of two",
                vec![copy(1, HOUR, 100), copy(2, DAY, 100)],
                2,
                week,
                Green,
                &[Complete, Complete],
            ),
            ("behind", vec![copy(1, HOUR, 90)], 1, week, Amber, &[Behind]),
            (
                "behind for a moment",
                vec![copy(1, MINUTE, 90)],
                1,
                week,
                Green,
                &[Complete],
            ),
            (
                "ahead of us",
                vec![copy(1, HOUR, 120)],
                1,
                week,
                Green,
                &[Complete],
            ),
            (
                "one fresh, one behind",
                vec![copy(1, HOUR, 90), copy(2, HOUR, 100)],
                1,
                week,
                Green,
                &[Complete, Behind],
            ),
            (
                "at the limit",
                vec![copy(1, week, 100)],
                1,
                week,
                Green,
                &[Complete],
            ),
            (
                "past it",
                vec![copy(1, week + 1, 100)],
                1,
                week,
                Red,
                &[Stale],
            ),
            (
                "past it, though recent",
                vec![copy(1, 2 * SECOND, 100)],
                1,
                SECOND,
                Red,
                &[Stale],
            ),
            (
                "stale and behind",
                vec![copy(1, 8 * DAY, 10), copy(2, DAY, 99)],
                1,
                week,
                Amber,
                &[Behind, Stale],
            ),
            (
                "never whole",
                vec![partial(1, 40)],
                1,
                week,
                Red,
                &[Partial],
            ),
            (
                "never whole beside one that is",
                vec![partial(1, 40), copy(2, DAY, 100)],
                2,
                week,
                Amber,
                &[Complete, Partial],
            ),
        ];
        for (what, copies, threshold, tolerance, colour, states) in table {
            let health = judge(copies.clone(), KNOWN, policy(*threshold, *tolerance), NOW);
            assert_eq!(health.colour, *colour, "{what}: {}", health.reason);
            let judged: Vec<_> = health.copies.iter().map(|one| one.state).collect();
            assert_eq!(judged, *states, "{what}");
            assert!(health.reason.len() > 20, "{what}");
        }
    }

    #[test]
    fn reasons_are_said_in_words() {
        let reason =
            |copies, threshold| judge(copies, KNOWN, policy(threshold, 7 * DAY), NOW).reason;
        assert_eq!(
            reason(vec![copy(0xab, 3 * HOUR, 90), copy(1, HOUR, 100)], 2),
            "1 of 2 wanted copies is complete and was proven within the last 7 days; \
             abababab is behind by 10 blocks (500 bytes); in sync 3 hours ago"
        );
        assert_eq!(
            reason(vec![copy(1, 9 * DAY, 100)], 1),
            "no copy was in sync within the last 7 days; the newest proof is 9 days old"
        );
        assert_eq!(
            reason(vec![partial(1, 5)], 1),
            "no copy has been complete yet"
        );
        assert_eq!(
            reason(vec![copy(1, HOUR, 100), copy(2, HOUR, 100)], 2),
            "2 of 2 wanted copies are complete and were proven within the last 7 days"
        );
    }

    #[test]
    fn a_receipt_of_an_older_program_is_taken_at_its_word() {
        let old = Holder {
            held: None,
            ..copy(1, HOUR, 0)
        };
        let health = judge(vec![old], KNOWN, Policy::default(), NOW);
        assert_eq!((health.colour, health.copies[0].behind.blocks), (Green, 0));
    }

    #[test]
    fn a_verdict_holds_until_it_says_it_may_change() {
        for age in [0, 5 * MINUTE, HOUR, 3 * DAY, 7 * DAY] {
            let at = |now| judge(vec![copy(1, age, 90)], KNOWN, Policy::default(), now);
            let health = at(NOW);
            let until = health.until_ms.expect("a copy gets older");
            assert_eq!(at(until - 1).colour, health.colour, "{age}");
            assert_ne!(at(until).colour, health.colour, "{age}");
        }
        let stale = judge(vec![copy(1, 8 * DAY, 100)], KNOWN, Policy::default(), NOW);
        assert_eq!(stale.until_ms, None);
    }

    #[test]
    fn proofs_are_renewed_in_time_and_not_too_often() {
        assert_eq!(Policy::default().renewal_ms(), DAY);
        assert_eq!(policy(1, 4 * HOUR).renewal_ms(), HOUR);
        assert_eq!(policy(1, 1).renewal_ms(), 5 * MINUTE);
    }
}
