//! Requests and proofs, byte for byte as JavaScript hypercore makes them, and checked by us.

mod common;

use bytes::Bytes;
use cobox_feed::codec::Reader;
use cobox_feed::manifest::Prologue;
use cobox_feed::tree::{Head, ProofError, Request, UntrustedProof, verify, verify_all};
use common::*;
use serde_json::Value;

fn pair_of(value: &Value, first: &str, second: &str) -> Option<(u64, u64)> {
    let part = value.as_object()?;
    Some((
        part[first].as_u64().unwrap(),
        part[second].as_u64().unwrap(),
    ))
}

fn request_of(value: &Value) -> Request {
    Request {
        block: pair_of(&value["block"], "index", "nodes"),
        hash: pair_of(&value["hash"], "index", "nodes"),
        seek: pair_of(&value["seek"], "bytes", "padding"),
        upgrade: pair_of(&value["upgrade"], "start", "length"),
        manifest: value["manifest"].as_bool().unwrap_or(false),
    }
}

fn vector_blocks() -> Vec<Bytes> {
    let vectors = vectors("tree.json");
    let text = |block: &Value| Bytes::from(block.as_str().unwrap().to_owned());
    vectors["blocks_utf8"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect()
}

#[test]
fn same_bytes_as_javascript() {
    let vectors = vectors("tree.json");
    for kind in ["compat", "v1", "v0"] {
        let full = Plain::of(kind, &vector_blocks());
        assert_eq!(full.key.to_string(), vectors[kind]["key"]);
        let cases = vectors[kind]["proofs"].as_array().unwrap();
        assert_eq!(cases.len(), 12);
        for case in cases {
            let id = case["request"]["id"].as_u64().unwrap();
            let request = request_of(&case["request"]);
            let sent = message(request.flags(), id, 0, |out| request.encode(out));
            assert_eq!(hex(&sent), case["request_encoded"], "{kind} {request:?}");
            let mut reader = Reader::new(&sent[3..]);
            assert_eq!(
                Request::decode(request.flags(), &mut reader).unwrap(),
                request
            );
            let proof = full.prove(&request).unwrap();
            let answer = message(proof.flags(), id, 0, |out| proof.encode(out));
            assert_eq!(hex(&answer), case["data_encoded"], "{kind} {request:?}");
            assert_eq!(decode(&answer), proof);
            check_vector(kind, &full, &request, proof);
        }
    }
}

/// Each answer is accepted by a peer that holds what the request implies.
fn check_vector(kind: &str, full: &Plain, request: &Request, proof: UntrustedProof) {
    let start = request.upgrade.map_or(9, |(start, _)| start);
    let mut peer = Plain::of(kind, &vector_blocks()[..start as usize]);
    if start == 0 && kind != "compat" {
        peer.manifest = None;
        let missing = UntrustedProof {
            manifest: None,
            ..proof.clone()
        };
        assert_eq!(
            verify(&peer.known(), missing).unwrap_err(),
            ProofError::WrongManifest
        );
        if !request.manifest {
            peer.manifest = full.manifest.clone();
        }
    }
    let checked = verify(&peer.known(), proof.clone()).unwrap();
    assert_eq!(
        checked.head(),
        full.head.as_ref().filter(|_| request.upgrade.is_some())
    );
    assert_eq!(
        checked.manifest(),
        full.manifest.as_ref().filter(|_| request.manifest)
    );
    let blocks: Vec<_> = request
        .block
        .iter()
        .map(|(i, _)| (*i, full.blocks[i].clone()))
        .collect();
    assert_eq!(checked.blocks(), blocks);
    checked
        .nodes()
        .iter()
        .for_each(|node| assert_eq!(full.nodes.0[&node.index], *node));
    let many = verify_all(&peer.known(), vec![proof.clone(), proof]);
    assert!(
        many.iter()
            .all(|one| one.as_ref().unwrap().nodes() == checked.nodes())
    );
}

#[test]
fn manifest_alone() {
    let full = Plain::of("v1", &[]);
    let proof = full
        .prove(&Request {
            manifest: true,
            ..Default::default()
        })
        .unwrap();
    let sent = message(proof.flags(), 3, 0, |out| proof.encode(out));
    assert_eq!(hex(&sent), vectors("messages.json")["data_manifest_only"]);
    let peer = Plain {
        manifest: None,
        ..Plain::of("v1", &[])
    };
    assert_eq!(
        verify(&peer.known(), decode(&sent)).unwrap().manifest(),
        full.manifest.as_ref()
    );
}

#[test]
fn requests_of_messages_json() {
    for case in vectors("messages.json")["request"].as_array().unwrap() {
        let (request, bytes) = (request_of(&case["v"]), bytes(&case["hex"]));
        let mut reader = Reader::new(&bytes);
        let flags = reader.uint().unwrap();
        assert_eq!(reader.uint().unwrap(), case["v"]["id"]);
        assert_eq!(reader.uint().unwrap(), case["v"]["fork"]);
        assert_eq!(Request::decode(flags, &mut reader).unwrap(), request);
        assert_eq!(request.flags(), flags & 31);
        let mut out = Vec::new();
        request.encode(&mut out);
        assert!(bytes.windows(out.len()).any(|window| window == out));
    }
}

/// A feed that begins with a fixed prologue: that part goes out whole and needs no signature.
#[test]
fn prologue_goes_out_whole() {
    let blocks = vector_blocks();
    let fixed = Plain::of("v1", &blocks[..3]);
    let head = fixed.head.unwrap();
    let mut manifest = pair().manifest();
    manifest.prologue = Some(Prologue {
        hash: head.tree_hash,
        length: 3,
    });
    let mut full = Plain {
        key: manifest.key(),
        manifest: Some(manifest.clone()),
        ..Plain::of("v1", &[])
    };
    full.append(&blocks);
    let request = Request {
        upgrade: Some((0, 9)),
        manifest: true,
        ..Default::default()
    };
    let proof = full.prove(&request).unwrap();
    assert_eq!(proof.upgrade.as_ref().unwrap().length, 3);
    let checked = verify(&Plain::empty(&full).known(), proof.clone()).unwrap();
    assert_eq!(checked.head(), full.head.as_ref());
    let mut whole = proof;
    let upgrade = whole.upgrade.as_mut().unwrap();
    upgrade.length = 9;
    upgrade.nodes = [7, 16].map(|index| full.nodes.0[&index]).to_vec();
    upgrade.additional_nodes.clear();
    let error = verify(&Plain::empty(&full).known(), whole).unwrap_err();
    assert_eq!(error, ProofError::Malformed("the prologue is cut"));

    manifest.quorum = 0;
    manifest.signers.clear();
    let head = Some(Head {
        signature: Vec::new(),
        ..head
    });
    let fixed = Plain {
        key: manifest.key(),
        manifest: Some(manifest),
        head,
        ..Plain::of("v1", &blocks[..3])
    };
    let proof = fixed
        .prove(&Request {
            block: Some((1, 0)),
            upgrade: Some((0, 2)),
            manifest: true,
            ..request
        })
        .unwrap();
    let checked = verify(&Plain::empty(&fixed).known(), proof).unwrap();
    assert_eq!(checked.head(), fixed.head.as_ref());
    assert_eq!(checked.blocks()[0].1, blocks[1]);
}
