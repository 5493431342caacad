//! Claims with everything that can go wrong.

use cobox_keys::identity::{Identity, PublicKey};
use cobox_swarm::transport::Connection;

use super::super::talk::{DEVICE_SIGNS, PERSON_SIGNS, Said, Talk, transcript};
use super::*;
use crate::admin::{Fate, Outcome};
use crate::error::ClaimError;

fn refused(claimed: Result<Device, SpaceError>) -> ClaimError {
    match claimed {
        Err(SpaceError::Claim(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was claimed"),
    }
}

#[test]
fn the_first_claimer_is_the_only_admin_and_the_door_shuts() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    assert!(hub.shown().borrow().announced && !hub.shown().borrow().claimed);
    let (ann, eve) = (world.person("Ann"), world.person("Eve"));
    let device = world.claim(&ann, &hub, None).unwrap();
    assert_eq!(device.identity(), shelf.public_key());
    assert_eq!(device.space().name(), "attic");
    eventually("the beacon stops", || !hub.shown().borrow().announced);
    assert_eq!(refused(world.claim(&eve, &hub, None)), ClaimError::Taken);
    // Nor does it let its own admin in again over the network: there is no need.
    assert_eq!(refused(world.claim(&ann, &hub, None)), ClaimError::Taken);
    let admins = device.picture().unwrap().admins;
    assert_eq!(admins.keys().collect::<Vec<_>>(), [&ann.public_key()]);
    assert!(ann.people_spaces().unwrap().is_empty());
    assert_eq!(
        ann.device_called("attic").unwrap().space().address(),
        hub.address()
    );
    drop((device, hub));
    world.stop_all([shelf, ann, eve]);
}

#[test]
fn of_two_who_claim_at_once_exactly_one_wins() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let people = [world.person("Ann"), world.person("Bob")];
    let [one, other] = &people;
    let (seen_one, seen_other) = (announced(&hub), announced(&hub));
    let (first, second) = world.runtime.block_on(async {
        tokio::join!(
            claim_seen(one, seen_one, "attic", None),
            claim_seen(other, seen_other, "cellar", None)
        )
    });
    let won = [first.is_ok(), second.is_ok()];
    assert!(won == [true, false] || won == [false, true], "{won:?}");
    let lost = if first.is_ok() { second } else { first };
    assert_eq!(refused(lost), ClaimError::Taken);
    drop(hub);
    world.stop_all(people);
    world.stop(shelf);
}

/// Talks to a hub by hand, as somebody who stops in the middle.
struct Caller<'w> {
    world: &'w World,
    connection: Box<dyn Connection>,
    talk: Talk,
    both: Vec<u8>,
    nonce: cobox_swarm::swarm::Nonce,
    person: PublicKey,
}

impl<'w> Caller<'w> {
    fn new(world: &'w World, who: &Shelf, hub: &Hub) -> Self {
        Self::with_nonce(world, who, announced(hub))
    }

    fn with_nonce(world: &'w World, who: &Shelf, seen: Seen) -> Self {
        let (connection, talk) = world.runtime.block_on(async {
            let connection = who.swarm().dial_claim(&seen.hint).await.unwrap();
            let talk = Talk::open(&*connection).await.unwrap();
            (connection, talk)
        });
        let (nonce, person) = (seen.setup.nonce, who.public_key());
        let both = transcript(&*connection, &nonce, &who.hint().device, &person).unwrap();
        Self {
            world,
            connection,
            talk,
            both,
            nonce,
            person,
        }
    }

    fn hello(&mut self, signer: &Identity) -> Result<Said, ClaimError> {
        let hello = Said::Hello {
            nonce: self.nonce,
            person: self.person,
            signature: signer.key_pair().sign(PERSON_SIGNS, &self.both).0,
            name: "attic".into(),
            share: None,
        };
        self.exchange(&hello)
    }

    fn exchange(&mut self, said: &Said) -> Result<Said, ClaimError> {
        let talk = &mut self.talk;
        self.world.runtime.block_on(async {
            talk.say(said).await?;
            talk.hear_yes().await
        })
    }

