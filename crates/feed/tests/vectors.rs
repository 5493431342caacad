//! Keys, manifests, trees and signatures as JavaScript hypercore makes them.

mod common;

use cobox_feed::codec::{Reader, Writer};
use cobox_feed::manifest::{FeedKey, FeedKeyPair, Manifest};
use cobox_feed::tree::{
    self, Envelope, Head, Known, MerkleBatch, Node, ProofError, Request, manifest_fits, verify_head,
};
use common::*;
use serde_json::Value;

#[test]
fn compact_numbers() {
    for case in vectors("crypto.json")["compact_uint"].as_array().unwrap() {
        let value = case["v"].as_u64().unwrap();
        let mut out = Vec::new();
        out.put_uint(value);
        assert_eq!(hex(&out), case["hex"].as_str().unwrap());
        let mut reader = Reader::new(&out);
        assert_eq!(reader.uint(), Ok(value));
        assert!(reader.is_empty());
    }
}

#[test]
fn keys_and_hashes() {
    let crypto = vectors("crypto.json");
    assert_eq!(hex(&pair().public_key()), crypto["keypair"]["publicKey"]);
    for case in crypto["discovery_key"].as_array().unwrap() {
        assert_eq!(
            hex(&FeedKey(bytes32(&case["key"])).discovery_key()),
            case["discoveryKey"]
        );
    }
    let blocks: Vec<&str> = crypto["leaf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["data_utf8"].as_str().unwrap())
        .collect();
    let many = tree::hash_leaves(0, &blocks);
    for (at, case) in crypto["leaf"].as_array().unwrap().iter().enumerate() {
        assert_eq!(hex(&many[at].hash), case["leaf"]);
        assert_eq!(tree::leaf(at as u64, blocks[at].as_bytes()), many[at]);
    }
    let roots: Vec<Node> = crypto["tree_hash_roots"]["roots"]
        .as_array()
        .unwrap()
        .iter()
        .map(node)
        .collect();
    assert_eq!(
        hex(&tree::tree_hash(&roots)),
        crypto["tree_hash_roots"]["out"]
    );
    assert_eq!(hex(&tree::tree_hash(&[])), crypto["tree_hash_no_roots"]);
}

#[test]
fn manifests() {
    let vectors = vectors("manifest.json");
    let mut seen = 0;
    for (name, case) in vectors.as_object().unwrap() {
        let (Some(encoded), Some(key)) = (case["encoded"].as_str(), case["hash_key"].as_str())
        else {
            continue;
        };
        let manifest = Manifest::decode(&unhex(encoded)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(hex(&manifest.encode()), encoded, "{name}");
        assert_eq!(manifest.key().to_string(), key, "{name}");
        assert!(manifest_fits(&manifest.key(), &manifest));
        seen += 1;
    }
    assert_eq!(seen, 11);
    assert_eq!(
        pair().manifest().key().to_string(),
        vectors["default_v1"]["hash_key"]
    );
    let compat = FeedKey(pair().public_key());
    assert_eq!(compat.to_string(), vectors["compat"]["key"]);
    assert!(manifest_fits(&compat, &pair().manifest()));
    assert!(!manifest_fits(&FeedKey([1; 32]), &pair().manifest()));
}

#[test]
fn trees_and_signatures() {
    let vectors = vectors("tree.json");
    for kind in ["compat", "v1", "v0"] {
        let manifest = manifest_of(kind);
        let key = FeedKey(bytes32(&vectors[kind]["key"]));
        let mut held: Option<Head> = None;
        let mut nodes = NodeMap::default();
        for (step, block) in vectors[kind]["steps"]
            .as_array()
            .unwrap()
            .iter()
            .zip(vectors["blocks_utf8"].as_array().unwrap())
        {
            let mut batch = held
                .as_ref()
                .map_or_else(MerkleBatch::new, MerkleBatch::from_head);
            batch.append(&[block.as_str().unwrap()]);
            nodes.extend(batch.nodes());
            let head = sign(&batch, &pair(), manifest.as_ref());
            check_step(step, &head);
            verify_head(&key, manifest.as_ref(), &head).unwrap();
            held = Some(head);
        }
        let all: Vec<Node> = vectors["all_nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(node)
            .collect();
        assert_eq!(nodes.0.values().copied().collect::<Vec<_>>(), all);
    }
}

fn check_step(step: &Value, head: &Head) {
    assert_eq!(head.length, step["length"].as_u64().unwrap());
    assert_eq!(head.byte_length, step["byteLength"].as_u64().unwrap());
    assert_eq!(hex(&head.tree_hash), step["treeHash"]);
    assert_eq!(
        head.roots,
        step["roots"]
            .as_array()
            .unwrap()
            .iter()
            .map(node)
            .collect::<Vec<_>>()
    );
    assert_eq!(hex(&head.signature), step["signature"]);
}

/// A feed that was cut back and continued at fork 1.
#[test]
fn another_fork() {
    let fork = vectors("fork.json");
    let mut batch = MerkleBatch::new().with_fork(1);
    batch.append(&["block-0-", "block-1-x", "block-2-xx", "forked"]);
    let manifest = pair().manifest();
    let head = [
        batch.sign_compat(&pair()),
        batch.sign(&pair(), &manifest).unwrap(),
    ]
    .into_iter()
    .find(|head| hex(&head.signature) == fork["signature"])
    .expect("one of the kinds");
    assert_eq!(head.byte_length, fork["byteLength"].as_u64().unwrap());
    assert_eq!(hex(&head.tree_hash), fork["treeHash"]);
    verify_head(&FeedKey(pair().public_key()), None, &head).unwrap();
    let mut nodes = NodeMap::default();
    nodes.extend(batch.nodes());
    let request = Request {
        upgrade: Some((0, 4)),
        ..Default::default()
    };
    let proof = tree::prove::<()>(&request, Some(&head), None, &nodes, |_| Ok(None)).unwrap();
    assert_eq!(proof.fork, 1);
    let mut known = Plain::of("compat", &[]);
    let checked = tree::verify(
        &Known {
            fork: 1,
            ..known.known()
        },
        proof.clone(),
    )
    .unwrap();
    known.store(&checked);
    assert_eq!(known.head.as_ref(), Some(&head));
    assert_eq!(
        tree::verify(&known.known(), proof).unwrap_err(),
        ProofError::OtherFork(1)
    );
    let other = Head { fork: 0, ..head };
    assert!(verify_head(&FeedKey(pair().public_key()), None, &other).is_err());
}

#[test]
fn signature_envelope() {
    let messages = vectors("messages.json");
    let encoded = bytes(&messages["multisig_v1"]);
    let envelope = Envelope::decode(1, &encoded).unwrap();
    assert_eq!(
        (
            envelope.shares.len(),
            envelope.shares[1].patch,
            envelope.patch.len()
        ),
        (2, 3, 1)
    );
    assert_eq!(envelope.encode(1), encoded);
}

/// Two of three sign; one share more or less, a repeated signer, or a stranger changes the answer.
#[test]
fn several_signers() {
    let pairs: Vec<FeedKeyPair> = (1..=4)
        .map(|seed| FeedKeyPair::from_seed(&[seed; 32]))
        .collect();
    for version in [0, 1, 3] {
        let mut manifest = pairs[0].manifest();
        manifest.version = version;
        manifest.quorum = 2;
        manifest.signers = pairs[..3]
            .iter()
            .map(|pair| cobox_feed::manifest::Signer::new(pair.public_key()))
            .collect();
        let key = manifest.key();
        let mut batch = MerkleBatch::new();
        batch.append(&["a", "b", "c"]);
        let share = |at: usize| batch.share(&pairs[at], &manifest).unwrap();
        let mut head = batch.sign_compat(&pairs[0]);
        let mut valid = |shares| {
            head.signature = Envelope::of(shares).encode(version);
            verify_head(&key, Some(&manifest), &head).is_ok()
        };
        assert!(valid(vec![share(0), share(2)]));
        assert!(valid(vec![share(2), share(1), share(0)]));
        assert!(!valid(vec![share(0)]));
        assert!(!valid(vec![share(0), share(0)]));
        assert!(batch.share(&pairs[3], &manifest).is_err());
        let mut wrong = share(1);
        wrong.signer = 0;
        assert!(!valid(vec![wrong, share(2)]));
    }
}

/// With a patch a signer's signature of a longer tree counts for the shorter one, if the manifest allows it.
#[test]
fn patched_signature() {
    let pairs = [
        FeedKeyPair::from_seed(&[1; 32]),
        FeedKeyPair::from_seed(&[2; 32]),
    ];
    let mut manifest = pairs[0].manifest();
    manifest.quorum = 2;
    manifest.allow_patch = true;
    manifest.signers = pairs
        .iter()
        .map(|pair| cobox_feed::manifest::Signer::new(pair.public_key()))
        .collect();
    let mut batch = MerkleBatch::new();
    batch.append(&["a", "b", "c"]);
    let mut longer = batch.clone();
    longer.append(&["d", "e"]);
    let mut ahead = longer.share(&pairs[1], &manifest).unwrap();
    ahead.patch = 2;
    let patch: Vec<Node> = tree::flat::subtrees(3..5)
        .map(|i| *longer.nodes().iter().find(|n| n.index == i).unwrap())
        .collect();
    let envelope = Envelope {
        shares: vec![batch.share(&pairs[0], &manifest).unwrap(), ahead],
        patch,
    };
    let mut head = batch.sign_compat(&pairs[0]);
    head.signature = envelope.encode(1);
    verify_head(&manifest.key(), Some(&manifest), &head).unwrap();
    head.signature = Envelope {
        patch: Vec::new(),
        ..envelope.clone()
    }
    .encode(1);
    assert!(verify_head(&manifest.key(), Some(&manifest), &head).is_err());
    let strict = Manifest {
        allow_patch: false,
        ..manifest
    };
    head.signature = envelope.encode(1);
    assert!(verify_head(&strict.key(), Some(&strict), &head).is_err());
}

/// A prologue needs no signature at its own length, and nothing shorter is valid.
#[test]
fn prologue() {
    let mut batch = MerkleBatch::new();
    batch.append(&["a", "b", "c"]);
    let mut manifest = pair().manifest();
    manifest.prologue = Some(cobox_feed::manifest::Prologue {
        hash: batch.tree_hash(),
        length: 3,
    });
    let key = manifest.key();
    let mut head = batch.sign(&pair(), &manifest).unwrap();
    head.signature.clear();
    verify_head(&key, Some(&manifest), &head).unwrap();
    let mut shorter = MerkleBatch::new();
    shorter.append(&["a", "b"]);
    assert!(
        verify_head(
            &key,
            Some(&manifest),
            &shorter.sign(&pair(), &manifest).unwrap()
        )
        .is_err()
    );
    batch.append(&["d"]);
    verify_head(
        &key,
        Some(&manifest),
        &batch.sign(&pair(), &manifest).unwrap(),
    )
    .unwrap();
}
