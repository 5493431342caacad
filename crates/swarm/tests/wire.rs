//! The wire: JavaScript's own messages, round trips of ours, and bytes that mean nothing.

use cobox_feed::codec::Reader;
use cobox_feed::tree;
use cobox_keys::identity::PublicKey;
use cobox_swarm::transport::Hint;
use cobox_swarm::wire::feed::{
    Bitfield, Cancel, Data, Extension, NoData, Range, Reason, Request, Sync, Unwant, Want,
};
use cobox_swarm::wire::frame::{self, Place};
use cobox_swarm::wire::session::{Elsewhere, Hello, Leave, Offer, Prove, Refuse};
use cobox_swarm::wire::space::{
    BucketSet, Buckets, CertificateList, Certificates, Heads, Open, Peers, Reject, ShortHead,
    SignedReceipt, Summary,
};
use cobox_swarm::wire::{MAX_BULK, MAX_CONTROL, Message};
use proptest::prelude::*;
use serde_json::Value;
use std::fmt::Debug;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/messages.json")).expect("vectors are JSON")
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

fn decoded<M: Message>(bytes: &[u8]) -> Option<M> {
    M::decode(&mut Reader::new(bytes)).ok()
}

/// Every vector of one message type decodes to what JavaScript meant and encodes to the same bytes.
fn check<M: Message + PartialEq + Debug>(name: &str, meant: impl Fn(&Value) -> M) {
    let all = vectors();
    assert_eq!(all["message_type_ids"][name], M::KIND);
    let cases = all[name].as_array().expect(name);
    assert!(!cases.is_empty());
    for case in cases {
        let bytes = from_hex(case["hex"].as_str().expect("hex"));
        let message = meant(&case["v"]);
        assert_eq!(encoded(&message), bytes, "{name} {case}");
        assert_eq!(decoded(&bytes), Some(message), "{name} {case}");
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn truth(value: &Value) -> bool {
    value.as_bool().expect("true or false")
}

fn pair(value: &Value, first: &str, second: &str) -> Option<(u64, u64)> {
    (!value.is_null()).then(|| (number(&value[first]), number(&value[second])))
}

fn want(v: &Value) -> Want {
    Want {
        start: number(&v["start"]),
        length: number(&v["length"]),
        any: truth(&v["any"]),
    }
}

#[test]
fn messages_are_those_of_javascript() {
    check("sync", |v| Sync {
        fork: number(&v["fork"]),
        length: number(&v["length"]),
        remote_length: number(&v["remoteLength"]),
        can_upgrade: truth(&v["canUpgrade"]),
        uploading: truth(&v["uploading"]),
        downloading: truth(&v["downloading"]),
        has_manifest: truth(&v["hasManifest"]),
        allow_push: truth(&v["allowPush"]),
    });
    check("request", |v| Request {
        id: number(&v["id"]),
        fork: number(&v["fork"]),
        parts: tree::Request {
            block: pair(&v["block"], "index", "nodes"),
            hash: pair(&v["hash"], "index", "nodes"),
            seek: pair(&v["seek"], "bytes", "padding"),
            upgrade: pair(&v["upgrade"], "start", "length"),
            manifest: truth(&v["manifest"]),
        },
        priority: number(&v["priority"]),
    });
    check("cancel", |v| Cancel {
        request: number(&v["request"]),
    });
    check("noData", |v| NoData {
        request: number(&v["request"]),
        reason: match number(&v["reason"]) {
            0 => Reason::Unspecified,
            1 => Reason::NotAvailable,
            _ => Reason::Invalid,
        },
    });
    check("want", want);
    check("unwant", |v| Unwant(want(v)));
    check("range", |v| Range {
        drop: truth(&v["drop"]),
        start: number(&v["start"]),
        length: number(&v["length"]),
    });
    check("bitfield", |v| Bitfield {
        start: number(&v["start"]),
        words: v["bitfield"]
            .as_array()
            .expect("words")
            .iter()
            .map(|word| u32::try_from(number(word)).expect("32 bits"))
            .collect(),
    });
    check("extension", |v| Extension {
        name: v["name"].as_str().expect("name").into(),
        message: from_hex(v["message"].as_str().expect("message")),
    });
}

#[test]
fn data_of_javascript_round_trips() {
    let all = vectors();
    let bytes = from_hex(all["data_manifest_only"].as_str().expect("hex"));
    let data: Data = decoded(&bytes).expect("data");
    assert!(data.proof.manifest.is_some());
    assert_eq!(encoded(&data), bytes);
}

fn round_trip<M: Message + PartialEq + Debug>(message: M) {
    let bytes = encoded(&message);
    assert_eq!(decoded::<M>(&bytes), Some(message));
    for cut in 0..bytes.len() {
        decoded::<M>(&bytes[..cut]); // cut short: refused or shorter, never a panic
    }
}

#[test]
fn our_own_messages_round_trip() {
    let addresses = vec![
        "192.168.1.4:7000".parse().expect("address"),
        "[fd00::1]:7001".parse().expect("address"),
    ];
    round_trip(Hello {
        version: 1,
        capabilities: 0,
        addresses: addresses.clone(),
        run: [6; 16],
    });
    round_trip(Elsewhere {
        addresses: addresses.clone(),
    });
    round_trip(Offer {
        tags: vec![[1; 16], [2; 16]],
    });
    round_trip(Prove {
        tag: [3; 16],
        replicator: true,
        mac: [4; 32],
        channel: 70_000,
    });
    round_trip(Refuse { tag: [5; 16] });
    round_trip(Leave { channel: 9 });
    round_trip(Summary {
        certificates: [1; 16],
        heads: [2; 32],
        feeds: 3,
        missing: 1 << 40,
        skipped: 5,
    });
    let mut filled = BucketSet::NONE;
    filled.insert(0);
    filled.insert(255);
    round_trip(Buckets {
        filled,
        hashes: vec![[7; 8], [8; 8]],
    });
    round_trip(Heads {
        buckets: BucketSet::ALL,
        heads: vec![ShortHead {
            feed: [1; 8],
            length: 300,
            tree_hash: [2; 8],
            missing: 4,
        }],
    });
    round_trip(CertificateList {
        hashes: vec![[9; 16]],
    });
    round_trip(Certificates {
        certificates: vec![vec![1, 2, 3], vec![]],
    });
    round_trip(Open {
        slot: 1,
        feed: [6; 32],
    });
    round_trip(Reject { slot: 1 });
    round_trip(SignedReceipt {
        bytes: vec![1; 100],
    });
    round_trip(Peers {
        hints: vec![Hint {
            device: PublicKey([1; 32]),
            addresses,
        }],
    });
}

#[test]
fn lists_longer_than_their_bytes_are_refused_before_allocating() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert_eq!(decoded::<Offer>(&huge), None);
    assert_eq!(decoded::<Certificates>(&huge), None);
    assert_eq!(decoded::<Peers>(&huge), None);
    let bitfield: Vec<u8> = [0].into_iter().chain(huge).collect();
    assert_eq!(decoded::<Bitfield>(&bitfield), None);
}

#[test]
fn a_frame_opens_as_it_was_closed() {
    let place = Place {
        channel: 3,
        slot: 300,
    };
    let bytes = frame::control(place, Cancel::KIND, &frame::payload(&Cancel { request: 7 }));
    let length = frame::control_length([bytes[0], bytes[1], bytes[2]]).expect("length");
    assert_eq!(length, bytes.len() - frame::CONTROL_PREFIX);
    let opened = frame::open(&bytes[frame::CONTROL_PREFIX..]).expect("frame");
    assert_eq!((opened.place, opened.kind), (place, Cancel::KIND));
    assert_eq!(decoded(opened.payload), Some(Cancel { request: 7 }));
}

#[test]
fn frames_beyond_the_limits_are_refused_by_their_length() {
    assert!(frame::control_length([0, 0, 0x10]).is_ok());
    assert!(frame::control_length([1, 0, 0x10]).is_err());
    assert!(frame::control_length([0xff; 3]).is_err());
    assert!(frame::bulk_length((MAX_BULK as u32).to_le_bytes()).is_ok());
    assert!(frame::bulk_length((MAX_BULK as u32 + 1).to_le_bytes()).is_err());
    assert!(frame::bulk_length([0xff; 4]).is_err());
    const { assert!(MAX_CONTROL == 1 << 20) };
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        decoded::<Sync>(&bytes);
        decoded::<Request>(&bytes);
        decoded::<Data>(&bytes);
        decoded::<NoData>(&bytes);
        decoded::<Unwant>(&bytes);
        decoded::<Bitfield>(&bytes);
        decoded::<Range>(&bytes);
        decoded::<Extension>(&bytes);
        decoded::<Hello>(&bytes);
        decoded::<Offer>(&bytes);
        decoded::<Prove>(&bytes);
        decoded::<Refuse>(&bytes);
        decoded::<Summary>(&bytes);
        decoded::<Buckets>(&bytes);
        decoded::<Heads>(&bytes);
        decoded::<CertificateList>(&bytes);
        decoded::<Certificates>(&bytes);
        decoded::<Open>(&bytes);
        decoded::<SignedReceipt>(&bytes);
        decoded::<Peers>(&bytes);
        frame::open(&bytes).ok();
        frame::open_bulk(&mut Reader::new(&bytes)).ok();
    }
}
