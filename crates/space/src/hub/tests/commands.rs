//! Commands: obeyed once, whoever is online when; not obeyed when they are forged.

use cobox_keys::access::{Address, SpaceRoot};

use super::*;
use crate::admin::{Command, Deed, Fate, Outcome, Token, Verdict};
use crate::log::Filter;
use crate::log::types::PeerAbout;

fn some_address() -> Address {
    SpaceRoot::generate().address()
}

fn replicate(address: Address) -> Deed {
    Deed::Replicate {
        address,
        name: Some("photos".into()),
        quota: None,
        hints: Vec::new(),
    }
}

/// What the device answered, once it has.
fn answer(device: &Device, deed: Deed) -> (Outcome, String) {
    let id = device.command(Token::generate(), deed).unwrap();
    let mut answer = None;
    eventually("an answer", || {
        if let Some((_, Fate::Answered { outcome, words, .. })) = device.fate(&id).unwrap() {
            answer = Some((outcome, words));
        }
        answer.is_some()
    });
    answer.unwrap()
}

#[test]
fn a_device_does_as_it_is_told_and_says_so() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let ann = world.person("Ann");
    let device = world.claim(&ann, &hub, None).unwrap();
    let photos = ann.create("photos").unwrap();
    let address = photos.address();
    assert_eq!(answer(&device, replicate(address)).0, Outcome::Done);
    let replica = shelf.replica(&address).unwrap();
    assert_eq!(replica.name().as_deref(), Some("photos"));
    eventually("the copy", || {
        replica.size() > 0 && photos.last_sync().is_some()
    });
    let quota = Some(1 << 30);
    assert_eq!(
        answer(&device, Deed::Quota { address, quota }).0,
        Outcome::Done
    );
    assert_eq!(replica.terms().quota, quota);
    let name = "cellar".to_owned();
    assert_eq!(answer(&device, Deed::Rename { name }).0, Outcome::Done);
    eventually("the name", || device.space().name() == "cellar");
    assert_eq!(answer(&device, Deed::Status).0, Outcome::Done);
    let report = device.known().unwrap().report.unwrap();
    let row = report
        .rows
        .iter()
        .find(|row| row.address == address)
        .unwrap();
    assert!(row.held == row.known && row.held > 0 && !row.over_quota);
    assert!(row.last_contact_ms.is_some() && report.used > 0 && report.free.is_some());
    assert_eq!(report.version, "test");
    assert!(report.hint.starts_with(&shelf.device().to_string()));
    assert_eq!(
        answer(&device, Deed::Unreplicate { address }).0,
        Outcome::Done
    );
    assert!(shelf.replica(&address).is_none());
    // It cannot be told to replicate the space in which it is told.
    let own = replicate(device.space().address());
    assert_eq!(answer(&device, own).0, Outcome::Failed);
    drop((device, hub, photos, replica));
    world.stop_all([shelf, ann]);
}

#[test]
fn the_same_token_is_one_command() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let ann = world.person("Ann");
    let device = world.claim(&ann, &hub, None).unwrap();
    let token = Token::generate();
    let one = device.command(token, Deed::Status).unwrap();
    assert_eq!(device.command(token, Deed::Status).unwrap(), one);
    assert_ne!(
        device.command(Token::generate(), Deed::Status).unwrap(),
        one
    );
    assert_eq!(device.picture().unwrap().fates.len(), 2);
    drop((device, hub));
    world.stop_all([shelf, ann]);
}

