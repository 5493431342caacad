//! The story in small: people who are never online together, and a replicator that understands nothing.

mod common;

use cobox_drive::drive::{DriveError, Restore};
use cobox_keys::identity::PublicKey;
use cobox_keys::invite::{Grant, Invite};
use cobox_space::log::Filter;
use cobox_space::log::types::Certificates;
use cobox_space::shelf::{Shelf, ShelfEvent, SpaceError};
use cobox_space::space::Space;
use common::*;
use std::sync::Arc;

#[test]
fn a_friend_gets_everything_through_a_replicator_and_back() {
    let world = World::new();
    let (alice, hub) = (world.start("Alice"), world.start("Hub"));
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/notes.txt", b"sow in march");
    write(&garden, "/deep/er/photo.bin", &noise(300_000));
    let address = garden.address();
    let replica = hub
        .replicate(address, Some("for Alice"), &[alice.hint()])
        .unwrap();
    eventually("the hub has it all", || garden.last_sync().is_some());
    assert!(replica.size() > 300_000);
    let bob = world.start("Bob");
    let code = garden.invite(&bob.public_key()).unwrap();
    eventually("the hub knows of the invite", || {
        holds_all(replica.set(), garden.set())
    });
    let before = picture(&garden);
    drop(garden);
    world.stop(alice);

    let joined = bob.join(&code, None).unwrap();
    assert_eq!(joined.name(), "Garden");
    bob.swarm().introduce(address, hub.hint());
    eventually("Bob sees the files", || {
        joined.drive().totals().unwrap().0 == 2
    });
    assert_eq!(picture(&joined), before);
    eventually("Bob sees both people", || {
        joined.members().unwrap().len() == 2
    });
    let names: Vec<_> = joined
        .members()
        .unwrap()
        .into_iter()
        .map(|m| m.name)
        .collect();
    assert_eq!(names, ["Alice", "Bob"]);
    assert_eq!(joined.refusals(), Vec::<String>::new());
    write(&joined, "/notes.txt", b"sow in april");
    eventually("the hub has Bob's edit", || {
        holds_all(replica.set(), joined.set())
    });
    let after = picture(&joined);
    drop(joined);
    world.stop(bob);

    let alice = world.start("Alice");
    let garden = alice.space("Garden").unwrap();
    eventually("Alice sees Bob's edit", || {
        text(&garden, "/notes.txt").as_deref() == Some("sow in april")
    });
    assert_eq!(picture(&garden), after);
    let bob = garden
        .members()
        .unwrap()
        .into_iter()
        .find(|member| member.name == "Bob")
        .unwrap();
    assert_eq!(bob.invited_by, Some(alice.public_key()));
    assert!(!bob.online);
    drop((garden, replica));
    world.stop(alice);
    world.stop(hub);
}

/// Two friends connected directly, who have everything of each other.
fn friends(world: &World) -> [(Shelf, Arc<Space>); 2] {
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let hers = alice.create("Garden").unwrap();
    write(&hers, "/plan.txt", b"first");
    let code = hers.invite(&bob.public_key()).unwrap();
    let his = bob.join(&code, None).unwrap();
    eventually("Bob has the plan", || {
        text(&his, "/plan.txt").as_deref() == Some("first")
    });
    eventually("both know both", || {
        [&hers, &his]
            .iter()
            .all(|space| space.members().unwrap().len() == 2)
    });
    [(alice, hers), (bob, his)]
}

#[test]
fn edits_made_apart_conflict_and_everybody_sees_the_same_winner() {
    let world = World::new();
    let [(alice, hers), (bob, his)] = friends(&world);
    world.network.plug(&bob.device(), false);
    write(&hers, "/plan.txt", b"Alice's");
    write(&his, "/plan.txt", b"Bob's");
    world.network.plug(&bob.device(), true);
    bob.swarm().introduce(his.address(), alice.hint());
    eventually("both see the conflict", || {
        [&hers, &his]
            .iter()
            .all(|space| space.drive().conflicts().unwrap().len() == 1)
    });
    let (one, other) = (picture(&hers), picture(&his));
    assert_eq!(one, other);
    assert_eq!(one.len(), 2, "nothing is lost: {:?}", one.keys());
    let mut texts: Vec<_> = one.into_values().collect();
    texts.sort();
    assert_eq!(texts, [b"Alice's".to_vec(), b"Bob's".to_vec()]);
    drop((hers, his));
    world.stop(alice);
    world.stop(bob);
}

