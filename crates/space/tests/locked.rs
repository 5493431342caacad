//! A home with a password: what is on its disk, who opens it, and what it does while nobody has.

mod common;

use cobox_keys::cbor::Fields;
use cobox_keys::identity::Identity;
use cobox_space::shelf::{HomeLock, Shelf, SpaceError};
use cobox_swarm::swarm::SwarmEvent;
use common::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Starts a home by its password.
fn start_by(world: &World, name: &str, password: &str) -> Shelf {
    let home = world.home(name);
    let identity = HomeLock::of(&home).open(password).expect("the password");
    let opened = world.try_start_with(&home, |options| {
        options.identity = Some(Arc::new(identity));
    });
    opened.expect("a shelf")
}

/// What the program does when somebody sets a password.
fn set_password(world: &World, shelf: &Shelf, name: &str, password: &str) {
    let lock = HomeLock::of(&world.home(name));
    lock.set(&shelf.identity(), password).unwrap();
}

#[test]
fn a_home_with_a_password_opens_by_it_and_not_without() {
    let world = World::new();
    let alice = world.start("Alice");
    let (me, device) = (alice.public_key(), alice.device());
    write(&alice.create("Garden").unwrap(), "/a.txt", b"a");
    set_password(&world, &alice, "Alice", "correct horse");
    world.stop(alice);

    let refused = world.try_start(&world.home("Alice")).err();
    assert!(
        matches!(refused, Some(SpaceError::LockedHome)),
        "{refused:?}"
    );
    let lock = HomeLock::of(&world.home("Alice"));
    assert!(matches!(
        lock.open("wrong horse"),
        Err(SpaceError::WrongPassword)
    ));
    let alice = start_by(&world, "Alice", "correct horse");
    assert_eq!((alice.public_key(), alice.device()), (me, device));
    assert_eq!(alice.name().as_deref(), Some("Alice"));
    let garden = alice.space("Garden").unwrap();
    assert_eq!(text(&garden, "/a.txt").as_deref(), Some("a"));
    assert_eq!(
        garden.drive().writers().unwrap().len(),
        1,
        "no new feeds for that"
    );
    drop(garden);
    lock.remove(&alice.identity()).unwrap();
    world.stop(alice);
    let alice = world.start("Alice");
    assert!(alice.space("Garden").is_ok());
    world.stop(alice);
}

/// Whoever has another identity, or a damaged file, does not get in by accident.
#[test]
fn a_home_does_not_open_to_somebody_else() {
    let world = World::new();
    let alice = world.start("Alice");
    alice.create("Garden").unwrap();
    set_password(&world, &alice, "Alice", "correct horse");
    world.stop(alice);
    let before = fs::read(world.home("Alice").join("spaces.cbor")).unwrap();
    let opened = world.try_start_with(&world.home("Alice"), |options| {
        options.identity = Some(Arc::new(Identity::generate()));
    });
    assert!(matches!(opened.err(), Some(SpaceError::DamagedHome(_))));
    assert_eq!(
        fs::read(world.home("Alice").join("spaces.cbor")).unwrap(),
        before
    );
}

/// A crash at any moment of setting, changing or removing leaves one state or the other.
#[test]
fn a_change_of_password_that_a_crash_cuts_leaves_a_home() {
    let world = World::new();
    let alice = world.start("Alice");
    alice.create("Garden").unwrap();
    let home = world.home("Alice");
    let seed = *alice.identity().key_pair().expose_seed();
    let (file, new) = (home.join("identity"), home.join("identity.new"));
    let open = fs::read(&file).unwrap();
    set_password(&world, &alice, "Alice", "correct horse");
    world.stop(alice);
    let wrapped = fs::read(&file).unwrap();
    // Removing was cut: the half or whole of the new file lies beside the old one, in the clear.
    for length in [0, open.len() / 2, open.len()] {
        fs::write(&new, &open[..length]).unwrap();
        assert_eq!(fs::read(&file).unwrap(), wrapped);
        let alice = start_by(&world, "Alice", "correct horse");
        assert!(alice.space("Garden").is_ok());
        world.stop(alice);
        assert!(!new.exists(), "what is in the clear does not stay");
    }
    // A locked start sweeps as well.
    fs::write(&new, &open).unwrap();
    world.stop_locked(world.start_locked(&home));
    assert!(!new.exists());
    let found = files_below(&home).into_iter().filter(|file| {
        let bytes = fs::read(file).unwrap();
        bytes.windows(32).any(|part| part == seed)
    });
    assert_eq!(found.count(), 0);
}

