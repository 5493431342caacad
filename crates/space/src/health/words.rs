//! A verdict in words for people.

use std::fmt::Write;

use cobox_keys::identity::PublicKey;

use super::{Colour, DAY, HOUR, Health, Judged, MINUTE, SECOND, State};

/// Why a space is as it is.
pub(super) fn reason(health: &Health, now: u64) -> String {
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