#[test]
fn history_brings_a_deleted_file_back_for_both() {
    let world = World::new();
    let [(alice, hers), (bob, his)] = friends(&world);
    his.drive().remove(&path("/plan.txt"), false).unwrap();
    eventually("it is gone for Alice", || {
        text(&hers, "/plan.txt").is_none()
    });
    let versions = hers.drive().history(&path("/plan.txt")).unwrap();
    let first = versions
        .iter()
        .find(|version| version.content.is_some())
        .unwrap();
    let restored = hers
        .drive()
        .restore(&path("/plan.txt"), Restore::Version(first.dot));
    assert_eq!(restored.unwrap(), 1);
    eventually("it is back for Bob", || {
        text(&his, "/plan.txt").as_deref() == Some("first")
    });
    drop((hers, his));
    world.stop(alice);
    world.stop(bob);
}

#[test]
fn a_new_name_and_a_new_file_are_told_to_the_other() {
    let world = World::new();
    let [(alice, hers), (bob, his)] = friends(&world);
    let mut events = bob.subscribe();
    hers.rename("Allotment").unwrap();
    alice.set_name("Alicia").unwrap();
    write(&hers, "/new.txt", b"x");
    eventually("Bob sees the new name", || his.name() == "Allotment");
    assert!(bob.space("Allotment").is_ok());
    eventually("Bob sees Alicia", || {
        his.members()
            .unwrap()
            .iter()
            .any(|member| member.name == "Alicia")
    });
    let address = his.address();
    let mut wanted = vec![
        ShelfEvent::Renamed {
            address,
            name: "Allotment".into(),
        },
        ShelfEvent::Member {
            address,
            public_key: alice.public_key(),
            name: "Alicia".into(),
        },
        ShelfEvent::Changed {
            address,
            path: "/new.txt".into(),
        },
    ];
    eventually("all was told", || {
        while let Ok(event) = events.try_recv() {
            wanted.retain(|expected| *expected != event);
        }
        wanted.is_empty()
    });
    drop((hers, his));
    world.stop(alice);
    world.stop(bob);
}

#[test]
fn two_spaces_renamed_to_one_name_elsewhere_are_told_apart_by_address() {
    let world = World::new();
    let [(alice, hers), (bob, his)] = friends(&world);
    let own = bob.create("Allotment").unwrap();
    hers.rename("Allotment").unwrap();
    eventually("Bob sees the new name", || his.name() == "Allotment");
    let ambiguous = bob.space("Allotment");
    assert!(matches!(ambiguous.err(), Some(SpaceError::Ambiguous(_))));
    assert!(bob.space(&own.address().to_string()).is_ok());
    drop((hers, his, own));
    world.stop(alice);
    world.stop(bob);
}

#[test]
fn a_private_message_is_read_by_its_two_people_only() {
    let world = World::new();
    let [(alice, hers), (bob, his)] = friends(&world);
    let eve = world.start("Eve");
    let hers_too = eve
        .join(&hers.invite(&eve.public_key()).unwrap(), None)
        .unwrap();
    hers.log()
        .append_private(&bob.public_key(), "message", b"\x65hello")
        .unwrap();
    hers.log().append("message", b"\x63all").unwrap();
    let messages = |space: &Space| {
        let filter = Filter {
            kind: Some("message".into()),
            ..Default::default()
        };
        space.log().read(&filter).unwrap()
    };
    eventually("Bob has both", || messages(&his).len() == 2);
    eventually("Eve has the open one", || messages(&hers_too).len() == 1);
    assert_eq!(messages(&hers).len(), 2);
    let private = &messages(&his)[0];
    assert!(private.private && private.author == alice.public_key());
    assert_eq!(&**private.content, b"\x65hello");
    drop((hers, his, hers_too));
    for shelf in [alice, bob, eve] {
        world.stop(shelf);
    }
}

