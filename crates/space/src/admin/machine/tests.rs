//! The machine against a slow plain model: any order of arrival, anything twice, crashes between deed and answer.

use super::*;
use crate::admin::Token;
use crate::log::Content;
use proptest::prelude::*;

const DEVICE_NOW: u64 = 1_000;

fn person(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

fn address(n: u8) -> Address {
    Address([n; 32])
}

fn given(author: u8, time_ms: u64, deed: Deed) -> Given {
    let author = person(author);
    let token = Token([time_ms as u8; 16]);
    let command = Command { token, deed };
    Given {
        id: CommandId::of(&author, time_ms, &command.encode()),
        author,
        time_ms,
        command,
    }
}

fn replicate(address: u8, name: &str) -> Deed {
    Deed::Replicate {
        address: Address([address; 32]),
        name: Some(name.into()),
        quota: None,
        hints: Vec::new(),
    }
}

/// What a device has done: the world that commands are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct World {
    replicas: BTreeMap<Address, (Option<String>, Option<u64>)>,
    name: Option<String>,
    /// every beginning and end of a replica
    journal: Vec<(Address, bool)>,
}

impl World {
    fn make_so(&mut self, picture: &Picture) {
        for address in &picture.touched {
            let before = self.replicas.contains_key(address);
            match picture.wanted.get(address) {
                Some(wanted) => {
                    let terms = (wanted.name.clone(), wanted.quota);
                    self.replicas.insert(*address, terms);
                }
                None => drop(self.replicas.remove(address)),
            }
            let after = self.replicas.contains_key(address);
            if before != after {
                self.journal.push((*address, after));
            }
        }
        if picture.name.is_some() {
            self.name.clone_from(&picture.name);
        }
    }

    fn state(&self) -> (&Replicas, &Option<String>) {
        (&self.replicas, &self.name)
    }
}

/// Name and quota of each.
type Replicas = BTreeMap<Address, (Option<String>, Option<u64>)>;

/// A device that hears messages in some order and may be killed anywhere.
#[derive(Clone, Debug)]
struct Sim {
    heard: Vec<Given>,
    ruled: Vec<Ruled>,
    world: World,
}

impl Sim {
    fn claimed_by(claimer: u8) -> Self {
        let answer = Answer::Admitted {
            public_key: person(claimer),
            how: How::Claimed,
        };
        Self {
            heard: Vec::new(),
            ruled: vec![Ruled { time_ms: 0, answer }],
            world: World::default(),
        }
    }

    fn picture(&self) -> Picture {
        judge(
            &Book::new(self.heard.clone(), self.ruled.clone()),
            DEVICE_NOW,
        )
    }

    /// Works until all is answered, or until it is killed after so many answers.
    fn step(&mut self, killed_after: Option<usize>) {
        let picture = self.picture();
        self.world.make_so(&picture);
        for (count, (given, verdict)) in picture.to_do().enumerate() {
            if killed_after == Some(count) {
                return;
            }
            let outcome = match verdict {
                Verdict::Do => Outcome::Done,
                Verdict::Superseded => Outcome::Superseded,
                Verdict::Refuse(_) => Outcome::Refused,
            };
            let words = String::new();
            let answer = Answer::Command {
                id: given.id,
                outcome,
                words,
                until_ms: None,
            };
            let time_ms = DEVICE_NOW + self.ruled.len() as u64;
            self.ruled.push(Ruled { time_ms, answer });
        }
    }

    fn answers(&self) -> BTreeMap<CommandId, Vec<Outcome>> {
        let mut answers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ruled in &self.ruled {
            if let Answer::Command { id, outcome, .. } = &ruled.answer {
                answers.entry(*id).or_default().push(*outcome);
            }
        }
        answers
    }
}

/// The slow plain model for people who are only added: everything in its order, one after another.
fn model(commands: &[Given], claimer: u8) -> World {
    let mut in_order = commands.to_vec();
    in_order.sort_by_key(|given| (given.time_ms, given.author, given.id));
    let (mut admins, mut world) = (BTreeSet::from([person(claimer)]), World::default());
    for given in in_order {
        if !admins.contains(&given.author) {
            continue;
        }
        match given.command.deed {
            Deed::Replicate {
                address,
                name,
                quota,
                ..
            } => drop(world.replicas.insert(address, (name, quota))),
            Deed::Unreplicate { address } => drop(world.replicas.remove(&address)),
            Deed::Quota { address, quota } => {
                if let Some(replica) = world.replicas.get_mut(&address) {
                    replica.1 = quota;
                }
            }
            Deed::Rename { name } => world.name = Some(name),
            Deed::AddAdmin { public_key } => {
                admins.insert(public_key);
            }
            _ => {}
        }
    }
    world
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let quota = || proptest::option::of(1..9_u64);
    prop_oneof![
        4 => (0..3_u8, "[a-c]", quota()).prop_map(|(n, name, quota)| Deed::Replicate {
            address: address(n),
            name: Some(name),
            quota,
            hints: Vec::new(),
        }),
        4 => (0..3_u8).prop_map(|n| Deed::Unreplicate { address: address(n) }),
        2 => (0..3_u8, quota()).prop_map(|(n, quota)| Deed::Quota { address: address(n), quota }),
        1 => "[x-z]".prop_map(|name| Deed::Rename { name }),
        1 => Just(Deed::Status),
        1 => Just(Deed::Hide),
        3 => (0..4_u8).prop_map(|n| Deed::AddAdmin { public_key: person(n) }),
    ]
}

