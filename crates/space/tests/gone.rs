//! Copies that are no more: said once by a member, so for all; and counted again when they are back.

mod common;

use cobox_keys::identity::PublicKey;
use cobox_space::health::Colour;
use cobox_space::log::Filter;
use cobox_space::log::types::{CopyGone, LastSync};
use cobox_space::shelf::{Shelf, SpaceError};
use cobox_space::space::Space;
use common::*;
use std::sync::Arc;

/// Two in one space of which a third keeps a copy.
fn kept(world: &World) -> ([(Shelf, Arc<Space>); 2], Shelf) {
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let garden = alice.create("Garden").unwrap();
    let joined = bob
        .join(&garden.invite(&bob.public_key()).unwrap(), None)
        .unwrap();
    write(&garden, "/a.bin", &noise(50_000));
    let hub = world.start("Hub");
    keep(&hub, &garden, &alice);
    eventually("both are green", || {
        colours([&garden, &joined]) == [Colour::Green; 2]
    });
    // Bob also knows it from the log: what Alice takes back must count there, too.
    eventually("it is in the log", || !told(&joined).is_empty());
    ([(alice, garden), (bob, joined)], hub)
}

fn keep(hub: &Shelf, space: &Space, of: &Shelf) {
    hub.replicate(space.address(), None, &[of.hint()]).unwrap();
}

fn told(space: &Space) -> Vec<LastSync> {
    let messages = space.log().read(&Filter::of::<LastSync>()).unwrap();
    let syncs = messages.iter().filter_map(|message| message.read());
    syncs
        .filter(|sync: &LastSync| sync.receipt.is_some())
        .collect()
}

fn colours(spaces: [&Arc<Space>; 2]) -> [Colour; 2] {
    spaces.map(|space| space.health().unwrap().colour)
}

fn copies(space: &Space) -> usize {
    space.health().unwrap().copies.len()
}

#[test]
fn a_copy_that_is_gone_counts_for_nobody_and_one_that_is_back_counts_again() {
    let world = World::new();
    let ([alice, bob], hub) = kept(&world);
    let (address, device) = (alice.1.address(), hub.device());
    hub.unreplicate(&address).unwrap();
    alice.1.lose_copy(&device).unwrap();
    assert_eq!(copies(&alice.1), 0, "at once where it was said");
    eventually("Bob hears of it", || copies(&bob.1) == 0);
    assert_eq!(colours([&alice.1, &bob.1]), [Colour::Red; 2]);
    let again = bob.1.lose_copy(&device);
    assert!(matches!(again, Err(SpaceError::NoSuchCopy(_))), "{again:?}");
    assert_eq!(colours([&alice.1, &bob.1]), [Colour::Red; 2]);

    // What it signed before is of no use, whoever passes it on.
    let old = told(&bob.1).remove(0);
    bob.1.log().tell(&old).unwrap();
    assert_eq!(copies(&bob.1), 0);
    keep(&hub, &alice.1, &alice.0);
    eventually("both are green again", || {
        colours([&alice.1, &bob.1]) == [Colour::Green; 2]
    });
    let before = told(&bob.1).len();
    eventually("also by the log", || told(&bob.1).len() > before);
    drop((alice.1, bob.1));
    [hub, alice.0, bob.0]
        .into_iter()
        .for_each(|shelf| world.stop(shelf));
}

/// Somebody takes it for lost, but it is not: it is seen again by itself.
#[test]
fn a_copy_that_is_only_said_to_be_gone_is_seen_again_by_its_next_receipt() {
    let world = World::new();
    let ([alice, bob], hub) = kept(&world);
    bob.1.lose_copy(&hub.device()).unwrap();
    eventually("both are green again", || {
        let said = alice.1.log().read(&Filter::of::<CopyGone>()).unwrap();
        said.len() == 1 && colours([&alice.1, &bob.1]) == [Colour::Green; 2]
    });
    drop((alice.1, bob.1));
    [hub, alice.0, bob.0]
        .into_iter()
        .for_each(|shelf| world.stop(shelf));
}

#[test]
fn only_copies_that_are_listed_can_be_lost_and_only_what_was_proven_until_then() {
    let world = World::new();
    let ([alice, bob], hub) = kept(&world);
    let device = hub.device();
    let nobody = alice.1.lose_copy(&PublicKey([7; 32]));
    assert!(matches!(nobody, Err(SpaceError::NoSuchCopy(_))));
    // It has proven more since.
    let until_ms = 5;
    alice.1.log().tell(&CopyGone { device, until_ms }).unwrap();
    assert_eq!(copies(&alice.1), 1);
    assert_eq!(colours([&alice.1, &bob.1]), [Colour::Green; 2]);
    drop((alice.1, bob.1));
    [hub, alice.0, bob.0]
        .into_iter()
        .for_each(|shelf| world.stop(shelf));
}
