//! Peers that lie: no proof makes us store something false, stop, or use memory that was not sent.

mod common;

use bytes::Bytes;
use cobox_feed::codec::{DecodeError, Reader, Writer};
use cobox_feed::manifest::{FeedKeyPair, Manifest};
use cobox_feed::tree::{
    BlockProof, Envelope, MAX_BLOCK, ProofError, ProveError, Request, UntrustedProof, UpgradeProof,
    flat, verify, verify_all,
};
use common::*;
use proptest::prelude::*;
use proptest::sample::Index;

fn data(count: u8) -> Vec<Bytes> {
    (0..count)
        .map(|i| Bytes::from(vec![i; 3 + usize::from(i)]))
        .collect()
}

fn upgrade(start: u64, length: u64) -> Request {
    Request {
        upgrade: Some((start, length)),
        manifest: start == 0,
        ..Default::default()
    }
}

/// Honest answers of every sort to a peer that holds 5 of 11 blocks' tree, or nothing.
fn honest(full: &Plain) -> Vec<(Plain, UntrustedProof)> {
    let half = Plain {
        blocks: Default::default(),
        ..Plain::of("v1", &data(5))
    };
    let cases = [
        (
            0,
            Request {
                block: Some((6, 0)),
                ..upgrade(0, 11)
            },
        ),
        (
            0,
            Request {
                seek: Some((20, 0)),
                ..upgrade(0, 7)
            },
        ),
        (0, upgrade(0, 6)),
        (
            5,
            Request {
                block: Some((7, 0)),
                ..upgrade(5, 6)
            },
        ),
        (
            5,
            Request {
                block: Some((1, 2)),
                ..upgrade(5, 4)
            },
        ),
        (
            5,
            Request {
                block: Some((4, 0)),
                ..Default::default()
            },
        ),
        (
            5,
            Request {
                block: Some((3, 2)),
                seek: Some((4, 0)),
                ..Default::default()
            },
        ),
        (
            5,
            Request {
                hash: Some((1, 1)),
                ..Default::default()
            },
        ),
    ];
    let answer = |(held, request): (u64, Request)| {
        let peer = if held == 0 {
            Plain::empty(full)
        } else {
            half.clone()
        };
        let mut nodes = peer.nodes.clone();
        nodes
            .0
            .retain(|index, _| flat::roots(held).any(|root| root == *index));
        (Plain { nodes, ..peer }, full.prove(&request).unwrap())
    };
    cases.into_iter().map(answer).collect()
}

/// Whatever was accepted is part of the true feed.
fn assert_true(full: &Plain, peer: &Plain, proof: UntrustedProof) {
    let Ok(checked) = verify(&peer.known(), proof) else {
        return;
    };
    for (index, bytes) in checked.blocks() {
        assert_eq!(full.blocks[index], *bytes);
    }
    for node in checked.nodes() {
        assert_eq!(full.nodes.0[&node.index], *node);
    }
    if let Some(head) = checked.head() {
        assert_eq!(Some(head), full.head.as_ref());
    }
    if let Some(manifest) = checked.manifest() {
        assert_eq!(Some(manifest), full.manifest.as_ref());
    }
}