fn any_removal() -> impl Strategy<Value = Deed> {
    (0..4_u8).prop_map(|n| Deed::RemoveAdmin {
        public_key: person(n),
    })
}

fn any_given(deed: impl Strategy<Value = Deed>) -> impl Strategy<Value = Given> {
    (0..4_u8, 0..40_u64, deed).prop_map(|(author, time, deed)| given(author, time, deed))
}

/// What happens to the device, in order: a message comes, or it works and may be killed.
#[derive(Clone, Debug)]
enum Event {
    Hear(usize),
    Work(Option<usize>),
}

/// Every message at least once, some more often, in any order, with work and crashes in between.
fn any_story(count: usize) -> impl Strategy<Value = Vec<Event>> {
    let all = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
    let again = proptest::collection::vec(0..count.max(1), 0..6);
    let works = proptest::collection::vec((0..=count + 6, proptest::option::of(0..4_usize)), 0..12);
    (all, again, works).prop_map(move |(all, again, works)| {
        let again = again.into_iter().filter(|n| *n < count);
        let mut story: Vec<_> = all.into_iter().chain(again).map(Event::Hear).collect();
        for (at, killed) in works {
            story.insert(at.min(story.len()), Event::Work(killed));
        }
        story
    })
}

fn any_world(
    deed: impl Strategy<Value = Deed>,
) -> impl Strategy<Value = (Vec<Given>, Vec<Event>, Vec<Event>)> {
    proptest::collection::vec(any_given(deed), 0..20).prop_flat_map(|commands| {
        let count = commands.len();
        (Just(commands), any_story(count), any_story(count))
    })
}

fn play(commands: &[Given], story: &[Event], crashes: bool) -> Sim {
    let mut sim = Sim::claimed_by(0);
    for event in story {
        match event {
            Event::Hear(n) => sim.heard.push(commands[*n].clone()),
            Event::Work(killed) => {
                sim.step(killed.filter(|_| crashes));
                if !crashes {
                    continue;
                }
                // It is started again, and finishes what it had begun before it hears more.
                sim.step(None);
            }
        }
    }
    sim.step(None);
    sim.step(None);
    sim
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_outcome_is_the_same_in_whatever_order_messages_come((commands, one, other) in any_world(any_deed())) {
        let expected = model(&commands, 0);
        for story in [&one, &other] {
            let sim = play(&commands, story, true);
            prop_assert_eq!(sim.world.state(), expected.state());
        }
    }

    #[test]
    fn every_command_is_answered_once_and_done_once(
        (commands, story, _) in any_world(prop_oneof![6 => any_deed().boxed(), 1 => any_removal().boxed()])
    ) {
        let (calm, killed) = (play(&commands, &story, false), play(&commands, &story, true));
        prop_assert_eq!(&calm.world.journal, &killed.world.journal, "a crash repeats or loses no deed");
        prop_assert_eq!(calm.answers(), killed.answers());
        for sim in [calm, killed] {
            let picture = sim.picture();
            prop_assert_eq!(picture.to_do().count(), 0);
            for (given, outcomes) in sim.answers() {
                prop_assert_eq!(outcomes.len(), 1, "{:?}", given);
            }
            prop_assert!(!picture.admins.is_empty(), "somebody can always command it");
            // What is answered as done, in order, is how things are.
            let answers = sim.answers();
            let done = |given: &&Given| answers.get(&given.id) == Some(&vec![Outcome::Done]);
            let done: Vec<_> = commands.iter().filter(done).cloned().collect();
            let expected = plain(&done);
            prop_assert_eq!(sim.world.state(), expected.state());
        }
    }
}

/// Everything in its order, whoever said it.
fn plain(done: &[Given]) -> World {
    let admins = (0..4).map(|n| {
        given(
            0,
            0,
            Deed::AddAdmin {
                public_key: person(n),
            },
        )
    });
    let early: Vec<_> = admins.collect();
    let later = done.iter().cloned().map(|mut given| {
        given.time_ms += 1;
        given
    });
    model(&early.into_iter().chain(later).collect::<Vec<_>>(), 0)
}

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
