//! The power is cut at every call that changes something on the disk, and what was not synced is torn by chance.

use super::world::{ADDRESS, Act, Dice, Foreign, Model, act, check_trees, open};
use crate::disk::memory::{Fault, MemoryDisk};

/// A load with everything in it: several feeds per commit, segments that fill up, checkpoints in between.
pub(super) fn script() -> Vec<Act> {
    let mut acts = vec![
        Act::Certificate(b"admin".to_vec()),
        Act::Append(vec![(1, vec![10, 0, 700])]),
    ];
    for round in 0..6u8 {
        let size = usize::from(round) * 50;
        acts.push(Act::Append(vec![
            (1, vec![900 + size]),
            (2, vec![3 + size, 600]),
        ]));
        acts.push(Act::Fetch(u64::from(round) * 3));
        acts.push(Act::Draft(
            [round % 4; 16],
            vec![round; if round == 4 { 0 } else { 200 }],
        ));
        if round % 3 == 1 {
            acts.push(Act::Checkpoint);
        }
        acts.push(Act::Append(vec![(2, vec![1500, 40])]));
    }
    acts.push(Act::Certificate(b"epoch".to_vec()));
    acts
}

/// The states that the script goes through: the first is the empty one.
pub(super) fn states(script: &[Act]) -> Vec<Model> {
    let mut model = Model::default();
    let mut states = vec![model.clone()];
    for act in script {
        model.act(act);
        states.push(model.clone());
    }
    states
}

/// Runs the script until it fails; returns how many acts were acknowledged. `ahead` acts are in flight at a time.
pub(super) fn run(disk: &MemoryDisk, script: &[Act], foreign: &Foreign, ahead: usize) -> usize {
    let Ok(store) = open(disk) else { return 0 };
    let Ok(set) = store.set(ADDRESS) else {
        return 0;
    };
    let mut acknowledged = 0;
    for acts in script.chunks(ahead) {
        let pending: Vec<_> = acts
            .iter()
            .map(|step| act(&store, &set, foreign, step))
            .collect();
        for pending in pending {
            match pending.and_then(|pending| pending.map_or(Ok(()), |pending| pending.wait())) {
                Ok(()) => acknowledged += 1,
                // A checkpoint acknowledges nothing; commits may still work.
                Err(_) => return acknowledged,
            }
        }
    }
    acknowledged
}

/// Opens what is left, compares it with the states it may be in, goes on writing, and opens it again.
fn check(disk: &MemoryDisk, states: &[Model], acknowledged: usize, foreign: &Foreign) {
    let store = open(disk).unwrap();
    let set = store.set(ADDRESS).unwrap();
    let found = Model::of(&set);
    assert!(
        states[acknowledged..].contains(&found),
        "acknowledged {acknowledged}, found {found:?}"
    );
    check_trees(&set);
    let mut expected = found;
    let more = [
        Act::Append(vec![(1, vec![5, 6]), (2, vec![2000])]),
        Act::Draft([8; 16], vec![8]),
    ];
    for step in &more {
        act(&store, &set, foreign, step)
            .unwrap()
            .unwrap()
            .wait()
            .unwrap();
        expected.act(step);
    }
    assert_eq!(Model::of(&set), expected);
    check_trees(&set);
    drop((set, store));
    let store = open(disk).unwrap();
    assert_eq!(Model::of(&store.set(ADDRESS).unwrap()), expected);
}

fn cut_everywhere(ahead: usize, odds: u64, seed: u64) {
    let (script, foreign) = (script(), Foreign::new());
    let states = states(&script);
    let disk = MemoryDisk::default();
    assert_eq!(run(&disk, &script, &foreign, ahead), script.len());
    for cut in 0..disk.calls() {
        let mut dice = Dice(seed + cut);
        let disk = MemoryDisk::default();
        disk.fail(Some(Fault::PowerCut(cut)));
        let acknowledged = run(&disk, &script, &foreign, ahead);
        let left = disk.after_crash(&mut || dice.roll(100) < odds);
        check(&left, &states, acknowledged, &foreign);
    }
}

#[test]
fn nothing_unsynced_survives() {
    cut_everywhere(1, 0, 1);
}

#[test]
fn half_of_what_is_unsynced_survives() {
    cut_everywhere(1, 50, 1000);
}

#[test]
fn almost_all_of_what_is_unsynced_survives() {
    cut_everywhere(1, 95, 2000);
}

#[test]
fn several_commits_are_in_flight() {
    cut_everywhere(5, 70, 3000);
}

#[test]
fn a_crash_while_recovering_from_a_crash() {
    let (script, foreign) = (script(), Foreign::new());
    let states = states(&script);
    for seed in 1..40 {
        let mut dice = Dice(seed * 7919);
        let disk = MemoryDisk::default();
        disk.fail(Some(Fault::PowerCut(60 + dice.roll(100))));
        let acknowledged = run(&disk, &script, &foreign, 1);
        let left = disk.after_crash(&mut || dice.roll(2) == 0);
        left.fail(Some(Fault::PowerCut(dice.roll(12))));
        if let Ok(store) = open(&left) {
            let _ = store.set(ADDRESS);
        }
        let left = left.after_crash(&mut || dice.roll(2) == 0);
        check(&left, &states, acknowledged, &foreign);
    }
}

/// A program is killed with a commit written and not synced; the next one shows it, and peers hear of it. Were it lost to
/// a power cut then, the next commit would put other blocks under the numbers that they were told.
#[test]
fn what_a_start_after_a_kill_has_shown_survives_a_power_cut() {
    let (script, foreign) = (script(), Foreign::new());
    let disk = MemoryDisk::default();
    assert_eq!(run(&disk, &script, &foreign, 1), script.len());
    for killed in 0..disk.calls() {
        let disk = MemoryDisk::default();
        disk.fail(Some(Fault::PowerCut(killed)));
        run(&disk, &script, &foreign, 1);
        disk.fail(None); // the machine itself goes on
        let store = open(&disk).unwrap();
        let shown = Model::of(&store.set(ADDRESS).unwrap());
        let left = disk.after_crash(&mut || false);
        let store = open(&left).unwrap();
        assert_eq!(
            Model::of(&store.set(ADDRESS).unwrap()),
            shown,
            "killed at {killed}"
        );
    }
}

#[test]
fn a_removal_is_done_or_not_begun() {
    let (script, foreign) = (script(), Foreign::new());
    let whole = states(&script).pop().unwrap();
    let written = MemoryDisk::default();
    run(&written, &script, &foreign, 1);
    for cut in 0.. {
        let disk = written.copy();
        let store = open(&disk).unwrap();
        let set = store.set(ADDRESS).unwrap();
        disk.fail(Some(Fault::PowerCut(disk.calls() + cut)));
        let removed = store.remove(ADDRESS).is_ok();
        drop(set);
        let mut dice = Dice(cut + 1);
        let left = disk.after_crash(&mut || dice.roll(2) == 0);
        let store = open(&left).unwrap();
        let set = store.set(ADDRESS).unwrap();
        let found = Model::of(&set);
        assert!(found == Model::default() || (!removed && found == whole));
        let step = Act::Append(vec![(1, vec![44])]);
        act(&store, &set, &foreign, &step)
            .unwrap()
            .unwrap()
            .wait()
            .unwrap();
        check_trees(&set);
        if removed {
            assert!(cut > 5);
            break;
        }
    }
}
