//! Two signed histories of one feed: proven, told, nothing of the other taken, and no peer's fault.

mod common;

use cobox_feed::feed::Feed;
use cobox_keys::derive::FeedKind;
use cobox_swarm::swarm::{Role, SwarmEvent};
use cobox_swarm::transport::memory::MemoryNetwork;
use common::scene::Scene;
use common::{Device, TestSpace, append, eventually, is_complete, own_feed};
use std::sync::Arc;

/// Two devices hold two histories of one feed, as after an old image was put back and written to.
async fn forked(at_alice: usize, at_bob: usize) -> (Scene, Arc<Feed>) {
    let mut scene = Scene::new().await;
    scene.network.plug(&scene.bob.hint.device, false);
    let disconnected = |event: &SwarmEvent| matches!(event, SwarmEvent::Disconnected { .. });
    scene.alice.until(disconnected).await;
    let ours = own_feed(&scene.at_alice, &scene.space, 30, FeedKind::Metadata).await;
    append(&scene.at_alice, &ours, at_alice, 100).await;
    let theirs = own_feed(&scene.at_bob, &scene.space, 30, FeedKind::Metadata).await;
    append(&scene.at_bob, &theirs, at_bob, 101).await;
    scene.network.plug(&scene.bob.hint.device, true);
    scene
        .alice
        .swarm
        .introduce(scene.space.address, scene.bob.hint.clone());
    (scene, ours)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_histories_of_one_feed_of_one_length() {
    let (mut scene, feed) = forked(3, 3).await;
    let before = feed.head();
    scene.refused("forked").await;
    assert_eq!(feed.head(), before);
}

/// Whichever is longer: nobody takes what we sign any more, so it must not go on unnoticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_history_of_an_own_feed_is_told() {
    for (ours, theirs) in [(3, 3), (2, 5), (5, 2), (6, 8), (1, 2), (9, 1)] {
        let (mut scene, feed) = forked(ours, theirs).await;
        let (key, before) = (feed.key(), feed.head());
        let told = |event: &SwarmEvent| {
            println!("{ours} {theirs} {event:?}"); // shown when the test fails
            matches!(event, SwarmEvent::OwnFeedForked { feed, .. } if *feed == key)
        };
        scene.alice.until(told).await;
        assert!(scene.at_alice.is_forked(&key));
        assert_eq!(feed.head(), before);
    }
}

/// Whoever shows a history that contradicts ours did not make it: the rest of the space is exchanged as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_forked_feeds_are_no_reason_to_expel_who_shows_them() {
    let mut scene = Scene::new().await;
    scene.network.plug(&scene.bob.hint.device, false);
    let disconnected = |event: &SwarmEvent| matches!(event, SwarmEvent::Disconnected { .. });
    scene.alice.until(disconnected).await;
    let mut feeds = Vec::new();
    for seed in 30..42 {
        let ours = own_feed(&scene.at_alice, &scene.space, seed, FeedKind::Content).await;
        append(&scene.at_alice, &ours, 3, 100).await;
        let theirs = own_feed(&scene.at_bob, &scene.space, seed, FeedKind::Content).await;
        append(&scene.at_bob, &theirs, 2 + usize::from(seed) % 3, 101).await;
        ours.retire();
        theirs.retire();
        feeds.push(ours.key());
    }
    scene.network.plug(&scene.bob.hint.device, true);
    let (alice, hint) = (&scene.alice.swarm, scene.bob.hint.clone());
    alice.introduce(scene.space.address, hint);
    let at_alice = &scene.at_alice;
    eventually("all forks are known", || {
        feeds.iter().all(|feed| at_alice.is_forked(feed))
    })
    .await;
    append(&scene.at_bob, &scene.log, 3, 100).await;
    let (key, length) = (scene.log.key(), scene.log.length());
    eventually("Bob's log at Alice", || {
        let feed = at_alice.feed(&key);
        feed.is_some_and(|feed| feed.held().len() == length)
    })
    .await;
    let peers = scene.alice.swarm.peers();
    assert!(
        peers
            .iter()
            .any(|peer| peer.device == scene.bob.hint.device)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_histories_of_one_feed_of_different_length() {
    let (mut scene, feed) = forked(2, 5).await;
    let before = feed.head();
    scene.refused("feed").await;
    assert_eq!(feed.head(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_feed_that_is_longer_elsewhere_is_told_and_not_touched() {
    let (network, space) = (MemoryNetwork::new(), TestSpace::new(1));
    let mut alice = Device::on(&network, 11).await;
    let bob = Device::on(&network, 12).await;
    let (a, b) = (alice.set(&space), bob.set(&space));
    let old = own_feed(&a, &space, 30, FeedKind::Metadata).await;
    append(&a, &old, 2, 100).await;
    let kept = own_feed(&b, &space, 30, FeedKind::Metadata).await;
    append(&b, &kept, 2, 100).await;
    append(&b, &kept, 3, 100).await;
    alice.join(&space, Role::Member);
    bob.join(&space, Role::Member);
    alice.swarm.introduce(space.address, bob.hint.clone());
    let ahead = |event: &SwarmEvent| matches!(event, SwarmEvent::OwnFeedAhead { feed, length: 5, .. } if *feed == old.key());
    alice.until(ahead).await;
    assert_eq!(old.length(), 2);
    assert!(is_complete(&a, 1));
}