#[test]
fn a_device_and_its_admin_need_not_be_online_together() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let (ann, relay) = (world.person("Ann"), world.person("Relay"));
    let device = world.claim(&ann, &hub, None).unwrap();
    let admin_space = device.space().address();
    // Somebody who knows only the address of the admin space.
    relay
        .replicate(admin_space, None, &[ann.hint(), shelf.hint()])
        .unwrap();
    let at_relay = relay.replica(&admin_space).unwrap();
    let holds_all = |of: &Space| {
        of.set().feeds().iter().all(|feed| {
            let kept = at_relay.set().feed(&feed.key());
            kept.is_some_and(|kept| {
                kept.length() >= feed.length() && kept.missing(0..feed.length()).is_empty()
            })
        })
    };
    eventually("the relay has what was said so far", || {
        holds_all(device.space())
    });
    drop(hub);
    let (hub_hint, address) = (shelf.hint(), some_address());
    world.stop(shelf);

    let id = device
        .command(Token::generate(), replicate(address))
        .unwrap();
    let waiting = device.fate(&id).unwrap().unwrap().1;
    assert_eq!(waiting, Fate::Waiting(Verdict::Do));
    eventually("the relay has the command", || holds_all(device.space()));
    drop(device);
    world.stop(ann);

    let (shelf, hub) = world.hub(false);
    shelf.swarm().introduce(admin_space, relay.hint());
    eventually("the device hears of it", || {
        shelf.replica(&address).is_some()
    });
    let space = hub.inner.space().unwrap();
    eventually("the relay has the answer", || {
        hub.inner.picture(&space).unwrap().to_do().count() == 0 && holds_all(&space)
    });
    drop((hub, space));
    world.stop(shelf);

    let ann = world.person("Ann");
    let device = ann.devices().unwrap().remove(0);
    ann.swarm().introduce(admin_space, relay.hint());
    eventually("Ann hears the answer", || {
        let fate = device.fate(&id).unwrap().unwrap().1;
        matches!(
            fate,
            Fate::Answered {
                outcome: Outcome::Done,
                ..
            }
        )
    });
    let met =
        |peer: &cobox_swarm::swarm::PeerStatus| peer.device == hub_hint.device && peer.connected;
    assert!(!ann.swarm().peers().iter().any(met));
    drop((device, at_relay));
    world.stop_all([ann, relay]);
}

#[test]
fn a_member_who_is_no_admin_and_a_replicator_command_nothing() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let (ann, eve) = (world.person("Ann"), world.person("Eve"));
    let device = world.claim(&ann, &hub, None).unwrap();
    let admin_space = device.space().address();
    // Ann shares the space, but nobody made Eve an admin.
    let code = device.space().invite(&eve.public_key()).unwrap();
    eve.join(&code, None).unwrap();
    let mut eves = None;
    eventually("Eve sees that it is a device", || {
        eves = eve.devices().unwrap().pop();
        eves.is_some()
    });
    let eves = eves.unwrap();
    let refused = eves.command(Token::generate(), Deed::Status);
    assert!(matches!(refused, Err(SpaceError::NotAnAdmin(_))));
    // A program of hers that does not ask.
    let address = some_address();
    let forged = Command {
        token: Token::generate(),
        deed: replicate(address),
    };
    eves.space().log().tell(&forged).unwrap();
    // She also answers for the device, and says that she is one.
    let me = eve.public_key();
    let root = SpaceRoot::generate();
    eves.space()
        .log()
        .tell(&crate::admin::DeviceAbout::sign(&root, me))
        .unwrap();
    let how = crate::admin::How::Claimed;
    let public_key = me;
    eves.space()
        .log()
        .tell(&crate::admin::Answer::Admitted { public_key, how })
        .unwrap();
    let mut fate = None;
    eventually("everybody hears of it", || {
        let picture = device.picture().unwrap();
        let hers = picture
            .fates
            .into_iter()
            .find(|(given, _)| given.author == me);
        fate = hers.map(|(_, fate)| fate);
        fate.is_some()
    });
    assert_eq!(fate, Some(Fate::Stranger), "shown as refused");
    // What an admin says afterwards is done: so hers was heard, and was not.
    assert_eq!(answer(&device, Deed::Status).0, Outcome::Done);
    assert!(shelf.replica(&address).is_none());
    assert_eq!(device.picture().unwrap().admins.len(), 1);
    assert_eq!(device.identity(), shelf.public_key());

    // A replicator has the address, and no writer that anybody vouches for.
    let mallory = world.person("Mallory");
    mallory
        .replicate(admin_space, None, &[shelf.hint(), ann.hint()])
        .unwrap();
    let at_mallory = mallory.replica(&admin_space).unwrap();
    eventually("Mallory has a copy", || {
        !at_mallory.set().feeds().is_empty()
    });
    let pair = cobox_feed::manifest::FeedKeyPair::from_seed(&[7; 32]);
    let feed = at_mallory
        .set()
        .own(pair, cobox_keys::derive::FeedKind::Log as u8);
    let mut batch = cobox_feed::set::Batch::new();
    batch.append(&feed, vec![vec![0; 600].into(), vec![1; 600].into()]);
    at_mallory.set().commit(batch).unwrap().wait().unwrap();
    assert_eq!(answer(&device, Deed::Status).0, Outcome::Done);
    assert!(hub.inner.space().unwrap().set().feed(&feed.key()).is_none());
    drop((device, eves, hub, at_mallory, feed));
    world.stop_all([shelf, ann, eve, mallory]);
}

