//! Verdicts and their words, against a table.

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
    let reason = |copies, threshold| judge(copies, KNOWN, policy(threshold, 7 * DAY), NOW).reason;
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
