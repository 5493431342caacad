//! One machine alone: what a home folder keeps, refuses and brings back.

mod common;

use cobox_feed::store::StoreError;
use cobox_keys::invite::InviteError;
use cobox_space::log::types::{Certificates, SpaceRootSeed};
use cobox_space::log::{Content, Filter};
use cobox_space::shelf::SpaceError;
use common::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_space_is_there_again_after_a_restart() {
    let world = World::new();
    let alice = world.start("Alice");
    let me = alice.public_key();
    let garden = alice.create("Garden").unwrap();
    let address = garden.address();
    write(&garden, "/beds/roses.txt", b"red");
    assert!(garden.writable());
    drop(garden);
    world.stop(alice);

    let alice = world.start("Alice");
    assert_eq!(
        (alice.public_key(), alice.name()),
        (me, Some("Alice".into()))
    );
    assert!(alice.failed().is_empty());
    let garden = alice.space("Garden").unwrap();
    assert_eq!(garden.address(), address);
    assert_eq!(text(&garden, "/beds/roses.txt").as_deref(), Some("red"));
    assert_eq!(garden.drive().writers().unwrap().len(), 1);
    let members = garden.members().unwrap();
    assert_eq!(
        (members.len(), members[0].me, members[0].online),
        (1, true, true)
    );
    assert_eq!(members[0].name, "Alice");
    assert!(alice.space(&address.to_string()).is_ok());
    drop(garden);
    world.stop(alice);
}

#[test]
fn a_home_in_use_is_locked_and_only_its_owner_may_enter() {
    let world = World::new();
    let alice = world.start("Alice");
    let home = world.home("Alice");
    let second = world.try_start(&home);
    assert!(matches!(
        second.err(),
        Some(SpaceError::Store(StoreError::Locked))
    ));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.clone()), 0o700);
    for secret in ["identity", "device", "spaces.cbor"] {
        assert_eq!(mode(home.join(secret)), 0o600, "{secret}");
    }
    world.stop(alice);
}

#[test]
fn a_damaged_or_missing_home_file_is_named_and_nothing_is_overwritten() {
    let world = World::new();
    let alice = world.start("Alice");
    alice.create("Garden").unwrap();
    world.stop(alice);
    for name in ["identity", "device", "spaces.cbor", "profile"] {
        let file = world.home("Alice").join(name);
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0x10;
        fs::write(&file, &bad).unwrap();
        let refused = world.try_start(&world.home("Alice")).err();
        let named = matches!(&refused, Some(SpaceError::DamagedHome(path)) if *path == file);
        assert!(named, "{name}: {refused:?}");
        assert_eq!(fs::read(&file).unwrap(), bad);
        fs::write(&file, &good).unwrap();
    }
    for name in ["identity", "spaces.cbor"] {
        let file = world.home("Alice").join(name);
        let good = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let refused = world.try_start(&world.home("Alice")).err();
        assert!(matches!(refused, Some(SpaceError::DamagedHome(path)) if path == file));
        assert!(!file.exists());
        fs::write(&file, good).unwrap();
    }
    let alice = world.start("Alice");
    assert!(alice.space("Garden").is_ok());
    world.stop(alice);
}

#[test]
fn names_are_checked_unique_and_needed() {
    let world = World::new();
    let nobody = world.try_start(&world.home("Alice")).unwrap();
    assert!(matches!(
        nobody.create("Garden").err(),
        Some(SpaceError::NoName)
    ));
    assert!(matches!(
        nobody.set_name("a/b").err(),
        Some(SpaceError::BadName(..))
    ));
    nobody.set_name(" Alice ").unwrap();
    assert_eq!(nobody.name().as_deref(), Some("Alice"));
    nobody.create("Garden").unwrap();
    assert!(matches!(
        nobody.create("Garden").err(),
        Some(SpaceError::NameTaken(_))
    ));
    assert!(matches!(
        nobody.create("..").err(),
        Some(SpaceError::BadName(..))
    ));
    let shed = nobody.create("Shed").unwrap();
    assert!(matches!(
        shed.rename("Garden").err(),
        Some(SpaceError::NameTaken(_))
    ));
    shed.rename("Barn").unwrap();
    assert_eq!(shed.name(), "Barn");
    let names: Vec<_> = nobody.spaces().iter().map(|space| space.name()).collect();
    assert_eq!(names, ["Barn", "Garden"]);
    assert!(matches!(
        nobody.space("Shed").err(),
        Some(SpaceError::NotFound(_))
    ));
    drop(shed);
    world.stop(nobody);
    let again = world.start("Alice");
    assert!(again.space("Barn").is_ok());
    world.stop(again);
}