#[test]
fn an_admin_added_by_code_commands_and_one_who_is_removed_does_not() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let (ann, bob) = (world.person("Ann"), world.person("Bob"));
    let device = world.claim(&ann, &hub, None).unwrap();
    let code = device.add_admin(&bob.public_key()).unwrap();
    bob.join(&code, None).unwrap();
    let mut bobs = None;
    eventually("Bob sees that he may", || {
        bobs = bob.devices().unwrap().pop();
        bobs.as_ref().is_some_and(|device| {
            device
                .picture()
                .unwrap()
                .admins
                .contains_key(&bob.public_key())
        })
    });
    let bobs = bobs.unwrap();
    let address = some_address();
    assert_eq!(answer(&bobs, replicate(address)).0, Outcome::Done);
    eventually("Ann sees who did it", || {
        let by = device
            .picture()
            .unwrap()
            .wanted
            .get(&address)
            .and_then(|wanted| wanted.by);
        by == Some(bob.public_key())
    });
    let public_key = bob.public_key();
    assert_eq!(
        answer(&device, Deed::RemoveAdmin { public_key }).0,
        Outcome::Done
    );
    // A program of his that does not ask first.
    let late = Command {
        token: Token::generate(),
        deed: Deed::Unreplicate { address },
    };
    bobs.space().log().tell(&late).unwrap();
    eventually("it is refused, and he is told", || {
        let picture = bobs.picture().unwrap();
        let mut his = picture
            .fates
            .iter()
            .filter(|(given, _)| given.command == late);
        his.any(|(_, fate)| {
            matches!(
                fate,
                Fate::Answered {
                    outcome: Outcome::Refused,
                    ..
                }
            )
        })
    });
    assert!(shelf.replica(&address).is_some());
    let public_key = ann.public_key();
    assert_eq!(
        answer(&device, Deed::RemoveAdmin { public_key }).0,
        Outcome::Refused
    );
    drop((device, bobs, hub));
    world.stop_all([shelf, ann, bob]);
}

#[test]
fn a_hub_that_was_killed_after_the_deed_gives_the_answer_at_its_next_start() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let ann = world.person("Ann");
    let device = world.claim(&ann, &hub, None).unwrap();
    let admin_space = device.space().address();
    // It rests, and only what it keeps is done by hand, as just before a crash.
    hub.rest();
    let address = some_address();
    let id = device
        .command(Token::generate(), replicate(address))
        .unwrap();
    let space = shelf.space(&admin_space.to_string()).unwrap();
    eventually("the device has the command", || {
        let commands = space.log().read(&Filter::of::<Command>()).unwrap();
        !commands.is_empty()
    });
    let terms = crate::replica::Terms {
        name: Some("photos".into()),
        quota: None,
    };
    shelf.replicate_within(address, terms, &[]).unwrap();
    drop((hub, space));
    world.stop(shelf);
    let (shelf, hub) = world.hub(false);
    assert_eq!(shelf.replicas().len(), 1);
    let picture = hub.inner.picture(&hub.inner.space().unwrap()).unwrap();
    assert_eq!(picture.to_do().count(), 0, "answered before anything else");
    shelf.swarm().introduce(admin_space, ann.hint());
    eventually("Ann hears it", || {
        let fate = device.fate(&id).unwrap().unwrap().1;
        matches!(
            fate,
            Fate::Answered {
                outcome: Outcome::Done,
                ..
            }
        )
    });
    let names = device
        .space()
        .log()
        .read(&Filter::of::<PeerAbout>())
        .unwrap();
    assert!(names.len() >= 2);
    drop((device, hub));
    world.stop_all([shelf, ann]);
}
