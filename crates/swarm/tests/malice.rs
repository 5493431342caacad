//! Peers that lie: each lie is refused with its own reason, nothing of it is stored, and an honest peer
//! beside it is served as if nothing had happened.

mod common;

use bytes::Bytes;
use cobox_feed::codec::Writer;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_feed::store::{Options as StoreOptions, Store};
use cobox_keys::derive::FeedKind;
use cobox_swarm::swarm::Role;
use cobox_swarm::wire::feed::{Bitfield, Data, NoData, Range, Request};
use cobox_swarm::wire::frame::{self, Place};
use cobox_swarm::wire::session::Refuse;
use cobox_swarm::wire::space::{Certificates, Open, Reject, SignedReceipt, Summary};
use cobox_swarm::wire::{MAX_BULK, discovery_key};
use common::mallory::{CHANNEL, Mallory, sync};
use common::scene::Scene;
use common::{TestSpace, append, eventually, own_feed};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// A writer that the space has certified and Alice has not met: its certificates and a store that holds it.
struct Writer2 {
    set: Arc<FeedSet>,
    feed: Arc<Feed>,
    certificates: Vec<Vec<u8>>,
    _store: Store,
    _dir: tempfile::TempDir,
}

async fn writer(space: &TestSpace, seed: u8, blocks: usize) -> Writer2 {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path(), StoreOptions::default()).expect("a store");
    let set = store.set(space.address.0).expect("a set");
    let feed = own_feed(&set, space, seed, FeedKind::Content).await;
    append(&set, &feed, blocks, 200).await;
    let certificates = vec![space.vouch(&feed.key(), FeedKind::Content)];
    Writer2 {
        set,
        feed,
        certificates,
        _store: store,
        _dir: dir,
    }
}