/// The blind test in small: what a replicator stores tells nothing that people wrote.
#[test]
fn a_replicators_disk_shows_no_word_of_what_it_keeps() {
    let world = World::new();
    let (alice, hub) = (world.start("Alice Liddell"), world.start("Hub"));
    let garden = alice.create("Secret garden").unwrap();
    write(
        &garden,
        "/hidden folder/treasure map.txt",
        b"under the old oak tree",
    );
    garden
        .log()
        .append("message", b"\x6dmeet at eight")
        .unwrap();
    let replica = hub
        .replicate(garden.address(), None, &[alice.hint()])
        .unwrap();
    eventually("the hub has it all", || {
        holds_all(replica.set(), garden.set())
    });
    drop((garden, replica));
    world.stop(alice);
    world.stop(hub);
    let words: [&[u8]; 6] = [
        b"Alice Liddell",
        b"Secret garden",
        b"hidden folder",
        b"treasure map",
        b"under the old oak tree",
        b"meet at eight",
    ];
    let mut bytes = 0;
    for file in files_below(&world.home("Hub")) {
        let content = std::fs::read(&file).unwrap();
        bytes += content.len();
        for word in words {
            let found = content.windows(word.len()).any(|window| window == word);
            assert!(
                !found,
                "{:?} in {}",
                String::from_utf8_lossy(word),
                file.display()
            );
        }
    }
    assert!(bytes > 2000);
}

#[test]
fn unreplicating_frees_the_disk() {
    let world = World::new();
    let (alice, hub) = (world.start("Alice"), world.start("Hub"));
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/a.bin", &noise(200_000));
    let address = garden.address();
    let replica = hub.replicate(address, None, &[alice.hint()]).unwrap();
    eventually("the hub has it", || replica.size() > 200_000);
    drop(replica);
    hub.unreplicate(&address).unwrap();
    assert!(hub.replicas().is_empty());
    let store = world.home("Hub").join("store").join("spaces");
    assert!(files_below(&store).is_empty());
    drop(garden);
    world.stop(alice);
    world.stop(hub);
}

/// An invite names the newest state; a replicator that serves an older one is noticed.
#[test]
fn a_newcomer_is_told_when_a_replicator_serves_an_older_state() {
    let world = World::new();
    let (alice, hub) = (world.start("Alice"), world.start("Hub"));
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/old.txt", b"old");
    let address = garden.address();
    let replica = hub.replicate(address, None, &[alice.hint()]).unwrap();
    eventually("the hub has it", || garden.last_sync().is_some());
    drop(replica);
    world.network.plug(&alice.device(), false);
    write(&garden, "/new.txt", b"new");
    let bob = world.start("Bob");
    let code = garden.invite(&bob.public_key()).unwrap();
    let joined = bob.join(&code, None).unwrap();
    assert!(
        joined
            .refusals()
            .iter()
            .any(|reason| reason.contains("invite"))
    );
    bob.swarm().introduce(address, hub.hint());
    eventually("Bob sees the old state", || {
        text(&joined, "/old.txt").is_some()
    });
    eventually("and is told that it is old", || {
        joined
            .refusals()
            .iter()
            .any(|reason| reason.contains("older than the invite"))
    });
    world.network.plug(&alice.device(), true);
    bob.swarm().introduce(address, alice.hint());
    eventually("Bob sees the new state", || {
        text(&joined, "/new.txt").is_some()
    });
    eventually("and nothing is missing", || joined.refusals().is_empty());
    drop((garden, joined));
    for shelf in [alice, bob, hub] {
        world.stop(shelf);
    }
}

/// A disk put back from an image looks like the same place; only peers know that there was more.
#[test]
fn a_home_put_back_from_an_older_state_goes_on_with_new_feeds() {
    let world = World::new();
    let (alice, hub) = (world.start("Alice"), world.start("Hub"));
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/one.txt", b"1");
    let address = garden.address();
    drop(garden);
    world.stop(alice);
    copy_folder(&world.home("Alice"), &world.home("Image"));

    let alice = world.start("Alice");
    let garden = alice.space("Garden").unwrap();
    let replica = hub.replicate(address, None, &[alice.hint()]).unwrap();
    write(&garden, "/two.txt", b"2");
    let own = garden.drive().own_head().unwrap();
    eventually("the hub has it all", || {
        let kept = replica.set().feed(&own.0);
        kept.is_some_and(|kept| kept.length() == own.1 && kept.missing(0..own.1).is_empty())
    });
    eventually("in both directions", || garden.last_sync().is_some());
    drop(garden);
    world.stop(alice);
    put_back(&world.home("Image"), &world.home("Alice"));

    let alice = world.start("Alice");
    let device = alice.device();
    assert!(text(&alice.space("Garden").unwrap(), "/two.txt").is_none());
    alice.swarm().introduce(address, hub.hint());
    eventually("what was lost is back", || {
        text(&alice.space("Garden").unwrap(), "/two.txt").as_deref() == Some("2")
    });
    let garden = alice.space("Garden").unwrap();
    assert_ne!(garden.drive().own_head().unwrap().0, own.0);
    write(&garden, "/three.txt", b"3");
    assert_eq!(garden.drive().writers().unwrap().len(), 2);
    assert_eq!(garden.members().unwrap().len(), 1);
    eventually("the hub takes what is written now", || {
        let (feed, length, _) = garden.drive().own_head().unwrap();
        replica
            .set()
            .feed(&feed)
            .is_some_and(|kept| kept.length() == length)
    });
    drop(garden);
    world.stop(alice);
    let alice = world.start("Alice");
    assert_ne!(alice.device(), device);
    assert_eq!(picture(&alice.space("Garden").unwrap()).len(), 3);
    drop(replica);
    world.stop(alice);
    world.stop(hub);
}

