//! A home that was put back from an older image, and wrote before it met anybody.

mod common;

use cobox_drive::drive::DriveError;
use common::*;

/// Who is put back and writes at once signs other blocks of the same numbers: nobody takes those, nor anything behind them.
/// However much was written before the others are met, it must be noticed and told, and nothing more goes that way.
#[test]
fn a_home_put_back_that_writes_before_it_meets_anybody_is_told_and_heard_again() {
    for written in [1, 2, 6] {
        let world = World::new();
        let (alice, bob) = (world.start("Alice"), world.start("Bob"));
        let garden = alice.create("Garden").unwrap();
        write(&garden, "/one.txt", b"1");
        let address = garden.address();
        let code = garden.invite(&bob.public_key()).unwrap();
        drop(garden);
        world.stop(alice);
        copy_folder(&world.home("Alice"), &world.home("Image"));

        let alice = world.start("Alice");
        let his = bob.join(&code, None).unwrap();
        bob.swarm().introduce(address, alice.hint());
        let garden = alice.space("Garden").unwrap();
        write(&garden, "/two.txt", b"2");
        write(&garden, "/two.txt", b"two");
        eventually("Bob has it all", || {
            text(&his, "/two.txt").as_deref() == Some("two")
        });
        drop(garden);
        world.stop(alice);
        put_back(&world.home("Image"), &world.home("Alice"));
        world.network.plug(&bob.device(), false);

        let alice = world.start("Alice");
        let garden = alice.space("Garden").unwrap();
        for number in 0..written {
            write(&garden, &format!("/alone/{number}.txt"), b"written alone");
        }
        drop(garden);
        world.network.plug(&bob.device(), true);
        alice.swarm().introduce(address, bob.hint());
        eventually("Alice is told", || {
            let garden = alice.space("Garden").unwrap();
            garden.refusals().iter().any(|why| why.contains("put back"))
        });
        let garden = alice.space("Garden").unwrap();
        let refused = garden.drive().create_folder(&path("/no"), true);
        assert!(matches!(refused, Err(DriveError::ReadOnly)) && !garden.writable());
        let alone = text(&garden, "/alone/0.txt");
        assert_eq!(alone.as_deref(), Some("written alone"));
        write(&his, "/four.txt", b"4");
        eventually("she still hears him", || {
            text(&garden, "/four.txt").as_deref() == Some("4")
        });
        drop(garden);
        world.stop(alice);

        let alice = world.start("Alice");
        let garden = alice.space("Garden").unwrap();
        assert!(!garden.writable(), "nor after a restart");
        assert!(garden.refusals().iter().any(|why| why.contains("put back")));
        // As she is told to; nobody else has to help.
        let code = garden.invite(&alice.public_key()).unwrap();
        drop(garden);
        alice.delete(&address).unwrap();
        let garden = alice.join(&code, None).unwrap();
        alice.swarm().introduce(address, bob.hint());
        eventually("she has what he has", || {
            text(&garden, "/two.txt").as_deref() == Some("two")
        });
        write(&garden, "/alone/0.txt", b"written alone");
        eventually("and he hears her again", || {
            text(&his, "/alone/0.txt").as_deref() == Some("written alone")
        });
        drop((garden, his));
        world.stop(bob);
        world.stop(alice);
    }
}