fn certificates(certificates: &[Vec<u8>]) -> Certificates {
    Certificates {
        certificates: certificates.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_no_certificate_vouches_for() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    mallory.claim(1, &FeedKey([9; 32]), 0, 10).await;
    scene.refused("no certificate vouches").await;
    let rejected = mallory
        .hear(|heard| heard.as_message::<Reject>().is_some())
        .await;
    assert_eq!(rejected.as_message(), Some(Reject { slot: 1 }));
    assert!(scene.at_alice.feed(&FeedKey([9; 32])).is_none());
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_foreign_certificates() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    let mut impostor = TestSpace::new(1);
    impostor.key = TestSpace::new(90).key; // not the writer that the epoch names
    let forged = impostor.vouch(&FeedKey([9; 32]), FeedKind::Log);
    let foreign = TestSpace::new(90).vouch(&FeedKey([9; 32]), FeedKind::Log);
    let stored = scene.at_alice.certificates().len();
    mallory.say(0, &certificates(&[forged])).await;
    scene.refused("signature").await;
    mallory.say(0, &certificates(&[foreign])).await;
    scene.refused("belongs to another space").await;
    mallory
        .say(0, &certificates(&[b"no certificate at all".to_vec()]))
        .await;
    scene.refused("malformed").await;
    assert_eq!(scene.at_alice.certificates().len(), stored);
    assert!(scene.at_alice.feed(&FeedKey([9; 32])).is_none());
    scene.rest_is_undisturbed().await;
}

/// Mallory has a certified feed and is asked for it.
async fn asked(scene: &Scene, victim: &Writer2, claimed: u64) -> (Mallory, Request) {
    let mut mallory = scene.mallory().await;
    mallory.say(0, &certificates(&victim.certificates)).await;
    mallory.claim(1, &victim.feed.key(), 0, claimed).await;
    let heard = mallory
        .hear(|heard| heard.as_message::<Request>().is_some())
        .await;
    let request = heard.as_message().expect("a request");
    (mallory, request)
}

async fn answer(mallory: &mut Mallory, data: &Data) {
    let mut bytes = Vec::new();
    let place = Place {
        channel: CHANNEL,
        slot: 1,
    };
    frame::put_bulk(&mut bytes, place, data);
    let mut stream = mallory.connection.open_uni().await.expect("a stream");
    stream.write_all(&bytes).await.expect("written");
    stream.flush().await.expect("written");
    std::mem::forget(stream); // stays open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_not_what_was_signed() {
    let mut scene = Scene::new().await;
    let victim = writer(&scene.space, 20, 4).await;
    let (mut mallory, request) = asked(&scene, &victim, 4).await;
    let proof = victim
        .feed
        .prove(&request.parts)
        .expect("read")
        .expect("held");
    let request = request.id;
    answer(&mut mallory, &Data { request, proof }).await;
    let heard = mallory
        .hear(|heard| heard.as_message::<Request>().is_some())
        .await;
    let request: Request = heard.as_message().expect("a request");
    let mut proof = victim
        .feed
        .prove(&request.parts)
        .expect("read")
        .expect("held");
    proof.block.as_mut().expect("a block").value = Bytes::from(vec![0xaa; 200]);
    let request = request.id;
    answer(&mut mallory, &Data { request, proof }).await;
    scene.refused("does not match").await;
    let feed = scene.at_alice.feed(&victim.feed.key()).expect("admitted");
    assert_eq!((feed.length(), feed.held().len()), (4, 1));
    append(&scene.at_bob, &scene.log, 1, 10).await;
    let (at_alice, log) = (&scene.at_alice, scene.log.key());
    eventually("Bob's log", || {
        at_alice.feed(&log).is_some_and(|feed| feed.length() == 4)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_along_with_its_head_that_is_not_what_was_signed() {
    let mut scene = Scene::new().await;
    let victim = writer(&scene.space, 20, 4).await;
    let (mut mallory, request) = asked(&scene, &victim, 4).await;
    let mut proof = victim
        .feed
        .prove(&request.parts)
        .expect("read")
        .expect("held");
    proof.block.as_mut().expect("a block").value = Bytes::from(vec![0xaa; 200]);
    let request = request.id;
    answer(&mut mallory, &Data { request, proof }).await;
    scene.refused("signature").await;
    let feed = scene.at_alice.feed(&victim.feed.key()).expect("admitted");
    assert_eq!((feed.length(), feed.held().len()), (0, 0));
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_its_writer_did_not_sign() {
    let mut scene = Scene::new().await;
    let victim = writer(&scene.space, 20, 4).await;
    let (mut mallory, request) = asked(&scene, &victim, 4).await;
    let mut proof = victim
        .feed
        .prove(&request.parts)
        .expect("read")
        .expect("held");
    let upgrade = proof.upgrade.as_mut().expect("a head");
    upgrade.signature[10] ^= 1;
    let request = request.id;
    answer(&mut mallory, &Data { request, proof }).await;
    scene.refused("signature").await;
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_block_than_the_one_asked_for() {
    let mut scene = Scene::new().await;
    let victim = writer(&scene.space, 20, 4).await;
    let (mut mallory, request) = asked(&scene, &victim, 4).await;
    let mut parts = request.parts.clone();
    parts.block = Some((2, 0));
    let proof = victim.feed.prove(&parts).expect("read").expect("held");
    let request = request.id;
    answer(&mut mallory, &Data { request, proof }).await;
    scene.refused("not what was asked for").await;
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_asked_for_are_passed_over() {
    let scene = Scene::new().await;
    let victim = writer(&scene.space, 20, 4).await;
    let (mut mallory, request) = asked(&scene, &victim, 4).await;
    let proof = victim
        .feed
        .prove(&request.parts)
        .expect("read")
        .expect("held");
    for id in [0, request.id + 1, u64::MAX] {
        let proof = proof.clone();
        answer(&mut mallory, &Data { request: id, proof }).await;
    }
    let request = request.id;
    answer(&mut mallory, &Data { request, proof }).await; // and then the right one
    let (at_alice, key) = (&scene.at_alice, victim.feed.key());
    eventually("the asked-for head", || {
        at_alice.feed(&key).is_some_and(|feed| feed.length() == 4)
    })
    .await;
    assert_eq!(victim.set.feeds().len(), 1);
    append(&scene.at_bob, &scene.log, 1, 10).await;
    let log = scene.log.key();
    eventually("Bob's log", || {
        at_alice.feed(&log).is_some_and(|feed| feed.length() == 4)
    })
    .await;
    scene.alice.swarm.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_fork_and_a_feed_that_shrinks() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    let key = scene.log.key();
    mallory.claim(1, &key, 3, 10).await;
    scene.refused("shows fork 3").await;
    drop(mallory);
    let mut mallory = Mallory::in_space(&scene.network, 67, &scene.alice.hint, &scene.space).await;
    mallory.claim(1, &key, 0, 10).await;
    mallory.say(1, &sync(0, 2)).await;
    scene.refused("shows 2 blocks after 10").await;
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_claims_a_head_and_never_sends_it_holds_up_nobody_for_long() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    mallory.claim(1, &scene.log.key(), 0, 1000).await;
    mallory
        .hear(|heard| heard.as_message::<Request>().is_some())
        .await;
    scene.rest_is_undisturbed().await; // a few seconds later
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_cut_short_and_lengths_beyond_all_limits() {
    let mut scene = Scene::new().await;
    let place = Place {
        channel: CHANNEL,
        slot: 0,
    };
    let mut mallory = scene.mallory_as(67).await;
    let whole = frame::payload(&Summary::default());
    mallory.raw(&frame::control(place, 0, &whole[..20])).await;
    scene.refused("could not be read").await;
    mallory.thrown_out().await;

    let mut mallory = scene.mallory_as(68).await;
    mallory.raw(&[0xff, 0xff, 0xff]).await;
    let reason = mallory.thrown_out().await;
    assert!(reason.contains("too long"), "{reason}");

    let mut mallory = scene.mallory_as(69).await;
    let mut count = Vec::new();
    count.put_uint(1 << 50);
    mallory.raw(&frame::control(place, 4, &count)).await; // 2^50 certificates
    scene.refused("malformed count").await;
    mallory.thrown_out().await;

    let mut mallory = scene.mallory_as(70).await;
    let mut stream = mallory.connection.open_uni().await.expect("a stream");
    stream
        .write_all(&(MAX_BULK as u32 + 1).to_le_bytes())
        .await
        .expect("written");
    let reason = mallory.thrown_out().await;
    assert!(reason.contains("too long"), "{reason}");
    scene.rest_is_undisturbed().await;
}

/// The memory for received blocks is there for all peers together: 64 MiB. Whoever announces frames and does not send
/// them must not take it, be it one who knows the address or a stranger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_announced_and_never_come_leave_the_memory_to_others() {
    for knows_the_address in [true, false] {
        let mut scene = Scene::new().await;
        let mut mallory = match knows_the_address {
            true => scene.mallory().await,
            false => Mallory::dial(&scene.network, 66, &scene.alice.hint).await,
        };
        mallory.hear(|_| true).await; // she is let in
        let mut frame = (MAX_BULK as u32).to_le_bytes().to_vec();
        frame.extend([CHANNEL as u8, 1, 0, 0]);
        for _ in 0..8 {
            let mut stream = mallory.connection.open_uni().await.expect("a stream");
            stream.write_all(&frame).await.expect("written");
            stream.flush().await.expect("written");
            std::mem::forget(stream); // stays open
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        append(&scene.at_bob, &scene.log, 1, 100).await;
        let (at_alice, key) = (&scene.at_alice, scene.log.key());
        let begun = std::time::Instant::now();
        eventually("Bob's log at Alice", || {
            at_alice
                .feed(&key)
                .is_some_and(|feed| feed.held().len() == 4)
        })
        .await;
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
        scene.rest_is_undisturbed().await;
    }
}

/// Each block a stretch of its own, a million of them in one message, and blocks taken back one by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bitfield_full_of_holes_does_not_hang_the_space() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    let key = scene.log.key();
    mallory.claim(1, &key, 0, 3).await;
    let words = vec![0xaaaa_aaaa; 1 << 16];
    for start in [0, 1 << 21, u64::MAX - 31] {
        let words = words.clone();
        mallory.say(1, &Bitfield { start, words }).await;
    }
    for start in (1 << 30..).step_by(2).take(1000) {
        let (drop, length) = (true, 1);
        mallory
            .say(
                1,
                &Range {
                    drop,
                    start,
                    length,
                },
            )
            .await;
    }
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expelled_peer_does_not_come_back_at_once() {
    let scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    mallory
        .hear(|heard| heard.place.channel != frame::SESSION)
        .await; // she is in
    let place = Place {
        channel: CHANNEL,
        slot: 0,
    };
    mallory.raw(&frame::control(place, 0, &[])).await;
    mallory.thrown_out().await;
    drop(mallory);
    let why = Mallory::turned_away(&scene.network, 66, &scene.alice.hint).await;
    assert_eq!(why, "expelled a moment ago");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_frames_that_cannot_be_read() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    mallory.claim(1, &scene.log.key(), 0, 3).await;
    mallory
        .hear(|heard| heard.place.channel != frame::SESSION)
        .await; // she is in
    let mut stream = mallory.connection.open_uni().await.expect("a stream");
    stream
        .write_all(&[4, 0, 0, 0, CHANNEL as u8, 1, 0xff, 0xff])
        .await
        .expect("written");
    scene.refused("blocks could not be read").await;
    mallory.thrown_out().await;
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_session_proof_refuses_the_space_and_nothing_else() {
    let mut scene = Scene::new().await;
    let other = TestSpace::new(70);
    let at_alice = scene.alice.set(&other);
    scene.alice.join(&other, Role::Replicator);
    let mut mallory = Mallory::dial(&scene.network, 66, &scene.alice.hint).await;
    mallory.prove(&scene.space, &scene.alice.hint, true).await;
    scene.refused("could not prove").await;
    mallory
        .hear(|heard| heard.as_message::<Refuse>().is_some())
        .await;
    // About a space that was refused nothing is heard, about another one it is.
    mallory.say(0, &certificates(&[b"rubbish".to_vec()])).await;
    mallory.prove(&other, &scene.alice.hint, false).await;
    mallory.say(0, &certificates(&other.chain)).await;
    eventually("certificates of the other space", || {
        at_alice.certificates().len() == 2
    })
    .await;
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_anything_before_the_proof() {
    let scene = Scene::new().await;
    let mut mallory = Mallory::dial(&scene.network, 66, &scene.alice.hint).await;
    let stranger = TestSpace::new(99); // Alice does not have it: no answer at all
    let secret = stranger.address.access_secret();
    let tags = vec![
        [0; 16],
        secret.mac("offer", &[])[..16].try_into().expect("16 bytes"),
    ];
    let offer = cobox_swarm::wire::session::Offer { tags };
    mallory.raw(&frame::session(&offer)).await;
    mallory.say(0, &Summary::default()).await;
    let reason = mallory.thrown_out().await;
    assert_eq!(reason, "no space in common");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_requests() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    let key = scene.log.key();
    let open = Open {
        slot: 1,
        feed: discovery_key(&key),
    };
    mallory.say(0, &open).await;
    let place = Place {
        channel: CHANNEL,
        slot: 1,
    };
    let mut flood = Vec::new();
    for id in 1..20_000 {
        let mut request = Request {
            id,
            ..Default::default()
        };
        request.parts.block = Some((id % 3, 0));
        let payload = frame::payload(&request);
        flood.extend(frame::control(place, 1, &payload));
    }
    mallory.send.write_all(&flood).await.ok(); // may be thrown out meanwhile
    scene.refused("too much at once").await;
    mallory.thrown_out().await;
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_make_no_sense_get_no_data() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    let open = Open {
        slot: 1,
        feed: discovery_key(&scene.log.key()),
    };
    mallory.say(0, &open).await;
    let mut beyond = Request {
        id: 1,
        ..Default::default()
    };
    beyond.parts.block = Some((1 << 40, 0));
    let mut upgrade = Request {
        id: 2,
        ..Default::default()
    };
    upgrade.parts.upgrade = Some((2, u64::MAX));
    let empty = Request {
        id: 3,
        ..Default::default()
    };
    let mut fork = Request {
        id: 4,
        fork: 1,
        ..Default::default()
    };
    fork.parts.block = Some((0, 0));
    for request in [beyond, upgrade, empty, fork] {
        mallory.say(1, &request).await;
        let heard =
            mallory.hear(|heard| heard.as_message::<NoData>().is_some() && heard.place.slot > 0);
        let answer: NoData = heard.await.as_message().expect("no data");
        assert_eq!(answer.request, request.id);
    }
    scene.rest_is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_that_are_not_their_senders() {
    let mut scene = Scene::new().await;
    let mut mallory = scene.mallory().await;
    eventually("Bob's receipt", || {
        !scene.alice.swarm.receipts(&scene.space.address).is_empty()
    })
    .await;
    let bytes = vec![0x82, 0x41, 0x00, 0x41, 0x00];
    mallory.say(0, &SignedReceipt { bytes }).await;
    scene.refused("a receipt was refused").await;
    assert_eq!(scene.alice.swarm.receipts(&scene.space.address).len(), 1);
    scene.rest_is_undisturbed().await;
}