#[test]
fn a_replica_can_become_a_space_and_neither_is_taken_twice() {
    let world = World::new();
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/a.txt", b"a");
    let address = garden.address();
    drop(
        bob.replicate(address, Some("hers"), &[alice.hint()])
            .unwrap(),
    );
    let again = bob.replicate(address, None, &[]);
    assert!(matches!(again.err(), Some(SpaceError::AlreadyHere(name)) if name == "hers"));
    eventually("Bob keeps it", || garden.last_sync().is_some());
    let code = garden.invite(&bob.public_key()).unwrap();
    let joined = bob.join(&code, None).unwrap();
    assert!(bob.replicas().is_empty());
    eventually("Bob reads it", || {
        text(&joined, "/a.txt").as_deref() == Some("a")
    });
    write(&joined, "/b.txt", b"b");
    eventually("Alice reads Bob's", || {
        text(&garden, "/b.txt").as_deref() == Some("b")
    });
    let member = bob.replicate(address, None, &[]);
    assert!(matches!(member.err(), Some(SpaceError::AlreadyHere(name)) if name == "Garden"));
    drop((garden, joined));
    world.stop(bob);
    let bob = world.start("Bob");
    assert_eq!((bob.spaces().len(), bob.replicas().len()), (1, 0));
    world.stop(bob);
    world.stop(alice);
}

#[test]
fn who_may_only_read_reads_everything_and_writes_nothing() {
    let world = World::new();
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/a.txt", b"a");
    let Grant::Write(key) = garden.grant() else {
        panic!("the creator may write");
    };
    let invite = Invite {
        address: garden.address(),
        name: garden.name(),
        certificates: garden.certificates().to_vec(),
        grant: Grant::Read(key.read_key()),
        hints: vec![alice.hint().to_string()],
        expires: None,
        head: None,
        inviter: alice.public_key(),
    };
    let code = invite.seal(&alice.identity(), &bob.public_key()).unwrap();
    let joined = bob.join(&code, None).unwrap();
    eventually("Bob reads it", || {
        text(&joined, "/a.txt").as_deref() == Some("a")
    });
    assert!(!joined.writable());
    assert!(matches!(
        joined.rename("Mine").err(),
        Some(SpaceError::ReadOnly)
    ));
    assert!(matches!(
        joined.log().append("message", b"\x61a").err(),
        Some(SpaceError::ReadOnly)
    ));
    let removed = joined.drive().remove(&path("/a.txt"), false);
    assert!(matches!(removed.err(), Some(DriveError::ReadOnly)));
    bob.set_name("Robert").unwrap();
    assert_eq!(joined.members().unwrap().len(), 1);
    // They can pass on what they have, and no more.
    let eve = world.start("Eve");
    let passed = eve
        .join(&joined.invite(&eve.public_key()).unwrap(), None)
        .unwrap();
    assert!(!passed.writable());
    drop((garden, joined, passed));
    for shelf in [alice, bob, eve] {
        world.stop(shelf);
    }
}

/// One feed leads to all: every member's log comes to repeat the certificates of the others.
#[test]
fn certificates_learnt_are_repeated_in_every_log() {
    let world = World::new();
    let [(alice, hers), (bob, his)] = friends(&world);
    let repeated = |space: &Space, by: PublicKey| {
        let filter = Filter {
            author: Some(by),
            ..Filter::of::<Certificates>()
        };
        let told = space.log().read(&filter).unwrap();
        let told = told
            .iter()
            .filter_map(|message| message.read::<Certificates>());
        told.map(|message| message.certificates.len())
            .sum::<usize>()
    };
    // Admin, epoch, and three feeds of each.
    for person in [alice.public_key(), bob.public_key()] {
        eventually("all eight are repeated", || {
            repeated(&hers, person) == 8 && repeated(&his, person) == 8
        });
    }
    drop((hers, his));
    world.stop(alice);
    world.stop(bob);
}