    fn hang_up(self) {
        self.connection.close("the cable was pulled");
    }
}

#[test]
fn a_claim_that_breaks_off_leaves_the_device_nobodys_or_wholly_theirs() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let (ann, eve) = (world.person("Ann"), world.person("Eve"));
    // Before the decision: still anybody's.
    let mut caller = Caller::new(&world, &eve, &hub);
    assert!(matches!(
        caller.hello(&eve.identity()),
        Ok(Said::Identity { .. })
    ));
    caller.hang_up();
    assert!(
        !hub.inner
            .picture(&hub.inner.space().unwrap())
            .unwrap()
            .claimed
    );
    // After it: Ann's, although she never got her invite.
    let mut caller = Caller::new(&world, &ann, &hub);
    caller.hello(&ann.identity()).unwrap();
    let welcome = caller.exchange(&Said::Proof { proof: None }).unwrap();
    assert!(matches!(welcome, Said::Welcome { .. }));
    caller.hang_up();
    assert_eq!(refused(world.claim(&eve, &hub, None)), ClaimError::Taken);
    // Also when the power went meanwhile.
    drop(hub);
    world.stop(shelf);
    let (shelf, hub) = world.hub(false);
    assert!(hub.shown().borrow().announced && hub.shown().borrow().claimed);
    assert_eq!(refused(world.claim(&eve, &hub, None)), ClaimError::Taken);
    let device = world.claim(&ann, &hub, None).unwrap();
    assert_eq!(device.space().name(), "attic");
    assert_eq!(device.picture().unwrap().admins.len(), 1);
    eventually("the beacon stops", || !hub.shown().borrow().announced);
    drop((device, hub));
    world.stop_all([shelf, ann, eve]);
}

#[test]
fn a_recorded_beacon_and_a_borrowed_name_are_of_no_use() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let (ann, eve) = (world.person("Ann"), world.person("Eve"));
    let recorded = announced(&hub);
    let mut caller = Caller::with_nonce(&world, &eve, recorded.clone());
    // Eve says that she is Ann.
    caller.person = ann.public_key();
    assert!(matches!(
        caller.hello(&eve.identity()),
        Err(ClaimError::Refused(_))
    ));
    caller.hang_up();
    let again = world
        .runtime
        .block_on(claim_seen(&eve, recorded, "attic", None));
    assert_eq!(refused(again), ClaimError::Stale);
    let mut made_up = announced(&hub);
    made_up.setup.nonce = [9; 16];
    let claimed = world
        .runtime
        .block_on(claim_seen(&eve, made_up, "attic", None));
    assert_eq!(refused(claimed), ClaimError::Stale);
    world.claim(&ann, &hub, None).unwrap();
    drop(hub);
    world.stop_all([shelf, ann, eve]);
}

#[test]
fn without_the_code_nobody_claims_and_guessing_ends_soon() {
    let world = World::new();
    let (shelf, hub) = world.hub(true);
    let (ann, eve) = (world.person("Ann"), world.person("Eve"));
    let code = hub.shown().borrow().code.clone().unwrap();
    let wrong = if code == "00000000" { "1" } else { "00000000" };
    assert_eq!(
        refused(world.claim(&eve, &hub, None)),
        ClaimError::CodeNeeded
    );
    for _ in 0..5 {
        assert_eq!(
            refused(world.claim(&eve, &hub, Some(wrong))),
            ClaimError::WrongCode
        );
    }
    let new = hub.shown().borrow().code.clone().unwrap();
    assert_ne!(code, new, "five guesses are all that a code stands");
    assert_eq!(
        refused(world.claim(&ann, &hub, Some(&code))),
        ClaimError::WrongCode
    );
    let typed = format!("{} {}", &new[..4], &new[4..]);
    world.claim(&ann, &hub, Some(&typed)).unwrap();
    drop(hub);
    world.stop_all([shelf, ann, eve]);
}

