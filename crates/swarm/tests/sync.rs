//! Several devices over the in-memory network: everybody ends up with everything.

mod common;

use cobox_feed::set::FeedSet;
use cobox_keys::derive::FeedKind;
use cobox_swarm::swarm::{Role, SwarmEvent};
use cobox_swarm::transport::Transport;
use cobox_swarm::transport::memory::MemoryNetwork;
use common::{Device, TestSpace, append, assert_equal, block, eventually, is_complete, own_feed};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_converge() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let mut alice = Device::on(&network, 11).await;
    let mut bob = Device::on(&network, 12).await;
    let (a, b) = (alice.set(&space), bob.set(&space));
    let at_a = own_feed(&a, &space, 1, FeedKind::Metadata).await;
    let content = own_feed(&a, &space, 2, FeedKind::Content).await;
    let at_b = own_feed(&b, &space, 3, FeedKind::Metadata).await;
    append(&a, &at_a, 5, 300).await;
    append(&a, &content, 300, 5_000).await;
    append(&b, &at_b, 7, 300).await;
    alice.join(&space, Role::Member);
    bob.join(&space, Role::Member);
    alice.swarm.introduce(space.address, bob.hint.clone());
    alice.synced().await;
    bob.synced().await;
    assert_equal(&a, &b);
}
