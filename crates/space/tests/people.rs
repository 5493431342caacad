//! People: what they say, to whom, what they note, who is here, who leaves, and how safe their space is.

mod common;

use cobox_keys::identity::PublicKey;
use cobox_space::health::{Colour, Policy};
use cobox_space::log::Filter;
use cobox_space::log::types::{FileAnnotation, LastSync, Real, Value};
use cobox_space::members::Standing;
use cobox_space::shelf::{Shelf, ShelfEvent, SpaceError};
use cobox_space::space::Space;
use common::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;

type Home = (Shelf, Arc<Space>);

/// People in one space that the first of them created, each knowing all.
fn together<const N: usize>(world: &World, names: [&str; N]) -> [Home; N] {
    let shelves = names.map(|name| world.start(name));
    let garden = shelves[0].create("Garden").unwrap();
    let homes = shelves.map(|shelf| {
        if garden.people().unwrap()[0].public_key == shelf.public_key() {
            return (shelf, Arc::clone(&garden));
        }
        let code = garden.invite(&shelf.public_key()).unwrap();
        let joined = shelf.join(&code, None).unwrap();
        (shelf, joined)
    });
    eventually("all know all", || {
        homes
            .iter()
            .all(|(_, space)| space.members().unwrap().len() == N)
    });
    // Who goes away now has said nothing that is still on its way.
    eventually("and have all of each other", || {
        let all = |(_, here): &Home| {
            homes
                .iter()
                .all(|(_, there)| holds_all(here.set(), there.set()))
        };
        homes.iter().all(all)
    });
    homes
}

/// Waits for an event that `is_it` makes something of.
fn event<T>(
    what: &str,
    events: &mut Receiver<ShelfEvent>,
    is_it: impl Fn(&ShelfEvent) -> Option<T>,
) -> T {
    let mut found = None;
    eventually(what, || {
        while found.is_none()
            && let Ok(event) = events.try_recv()
        {
            found = is_it(&event);
        }
        found.is_some()
    });
    found.unwrap()
}

fn texts(space: &Space) -> Vec<(String, String)> {
    let said = space.said(Filter::default()).unwrap();
    said.into_iter()
        .map(|said| (said.name, said.text.text))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    expected.iter().map(pair).collect()
}

fn stop<const N: usize>(world: &World, homes: [Home; N]) {
    for (shelf, space) in homes {
        drop(space);
        world.stop(shelf);
    }
}

#[test]
fn what_is_said_to_all_is_in_one_order_everywhere_and_what_is_said_to_one_stays_between_two() {
    let world = World::new();
    let [alice, bob, eve] = together(&world, ["Alice", "Bob", "Eve"]);
    let mut bobs = bob.0.subscribe();
    alice.1.say("who has the tent?", None).unwrap();
    let heard = event("Bob hears it live", &mut bobs, |event| match event {
        ShelfEvent::Said { said, .. } => Some(said.clone()),
        _ => None,
    });
    assert_eq!((heard.name.as_str(), heard.private), ("Alice", false));
    assert_eq!(heard.text.text, "who has the tent?");
    let to_alice = bob.1.find_member("Alice").unwrap();
    let sent = bob
        .1
        .say("I do. A surprise for Eve!", Some(to_alice))
        .unwrap();
    assert_eq!(sent.to_name.as_deref(), Some("Alice"));
    eve.1.say("not I", None).unwrap();
    for space in [&alice.1, &bob.1] {
        eventually("both have three", || texts(space).len() == 3);
    }
    assert_eq!(texts(&alice.1), texts(&bob.1));
    eventually("Eve has two", || texts(&eve.1).len() == 2);
    assert_eq!(
        texts(&eve.1),
        pairs(&[("Alice", "who has the tent?"), ("Eve", "not I")])
    );
    // The last of them is there; the private one was before it in Bob's feed and cannot come any more.
    bob.1.say("bye", None).unwrap();
    eventually("Eve hears Bob", || texts(&eve.1).len() == 3);
    let newest = Filter {
        limit: 2,
        ..Filter::default()
    };
    assert_eq!(alice.1.said(newest).unwrap().len(), 2);
    stop(&world, [alice, bob, eve]);
}

