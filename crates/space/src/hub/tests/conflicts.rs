//! Two admins who decide differently without knowing of each other, heard in either order.

use std::collections::BTreeMap;

use cobox_keys::access::{Address, SpaceRoot};
use cobox_keys::identity::PublicKey;

use super::*;
use crate::admin::{CommandId, Deed, Fate, Outcome, Picture, Token};

/// Three addresses that both speak of.
type Addresses = [Address; 3];

fn keep(address: Address, quota: Option<u64>) -> Deed {
    Deed::Replicate {
        address,
        name: None,
        quota,
        hints: Vec::new(),
    }
}

/// What one admin says, about every thing that can be commanded; the other says the opposite.
fn one([a, b, c]: Addresses) -> Vec<Deed> {
    vec![
        keep(a, None),
        Deed::Unreplicate { address: b },
        Deed::Quota {
            address: c,
            quota: Some(1 << 20),
        },
        Deed::Announce { minutes: 5 },
        Deed::Rename { name: "one".into() },
        Deed::Status,
    ]
}

fn other([a, b, c]: Addresses) -> Vec<Deed> {
    vec![
        Deed::Unreplicate { address: a },
        keep(b, None),
        Deed::Quota {
            address: c,
            quota: None,
        },
        Deed::Hide,
        Deed::Rename {
            name: "other".into(),
        },
        Deed::Status,
    ]
}

/// Says all of it.
fn say(device: &Device, deeds: Vec<Deed>) -> Vec<CommandId> {
    let say = |deed| device.command(Token::generate(), deed).unwrap();
    deeds.into_iter().map(say).collect()
}

/// What became of them, once all are answered.
fn outcomes(device: &Device, ids: &[CommandId]) -> Option<Vec<Outcome>> {
    let picture = device.picture().unwrap();
    let fates: BTreeMap<_, _> = picture
        .fates
        .iter()
        .map(|(given, fate)| (given.id, fate))
        .collect();
    ids.iter()
        .map(|id| match fates.get(id) {
            Some(Fate::Answered { outcome, .. }) => Some(*outcome),
            _ => None,
        })
        .collect()
}

/// Everything on which all who can read the admin space shall agree.
fn agreed(picture: &Picture) -> (Vec<(CommandId, Fate)>, Vec<PublicKey>, Vec<Address>) {
    let fates = picture.fates.iter();
    (
        fates
            .map(|(given, fate)| (given.id, fate.clone()))
            .collect(),
        picture.admins.keys().copied().collect(),
        picture.wanted.keys().copied().collect(),
    )
}

#[test]
fn conflicting_commands_of_two_admins_end_as_the_later_one_says_in_whatever_order_they_are_heard() {
    let world = World::new();
    let (shelf, hub) = world.hub(false);
    let (ann, bob) = (world.person("Ann"), world.person("Bob"));
    let anns = world.claim(&ann, &hub, None).unwrap();
    bob.join(&anns.add_admin(&bob.public_key()).unwrap(), None)
        .unwrap();
    let may = |shelf: &Shelf| {
        let device = shelf.devices().unwrap().pop()?;
        let admins = device.picture().unwrap().admins;
        admins.contains_key(&shelf.public_key()).then_some(device)
    };
    eventually("Bob may", || may(&bob).is_some());
    let bobs = may(&bob).unwrap();
    let address = anns.space().address();

    // In the second round Bob, who is heard later, is also the one who says it later.
    for bob_first in [true, false] {
        let addresses = [(); 3].map(|()| SpaceRoot::generate().address());
        let [_, b, c] = addresses;
        let before = say(&anns, vec![keep(b, None), keep(c, Some(7 << 20))]);
        eventually("both are kept", || {
            outcomes(&bobs, &before) == Some(vec![Outcome::Done; 2])
        });
        world.network.plug(&bob.device(), false);
        let by_bob = || say(&bobs, one(addresses));
        let early = bob_first.then(by_bob);
        std::thread::sleep(Duration::from_millis(20));
        let by_ann = say(&anns, other(addresses));
        eventually("the device has done what Ann says", || {
            outcomes(&anns, &by_ann) == Some(vec![Outcome::Done; 6])
        });
        std::thread::sleep(Duration::from_millis(20));
        let by_bob = early.unwrap_or_else(by_bob);
        world.network.plug(&bob.device(), true);
        bob.swarm().introduce(address, shelf.hint());
        let mut of_bob = Vec::new();
        eventually("and has answered Bob", || {
            of_bob = outcomes(&anns, &by_bob).unwrap_or_default();
            !of_bob.is_empty()
        });
        let (done, late) = (Outcome::Done, Outcome::Superseded);
        let expected = match bob_first {
            true => vec![late, late, late, late, late, done],
            false => vec![done; 6],
        };
        assert_eq!(of_bob, expected);
        // The world is as the later one says.
        let kept = addresses.map(|address| shelf.replica(&address).map(|one| one.terms().quota));
        let (opposite, name) = match bob_first {
            true => ([None, Some(None), Some(None)], "other"),
            false => ([Some(None), None, Some(Some(1 << 20))], "one"),
        };
        assert_eq!(kept, opposite);
        assert_eq!(hub.inner.space().unwrap().name(), name);
        eventually("the announcement is as it says", || {
            hub.shown().borrow().announced != bob_first
        });
        // And all see the same.
        eventually("all agree", || {
            let space = hub.inner.space().unwrap();
            let pictures = [
                agreed(&hub.inner.picture(&space).unwrap()),
                agreed(&anns.picture().unwrap()),
                agreed(&bobs.picture().unwrap()),
            ];
            pictures[0] == pictures[1] && pictures[1] == pictures[2]
        });
    }

    // They remove each other: the one whom the device hears first stays.
    world.network.plug(&bob.device(), false);
    let remove = |who: &Shelf| Deed::RemoveAdmin {
        public_key: who.public_key(),
    };
    let by_bob = say(&bobs, vec![remove(&ann)]);
    let by_ann = say(&anns, vec![remove(&bob)]);
    eventually("Bob is removed", || {
        outcomes(&anns, &by_ann) == Some(vec![Outcome::Done])
    });
    world.network.plug(&bob.device(), true);
    bob.swarm().introduce(address, shelf.hint());
    eventually("he hears that he is", || {
        outcomes(&bobs, &by_bob) == Some(vec![Outcome::Refused])
    });
    let admins: Vec<_> = bobs.picture().unwrap().admins.into_keys().collect();
    assert_eq!(admins, [ann.public_key()]);
    drop((anns, bobs, hub));
    world.stop_all([shelf, ann, bob]);
}
