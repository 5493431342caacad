//! The machine against a slow plain model: any order of arrival, anything twice, crashes between deed and answer.

mod rules;

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
