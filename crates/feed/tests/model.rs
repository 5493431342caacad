//! Trees against a slow, plain, recursive model; and two peers that exchange proofs in random order.

mod common;

use bytes::Bytes;
use cobox_feed::tree::{
    self, MerkleBatch, Node, ProveError, Request, flat, levels_missing, roots_at, verify,
    verify_all,
};
use common::*;
use proptest::prelude::*;
use proptest::sample::Index;

/// BLAKE2b-256 of everything put together.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let whole = parts.concat();
    let hash = blake2b_simd::Params::new().hash_length(32).hash(&whole);
    hash.as_bytes().try_into().unwrap()
}

/// Size and hash of a full subtree, from the definition.
fn subtree(blocks: &[Bytes]) -> (u64, [u8; 32]) {
    if let [block] = blocks {
        let size = block.len() as u64;
        return (size, hash(&[&[0], &size.to_le_bytes(), block]));
    }
    let (left, right) = blocks.split_at(blocks.len() / 2);
    let ((left_size, left), (right_size, right)) = (subtree(left), subtree(right));
    let size = left_size + right_size;
    (size, hash(&[&[1], &size.to_le_bytes(), &left, &right]))
}

/// Tree hash and roots, from the definition.
fn plain_tree(blocks: &[Bytes]) -> ([u8; 32], Vec<Node>) {
    let mut roots = Vec::new();
    let mut start = 0;
    let mut all = vec![2];
    while start < blocks.len() {
        let mut count = 1;
        while count * 2 <= blocks.len() - start {
            count *= 2;
        }
        let (size, hash) = subtree(&blocks[start..start + count]);
        let index = (2 * start + count - 1) as u64;
        roots.push(Node { index, size, hash });
        all.extend_from_slice(&hash);
        all.extend_from_slice(&index.to_le_bytes());
        all.extend_from_slice(&size.to_le_bytes());
        start += count;
    }
    (hash(&[&all]), roots)
}