#[test]
fn a_new_name_of_a_person_is_told_in_every_space() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    alice.set_name("Alicia").unwrap();
    assert_eq!(garden.members().unwrap()[0].name, "Alicia");
    drop(garden);
    world.stop(alice);
}

#[test]
fn a_deleted_space_is_gone_and_its_disk_is_free() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    let address = garden.address();
    write(&garden, "/a", &[7; 100_000]);
    drop(garden);
    alice.delete(&address).unwrap();
    assert!(alice.spaces().is_empty());
    assert!(matches!(
        alice.delete(&address).err(),
        Some(SpaceError::NotFound(_))
    ));
    let left = || {
        let named =
            |file: &std::path::PathBuf| file.to_string_lossy().contains(&address.to_string());
        files_below(&world.home("Alice"))
            .into_iter()
            .filter(named)
            .count()
    };
    assert_eq!(left(), 0);
    // The name is free again.
    alice.create("Garden").unwrap();
    world.stop(alice);
    let alice = world.start("Alice");
    assert_eq!(alice.spaces().len(), 1);
    world.stop(alice);
}

#[test]
fn only_the_creator_finds_the_root_and_it_is_the_address() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    let roots = garden.log().read(&Filter::of::<SpaceRootSeed>()).unwrap();
    assert_eq!((roots.len(), roots[0].private), (1, true));
    assert_eq!(roots[0].author, alice.public_key());
    let seed = garden.root_seed().unwrap().unwrap();
    let root = cobox_keys::access::SpaceRoot::from_seed(&seed);
    assert_eq!(root.address(), garden.address());
    drop(garden);
    world.stop(alice);
}

#[test]
fn messages_of_unknown_types_are_kept_and_read_back_in_order() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    for number in 0..5u8 {
        garden.log().append("garden/weather", &[number]).unwrap();
    }
    let filter = Filter {
        kind: Some("garden/weather".into()),
        limit: 3,
        ..Filter::default()
    };
    let read = garden.log().read(&filter).unwrap();
    let contents: Vec<_> = read.iter().map(|message| message.content[0]).collect();
    assert_eq!(contents, [2, 3, 4]);
    let since = Filter {
        since_ms: Some(read[1].time_ms),
        until_ms: Some(read[2].time_ms),
        limit: 10,
        ..filter
    };
    assert_eq!(garden.log().read(&since).unwrap(), read[1..2]);
    let not_cbor = garden.log().append("garden/weather", &[0xff]);
    assert!(matches!(not_cbor.err(), Some(SpaceError::BadMessage(_))));
    let long = garden.log().append("garden/weather", &vec![0; 40_000]);
    assert!(matches!(long.err(), Some(SpaceError::MessageTooLong(..))));
    assert!(SpaceRootSeed::TYPE.starts_with("space/"));
    drop(garden);
    world.stop(alice);
}

#[test]
fn every_wrong_invite_has_its_own_error() {
    let world = World::new();
    let (alice, bob, eve) = (world.start("Alice"), world.start("Bob"), world.start("Eve"));
    let garden = alice.create("Garden").unwrap();
    let code = garden.invite(&bob.public_key()).unwrap();
    let refusal = |shelf: &cobox_space::shelf::Shelf, code: &str| match shelf.join(code, None) {
        Err(SpaceError::Invite(error)) => error,
        other => panic!("not refused: {:?}", other.err()),
    };
    assert_eq!(refusal(&eve, &code), InviteError::NotForYou);
    assert_eq!(
        refusal(&bob, &code[..code.len() - 40]),
        InviteError::Truncated
    );
    assert_eq!(refusal(&bob, "hello"), InviteError::NotACode);
    let mut tampered = code.clone().into_bytes();
    let at = code.len() / 2;
    tampered[at] = if tampered[at] == b'a' { b'b' } else { b'a' };
    let tampered = String::from_utf8(tampered).unwrap();
    assert_eq!(refusal(&bob, &tampered), InviteError::Tampered);
    assert!(bob.spaces().is_empty() && eve.spaces().is_empty());
    for own in [
        garden.invite(&alice.public_key()),
        garden.invite_to_read(&alice.public_key()),
    ] {
        assert!(matches!(own, Err(SpaceError::OwnKey)));
    }
    bob.join(&code, None).unwrap();
    let here = bob.join(&code, None);
    assert!(matches!(here.err(), Some(SpaceError::AlreadyHere(name)) if name == "Garden"));
    drop(garden);
    for shelf in [alice, bob, eve] {
        world.stop(shelf);
    }
}

