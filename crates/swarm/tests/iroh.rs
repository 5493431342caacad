//! The same over real sockets: iroh on loopback, and the LAN beacon instead of introductions.

mod common;

use cobox_keys::derive::FeedKind;
use cobox_keys::identity::KeyPair;
use cobox_swarm::swarm::{Options, Role, SwarmEvent};
use cobox_swarm::transport::{Hint, IrohOptions, IrohTransport, Transport};
use common::{Device, TestSpace, append, assert_equal, eventually, is_complete, own_feed};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

async fn transport(seed: u8) -> IrohTransport {
    let local = IrohOptions::bound_to(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let pair = KeyPair::from_seed(&[seed; 32]);
    IrohTransport::start(pair, local)
        .await
        .expect("an endpoint")
}

async fn device(seed: u8, options: Options) -> Device {
    Device::over(Arc::new(transport(seed).await), options).await
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

/// A device comes back on another port while it is still being dialled at the old one: the dial used to be sent on to the
/// new port once that was known, and a second handshake followed for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dial_to_an_old_port_is_given_up_when_the_device_comes_by_itself() {
    let space = TestSpace::new(1);
    // Of two dials the lower key's is kept, so the lower one has more reason to go on dialling.
    let mut seeds = [11, 12];
    seeds.sort_by_key(|seed| KeyPair::from_seed(&[*seed; 32]).public());
    let waiting = device(seeds[0], Options::default()).await;
    let coming = transport(seeds[1]).await;
    waiting.join(&space, Role::Member);
    let old_port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let old = Hint {
        device: coming.device(),
        addresses: vec![old_port.local_addr().expect("an address")],
    };
    waiting.swarm.introduce(space.address, old);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let _held = coming.dial(&waiting.hint).await.expect("a connection");
    // The next tries of a dial fall into this time.
    let second = tokio::time::timeout(Duration::from_secs(6), coming.accept()).await;
    assert!(second.is_err(), "dialled although connected");
    waiting.swarm.stop().await;
}

/// A device that lost power says no goodbye: its peer notices by the silence, within the time that is promised.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_falls_silent_is_seen_to_be_away() {
    let here = transport(11).await;
    let hint = here.hint();
    // A runtime of one thread that is held up for good: nothing of that device runs any more, not even an end.
    std::thread::spawn(move || {
        let there = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        there.block_on(async {
            let other = transport(12).await;
            let _held = other.dial(&hint).await.expect("a connection");
            loop {
                std::thread::park();
            }
        });
    });
    let connection = here.accept().await.expect("a connection");
    let noticed = tokio::time::timeout(Duration::from_secs(20), connection.closed()).await;
    assert!(noticed.is_ok(), "still believed to be there");
}
