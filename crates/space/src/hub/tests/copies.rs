//! What a device keeps no more, by its admins' word or because it is lost, counts no more in the spaces themselves.

use super::*;
use crate::admin::{Deed, Token};
use crate::health::Colour;
use crate::space::Space;

/// A hub of Ann's, and a space of hers with Bob, who is not its admin.
struct Scene {
    world: World,
    hub: (Shelf, Hub),
    device: Device,
    ann: Shelf,
    bob: Shelf,
    spaces: [Arc<Space>; 2],
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let hub = world.hub(false);
        let (ann, bob) = (world.person("Ann"), world.person("Bob"));
        let device = world.claim(&ann, &hub.1, None).unwrap();
        let photos = ann.create("photos").unwrap();
        let code = photos.invite(&bob.public_key()).unwrap();
        let bobs = bob.join(&code, None).unwrap();
        Self {
            world,
            hub,
            device,
            ann,
            bob,
            spaces: [photos, bobs],
        }
    }

    fn say(&self, deed: Deed) {
        self.device.command(Token::generate(), deed).unwrap();
    }

    fn replicate(&self) {
        self.say(Deed::Replicate {
            address: self.spaces[0].address(),
            name: None,
            quota: None,
            hints: vec![self.ann.hint().to_string()],
        });
        eventually("both are green", || self.both(1, Colour::Green));
    }

    /// So many copies, and this colour, for both.
    fn both(&self, copies: usize, colour: Colour) -> bool {
        let healths = self.spaces.iter().map(|space| space.health().unwrap());
        { healths }.all(|health| health.copies.len() == copies && health.colour == colour)
    }

    fn end(self) {
        drop((self.device, self.hub.1, self.spaces));
        self.world.stop_all([self.hub.0, self.ann, self.bob]);
    }
}

#[test]
fn what_a_device_was_told_to_drop_counts_no_more_for_any_member_until_it_keeps_it_again() {
    let scene = Scene::new();
    scene.replicate();
    let address = scene.spaces[0].address();
    scene.say(Deed::Unreplicate { address });
    eventually("both have none", || scene.both(0, Colour::Red));
    scene.replicate();
    scene.end();
}

/// Nobody is there to hear the answer: it is made good at the next start.
#[test]
fn a_copy_that_was_dropped_while_its_admin_was_away_is_found_out_later() {
    let scene = Scene::new();
    scene.replicate();
    let address = scene.spaces[0].address();
    scene.world.network.plug(&scene.hub.0.device(), false);
    scene.say(Deed::Unreplicate { address });
    assert!(scene.both(1, Colour::Green), "it has not heard of it");
    scene.world.network.plug(&scene.hub.0.device(), true);
    let admin_space = scene.device.space().address();
    scene.ann.swarm().introduce(admin_space, scene.hub.0.hint());
    eventually("both have none", || scene.both(0, Colour::Red));
    scene.end();
}

#[test]
fn a_device_that_is_forgotten_is_listed_no_more_and_its_copies_count_no_more() {
    let scene = Scene::new();
    scene.replicate();
    let key = scene.hub.0.device();
    scene.world.network.plug(&key, false);
    let told = scene.ann.forget_device(&scene.device).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].address(), scene.spaces[0].address());
    assert!(scene.ann.devices().unwrap().is_empty());
    eventually("both have none", || scene.both(0, Colour::Red));
    // It was not lost after all.
    scene.world.network.plug(&key, true);
    let address = scene.spaces[0].address();
    scene.ann.swarm().introduce(address, scene.hub.0.hint());
    eventually("it counts again", || scene.both(1, Colour::Green));
    scene.end();
}