/// DESIGN 4.1: a copied home must never fork the feeds of the original.
#[test]
fn a_copied_home_is_refused_or_takes_new_keys_and_its_feeds_differ() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/a.txt", b"before");
    let device = alice.device();
    drop(garden);
    world.stop(alice);
    copy_folder(&world.home("Alice"), &world.home("Copy"));

    let before: Vec<_> = fingerprints(&world.home("Copy"));
    let refused = world.try_start(&world.home("Copy")).err();
    let Some(SpaceError::MovedHome(named)) = &refused else {
        panic!("a copy was opened: {refused:?}");
    };
    assert_eq!(*named, world.home("Copy"));
    assert_eq!(
        fingerprints(&world.home("Copy")),
        before,
        "nothing was changed"
    );
    let moved = world.try_start_with(&world.home("Copy"), |options| options.moved = true);
    let (alice, copy) = (world.start("Alice"), moved.unwrap());
    assert_eq!(alice.device(), device);
    assert_ne!(copy.device(), device);
    assert_eq!(copy.public_key(), alice.public_key());
    let (garden, copied) = (
        alice.space("Garden").unwrap(),
        copy.space("Garden").unwrap(),
    );
    write(&garden, "/a.txt", b"by the original");
    write(&copied, "/b.txt", b"by the copy");
    assert_eq!(text(&copied, "/a.txt").as_deref(), Some("before"));
    let writers = copied.drive().writers().unwrap();
    assert_eq!(writers.len(), 2);
    assert!(
        writers
            .iter()
            .all(|writer| writer.claim.identity == alice.public_key())
    );
    // Neither has written to a feed of the other.
    for feed in garden.set().feeds() {
        let theirs = copied
            .set()
            .feed(&feed.key())
            .expect("copied with the rest");
        assert!(theirs.length() <= feed.length() && !theirs.is_own());
    }
    assert_eq!(copied.members().unwrap().len(), 1);
    drop((garden, copied));
    world.stop(copy);
    world.stop(alice);
    // And the copy stays what it became.
    let copy = world.start("Copy");
    assert_eq!(
        copy.space("Garden")
            .unwrap()
            .drive()
            .writers()
            .unwrap()
            .len(),
        2
    );
    world.stop(copy);
}

/// Every small file with its bytes.
fn fingerprints(home: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = files_below(home);
    files.retain(|file| !file.ends_with("index.redb"));
    files.sort();
    let read = |file: std::path::PathBuf| (file.clone(), fs::read(file).unwrap());
    files.into_iter().map(read).collect()
}

#[test]
fn a_home_whose_feeds_were_lost_does_not_write_them_anew() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    let old: Vec<_> = garden.set().feeds().iter().map(|feed| feed.key()).collect();
    drop(garden);
    world.stop(alice);
    fs::remove_dir_all(world.home("Alice").join("store")).unwrap();
    let alice = world.start("Alice");
    let garden = alice.space("Garden").unwrap();
    assert!(
        garden
            .set()
            .feeds()
            .iter()
            .all(|feed| !old.contains(&feed.key()))
    );
    assert!(garden.writable());
    drop(garden);
    world.stop(alice);
}

