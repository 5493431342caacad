//! One victim, one honest member, and room for whoever lies.

use super::mallory::Mallory;
use super::{Device, TestSpace, append, assert_equal, eventually, own_feed};
use cobox_feed::feed::Feed;
use cobox_feed::set::FeedSet;
use cobox_keys::derive::FeedKind;
use cobox_swarm::swarm::{Role, SwarmEvent};
use cobox_swarm::transport::memory::MemoryNetwork;
use std::sync::Arc;

/// Alice is the victim, Bob an honest member with a log.
pub struct Scene {
    pub network: MemoryNetwork,
    pub space: TestSpace,
    pub alice: Device,
    pub bob: Device,
    pub at_alice: Arc<FeedSet>,
    pub at_bob: Arc<FeedSet>,
    pub log: Arc<Feed>,
}

impl Scene {
    pub async fn new() -> Self {
        let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
        let mut alice = Device::on(&network, 11).await;
        let mut bob = Device::on(&network, 12).await;
        let at_bob = bob.set(&space);
        let log = own_feed(&at_bob, &space, 3, FeedKind::Log).await;
        append(&at_bob, &log, 3, 100).await;
        let at_alice = alice.join(&space, Role::Member);
        bob.join(&space, Role::Member);
        alice.swarm.introduce(space.address, bob.hint.clone());
        alice.synced().await;
        bob.synced().await;
        Self {
            network,
            space,
            alice,
            bob,
            at_alice,
            at_bob,
            log,
        }
    }

    pub async fn mallory(&self) -> Mallory {
        self.mallory_as(66).await
    }

    /// Under another key: an expelled one is not let in again so soon.
    pub async fn mallory_as(&self, seed: u8) -> Mallory {
        Mallory::in_space(&self.network, seed, &self.alice.hint, &self.space).await
    }

    /// Alice says why she refused something.
    pub async fn refused(&mut self, why: &str) {
        let fits = |event: &SwarmEvent| {
            println!("{event:?}"); // shown when the test fails
            matches!(event, SwarmEvent::Refused { reason, .. } if reason.contains(why))
        };
        self.alice.until(fits).await;
    }

    /// What Bob writes still arrives, and nothing else has.
    pub async fn rest_is_undisturbed(&mut self) {
        append(&self.at_bob, &self.log, 3, 100).await;
        let (key, length) = (self.log.key(), self.log.length());
        let at_alice = &self.at_alice;
        eventually("Bob's log at Alice", || {
            at_alice
                .feed(&key)
                .is_some_and(|feed| feed.held().len() == length)
        })
        .await;
        assert_equal(&self.at_alice, &self.at_bob);
    }
}
