//! Who leaves a space and comes back: new feeds, since those of before live on with others.

mod common;

use cobox_drive::handle::WriteOptions;
use cobox_space::members::{Member, Standing};
use cobox_space::shelf::Shelf;
use cobox_space::space::Space;
use common::*;
use std::collections::BTreeSet;
use std::sync::Arc;

fn invite(space: &Space, who: &Shelf) -> String {
    space.invite(&who.public_key()).unwrap()
}

/// Bob as somebody sees him.
fn bob_at(space: &Space) -> Member {
    let members = space.members().unwrap().into_iter();
    let mut bobs = members.filter(|member| member.name == "Bob");
    let bob = bobs.next().expect("Bob is known");
    assert!(bobs.next().is_none(), "there is one Bob");
    bob
}

fn own_feeds(space: &Space) -> BTreeSet<[u8; 32]> {
    let feeds = space.set().feeds();
    let own = feeds.iter().filter(|feed| feed.is_own());
    own.map(|feed| feed.key().0).collect()
}

/// Alice and Bob, who has left a file of his in her space; and the feeds that he wrote.
fn bob_has_left(world: &World) -> (Shelf, Arc<Space>, Shelf, BTreeSet<[u8; 32]>) {
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let hers = alice.create("Garden").unwrap();
    let his = bob.join(&invite(&hers, &bob), None).unwrap();
    write(&his, "/before.txt", b"by Bob, before");
    eventually("Alice has his file", || {
        text(&hers, "/before.txt").as_deref() == Some("by Bob, before")
    });
    let (feeds, address) = (own_feeds(&his), his.address());
    drop(his);
    bob.delete(&address).unwrap();
    eventually("Alice knows that he left", || {
        matches!(bob_at(&hers).standing, Standing::Left(_))
    });
    (alice, hers, bob, feeds)
}

/// Both have both files, nobody refused anything, and Bob writes under other keys than before.
fn both_are_whole(hers: &Space, his: &Space, before: &BTreeSet<[u8; 32]>) {
    write(his, "/after.txt", b"by Bob, after");
    for (who, space) in [("Alice", hers), ("Bob", his)] {
        eventually(&format!("{who} has both files"), || {
            text(space, "/before.txt").as_deref() == Some("by Bob, before")
                && text(space, "/after.txt").as_deref() == Some("by Bob, after")
        });
        assert_eq!(space.refusals(), Vec::<String>::new(), "{who}");
    }
    let now = own_feeds(his);
    assert_eq!((now.len(), now.is_disjoint(before)), (3, true));
    eventually("Alice sees one device of his, which has not left", || {
        let bob = bob_at(hers);
        bob.standing == Standing::Joined && bob.devices.len() == 1 && bob.earlier.len() == 1
    });
    write(hers, "/before.txt", b"by Alice");
    eventually("and he hears her", || {
        text(his, "/before.txt").as_deref() == Some("by Alice")
    });
}

#[test]
fn who_leaves_and_joins_again_is_heard_and_nothing_is_taken_for_a_fork() {
    let world = World::new();
    let (alice, hers, bob, before) = bob_has_left(&world);
    let his = bob.join(&invite(&hers, &bob), None).unwrap();
    both_are_whole(&hers, &his, &before);
    // And again after a restart, under the keys of now.
    let now = own_feeds(&his);
    drop(his);
    world.stop(bob);
    let bob = world.start("Bob");
    let his = bob.space("Garden").unwrap();
    assert_eq!(own_feeds(&his), now);
    write(&his, "/later.txt", b"later");
    eventually("Alice has that too", || {
        text(&hers, "/later.txt").as_deref() == Some("later")
    });
    assert_eq!(hers.refusals(), Vec::<String>::new());
    drop((hers, his));
    world.stop(bob);
    world.stop(alice);
}

/// Nobody can tell him then that he had feeds there.
#[test]
fn who_joins_again_and_writes_while_nobody_can_be_reached_makes_no_fork() {
    let world = World::new();
    let (alice, hers, bob, before) = bob_has_left(&world);
    let code = invite(&hers, &bob);
    world.network.plug(&alice.device(), false);
    let his = bob.join(&code, None).unwrap();
    for number in 0..5 {
        write(&his, &format!("/alone/{number}"), b"written alone");
    }
    world.network.plug(&alice.device(), true);
    both_are_whole(&hers, &his, &before);
    assert_eq!(text(&hers, "/alone/4").as_deref(), Some("written alone"));
    drop((hers, his));
    world.stop(bob);
    world.stop(alice);
}