#[test]
fn words_that_cannot_be_sent_are_refused_before_anything_is_written() {
    let world = World::new();
    let [alice] = together(&world, ["Alice"]);
    let said = |text: &str| alice.1.say(text, None).err();
    assert!(matches!(said("  \n"), Some(SpaceError::EmptyText)));
    let long = "x".repeat(30_001);
    assert!(matches!(
        said(&long),
        Some(SpaceError::TextTooLong(30_001, 30_000))
    ));
    assert!(matches!(
        alice.1.find_member("Bob").err(),
        Some(SpaceError::NoSuchMember(_))
    ));
    assert_eq!(texts(&alice.1), pairs(&[]));
    let me = alice.0.public_key();
    alice.1.say(&long[1..], Some(me)).unwrap();
    alice.1.say(&long[1..], Some(PublicKey([9; 32]))).err();
    assert_eq!(texts(&alice.1)[0].1.len(), 30_000);
    stop(&world, [alice]);
}

#[test]
fn messages_said_apart_are_in_the_same_order_for_both() {
    let world = World::new();
    let [alice, bob] = together(&world, ["Alice", "Bob"]);
    world.network.plug(&bob.0.device(), false);
    for round in 0..5 {
        alice.1.say(&format!("a{round}"), None).unwrap();
        bob.1.say(&format!("b{round}"), None).unwrap();
    }
    world.network.plug(&bob.0.device(), true);
    bob.0.swarm().introduce(bob.1.address(), alice.0.hint());
    for (_, space) in [&alice, &bob] {
        eventually("all ten are here", || texts(space).len() == 10);
    }
    assert_eq!(texts(&alice.1), texts(&bob.1));
    stop(&world, [alice, bob]);
}

fn values(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
    let owned = |(key, value): &(&str, Value)| ((*key).to_owned(), value.clone());
    pairs.iter().map(owned).collect()
}

fn notes(space: &Space, at: &str) -> Vec<(String, Value, String)> {
    let notes = space.annotations(&path(at)).unwrap_or_default();
    notes
        .into_iter()
        .map(|note| (note.key, note.value, note.name))
        .collect()
}

#[test]
fn annotations_stay_with_a_file_and_the_newest_of_each_author_counts() {
    let world = World::new();
    let [alice, bob] = together(&world, ["Alice", "Bob"]);
    write(&alice.1, "/may.jpg", b"a photo");
    eventually("Bob has the photo", || text(&bob.1, "/may.jpg").is_some());
    let mut bobs = bob.0.subscribe();
    let stars = |count| values(&[("stars", Value::Whole(count))]);
    let at = path("/may.jpg");
    alice.1.annotate(&at, stars(3)).unwrap();
    let noted = event("Bob hears it live", &mut bobs, |event| match event {
        ShelfEvent::Noted { noted, .. } => Some(noted.clone()),
        _ => None,
    });
    assert_eq!(
        (noted.name.as_str(), noted.path),
        ("Alice", Some(at.clone()))
    );
    assert_eq!(noted.annotation.values, stars(3));
    let half = Value::Real(Real::new(4.5).unwrap());
    bob.1
        .annotate(&at, values(&[("stars", half.clone())]))
        .unwrap();
    alice.1.annotate(&at, stars(5)).unwrap();
    alice
        .1
        .annotate(&at, values(&[("tmp", Value::Bool(true))]))
        .unwrap();
    alice
        .1
        .annotate(&at, values(&[("tmp", Value::Null)]))
        .unwrap();
    bob.1.drive().rename(&at, &path("/june.jpg")).unwrap();
    let mut expected = vec![
        ("stars".to_owned(), Value::Whole(5), "Alice".to_owned()),
        ("stars".to_owned(), half, "Bob".to_owned()),
    ];
    if bob.0.public_key() < alice.0.public_key() {
        expected.reverse();
    }
    for (_, space) in [&alice, &bob] {
        eventually("both see both under the new name", || {
            notes(space, "/june.jpg") == expected
        });
    }
    assert!(
        alice.1.annotations(&at).is_err(),
        "nothing is there any more"
    );
    write(&alice.1, "/may.jpg", b"another");
    assert_eq!(notes(&alice.1, "/may.jpg"), [], "another file has its own");
    stop(&world, [alice, bob]);
}

