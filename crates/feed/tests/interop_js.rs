//! Today's JavaScript hypercore as judge: it takes what we write, and answers requests as we do.

mod common;

use bytes::Bytes;
use cobox_feed::manifest::{FeedKeyPair, Manifest, Prologue, Signer};
use cobox_feed::tree::{
    Envelope, Head, MerkleBatch, Request, Share, UntrustedProof, flat, levels_missing, verify,
};
use common::*;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// Where the JavaScript side is installed; none when it is to be left out.
fn interop() -> Option<PathBuf> {
    if std::env::var_os("COBOX_SKIP_INTEROP").is_some_and(|value| value == "1") {
        eprintln!("left out: COBOX_SKIP_INTEROP=1");
        return None;
    }
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop"));
    assert!(
        dir.join("node_modules").exists(),
        "JavaScript hypercore is not installed: run `cargo xtask test`, or set COBOX_SKIP_INTEROP=1"
    );
    Some(dir)
}

/// Runs a script on a file of JSON; returns what it prints.
fn node(dir: &PathBuf, script: &str, input: &Value) -> Result<String, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), input.to_string()).unwrap();
    let output = Command::new("node")
        .current_dir(dir)
        .arg(script)
        .arg(file.path())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

fn data(count: usize) -> Vec<Bytes> {
    (0..count)
        .map(|i| Bytes::from(vec![i as u8; 1 + i * 37 % 200]))
        .collect()
}

/// The upgrade with manifest and one block, then the other blocks in a mixed order; each bad one first.
fn proofs_for_javascript(full: &Plain) -> Vec<Value> {
    let mut peer = Plain::empty(full);
    let mut out = Vec::new();
    let order = (1..full.length())
        .step_by(2)
        .chain((0..full.length()).step_by(2));
    for (at, block) in order.enumerate() {
        let upgrade = (at == 0).then_some((0, full.length()));
        let levels = levels_missing(&peer.nodes, peer.length(), 2 * block);
        let request = Request {
            block: Some((block, levels)),
            upgrade,
            manifest: at == 0,
            ..Default::default()
        };
        let proof = full.prove(&request).unwrap();
        for bad in tampered(&proof) {
            out.push(json!({ "data": hex(&encode(&bad)), "good": false }));
        }
        out.push(json!({ "data": hex(&encode(&proof)), "good": true }));
        peer.store(&verify(&peer.known(), proof).unwrap());
    }
    out
}

fn tampered(proof: &UntrustedProof) -> Vec<UntrustedProof> {
    let mut out = Vec::new();
    let mut change = |change: &dyn Fn(&mut UntrustedProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        out.push(changed);
    };
    change(&|proof| {
        let block = proof.block.as_mut().unwrap();
        let mut value = block.value.to_vec();
        value[0] ^= 1;
        block.value = value.into();
    });
    if !proof.block.as_ref().unwrap().nodes.is_empty() {
        change(&|proof| proof.block.as_mut().unwrap().nodes[0].hash[31] ^= 1);
        change(&|proof| proof.block.as_mut().unwrap().nodes[0].size += 1);
    }
    if proof.upgrade.is_some() {
        change(&|proof| proof.upgrade.as_mut().unwrap().signature[5] ^= 1);
        change(&|proof| proof.fork = 1);
    }
    if proof.manifest.is_some() {
        change(&|proof| proof.manifest.as_mut().unwrap().signers[0].public_key[3] ^= 1);
    }
    out
}

#[test]
fn javascript_takes_our_feeds() {
    let Some(dir) = interop() else { return };
    for kind in ["v1", "v0", "compat"] {
        assert_taken(&dir, &Plain::of(kind, &data(23)));
    }
}

/// The judge is awake: it does not say "ok" to a feed that is not what we say it is.
#[test]
fn javascript_notices_differences() {
    let Some(dir) = interop() else { return };
    let full = Plain::of("v1", &data(5));
    let proofs = proofs_for_javascript(&full);
    let input = json!({ "key": full.key.to_string(), "proofs": proofs, "blocks": ["00", "00", "00", "00", "00"] });
    assert!(node(&dir, "verify.mjs", &input).is_err());
}

/// A small generator of numbers, the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn any_request(numbers: &mut Numbers, length: u64, bytes: u64) -> Request {
    let mut request = Request::default();
    if numbers.one_in(2) {
        let start = numbers.below(length);
        request.upgrade = Some((start, 1 + numbers.below(length - start)));
    }
    let end = request
        .upgrade
        .map_or(length, |(start, length)| start + length);
    match numbers.below(3) {
        0 => request.block = Some((numbers.below(end), numbers.below(5))),
        1 => request.hash = Some((numbers.below(2 * end), numbers.below(4))),
        _ => {}
    }
    if numbers.one_in(3) {
        request.seek = Some((numbers.below(bytes + 3), numbers.below(2)));
    }
    request.manifest = numbers.one_in(4);
    request
}

