//! Live queries over what was said by somebody who is not known yet.

mod common;

use std::sync::Arc;
use std::time::Duration;

use cobox_drive::record::{encode_claim, encode_message};
use cobox_feed::feed::Feed;
use cobox_feed::manifest::FeedKeyPair;
use cobox_feed::set::Batch;
use cobox_keys::access::ReadKey;
use cobox_keys::cbor::Record;
use cobox_keys::certificate::Claim;
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::{Identity, KeyPair};
use cobox_keys::invite::Grant;
use cobox_space::log::{Live, LiveQuery};
use cobox_space::space::Space;
use cobox_view::query::Query;
use common::*;
use serde_json::json;
use tokio::runtime::Runtime;

/// The next that a live query tells, or a failed test.
fn next(runtime: &Runtime, live: &mut LiveQuery) -> Live {
    let next = async { tokio::time::timeout(Duration::from_secs(60), live.next()).await };
    let told = runtime.block_on(next).expect("told in time");
    told.expect("not closed").expect("told")
}

/// A member whose feeds come in pieces: what they said is here before it is known who they are.
struct Late<'s> {
    space: &'s Space,
    key: ReadKey,
    feeds: [Arc<Feed>; 3],
    claim: Vec<u8>,
    kind: String,
}

impl<'s> Late<'s> {
    fn new(space: &'s Space, seed: u8) -> Self {
        let key = match space.grant() {
            Grant::Write(key) => key.read_key(),
            Grant::Read(key) => key.clone(),
        };
        let feeds = FeedKind::ALL.map(|kind| {
            let mut bytes = [seed; 32];
            bytes[0] = kind as u8;
            space.set().own(FeedKeyPair::from_seed(&bytes), kind as u8)
        });
        let identity = Identity::from_seed(&[seed; 32]);
        let claim = Claim {
            address: space.address(),
            feeds: [0, 1, 2].map(|kind: usize| feeds[kind].key().0),
            identity: identity.public_key(),
            device: KeyPair::from_seed(&[seed; 32]).public(),
            device_name: "late".into(),
        };
        Self {
            space,
            key,
            feeds,
            claim: claim.sign(&identity),
            kind: format!("late/{seed}"),
        }
    }

    fn append(&self, kind: FeedKind, plaintexts: &[Vec<u8>]) {
        let feed = &self.feeds[kind as usize];
        let key = self.key.block_key(&feed.key().0);
        let blocks = plaintexts.iter().map(|block| key.seal(block).into());
        let mut batch = Batch::new();
        batch.append(feed, blocks.collect());
        let committed = self.space.set().commit(batch).expect("a commit");
        committed.wait().expect("committed");
    }

    fn shows_claim(&self, kind: FeedKind) {
        self.append(kind, &[encode_claim(&self.claim)]);
    }

    fn says(&self, numbers: std::ops::Range<u64>) {
        let message = |number: u64| {
            let content = Record::new(1).uint(1, number).finish();
            let time_ms = 1_700_000_000_000 + number;
            let envelope = Record::new(1).text(1, &self.kind).uint(2, time_ms);
            encode_message(&envelope.bytes(3, &content).finish()).expect("short")
        };
        let messages: Vec<_> = numbers.map(message).collect();
        self.append(FeedKind::Log, &messages);
    }

    fn live(&self) -> LiveQuery {
        let query = Query::from_value(&json!({ "type": self.kind })).expect("a query");
        self.space.query_live(&query).expect("a live query")
    }
}

/// What may happen to a late member's feeds, in an order that a number decides.
#[derive(Clone, Copy)]
enum Piece {
    Claim(FeedKind),
    Says(u64),
    Asked,
}

fn shuffled(mut pieces: Vec<Piece>, mut seed: u64) -> Vec<Piece> {
    for at in (1..pieces.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        pieces.swap(at, (seed >> 33) as usize % (at + 1));
    }
    pieces
}

#[test]
fn messages_that_come_before_it_is_known_who_wrote_them_are_told_once_each() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    for seed in 1..=24 {
        let late = Late::new(&garden, seed);
        late.shows_claim(FeedKind::Log); // the first block of a feed, whatever comes then
        let pieces = vec![
            Piece::Claim(FeedKind::Metadata),
            Piece::Claim(FeedKind::Content),
            Piece::Says(1),
            Piece::Says(3),
            Piece::Says(300),
            Piece::Asked,
            Piece::Asked,
            Piece::Asked,
        ];
        let (mut said, mut asked) = (0, vec![late.live()]);
        for piece in shuffled(pieces, seed.into()) {
            match piece {
                Piece::Claim(kind) => late.shows_claim(kind),
                Piece::Says(count) => {
                    late.says(said..said + count);
                    said += count;
                }
                Piece::Asked => asked.push(late.live()),
            }
        }
        late.says(said..said + 1);
        for (number, mut live) in asked.into_iter().enumerate() {
            let mut told = Vec::new();
            while told.last() != Some(&said) {
                if let Live::Row(row) = next(&world.runtime, &mut live) {
                    told.push(row["content"]["1"].as_u64().unwrap());
                }
            }
            let expected: Vec<_> = (0..=said).collect();
            assert_eq!(told, expected, "seed {seed}, query {number}");
        }
    }
    drop(garden);
    world.stop(alice);
}