/// Something stops the removal half-way; the next start ends it.
#[test]
fn a_removal_that_was_interrupted_is_finished_at_the_next_start() {
    let world = World::new();
    let alice = world.start("Alice");
    let (garden, shed) = (
        alice.create("Garden").unwrap(),
        alice.create("Shed").unwrap(),
    );
    let address = garden.address();
    drop((garden, shed));
    let views = world
        .home("Alice")
        .join("views")
        .join(format!("{address}.redb"));
    fs::remove_file(&views).unwrap();
    fs::create_dir(&views).unwrap();
    assert!(matches!(
        alice.delete(&address).err(),
        Some(SpaceError::Home { .. })
    ));
    assert_eq!(alice.spaces().len(), 1);
    world.stop(alice);
    // Still in the way: the rest opens, and the reason is told.
    let alice = world.start("Alice");
    assert!(alice.space("Shed").is_ok());
    let failed = alice.failed().remove(&address).unwrap();
    assert_eq!(
        (failed.name.as_deref(), failed.is_replica),
        (Some("Garden"), false)
    );
    assert!(failed.reason.len() > 10, "{failed:?}");
    world.stop(alice);
    fs::remove_dir(&views).unwrap();
    let alice = world.start("Alice");
    assert!(alice.failed().is_empty());
    assert_eq!(alice.spaces().len(), 1);
    assert!(alice.create("Garden").is_ok());
    world.stop(alice);
}

#[test]
fn views_that_were_lost_or_damaged_grow_again() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/a.txt", b"still here");
    let address = garden.address();
    drop(garden);
    world.stop(alice);
    let views = world
        .home("Alice")
        .join("views")
        .join(format!("{address}.redb"));
    for damage in [None, Some(vec![0x55; 10_000])] {
        match damage {
            None => fs::remove_file(&views).unwrap(),
            Some(bytes) => fs::write(&views, bytes).unwrap(),
        }
        let alice = world.start("Alice");
        let garden = alice.space(&address.to_string()).unwrap();
        eventually("the file is there again", || {
            text(&garden, "/a.txt").as_deref() == Some("still here")
        });
        eventually("and its name", || garden.name() == "Garden");
        drop(garden);
        world.stop(alice);
    }
}

/// More messages than are looked at in one go, against a plain list.
#[test]
fn any_part_of_a_long_log_reads_as_the_plain_list_does() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    // The last thing that the program says there by itself: on a slow machine it came in the middle.
    eventually("certificates are repeated", || {
        let told = garden.log().read(&Filter::of::<Certificates>()).unwrap();
        !told.is_empty()
    });
    let first = garden.log().read(&Filter::default()).unwrap().len();
    let kinds = ["a", "b", "a", "a"];
    let mut plain = Vec::new();
    for number in 0..280_usize {
        let kind = kinds[number % 4];
        garden.log().append(kind, &[(number % 24) as u8]).unwrap();
        plain.push((kind, number % 24));
    }
    let seen = |filter: &Filter| -> Vec<_> {
        let read = garden.log().read(filter).unwrap();
        read.iter()
            .map(|message| (message.kind.clone(), message.content[0] as usize))
            .collect()
    };
    let all = garden.log().read(&Filter::default()).unwrap();
    assert_eq!(all.len(), first + 280);
    assert!(all.is_sorted_by(|one, next| one.time_ms <= next.time_ms));
    for (kind, limit) in [
        (None, 270),
        (None, 1),
        (Some("a"), 1000),
        (Some("b"), 7),
        (Some("c"), 9),
    ] {
        let matching = plain
            .iter()
            .filter(|(of, _)| kind.is_none_or(|kind| kind == *of));
        let matching: Vec<_> = matching
            .map(|(of, number)| (of.to_string(), *number))
            .collect();
        let expected = &matching[matching.len().saturating_sub(limit)..];
        let filter = Filter {
            kind: kind.map(str::to_owned),
            limit,
            ..Filter::default()
        };
        assert_eq!(seen(&filter), expected, "{kind:?} {limit}");
    }
    let middle = all[first + 100].time_ms;
    let before = Filter {
        until_ms: Some(middle),
        limit: 5,
        ..Filter::default()
    };
    let read = garden.log().read(&before).unwrap();
    assert!(read.len() == 5 && read.iter().all(|message| message.time_ms < middle));
    let after = Filter {
        since_ms: Some(middle),
        ..Filter::default()
    };
    assert_eq!(garden.log().read(&after).unwrap(), all[first + 100..]);
    let nothing = Filter { limit: 0, ..after };
    assert!(garden.log().read(&nothing).unwrap().is_empty());
    drop(garden);
    world.stop(alice);
}
