//! What the machine promises, one by one: who may, who wins, what is too late.

use super::*;

fn fate_of(sim: &Sim, of: &Given) -> Fate {
    let picture = sim.picture();
    let found = picture.fates.iter().find(|(given, _)| given.id == of.id);
    found.expect("it was heard").1.clone()
}

fn outcome_of(sim: &Sim, of: &Given) -> Outcome {
    match fate_of(sim, of) {
        Fate::Answered { outcome, .. } => outcome,
        fate => panic!("not answered: {fate:?}"),
    }
}

#[test]
fn of_two_admins_who_decide_differently_the_later_wins_whoever_is_heard_first() {
    let add = given(
        0,
        1,
        Deed::AddAdmin {
            public_key: person(1),
        },
    );
    let (one, other) = (
        given(0, 5, replicate(7, "photos")),
        given(
            1,
            6,
            Deed::Unreplicate {
                address: address(7),
            },
        ),
    );
    for order in [[&one, &other], [&other, &one]] {
        let mut sim = Sim::claimed_by(0);
        sim.heard.push(add.clone());
        for command in order {
            sim.heard.push(command.clone());
            sim.step(None);
        }
        assert!(sim.world.replicas.is_empty());
        assert_eq!(outcome_of(&sim, &other), Outcome::Done);
        let expected = match order[0].id == one.id {
            true => Outcome::Done, // it was so, until the other came
            false => Outcome::Superseded,
        };
        assert_eq!(outcome_of(&sim, &one), expected);
    }
}

#[test]
fn a_command_of_a_stranger_does_nothing_and_is_not_answered_even_when_they_become_an_admin_later() {
    let mut sim = Sim::claimed_by(0);
    let forged = given(1, 5, replicate(7, "mine"));
    sim.heard.push(forged.clone());
    sim.step(None);
    assert_eq!(fate_of(&sim, &forged), Fate::Stranger);
    let add = given(
        0,
        6,
        Deed::AddAdmin {
            public_key: person(1),
        },
    );
    sim.heard.push(add);
    sim.step(None);
    sim.step(None);
    assert_eq!(fate_of(&sim, &forged), Fate::Stranger, "it was before");
    assert!(sim.world.replicas.is_empty());
    let rightful = given(1, 7, replicate(7, "mine"));
    sim.heard.push(rightful.clone());
    sim.step(None);
    assert_eq!(outcome_of(&sim, &rightful), Outcome::Done);
}

#[test]
fn a_clock_set_back_helps_nobody_who_was_removed() {
    let mut sim = Sim::claimed_by(0);
    sim.heard.push(given(
        0,
        1,
        Deed::AddAdmin {
            public_key: person(1),
        },
    ));
    sim.heard.push(given(
        0,
        9,
        Deed::RemoveAdmin {
            public_key: person(1),
        },
    ));
    sim.step(None);
    let backdated = given(
        1,
        2,
        Deed::RemoveAdmin {
            public_key: person(0),
        },
    );
    sim.heard.push(backdated.clone());
    sim.step(None);
    assert_eq!(outcome_of(&sim, &backdated), Outcome::Refused);
    assert_eq!(sim.picture().admins.len(), 1);
}

