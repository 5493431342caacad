//! The same over real sockets, on this machine only.

mod common;

use cobox_space::shelf::{Shelf, ShelfOptions};
use common::*;

#[test]
fn a_friend_joins_over_quic_by_code_alone() {
    let world = World::new();
    let start = |name: &str| {
        let mut options = ShelfOptions::default();
        options.lan = false;
        options.bind = Some(([127, 0, 0, 1], 0).into());
        let opened = world
            .runtime
            .block_on(Shelf::open(&world.home(name), options));
        let shelf = opened.expect("a shelf");
        shelf.set_name(name).expect("a name");
        shelf
    };
    let (alice, bob) = (start("Alice"), start("Bob"));
    let garden = alice.create("Garden").unwrap();
    write(&garden, "/photo.bin", &noise(1_000_000));
    let code = garden.invite(&bob.public_key()).unwrap();
    let joined = bob.join(&code, None).unwrap();
    eventually("Bob has the photo", || {
        holds_all(joined.set(), garden.set()) && joined.drive().totals().unwrap().0 == 1
    });
    assert_eq!(picture(&joined), picture(&garden));
    assert_eq!(joined.name(), "Garden");
    eventually("each sees the other online", || {
        [&garden, &joined].iter().all(|space| {
            let members = space.members().unwrap();
            members.len() == 2 && members.iter().all(|member| member.online)
        })
    });
    drop((garden, joined));
    world.stop(bob);
    world.stop(alice);
}