#[test]
fn annotations_that_cannot_be_are_refused() {
    let world = World::new();
    let [alice] = together(&world, ["Alice"]);
    let deep = (0..7).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let root = path("/");
    for bad in [
        values(&[]),
        values(&[("", Value::Null)]),
        values(&[("deep", deep)]),
    ] {
        let refused = alice.1.annotate(&root, bad).err();
        assert!(
            matches!(refused, Some(SpaceError::BadNote(_))),
            "{refused:?}"
        );
    }
    let long = values(&[("long", Value::Text("x".repeat(40_000)))]);
    let refused = alice.1.annotate(&root, long).err();
    assert!(matches!(refused, Some(SpaceError::MessageTooLong(..))));
    let told = Filter::of::<FileAnnotation>();
    assert_eq!(alice.1.log().read(&told).unwrap(), []);
    stop(&world, [alice]);
}

#[test]
fn members_are_seen_coming_going_and_leaving() {
    let world = World::new();
    let [alice, bob] = together(&world, ["Alice", "Bob"]);
    let mut events = alice.0.subscribe();
    let key = bob.0.public_key();
    let bob_seen = |space: &Space| {
        let mut people = space.people().unwrap().into_iter();
        people.find(|person| person.public_key == key).unwrap()
    };
    eventually("Bob is here", || bob_seen(&alice.1).online);
    let presence = |wanted: bool| {
        move |event: &ShelfEvent| match event {
            ShelfEvent::Presence { member, .. } if member.public_key == key => {
                (member.online == wanted).then_some(())
            }
            _ => None,
        }
    };
    world.network.plug(&bob.0.device(), false);
    event("Bob goes", &mut events, presence(false));
    let gone = bob_seen(&alice.1);
    assert!(!gone.online && gone.last_seen.is_some());
    assert_eq!(gone.invited_by, Some(alice.0.public_key()));
    assert_eq!(gone.devices[0].device, bob.0.device());
    world.network.plug(&bob.0.device(), true);
    bob.0.swarm().introduce(bob.1.address(), alice.0.hint());
    event("Bob comes", &mut events, presence(true));

    bob.1.say("so long", None).unwrap();
    let address = bob.1.address();
    drop(bob.1);
    bob.0.delete(&address).unwrap();
    let left = event("Bob leaves", &mut events, |event| match event {
        ShelfEvent::Left { member, .. } => Some(member.clone()),
        _ => None,
    });
    assert_eq!(left.name, "Bob");
    let left = bob_seen(&alice.1);
    assert!(matches!(left.standing, Standing::Left(_)), "{left:?}");
    let refused = alice.1.find_member("Bob").err();
    assert!(matches!(refused, Some(SpaceError::NoSuchMember(_))));
    eventually("what he said stays", || {
        texts(&alice.1) == pairs(&[("Bob", "so long")])
    });

    // Who was invited to read leaves no trace but the invite.
    let eve = world.start("Eve");
    let code = alice.1.invite_to_read(&eve.public_key()).unwrap();
    let joined = eve.join(&code, None).unwrap();
    assert!(!joined.writable());
    let people = alice.1.people().unwrap();
    let reader = people.last().unwrap();
    assert_eq!(reader.public_key, eve.public_key());
    assert_eq!(
        (reader.standing, reader.reads_only),
        (Standing::Invited, true)
    );
    assert!(matches!(
        joined.say("hi", None).err(),
        Some(SpaceError::ReadOnly)
    ));
    alice
        .1
        .say("for your eyes", Some(eve.public_key()))
        .unwrap();
    eventually("who only reads reads private messages too", || {
        texts(&joined).contains(&("Alice".to_owned(), "for your eyes".to_owned()))
    });
    drop((alice.1, joined));
    for shelf in [alice.0, bob.0, eve] {
        world.stop(shelf);
    }
}