/// The same answers, byte for byte; and what JavaScript refuses we refuse too.
#[test]
fn javascript_answers_as_we_do() {
    let Some(dir) = interop() else { return };
    for (kind, seed) in [("v1", 1), ("v0", 2), ("compat", 3)] {
        let blocks = data(21 + seed as usize);
        let full = Plain::of(kind, &blocks);
        let bytes = full.head.as_ref().unwrap().byte_length;
        let mut numbers = Numbers(seed);
        let requests: Vec<Request> = (0..600)
            .map(|_| any_request(&mut numbers, full.length(), bytes))
            .collect();
        let encoded =
            |request: &Request| hex(&message(request.flags(), 1, 0, |out| request.encode(out)));
        let input = json!({
            "seed": "07".repeat(32),
            "kind": kind,
            "blocks": blocks.iter().map(|block| hex(block)).collect::<Vec<_>>(),
            "requests": requests.iter().map(encoded).collect::<Vec<_>>(),
        });
        let made: Value = serde_json::from_str(&node(&dir, "make.mjs", &input).unwrap()).unwrap();
        assert_eq!(made["key"], full.key.to_string());
        for (request, theirs) in requests.iter().zip(made["answers"].as_array().unwrap()) {
            check_answer(&full, request, theirs);
        }
    }
}

/// JavaScript 11.39.5 loses count of the bytes in front of a node that is not below the first root, and
/// then leaves the seek out.
fn miscounted(full: &Plain, request: &Request) -> bool {
    let target = request
        .block
        .map(|(block, _)| 2 * block)
        .or(request.hash.map(|(index, _)| index));
    let first = full.head.as_ref().unwrap().roots[0].index;
    request.seek.is_some() && target.is_some_and(|target| !flat::contains(first, target))
}

fn check_answer(full: &Plain, request: &Request, theirs: &Value) {
    if miscounted(full, request) {
        return;
    }
    let answer = full.prove(request);
    let Ok(ours) = answer else {
        // JavaScript answers a few odd requests with an empty message; there is nothing in it to compare.
        let empty = |text: &str| text.len() == 6 && text.starts_with("00");
        assert!(
            theirs.is_null() || theirs.as_str().is_some_and(empty),
            "{request:?} {answer:?} {theirs}"
        );
        return;
    };
    assert_eq!(theirs, &json!(hex(&encode(&ours))), "{request:?}");
    let start = request.upgrade.map_or(full.length(), |(start, _)| start);
    let known = Plain {
        head: None,
        ..full.clone()
    };
    if start == 0 {
        verify(&known.known(), decode(&unhex(theirs.as_str().unwrap()))).unwrap();
    }
}

/// Feeds that two of three sign, the second of whom is two blocks ahead; and feeds with a fixed beginning.
#[test]
fn javascript_takes_envelopes_and_prologues() {
    let Some(dir) = interop() else { return };
    let pairs: Vec<FeedKeyPair> = (1..=3)
        .map(|seed| FeedKeyPair::from_seed(&[seed; 32]))
        .collect();
    let signers = pairs
        .iter()
        .map(|pair| Signer::new(pair.public_key()))
        .collect();
    let several = Manifest {
        quorum: 2,
        signers,
        ..pairs[0].manifest()
    };
    let patched = Manifest {
        allow_patch: true,
        ..several.clone()
    };
    let old = Manifest {
        version: 0,
        ..several.clone()
    };
    for manifest in [several, old, patched] {
        let mut full = Plain {
            key: manifest.key(),
            ..Plain::of("v1", &data(7))
        };
        let signature = two_sign(&full, &manifest, &pairs).encode(manifest.version);
        full.head = full.head.map(|head| Head { signature, ..head });
        full.manifest = Some(manifest);
        assert_taken(&dir, &full);
    }
    let beginning = Plain::of("v1", &data(4)).head.unwrap();
    let prologue = Some(Prologue {
        hash: beginning.tree_hash,
        length: 4,
    });
    let manifest = Manifest {
        prologue,
        ..pair().manifest()
    };
    let mut full = Plain {
        key: manifest.key(),
        manifest: Some(manifest),
        ..Plain::of("v1", &[])
    };
    full.append(&data(7));
    assert_taken(&dir, &full);
}

fn two_sign(full: &Plain, manifest: &Manifest, pairs: &[FeedKeyPair]) -> Envelope {
    let tree = MerkleBatch::from_head(full.head.as_ref().unwrap());
    let first = tree.share(&pairs[2], manifest).unwrap();
    if !manifest.allow_patch {
        return Envelope::of(vec![first, tree.share(&pairs[0], manifest).unwrap()]);
    }
    let mut longer = tree.clone();
    longer.append(&["eight", "nine"]);
    let ahead = Share {
        patch: 2,
        ..longer.share(&pairs[0], manifest).unwrap()
    };
    let nodes = longer.nodes();
    let patch =
        flat::subtrees(7..9).map(|index| *nodes.iter().find(|node| node.index == index).unwrap());
    Envelope {
        shares: vec![first, ahead],
        patch: patch.collect(),
    }
}

/// JavaScript takes the whole feed, and nothing that was changed.
fn assert_taken(dir: &PathBuf, full: &Plain) {
    let blocks: Vec<String> = full.blocks.values().map(|block| hex(block)).collect();
    let proofs = proofs_for_javascript(full);
    let input = json!({ "key": full.key.to_string(), "proofs": proofs, "blocks": blocks });
    assert_eq!(node(dir, "verify.mjs", &input).as_deref(), Ok("ok"));
}