/// Mallory's machine announces itself under the name of a device, and does not know the code.
#[test]
fn an_impostor_who_does_not_know_the_code_gets_no_admin_and_nothing_to_guess_from() {
    let world = World::new();
    let (ann, mallory) = (world.person("Ann"), world.person("Mallory"));
    let mut calls = mallory.swarm().take_claims();
    for knows_exchange in [false, true] {
        let hint = mallory.hint();
        let setup = Setup {
            device: hint.device,
            port: 1,
            needs_code: true,
            claimed: false,
            nonce: [1; 16],
            name: "attic".into(),
        };
        let seen = Seen { setup, hint };
        let (him, me) = (mallory.clone(), ann.public_key());
        let impostor = async {
            let connection = calls.recv().await.unwrap();
            let mut talk = Talk::accept(&*connection).await.unwrap();
            let Ok(Said::Hello { nonce, share, .. }) = talk.hear().await else {
                panic!("a hello");
            };
            let device = him.hint().device;
            let both = transcript(&*connection, &nonce, &device, &me).unwrap();
            let identity = him.identity();
            let guess = cobox_keys::pake::Exchange::begin(
                cobox_keys::pake::Side::Second,
                b"87654321",
                &both,
            );
            let ours = guess.share();
            let said = Said::Identity {
                device: identity.public_key(),
                signature: identity.key_pair().sign(DEVICE_SIGNS, &both).0,
                share: knows_exchange.then_some(ours),
            };
            talk.say(&said).await.unwrap();
            if let Ok(Said::Proof { proof }) = talk.hear().await {
                let agreed = guess.finish(&share.unwrap()).unwrap();
                assert!(!agreed.check(cobox_keys::pake::Side::First, &proof.unwrap()));
                let proof = Some(agreed.proof(cobox_keys::pake::Side::Second));
                let code = "code".into();
                let _ = talk.say(&Said::Welcome { code, proof }).await;
            }
            connection.closed().await;
        };
        let claim = claim_seen(&ann, seen, "attic", Some("12345678"));
        let (claimed, ()) = world
            .runtime
            .block_on(async { tokio::join!(claim, impostor) });
        assert!(matches!(refused(claimed), ClaimError::Unproven(_)));
    }
    assert!(ann.spaces().is_empty());
    world.stop_all([ann, mallory]);
}

#[test]
fn an_announcement_lets_in_one_more_and_hide_ends_it() {
    use crate::admin::{Deed, Token};
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let people = ["Ann", "Bob", "Eve"].map(|name| world.person(name));
    let [ann, bob, eve] = &people;
    let device = world.claim(ann, &hub, None).unwrap();
    let say = |deed| {
        let id = device.command(Token::generate(), deed).unwrap();
        eventually("an answer", || {
            let fate = device.fate(&id).unwrap().unwrap().1;
            matches!(
                fate,
                Fate::Answered {
                    outcome: Outcome::Done,
                    ..
                }
            )
        });
    };
    say(Deed::Announce { minutes: 5 });
    eventually("the beacon", || hub.shown().borrow().announced);
    let bobs = world.claim(bob, &hub, None).unwrap();
    assert_eq!(bobs.space().name(), "attic", "only the first one names it");
    assert_eq!(refused(world.claim(eve, &hub, None)), ClaimError::Taken);
    eventually("Ann sees Bob", || {
        device.picture().unwrap().admins.len() == 2
    });
    say(Deed::Announce { minutes: 5 });
    say(Deed::Hide);
    assert_eq!(refused(world.claim(eve, &hub, None)), ClaimError::Taken);
    eventually("the beacon stops", || !hub.shown().borrow().announced);
    // What Bob says counts as much.
    let id = bobs.command(Token::generate(), Deed::Status).unwrap();
    eventually("Bob's answer", || {
        bobs.known().unwrap().report.is_some_and(|r| r.asked == id)
    });
    drop((device, bobs, hub));
    world.stop_all(people);
    world.stop(shelf);
}

#[test]
fn a_persons_home_is_no_hubs() {
    let world = World::new();
    let ann = world.person("Ann");
    ann.create("photos").unwrap();
    let started = world
        .runtime
        .block_on(Hub::start(&ann, HubOptions::default()));
    assert!(matches!(started, Err(SpaceError::NotADevice(_))));
    world.stop(ann);
}
