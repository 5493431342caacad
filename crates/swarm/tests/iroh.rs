//! The same over real sockets: iroh on loopback, and the LAN beacon instead of introductions.

mod common;

use cobox_keys::derive::FeedKind;
use cobox_keys::identity::KeyPair;
use cobox_swarm::swarm::{Options, Role, SwarmEvent};
use cobox_swarm::transport::{IrohOptions, IrohTransport};
use common::{Device, TestSpace, append, assert_equal, eventually, is_complete, own_feed};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

async fn device(seed: u8, options: Options) -> Device {
    let local = IrohOptions::bound_to(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let pair = KeyPair::from_seed(&[seed; 32]);
    let transport = IrohTransport::start(pair, local)
        .await
        .expect("an endpoint");
    Device::over(Arc::new(transport), options).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_over_quic_converge_live() {
    let space = TestSpace::new(1);
    let mut alice = device(11, Options::default()).await;
    let mut bob = device(12, Options::default()).await;
    let a = alice.set(&space);
    let content = own_feed(&a, &space, 2, FeedKind::Content).await;
    append(&a, &content, 200, 65_000).await;
    alice.join(&space, Role::Member);
    let b = bob.join(&space, Role::Replicator);
    bob.swarm.introduce(space.address, alice.hint.clone());
    bob.synced().await;
    alice.synced().await;
    assert_equal(&a, &b);
    append(&a, &content, 1, 65_000).await;
    eventually("one more", || {
        is_complete(&b, 1) && b.feeds()[0].length() == 201
    })
    .await;
    assert!(bob.swarm.peers()[0].path.starts_with("lan 127.0.0.1"));
    alice.swarm.stop().await;
    let left = |event: &SwarmEvent| matches!(event, SwarmEvent::Disconnected { .. });
    bob.until(left).await;
    bob.swarm.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_that_know_nothing_but_the_address_meet_on_the_lan() {
    let space = TestSpace::new(1);
    let mut options = Options::default();
    options.lan = true;
    options.lan_port = 38_000 + (std::process::id() % 900) as u16;
    let mut alice = device(11, options.clone()).await;
    let mut bob = device(12, options).await;
    alice.join(&space, Role::Member);
    bob.join(&space, Role::Replicator);
    alice.synced().await;
    bob.synced().await;
    assert_eq!(bob.swarm.hints(&space.address).len(), 1);
}