#[test]
fn every_flipped_bit_is_refused_or_harmless() {
    let full = Plain::of("v1", &data(11));
    for (peer, proof) in honest(&full) {
        verify(&peer.known(), proof.clone()).unwrap();
        let sent = encode(&proof);
        for bit in 0..8 * sent.len() {
            let mut changed = sent.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(proof) = try_decode(&mut Reader::new(&changed)) {
                assert_true(&full, &peer, proof);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_changed_bytes_are_refused_or_harmless(
        which in any::<Index>(),
        changes in prop::collection::vec(any::<(Index, u8)>(), 1..6),
        cut in any::<Index>(),
    ) {
        let full = Plain::of("v1", &data(11));
        let cases = honest(&full);
        let (peer, proof) = &cases[which.index(cases.len())];
        let mut sent = encode(proof);
        for (at, byte) in changes {
            let at = at.index(sent.len());
            sent[at] = byte;
        }
        for bytes in [&sent[..], &sent[..cut.index(sent.len())]] {
            if let Ok(proof) = try_decode(&mut Reader::new(bytes)) {
                assert_true(&full, peer, proof);
            }
        }
    }

    #[test]
    fn random_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), flags in 0..64u64) {
        let proof = UntrustedProof::decode(flags, 0, &mut Reader::new(&bytes));
        let request = Request::decode(flags, &mut Reader::new(&bytes));
        let _ = (Manifest::decode(&bytes), Envelope::decode(0, &bytes), Envelope::decode(1, &bytes));
        let full = Plain::of("v1", &data(6));
        if let Ok(proof) = proof {
            assert_true(&full, &full, proof.clone());
            assert_true(&full, &Plain::empty(&full), proof);
        }
        if let Ok(request) = request {
            let _ = full.prove(&request);
        }
    }

    #[test]
    fn any_request_is_answered_or_refused(numbers in prop::array::uniform8(0..30u64), parts in 0..32u64, huge in any::<Index>()) {
        let full = Plain::of("v1", &data(11));
        let mut numbers = numbers;
        let at = huge.index(16);
        if at < 8 {
            numbers[at] = u64::MAX - numbers[at];
        }
        let pair = |part: usize| (parts >> part & 1 != 0).then_some((numbers[2 * part], numbers[2 * part + 1]));
        let request = Request { block: pair(0), hash: pair(1), seek: pair(2), upgrade: pair(3), manifest: parts & 16 != 0 };
        if let Ok(proof) = full.prove(&request) {
            prop_assert_eq!(&decode(&encode(&proof)), &proof);
            prop_assert!(verify(&full.known(), proof).is_ok(), "{request:?}");
        }
    }
}

/// 60 bytes that made another implementation reserve 172 GB.
#[test]
fn node_counts_are_checked_before_memory_is_taken() {
    for count in [1u64 << 31, 1 << 50, u64::MAX] {
        let mut parts = Vec::new();
        [0, 1, count].into_iter().for_each(|n| parts.put_uint(n));
        parts.resize(60, 0);
        let decoded = UntrustedProof::decode(8, 0, &mut Reader::new(&parts));
        assert_eq!(decoded, Err(DecodeError("count")));
    }
    let mut many = Vec::new();
    [0, 1, 200].into_iter().for_each(|n| many.put_uint(n));
    many.resize(200 * 34 + 100, 0);
    assert_eq!(
        UntrustedProof::decode(8, 0, &mut Reader::new(&many)),
        Err(DecodeError("node count"))
    );
}

#[test]
fn empty_upgrade_is_malformed() {
    let full = Plain::of("v1", &data(3));
    for (start, length) in [
        (0, 0),
        (3, 0),
        (u64::MAX, 1),
        (3, u64::MAX),
        (0, flat::MAX_LENGTH + 1),
    ] {
        let upgrade = Some(UpgradeProof {
            start,
            length,
            ..Default::default()
        });
        let proof = UntrustedProof {
            upgrade,
            ..Default::default()
        };
        assert!(
            matches!(verify(&full.known(), proof), Err(ProofError::Malformed(_))),
            "{start} {length}"
        );
    }
    assert!(matches!(
        verify(&full.known(), UntrustedProof::default()),
        Err(ProofError::Malformed(_))
    ));
}

#[test]
fn block_beyond_the_head_together_with_an_upgrade() {
    let full = Plain::of("v1", &data(10));
    let request = Request {
        block: Some((9999, 0)),
        ..upgrade(0, 10)
    };
    assert!(matches!(full.prove(&request), Err(ProveError::Invalid(_))));
}

#[test]
fn oversized_block_is_not_hashed() {
    let full = Plain::of("v1", &data(3));
    let value = Bytes::from(vec![0; MAX_BLOCK + 1]);
    let good = full
        .prove(&Request {
            block: Some((1, 0)),
            ..Default::default()
        })
        .unwrap();
    let block = Some(BlockProof {
        index: 1,
        value,
        nodes: Vec::new(),
    });
    let results = verify_all(
        &full.known(),
        vec![
            UntrustedProof {
                block,
                ..Default::default()
            },
            good,
        ],
    );
    assert!(matches!(results[0], Err(ProofError::Malformed(_))));
    assert_eq!(
        results[1].as_ref().unwrap().blocks()[0].0,
        1,
        "the others keep their own hashes"
    );
}

#[test]
fn other_forks_are_refused() {
    let full = Plain::of("v1", &data(3));
    let proof = UntrustedProof {
        fork: 1,
        ..full.prove(&upgrade(0, 3)).unwrap()
    };
    assert_eq!(
        verify(&full.known(), proof).unwrap_err(),
        ProofError::OtherFork(1)
    );
}

#[test]
fn a_manifest_of_another_feed() {
    let full = Plain::of("v1", &data(3));
    let mut proof = full.prove(&upgrade(0, 3)).unwrap();
    proof.manifest = Some(FeedKeyPair::from_seed(&[9; 32]).manifest());
    assert_eq!(
        verify(&Plain::empty(&full).known(), proof).unwrap_err(),
        ProofError::WrongManifest
    );
}

/// Two histories that share the first three blocks.
fn forked() -> (Plain, Plain) {
    let (mut ours, mut theirs) = (Plain::of("v1", &data(3)), Plain::of("v1", &data(3)));
    ours.append(&["one".into(), "two".into()]);
    theirs.append(&["ONE".into(), "two".into(), "three".into(), "four".into()]);
    (ours, theirs)
}

#[test]
fn signed_contradictions_are_forks() {
    let (ours, theirs) = forked();
    // From where they agree, from the start with our length in between, of one length, shorter than ours.
    for request in [upgrade(3, 4), upgrade(0, 5), upgrade(0, 7), upgrade(3, 2)] {
        let proof = theirs.prove(&request).unwrap();
        assert_eq!(
            verify(&ours.known(), proof).unwrap_err(),
            ProofError::Forked,
            "{request:?}"
        );
    }
    for request in [upgrade(0, 5), upgrade(3, 2), upgrade(0, 3)] {
        let proof = ours.prove(&request).unwrap();
        let error = verify(&theirs.known(), proof).unwrap_err();
        assert_eq!(error, ProofError::Forked, "{request:?}");
    }
    // Continuing our own tree with their nodes gives a tree that nobody signed.
    let proof = theirs.prove(&upgrade(5, 2)).unwrap();
    assert_eq!(
        verify(&ours.known(), proof).unwrap_err(),
        ProofError::BadSignature
    );
}

/// Only a signature can accuse the writer.
#[test]
fn unsigned_contradictions_are_bad_signatures() {
    let (ours, theirs) = forked();
    let mut proof = theirs.prove(&upgrade(0, 5)).unwrap();
    proof.upgrade.as_mut().unwrap().signature[10] ^= 1;
    assert_eq!(
        verify(&ours.known(), proof).unwrap_err(),
        ProofError::BadSignature
    );
}

#[test]
fn older_heads_of_the_same_history_change_nothing() {
    let old = Plain::of("v1", &data(5));
    let new = Plain::of("v1", &data(9));
    for request in [upgrade(0, 5), upgrade(2, 3), upgrade(4, 1)] {
        let checked = verify(&new.known(), old.prove(&request).unwrap()).unwrap();
        assert!(checked.head().is_none());
    }
    let again = verify(&new.known(), new.prove(&upgrade(0, 9)).unwrap()).unwrap();
    assert!(again.head().is_none());
    // A peer that holds only the last head's roots cannot compare with a shorter one.
    let roots = Plain {
        nodes: NodeMap::default(),
        ..new
    };
    let error = verify(&roots.known(), old.prove(&upgrade(0, 5)).unwrap()).unwrap_err();
    assert_eq!(
        error,
        ProofError::Shorter {
            offered: 5,
            held: 9
        }
    );
}

#[test]
fn proofs_for_another_state_do_not_connect() {
    let held = Plain::of("v1", &data(5));
    let full = Plain::of("v1", &data(9));
    for request in [upgrade(6, 3), upgrade(0, 9), upgrade(4, 5)] {
        let error = verify(&held.known(), full.prove(&request).unwrap()).unwrap_err();
        assert_eq!(error, ProofError::NotConnected, "{request:?}");
    }
    // The same from the start, but by way of our length, shows that it continues ours.
    let checked = verify(&held.known(), full.prove(&upgrade(0, 5)).unwrap()).unwrap();
    assert_eq!(checked.head(), full.head.as_ref());
    let block = full
        .prove(&Request {
            block: Some((7, 1)),
            ..Default::default()
        })
        .unwrap();
    assert_eq!(
        verify(&held.known(), block).unwrap_err(),
        ProofError::NotConnected
    );
}

/// A parent's hash fixes only the sum of its children's sizes. Two claimed siblings with bytes shifted
/// from one to the other still give the signed tree, so they must not be kept, nor used to blame the writer.
#[test]
fn shifted_sizes_are_not_kept() {
    let full = Plain::of("v1", &data(8));
    let held = Plain::of("v1", &data(5));
    let roots_only = |peer: &Plain| Plain {
        nodes: NodeMap::default(),
        ..peer.clone()
    };

    // Block 4 is asked for, block 5 comes in addition: one pair.
    let mut upgraded = full.prove(&upgrade(0, 5)).unwrap();
    let part = upgraded.upgrade.as_mut().unwrap();
    part.nodes[1].size += 1;
    part.additional_nodes[0].size -= 1;
    for peer in [Plain::empty(&full), full.clone(), held] {
        let checked = verify(&peer.known(), upgraded.clone()).unwrap();
        assert_eq!(checked.head().is_some(), peer.length() < 8);
        assert!(
            checked
                .nodes()
                .iter()
                .all(|node| full.nodes.0[&node.index] == *node)
        );
    }

    let mut hash = full
        .prove(&Request {
            hash: Some((1, 2)),
            ..Default::default()
        })
        .unwrap();
    let part = hash.hash.as_mut().unwrap();
    part.nodes[0].size += 1;
    part.nodes[1].size -= 1;
    let checked = verify(&roots_only(&full).known(), hash).unwrap();
    assert_eq!(
        checked
            .nodes()
            .iter()
            .map(|node| node.index)
            .collect::<Vec<_>>(),
        [3, 11]
    );

    let mut seek = full
        .prove(&Request {
            seek: Some((8, 0)),
            ..upgrade(0, 8)
        })
        .unwrap();
    let part = seek.seek.as_mut().unwrap();
    part.nodes[0].size += 1;
    part.nodes[1].size -= 1;
    let checked = verify(&Plain::empty(&full).known(), seek).unwrap();
    assert!(
        checked
            .nodes()
            .iter()
            .all(|node| full.nodes.0[&node.index] == *node)
    );
}

/// Junk around a valid signature would be stored and passed on.
#[test]
fn padded_signatures_are_refused() {
    let full = Plain::of("v1", &data(3));
    let good = full.prove(&upgrade(0, 3)).unwrap();
    let signature = good.upgrade.as_ref().unwrap().signature.clone();
    let mut patched = Envelope::decode(1, &signature).unwrap();
    patched.patch.push(full.nodes.0[&0]);
    let mut doubled = Envelope::decode(1, &signature).unwrap();
    doubled.shares.push(doubled.shares[0].clone());
    let padded = [signature.clone(), vec![0]].concat();
    for changed in [
        padded,
        patched.encode(1),
        doubled.encode(1),
        signature[..67].to_vec(),
        Vec::new(),
    ] {
        let mut proof = good.clone();
        proof.upgrade.as_mut().unwrap().signature = changed;
        let error = verify(&Plain::empty(&full).known(), proof).unwrap_err();
        assert_eq!(error, ProofError::BadSignature);
    }
}