/// A replica brings his old feeds back as those of a stranger, perhaps not to their end.
#[test]
fn who_leaves_replicates_and_joins_again_does_not_go_on_in_the_feeds_of_before() {
    let world = World::new();
    let (alice, hers, bob, before) = bob_has_left(&world);
    let replica = bob
        .replicate(hers.address(), None, &[alice.hint()])
        .unwrap();
    eventually("the replica has his old feeds", || {
        let feeds = replica.set().feeds();
        feeds
            .iter()
            .any(|feed| before.contains(&feed.key().0) && feed.length() > 0)
    });
    drop(replica);
    let his = bob.join(&invite(&hers, &bob), None).unwrap();
    both_are_whole(&hers, &his, &before);
    drop((hers, his));
    world.stop(bob);
    world.stop(alice);
}

/// The same for who created it: an invite by another brings them back.
#[test]
fn who_left_their_own_space_comes_back_by_the_invite_of_another() {
    let world = World::new();
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let hers = alice.create("Garden").unwrap();
    let his = bob.join(&invite(&hers, &bob), None).unwrap();
    write(&hers, "/plan.txt", b"sow");
    eventually("Bob has the plan", || {
        text(&his, "/plan.txt").as_deref() == Some("sow")
    });
    let (address, before) = (hers.address(), own_feeds(&hers));
    drop(hers);
    alice.delete(&address).unwrap();
    let hers = alice.join(&invite(&his, &alice), None).unwrap();
    assert!(own_feeds(&hers).is_disjoint(&before));
    write(&hers, "/more.txt", b"reap");
    eventually("Bob has more", || {
        text(&his, "/more.txt").as_deref() == Some("reap")
    });
    eventually("her plan is with her again", || {
        text(&hers, "/plan.txt").as_deref() == Some("sow")
    });
    for space in [&hers, &his] {
        assert_eq!(space.refusals(), Vec::<String>::new());
    }
    eventually("she finds the root again", || {
        hers.root_seed().unwrap().is_some()
    });
    drop((hers, his));
    world.stop(bob);
    world.stop(alice);
}

/// A home put back from an older image begins anew under another device key: that is one device, not two.
#[test]
fn a_device_that_began_anew_is_not_listed_beside_itself() {
    let world = World::new();
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let hers = alice.create("Garden").unwrap();
    let his = bob.join(&invite(&hers, &bob), None).unwrap();
    write(&his, "/one.txt", b"one");
    eventually("Alice has one", || text(&hers, "/one.txt").is_some());
    drop(his);
    world.stop(bob);
    let (home, image) = (world.home("Bob"), world.home("image"));
    copy_folder(&home, &image);
    let bob = world.start("Bob");
    let (his, old) = (bob.space("Garden").unwrap(), bob.device());
    write(&his, "/two.txt", b"two");
    eventually("Alice has two", || text(&hers, "/two.txt").is_some());
    drop(his);
    world.stop(bob);
    put_back(&image, &home);

    let bob = world.start("Bob");
    let name = "/three.txt";
    // It hears from Alice that it has written more than it knows of, and takes new keys; until then it may write nothing.
    eventually("it has begun anew", || {
        let his = bob.space("Garden").unwrap();
        let writers = his.drive().writers().unwrap();
        let own = writers
            .iter()
            .filter(|one| one.claim.identity == bob.public_key());
        let options = WriteOptions::default();
        let mut bytes: &[u8] = b"three";
        own.count() == 2
            && his
                .drive()
                .write_file(&path(name), &mut bytes, options)
                .is_ok()
    });
    let his = bob.space("Garden").unwrap();
    eventually("Alice has three", || text(&hers, name).is_some());
    eventually("Alice sees one device of his", || {
        let bob = bob_at(&hers);
        bob.devices.len() == 1 && bob.earlier.len() == 1 && bob.devices[0].device != old
    });
    drop((hers, his));
    world.stop(bob);
    world.stop(alice);
}