#[test]
fn a_locked_home_serves_and_fetches_and_understands_nothing() {
    let world = World::new();
    let (alice, bob, carol) = (
        world.start("Alice"),
        world.start("Bob"),
        world.start("Carol"),
    );
    let garden = alice.create("Garden").unwrap();
    let address = garden.address();
    write(&garden, "/a.txt", b"by Alice");
    for friend in [&bob, &carol] {
        let code = garden.invite(&friend.public_key()).unwrap();
        friend.join(&code, None).unwrap();
        friend.swarm().introduce(address, alice.hint());
    }
    let bobs = bob.space("Garden").unwrap();
    let carols = carol.space("Garden").unwrap();
    eventually("all have it", || {
        [&bobs, &carols]
            .iter()
            .all(|space| text(space, "/a.txt").is_some())
    });
    drop(garden);
    set_password(&world, &alice, "Alice", "correct horse");
    world.stop(alice);

    // Bob and Carol are never online together; Alice's locked program carries it over.
    drop(carols);
    world.stop(carol);
    let locked = world.start_locked(&world.home("Alice"));
    assert_eq!(locked.count(), 1);
    let hint = locked.hint().unwrap();
    bob.swarm().introduce(address, hint.clone());
    write(&bobs, "/b.txt", b"by Bob");
    let written = now_ms();
    eventually("the locked home has it", || {
        let receipts = bob.swarm().receipts(&address);
        receipts.iter().any(|receipt| {
            receipt.device == hint.device && receipt.complete && receipt.time_ms > written
        })
    });
    drop(bobs);
    world.stop(bob);
    let carol = world.start("Carol");
    carol.swarm().introduce(address, hint);
    let carols = carol.space("Garden").unwrap();
    eventually("Carol has it from the locked home", || {
        text(&carols, "/b.txt").as_deref() == Some("by Bob")
    });
    world.stop_locked(locked);
    let alice = start_by(&world, "Alice", "correct horse");
    let garden = alice.space("Garden").unwrap();
    eventually("it is there after unlocking", || {
        text(&garden, "/b.txt").as_deref() == Some("by Bob")
    });
    drop((garden, carols));
    world.stop(alice);
    world.stop(carol);
}

/// A home was put back from an image and starts locked: what its former life wrote must not come back into the feeds
/// that it will sign again.
#[test]
fn a_locked_home_does_not_let_others_make_its_own_feeds_longer() {
    let world = World::new();
    let (alice, hub) = (world.start("Alice"), world.start("Hub"));
    let garden = alice.create("Garden").unwrap();
    let address = garden.address();
    write(&garden, "/one.txt", b"1");
    drop(garden);
    set_password(&world, &alice, "Alice", "correct horse");
    world.stop(alice);
    copy_folder(&world.home("Alice"), &world.home("Image"));

    let alice = start_by(&world, "Alice", "correct horse");
    let replica = hub.replicate(address, None, &[alice.hint()]).unwrap();
    let garden = alice.space("Garden").unwrap();
    write(&garden, "/two.txt", b"2");
    let own = garden.drive().own_head().unwrap();
    eventually("the hub has it all", || {
        let kept = replica.set().feed(&own.0);
        kept.is_some_and(|kept| kept.length() == own.1 && kept.missing(0..own.1).is_empty())
    });
    drop(garden);
    world.stop(alice);
    put_back(&world.home("Image"), &world.home("Alice"));

    let locked = world.start_locked(&world.home("Alice"));
    let mut events = locked.subscribe().unwrap();
    hub.swarm().introduce(address, locked.hint().unwrap());
    // Of each of its feeds that the hub has more of, in any order.
    let seen = async {
        loop {
            match events.recv().await {
                Ok(SwarmEvent::OwnFeedAhead { feed, .. }) if feed == own.0 => return,
                _ => {}
            }
        }
    };
    let seen = async { tokio::time::timeout(Duration::from_secs(20), seen).await };
    world.runtime.block_on(seen).unwrap();
    world.stop_locked(locked);
    let alice = start_by(&world, "Alice", "correct horse");
    alice.swarm().introduce(address, hub.hint());
    eventually("what was lost is back, as another's", || {
        text(&alice.space("Garden").unwrap(), "/two.txt").as_deref() == Some("2")
    });
    let garden = alice.space("Garden").unwrap();
    assert_ne!(
        garden.drive().own_head().unwrap().0,
        own.0,
        "new feeds were taken"
    );
    drop(garden);
    world.stop(alice);
    world.stop(hub);
}

/// Homes of the version before there was a lock: device and name lay in the clear.
#[test]
fn a_home_of_an_earlier_version_opens_and_is_sealed_from_then_on() {
    let world = World::new();
    let alice = world.start("Alice");
    let (me, device) = (alice.public_key(), alice.device());
    alice.create("Garden").unwrap();
    let parent = parent_of(&world.home("Alice"), &alice.identity());
    world.stop(alice);
    let home = world.home("Alice");
    put_body(&home.join("device"), b"cbxDEVIC", &old_device(&parent));
    put_body(
        &home.join("profile"),
        b"cbxPROFL",
        b"\xa2\x00\x01\x01\x65Alice",
    );
    let _ = fs::remove_file(home.join("kept"));

    let alice = world.start("Alice");
    assert_eq!((alice.public_key(), alice.device()), (me, device));
    assert_eq!(alice.name().as_deref(), Some("Alice"));
    assert!(alice.space("Garden").unwrap().writable());
    world.stop(alice);
    let bytes = fs::read(home.join("device")).unwrap();
    assert!(!bytes.windows(32).any(|part| part == &parent[..32]));
    assert!(home.join("kept").exists());
}

/// Parent key and incarnation, opened as documented.
fn parent_of(home: &Path, identity: &Identity) -> Vec<u8> {
    let file = fs::read(home.join("device")).unwrap();
    let fields = Fields::read(&file[13..file.len() - 4], "device", 2).unwrap();
    let sealed = fields.bytes(4, 200).unwrap();
    identity.storage_key("device").open(sealed).unwrap()
}

fn old_device(inside: &[u8]) -> Vec<u8> {
    let (parent, life) = inside.split_at(32);
    [b"\xa3\x00\x01\x01\x58\x20", parent, b"\x02\x50", life].concat()
}

/// A small file of the home, as `docs/format.md` says.
fn put_body(file: &Path, magic: &[u8; 8], body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    let mut whole = [&magic[..], &[1], &length, body].concat();
    let sum = crc32(&whole);
    whole.extend(sum.to_le_bytes());
    fs::write(file, whole).unwrap();
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_millis().try_into().unwrap()
}
