//! Several devices over the in-memory network: everybody ends up with everything.

mod common;

use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_keys::derive::FeedKind;
use cobox_swarm::swarm::{Options, Role, SwarmEvent};
use cobox_swarm::transport::memory::MemoryNetwork;
use common::{Device, TestSpace, append, assert_equal, block, eventually, is_complete, own_feed};
use std::time::{Duration, Instant};

/// Alice has blocks; Bob has some too.
async fn two_devices(network: &MemoryNetwork, space: &TestSpace) -> (Device, Device) {
    let alice = Device::on(network, 11).await;
    let bob = Device::on(network, 12).await;
    let (a, b) = (alice.set(space), bob.set(space));
    let metadata = own_feed(&a, space, 1, FeedKind::Metadata).await;
    let content = own_feed(&a, space, 2, FeedKind::Content).await;
    let at_bob = own_feed(&b, space, 3, FeedKind::Metadata).await;
    append(&a, &metadata, 5, 300).await;
    append(&a, &content, 300, 5_000).await;
    append(&b, &at_bob, 7, 300).await;
    (alice, bob)
}

/// Connects two devices and waits until they are equal.
async fn connect(alice: &mut Device, bob: &mut Device, space: &TestSpace) {
    alice.swarm.introduce(space.address, bob.hint.clone());
    alice.synced().await;
    bob.synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_converge() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let a = alice.join(&space, Role::Member);
    let b = bob.join(&space, Role::Member);
    connect(&mut alice, &mut bob, &space).await;
    assert_equal(&a, &b);
    let progress = bob.swarm.progress(&space.address);
    assert_eq!((progress.known, progress.held), (312, 312));
    assert_eq!(progress.bytes_known, progress.bytes_held);
    let peers = bob.swarm.peers();
    assert_eq!(peers.len(), 1);
    assert!(peers[0].connected && peers[0].traffic.1 > 1_500_000);
    assert_eq!(peers[0].spaces, [(space.address, Role::Member)]);
    assert_eq!(peers[0].last_sync.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replicator_that_knows_only_the_address_serves_members_who_never_meet() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let mut hub = Device::on(&network, 13).await;
    let a = alice.join(&space, Role::Member);
    let at_hub = hub.join(&space, Role::Replicator);
    connect(&mut alice, &mut hub, &space).await;
    assert_equal(&a, &at_hub);
    alice.swarm.stop().await;
    let b = bob.join(&space, Role::Member);
    connect(&mut bob, &mut hub, &space).await;
    assert_equal(&b, &at_hub);
    assert!(is_complete(&b, 3));
    let receipts = bob.swarm.receipts(&space.address);
    eventually("a receipt", || {
        !bob.swarm.receipts(&space.address).is_empty()
    })
    .await;
    drop(receipts);
    let receipt = bob.swarm.receipts(&space.address).remove(0);
    assert_eq!(receipt.device, hub.hint.device);
    assert!(receipt.replicator && receipt.complete);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_travel_through_a_replicator_while_all_are_connected() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let mut hub = Device::on(&network, 13).await;
    let a = alice.join(&space, Role::Member);
    let b = bob.join(&space, Role::Member);
    hub.join(&space, Role::Replicator);
    connect(&mut alice, &mut hub, &space).await;
    connect(&mut bob, &mut hub, &space).await;
    eventually("all three equal", || is_complete(&a, 3)).await;
    let late = own_feed(&a, &space, 9, FeedKind::Log).await; // a feed that is new while connected
    append(&a, &late, 3, 100).await;
    eventually("a new feed at Bob", || is_complete(&b, 4)).await;
    assert_equal(&a, &b);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_find_each_other_through_a_replicator() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let mut hub = Device::on(&network, 13).await;
    alice.join(&space, Role::Member);
    bob.join(&space, Role::Member);
    hub.join(&space, Role::Replicator);
    connect(&mut alice, &mut hub, &space).await;
    connect(&mut bob, &mut hub, &space).await;
    let (at_alice, at_bob) = (alice.hint.device, bob.hint.device);
    eventually("a direct connection", || {
        let peers = alice.swarm.peers();
        peers
            .iter()
            .any(|peer| peer.device == at_bob && peer.connected)
    })
    .await;
    eventually("seen from the other side", || {
        let peers = bob.swarm.peers();
        peers
            .iter()
            .any(|peer| peer.device == at_alice && peer.connected)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skipped_blocks_come_only_when_wanted() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let a = alice.join(&space, Role::Member);
    let content = a
        .feeds()
        .into_iter()
        .find(|feed| feed.kind() == FeedKind::Content as u8);
    let content = content.expect("Alice's content").key();
    let b = bob.set(&space);
    b.skip(content, 0..1 << 30);
    bob.join(&space, Role::Member);
    connect(&mut alice, &mut bob, &space).await;
    let feed = b.feed(&content).expect("admitted");
    assert_eq!((feed.length(), feed.held().len()), (300, 0));
    let guard = b.want(content, 100..110);
    eventually("wanted blocks", || feed.missing(100..110).is_empty()).await;
    assert_eq!(feed.held().len(), 10);
    assert_eq!(feed.get(105).expect("read"), Some(block(105, 5_000)));
    drop(guard);
    let progress = bob.swarm.progress(&space.address);
    assert_eq!(progress.known, progress.held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_a_sparse_peer_holds_are_found() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let a = alice.join(&space, Role::Member);
    let content = a
        .feeds()
        .into_iter()
        .find(|feed| feed.kind() == FeedKind::Content as u8);
    let content = content.expect("Alice's content").key();
    let b = bob.set(&space);
    b.skip(content, 0..1 << 30);
    let wants: Vec<_> = (0..150)
        .map(|n| b.want(content, n * 2..n * 2 + 1))
        .collect();
    bob.join(&space, Role::Member);
    connect(&mut alice, &mut bob, &space).await;
    let at_bob = b.feed(&content).expect("admitted");
    eventually("every other block", || at_bob.held().len() == 150).await;
    drop(wants);
    alice.swarm.stop().await;
    // Carol has only Bob: 150 stretches, more than are told at once.
    let mut carol = Device::on(&network, 14).await;
    let c = carol.join(&space, Role::Replicator);
    carol.swarm.introduce(space.address, bob.hint.clone());
    carol
        .until(|event| matches!(event, SwarmEvent::Connected { .. }))
        .await;
    eventually("all that Bob has", || {
        c.feed(&content)
            .is_some_and(|feed| feed.held().len() == 150)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_reaches_a_connected_peer_in_milliseconds() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let a = alice.join(&space, Role::Member);
    let b = bob.join(&space, Role::Member);
    connect(&mut alice, &mut bob, &space).await;
    let log = own_feed(&a, &space, 9, FeedKind::Log).await;
    append(&a, &log, 1, 500).await;
    eventually("the first", || {
        b.feed(&log.key()).is_some_and(|feed| feed.has(0))
    })
    .await;
    let mut took = Vec::new();
    for n in 1..40 {
        let mut events = b.subscribe();
        append(&a, &log, 1, 500).await;
        let began = Instant::now();
        while !b.feed(&log.key()).is_some_and(|feed| feed.has(n)) {
            events.recv().await.ok();
        }
        took.push(began.elapsed());
    }
    took.sort();
    println!(
        "append to block: p50 {:?}, max {:?}",
        took[took.len() / 2],
        took[took.len() - 1]
    );
    assert!(took[took.len() / 2] < Duration::from_millis(50), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equal_pair_reconnects_within_a_kilobyte() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let a = alice.set(&space);
    for seed in 100..140 {
        let feed = own_feed(&a, &space, seed, FeedKind::Metadata).await;
        append(&a, &feed, 2, 100).await;
    }
    alice.join(&space, Role::Member);
    bob.join(&space, Role::Member);
    connect(&mut alice, &mut bob, &space).await;
    eventually("receipts", || {
        let told = |device: &Device| !device.swarm.receipts(&space.address).is_empty();
        told(&alice) && told(&bob)
    })
    .await;
    network.cut(&alice.hint.device);
    alice
        .until(|event| matches!(event, SwarmEvent::Disconnected { .. }))
        .await;
    let began = Instant::now();
    alice
        .until(|event| matches!(event, SwarmEvent::Connected { .. }))
        .await;
    let connected = Instant::now();
    alice.synced().await;
    println!(
        "redialled after {:?}, equal {:?} later",
        connected - began,
        connected.elapsed()
    );
    assert!(connected.elapsed() < Duration::from_millis(50));
    tokio::time::sleep(Duration::from_millis(300)).await; // receipts
    let (sent, received) = alice.swarm.peers()[0].traffic;
    println!("{sent} bytes sent, {received} received");
    assert!(sent + received <= 1024, "{sent} + {received}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_dies_half_way_goes_on_where_it_was() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (alice, mut bob) = two_devices(&network, &space).await;
    let a = alice.set(&space);
    let content = own_feed(&a, &space, 20, FeedKind::Content).await;
    append(&a, &content, 1_000, 32_000).await;
    alice.join(&space, Role::Member);
    let b = bob.join(&space, Role::Member);
    alice.swarm.introduce(space.address, bob.hint.clone());
    let mut received = 0;
    for _ in 0..3 {
        let before = b.feed(&content.key()).map_or(0, |feed| feed.held().len());
        eventually("some progress", || {
            let held = b.feed(&content.key()).map_or(0, |feed| feed.held().len());
            held > before || held == 1_000
        })
        .await;
        received += bob.swarm.peers().first().map_or(0, |peer| peer.traffic.1);
        network.cut(&bob.hint.device);
    }
    bob.until(|event| matches!(event, SwarmEvent::Connected { .. }))
        .await;
    eventually("everything", || is_complete(&b, 4) && is_complete(&a, 4)).await;
    received += bob.swarm.peers().first().map_or(0, |peer| peer.traffic.1);
    println!(
        "{received} bytes received for {}",
        32_000 * 1_000 + 300 * 5_000
    );
    assert!(
        received < 33_500_000 + 3 * (16 << 20),
        "only the window may come twice"
    );
    assert_equal(&a, &b);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_blocks_come_from_several_peers_once() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (mut alice, mut bob) = two_devices(&network, &space).await;
    let a = alice.set(&space);
    let content = own_feed(&a, &space, 20, FeedKind::Content).await;
    append(&a, &content, 500, 64_000).await;
    alice.join(&space, Role::Member);
    bob.join(&space, Role::Member);
    connect(&mut alice, &mut bob, &space).await;
    let carol = Device::on(&network, 14).await;
    let c = carol.join(&space, Role::Replicator);
    carol.swarm.introduce(space.address, alice.hint.clone());
    carol.swarm.introduce(space.address, bob.hint.clone());
    eventually("everything at Carol", || is_complete(&c, 4)).await;
    let received: u64 = carol.swarm.peers().iter().map(|peer| peer.traffic.1).sum();
    assert!(received < 36_000_000, "{received}: blocks came twice");
    assert_equal(&a, &c);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simultaneous_dial_leaves_one_connection() {
    for round in 0..5 {
        let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
        let mut alice = Device::on(&network, 11 + round).await;
        let mut bob = Device::on(&network, 40 - round).await;
        alice.join(&space, Role::Member);
        bob.join(&space, Role::Member);
        alice.swarm.introduce(space.address, bob.hint.clone());
        bob.swarm.introduce(space.address, alice.hint.clone());
        alice.synced().await;
        bob.synced().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (device, other) in [(&alice, &bob), (&bob, &alice)] {
            let peers = device.swarm.peers();
            assert_eq!(peers.len(), 1);
            assert!(peers[0].connected, "round {round}");
            assert_eq!(peers[0].device, other.hint.device);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spaces_joined_later_are_shared_in_the_same_connection_and_left_alone() {
    let network = MemoryNetwork::new();
    let (one, two) = (TestSpace::new(1), TestSpace::new(50));
    let (mut alice, mut bob) = two_devices(&network, &one).await;
    alice.join(&one, Role::Member);
    bob.join(&one, Role::Member);
    connect(&mut alice, &mut bob, &one).await;
    let a = alice.set(&two);
    let feed = own_feed(&a, &two, 60, FeedKind::Metadata).await;
    append(&a, &feed, 3, 50).await;
    alice.join(&two, Role::Member);
    let b = bob.join(&two, Role::Replicator);
    eventually("the second space", || is_complete(&b, 1)).await;
    assert_eq!(alice.swarm.peers()[0].spaces.len(), 2);
    bob.swarm.leave(&two.address);
    let left = |event: &SwarmEvent| matches!(event, SwarmEvent::Disconnected { address, .. } if *address == two.address);
    alice.until(left).await;
    append(&a, &feed, 3, 50).await;
    bob.join(&two, Role::Replicator);
    eventually("joined again", || {
        b.feed(&feed.key()).is_some_and(|feed| feed.length() == 6)
    })
    .await;
    assert_eq!(alice.swarm.peers()[0].spaces.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_checked_before_blocks_are_fetched() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (alice, _bob) = two_devices(&network, &space).await;
    let a = alice.join(&space, Role::Member);
    let mut options = Options::default();
    options.quota = Some(100_000);
    let mut hub = Device::with(&network, 13, options).await;
    let at_hub = hub.join(&space, Role::Replicator);
    hub.swarm.introduce(space.address, alice.hint.clone());
    let refused = |event: &SwarmEvent| matches!(event, SwarmEvent::Refused { reason, .. } if reason.contains("quota"));
    hub.until(refused).await;
    eventually("what fits", || is_complete(&at_hub, 1)).await;
    let content = a
        .feeds()
        .into_iter()
        .find(|feed| feed.length() == 300)
        .expect("content");
    let held = at_hub.feed(&content.key()).expect("admitted");
    assert_eq!((held.length(), held.held().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_of_one_address_can_be_raised_while_it_runs() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let (alice, _bob) = two_devices(&network, &space).await;
    let a = alice.join(&space, Role::Member);
    let mut hub = Device::on(&network, 13).await;
    let at_hub = hub.store.set(space.address.0).expect("a set");
    let swarm = hub.swarm.clone();
    swarm.join_within(
        space.address,
        Role::Replicator,
        at_hub.clone(),
        Some(100_000),
    );
    swarm.introduce(space.address, alice.hint.clone());
    let refused = |event: &SwarmEvent| matches!(event, SwarmEvent::Refused { reason, .. } if reason.contains("quota"));
    hub.until(refused).await;
    eventually("it is said", || swarm.progress(&space.address).over_quota).await;
    let bytes = |set: &FeedSet| -> u64 {
        let heads = set.feeds().into_iter().filter_map(|feed| feed.head());
        heads.map(|head| head.byte_length).sum()
    };
    assert!(bytes(&at_hub) <= 100_000);
    swarm.limit(&space.address, Some(bytes(&a)));
    eventually("all of it", || is_complete(&at_hub, 2)).await;
    assert!(!swarm.progress(&space.address).over_quota);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_peers_are_found_again_after_a_restart() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("peers");
    let with_cache = || {
        let mut options = Options::default();
        options.cache = Some(file.clone());
        options
    };
    let (_alice, mut bob) = two_devices(&network, &space).await;
    bob.join(&space, Role::Member);
    let mut carol = Device::with(&network, 15, with_cache()).await;
    carol.join(&space, Role::Member);
    connect(&mut carol, &mut bob, &space).await;
    carol.swarm.stop().await;
    drop(carol);
    let mut carol = Device::with(&network, 15, with_cache()).await;
    carol.join(&space, Role::Member);
    carol.synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_with_many_spaces_shares_them_all_over_one_connection() {
    const SPACES: usize = 300;
    let network = MemoryNetwork::new();
    let mut alice = Device::on(&network, 11).await;
    let hub = Device::on(&network, 13).await;
    let address = |n: usize| {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        Address(bytes)
    };
    for n in 0..SPACES {
        for (device, role) in [(&alice, Role::Member), (&hub, Role::Replicator)] {
            let set = device.store.set(address(n).0).expect("a set");
            device.swarm.join(address(n), role, set);
        }
    }
    let began = Instant::now();
    alice.swarm.introduce(address(0), hub.hint.clone());
    for _ in 0..SPACES {
        alice.synced().await;
    }
    println!("{SPACES} spaces equal after {:?}", began.elapsed());
    let peers = alice.swarm.peers();
    assert_eq!((peers.len(), peers[0].spaces.len()), (1, SPACES));
    eventually("receipts", || {
        (0..SPACES).all(|n| alice.swarm.receipts(&address(n)).len() == 1)
    })
    .await;
    let (sent, received) = alice.swarm.peers()[0].traffic;
    println!("{} bytes per space", (sent + received) / SPACES as u64);
    assert!(sent + received < 600 * SPACES as u64);
}