#[test]
fn of_two_who_remove_each_other_one_stays_and_the_last_admin_cannot_go() {
    let add = given(
        0,
        1,
        Deed::AddAdmin {
            public_key: person(1),
        },
    );
    let (one, other) = (
        given(
            0,
            5,
            Deed::RemoveAdmin {
                public_key: person(1),
            },
        ),
        given(
            1,
            6,
            Deed::RemoveAdmin {
                public_key: person(0),
            },
        ),
    );
    // Heard at once: the earlier.
    let mut sim = Sim::claimed_by(0);
    sim.heard = vec![other.clone(), add.clone(), one.clone()];
    sim.step(None);
    assert_eq!(
        sim.picture().admins.keys().collect::<Vec<_>>(),
        [&person(0)]
    );
    // Heard one after the other: the first.
    let mut sim = Sim::claimed_by(0);
    sim.heard = vec![other.clone(), add];
    sim.step(None);
    sim.heard.push(one.clone());
    sim.step(None);
    assert_eq!(
        sim.picture().admins.keys().collect::<Vec<_>>(),
        [&person(1)]
    );
    assert_eq!(outcome_of(&sim, &one), Outcome::Refused);
    let last = given(
        1,
        8,
        Deed::RemoveAdmin {
            public_key: person(1),
        },
    );
    sim.heard.push(last.clone());
    sim.step(None);
    assert_eq!(outcome_of(&sim, &last), Outcome::Refused);
}

#[test]
fn an_answer_of_the_device_cannot_be_turned_on_another_command() {
    let mut sim = Sim::claimed_by(0);
    let asked = given(0, 5, Deed::Status);
    sim.heard.push(asked.clone());
    sim.step(None);
    // The same token, earlier, meaning something else: another id, so no answer.
    let mut other = given(
        0,
        4,
        Deed::AddAdmin {
            public_key: person(3),
        },
    );
    other.command.token = asked.command.token;
    sim.heard.push(other.clone());
    assert_ne!(other.id, asked.id);
    assert!(matches!(fate_of(&sim, &other), Fate::Waiting(_)));
}

#[test]
fn an_announcement_is_for_one_person_ends_with_hide_and_never_comes_late() {
    let minute = 60_000;
    let announce = |time| given(0, time, Deed::Announce { minutes: 1 });
    let open = |book: &Book, now| judge(book, now).opening;
    let claimed = Sim::claimed_by(0).ruled;
    let command = announce(1_000);
    let done = |until| Ruled {
        time_ms: 2_000,
        answer: Answer::Command {
            id: command.id,
            outcome: Outcome::Done,
            words: String::new(),
            until_ms: Some(until),
        },
    };
    let answered = [claimed.clone(), vec![done(62_000)]].concat();
    let book = Book::new([command.clone()], answered.clone());
    let until_ms = Some(62_000);
    assert_eq!(
        open(&book, 3_000),
        Some(Opening {
            id: command.id,
            until_ms
        })
    );
    let hidden = Book::new(
        [command.clone(), given(0, 1_500, Deed::Hide)],
        answered.clone(),
    );
    assert_eq!(open(&hidden, 3_000), None);
    let admitted = Ruled {
        time_ms: 2_500,
        answer: Answer::Admitted {
            public_key: person(2),
            how: How::Announced { id: command.id },
        },
    };
    let used = Book::new([command.clone()], [answered, vec![admitted]].concat());
    assert_eq!(open(&used, 3_000), None);
    assert_eq!(judge(&used, 3_000).admins[&person(2)], Admission::Announced);
    let late = judge(&Book::new([command], claimed), 1_000 + minute + 1);
    assert!(matches!(late.fates[0].1, Fate::Waiting(Verdict::Refuse(_))));
}

#[test]
fn a_copy_is_dropped_once_the_device_has_said_so_and_stays_so_of_what_was_before() {
    let mut sim = Sim::claimed_by(0);
    sim.heard.push(given(0, 5, replicate(7, "photos")));
    sim.step(None);
    let address = address(7);
    sim.heard.push(given(0, 6, Deed::Unreplicate { address }));
    assert!(sim.picture().dropped.is_empty(), "it was only told to");
    sim.step(None);
    let said = sim.ruled.last().expect("an answer").time_ms;
    let dropped = BTreeMap::from([(address, said)]);
    assert_eq!(sim.picture().dropped, dropped);
    sim.heard.push(given(0, 8, replicate(7, "again")));
    sim.step(None);
    assert_eq!(sim.picture().dropped, dropped);
    assert!(sim.picture().wanted.contains_key(&address));
}