fn blocks(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Bytes>> {
    let block = prop::collection::vec(any::<u8>(), 1..300).prop_map(Bytes::from);
    prop::collection::vec(block, count)
}

#[test]
fn flat_arithmetic() {
    for index in 0..600u64 {
        let blocks = flat::blocks(index);
        assert_eq!(blocks.end - blocks.start, 1 << flat::depth(index));
        assert_eq!(
            index,
            blocks.start + blocks.end - 1,
            "a parent sits in the middle"
        );
        assert_eq!(flat::sibling(flat::sibling(index)), index);
        assert_eq!(flat::parent(index), flat::parent(flat::sibling(index)));
        assert_eq!(flat::is_left(index), index < flat::sibling(index));
        if let Some((left, right)) = flat::children(index) {
            assert_eq!((flat::parent(left), flat::parent(right)), (index, index));
            assert_eq!(flat::blocks(left).end, flat::blocks(right).start);
        }
        for inner in 0..600 {
            let (a, b) = (flat::blocks(index), flat::blocks(inner));
            assert_eq!(
                flat::contains(index, inner),
                a.start <= b.start && b.end <= a.end
            );
        }
    }
}

#[test]
fn subtrees_cover_exactly() {
    for end in 0..70u64 {
        for start in 0..=end {
            let parts: Vec<_> = flat::subtrees(start..end).map(flat::blocks).collect();
            let covered: Vec<u64> = parts.iter().cloned().flatten().collect();
            assert_eq!(covered, (start..end).collect::<Vec<_>>());
        }
        assert!(flat::roots(end).map(flat::depth).is_sorted_by(|a, b| a > b));
    }
    assert_eq!(
        flat::roots(flat::MAX_LENGTH).collect::<Vec<_>>(),
        [flat::MAX_LENGTH - 1]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn appends_like_the_definition(batches in prop::collection::vec(blocks(0..20), 0..8)) {
        let mut feed = Plain::of("v1", &[]);
        let mut all: Vec<Bytes> = Vec::new();
        for batch in batches {
            feed.append(&batch);
            all.extend(batch);
            let head = feed.head.as_ref().unwrap();
            let (hash, roots) = plain_tree(&all);
            prop_assert_eq!(&head.roots, &roots);
            prop_assert_eq!(head.tree_hash, hash);
            prop_assert_eq!(head.byte_length, all.iter().map(|b| b.len() as u64).sum::<u64>());
            prop_assert_eq!(head.length, all.len() as u64);
        }
        for length in 0..=all.len() {
            let roots = roots_at(&feed.nodes, length as u64).unwrap();
            prop_assert_eq!(tree::tree_hash(&roots), plain_tree(&all[..length]).0);
        }
        let full = 2 * all.len() as u64;
        let expected = (0..full).filter(|&i| flat::blocks(i).end <= all.len() as u64);
        prop_assert_eq!(feed.nodes.0.keys().copied().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn lanes_hash_like_one(blocks in blocks(0..70)) {
        let one = (0..).zip(&blocks).map(|(i, block)| tree::leaf(i, block));
        prop_assert_eq!(tree::hash_leaves(0, &blocks), one.collect::<Vec<_>>());
    }

    /// A peer asks for anything in any order while the feed grows; in the end both hold the same.
    #[test]
    fn peers_become_equal(
        first in blocks(1..40),
        more in blocks(1..20),
        asks in prop::collection::vec(any::<(Index, Index, u8)>(), 0..60),
        kind in prop::sample::select(vec!["v0", "v1", "compat"]),
    ) {
        let mut full = Plain::of(kind, &first);
        let mut peer = Plain::empty(&full);
        let grow_at = asks.len() / 2;
        for (at, (a, b, what)) in asks.into_iter().enumerate() {
            if at == grow_at {
                full.append(&more);
            }
            let request = any_request(&full, &peer, a, b, what);
            ask(&full, &mut peer, &request);
        }
        finish(&full, &mut peer);
        prop_assert_eq!(&peer.blocks, &full.blocks);
        prop_assert_eq!(&peer.head, &full.head);
        prop_assert_eq!(&peer.nodes, &full.nodes);
        prop_assert_eq!(&peer.manifest, &full.manifest);
    }
}

fn any_request(full: &Plain, peer: &Plain, a: Index, b: Index, what: u8) -> Request {
    let (held, length) = (peer.length(), full.length());
    let mut request = Request {
        manifest: peer.manifest.is_none(),
        ..Default::default()
    };
    if held < length && what & 1 != 0 {
        request.upgrade = Some((held, 1 + a.index((length - held) as usize) as u64));
    }
    let end = request
        .upgrade
        .map_or(held, |(start, length)| start + length);
    if end == 0 {
        return request;
    }
    let block = b.index(end as usize) as u64;
    let index = b.index(2 * end as usize) as u64;
    let bytes = a.index(full.head.as_ref().unwrap().byte_length as usize + 2) as u64;
    match what >> 1 & 3 {
        1 => request.block = Some((block, levels(peer, 2 * block))),
        2 if flat::blocks(index).end <= held => request.hash = Some((index, levels(peer, index))),
        _ => {}
    }
    if what & 8 != 0 {
        request.seek = Some((bytes, u64::from(what >> 4 & 1)));
    }
    request
}

fn levels(peer: &Plain, index: u64) -> u64 {
    levels_missing(&peer.nodes, peer.length(), index)
}

/// Whatever is answered is right; what cannot be answered has a reason.
fn ask(full: &Plain, peer: &mut Plain, request: &Request) {
    let proof = match full.prove(request) {
        Ok(proof) => proof,
        Err(ProveError::Invalid(_)) => return,
        Err(error) => panic!("{error:?} for {request:?}"),
    };
    assert_eq!(decode(&encode(&proof)), proof);
    let checked = verify(&peer.known(), proof).unwrap_or_else(|e| panic!("{e} for {request:?}"));
    peer.store(&checked);
}

/// Upgrades to the end and fetches what is missing, many at once.
fn finish(full: &Plain, peer: &mut Plain) {
    let (held, length) = (peer.length(), full.length());
    if held < length {
        let upgrade = Some((held, length - held));
        ask(
            full,
            peer,
            &Request {
                upgrade,
                manifest: true,
                ..Default::default()
            },
        );
    }
    let missing: Vec<u64> = (0..length)
        .filter(|block| !peer.blocks.contains_key(block))
        .collect();
    let prove = |&block: &u64| {
        let block = Some((block, levels(peer, 2 * block)));
        full.prove(&Request {
            block,
            ..Default::default()
        })
        .unwrap()
    };
    let proofs: Vec<_> = missing.iter().map(prove).collect();
    let checked = verify_all(&peer.known(), proofs);
    checked
        .into_iter()
        .for_each(|proof| peer.store(&proof.unwrap()));
}

/// A sparse peer that holds a head and one block can pass that block on.
#[test]
fn sparse_peer_serves_what_it_holds() {
    let data: Vec<Bytes> = (0..21u8).map(|i| Bytes::from(vec![i; 5])).collect();
    let full = Plain::of("v1", &data);
    let mut sparse = Plain::empty(&full);
    let upgrade = Some((0, 21));
    ask(
        &full,
        &mut sparse,
        &Request {
            upgrade,
            block: Some((13, 0)),
            manifest: true,
            ..Default::default()
        },
    );
    let mut third = Plain::empty(&full);
    ask(
        &sparse,
        &mut third,
        &Request {
            upgrade,
            block: Some((13, 0)),
            manifest: true,
            ..Default::default()
        },
    );
    assert_eq!(third.blocks[&13], data[13]);
    let absent = Request {
        block: Some((14, 1)),
        ..Default::default()
    };
    assert!(matches!(sparse.prove(&absent), Err(ProveError::Missing)));
    let mut batch = MerkleBatch::from_head(third.head.as_ref().unwrap());
    batch.append(&["more"]);
    assert_eq!(batch.length(), 22);
}