#[test]
fn health_is_the_same_for_all_and_follows_what_is_wanted() {
    let world = World::new();
    let [alice, bob] = together(&world, ["Alice", "Bob"]);
    let colours = || [&alice.1, &bob.1].map(|space| space.health().unwrap().colour);
    assert_eq!(colours(), [Colour::Red; 2], "nobody keeps a copy");
    let mut events = bob.0.subscribe();
    let turned = |colour: Colour| {
        move |event: &ShelfEvent| match event {
            ShelfEvent::Health { health, .. } => (health.colour == colour).then_some(()),
            _ => None,
        }
    };
    write(&alice.1, "/a.bin", &noise(200_000));
    let hub = world.start("Hub");
    let replica = hub
        .replicate(alice.1.address(), None, &[alice.0.hint()])
        .unwrap();
    eventually("both are green", || colours() == [Colour::Green; 2]);
    event("and told so", &mut events, turned(Colour::Green));
    for (_, space) in [&alice, &bob] {
        eventually("one acknowledgement is in the log", || {
            space.log().read(&Filter::of::<LastSync>()).unwrap().len() == 1
        });
        let health = space.health().unwrap();
        assert_eq!(health.copies[0].behind.blocks, 0, "{health:?}");
        assert!(health.known.bytes > 200_000);
    }
    let mut policy = Policy {
        threshold: 2,
        ..Policy::default()
    };
    alice.1.set_policy(policy).unwrap();
    eventually("both are amber", || colours() == [Colour::Amber; 2]);
    event("and told so", &mut events, turned(Colour::Amber));
    policy.threshold = 1;
    policy.tolerance_ms = 1000;
    drop(replica);
    world.stop(hub);
    bob.1.set_policy(policy).unwrap();
    eventually("both are red", || colours() == [Colour::Red; 2]);
    event("and told so", &mut events, turned(Colour::Red));
    policy.tolerance_ms = 500;
    let refused = bob.1.set_policy(policy).err();
    assert!(matches!(refused, Some(SpaceError::BadPolicy(_))));
    stop(&world, [alice, bob]);
}

/// A member who never met the replicator knows of its copy from the log alone, and a lie there is not believed.
#[test]
fn receipts_are_passed_on_and_believed_only_as_signed() {
    let world = World::new();
    let [alice, bob] = together(&world, ["Alice", "Bob"]);
    world.network.plug(&bob.0.device(), false);
    let hub = world.start("Hub");
    let replica = hub
        .replicate(alice.1.address(), None, &[alice.0.hint()])
        .unwrap();
    let acknowledged = |space: &Space| space.log().read(&Filter::of::<LastSync>()).unwrap();
    eventually("Alice passes it on", || {
        acknowledged(&alice.1).iter().any(|message| {
            message
                .read::<LastSync>()
                .is_some_and(|sync| sync.receipt.is_some())
        })
    });
    drop(replica);
    let device = hub.device();
    world.stop(hub);
    assert!(bob.1.health().unwrap().copies.is_empty());
    world.network.plug(&bob.0.device(), true);
    bob.0.swarm().introduce(bob.1.address(), alice.0.hint());
    eventually("Bob knows of it from the log", || {
        bob.1.health().unwrap().colour == Colour::Green
    });
    let proof = acknowledged(&alice.1)
        .iter()
        .find_map(|message| message.read::<LastSync>()?.receipt)
        .unwrap();
    let mut forged = proof.clone();
    forged[20] ^= 1;
    for (device, receipt) in [(device, forged), (PublicKey([3; 32]), proof)] {
        let lie = LastSync {
            device,
            time_ms: 5,
            receipt: Some(receipt),
        };
        alice.1.log().tell(&lie).unwrap();
    }
    eventually("Bob has the lies", || acknowledged(&bob.1).len() >= 3);
    let health = bob.1.health().unwrap();
    assert_eq!((health.copies.len(), health.colour), (1, Colour::Green));
    assert_eq!(health.copies[0].copy.device, device);
    stop(&world, [alice, bob]);
}
