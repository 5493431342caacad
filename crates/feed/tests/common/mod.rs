//! Reading the vectors that JavaScript hypercore made, and plain trees to compare with.
#![allow(dead_code, reason = "each test file uses its own part")]

use cobox_feed::manifest::{FeedKeyPair, Manifest};
use cobox_feed::tree::{Head, MerkleBatch, Node, Nodes};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A vector file.
pub fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.is_ascii() && text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().unwrap())
}

pub fn bytes32(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

pub fn node(value: &Value) -> Node {
    Node {
        index: value["index"].as_u64().unwrap(),
        size: value["size"].as_u64().unwrap(),
        hash: bytes32(&value["hash"]),
    }
}

/// The pair of the vectors.
pub fn pair() -> FeedKeyPair {
    FeedKeyPair::from_seed(&[7; 32])
}

/// The three feeds of tree.json: compat (no manifest), version 1, version 0.
pub fn manifest_of(kind: &str) -> Option<Manifest> {
    match kind {
        "compat" => None,
        "v1" => Some(pair().manifest()),
        "v0" => Some(Manifest {
            version: 0,
            ..pair().manifest()
        }),
        _ => panic!("no such kind: {kind}"),
    }
}

pub fn sign(batch: &MerkleBatch, pair: &FeedKeyPair, manifest: Option<&Manifest>) -> Head {
    match manifest {
        Some(manifest) => batch.sign(pair, manifest).unwrap(),
        None => batch.sign_compat(pair),
    }
}

/// Nodes kept in a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeMap(pub BTreeMap<u64, Node>);

impl Nodes for NodeMap {
    fn node(&self, index: u64) -> Option<Node> {
        self.0.get(&index).copied()
    }
}

impl Extend<Node> for NodeMap {
    fn extend<I: IntoIterator<Item = Node>>(&mut self, nodes: I) {
        for node in nodes {
            let before = self.0.insert(node.index, node);
            assert!(
                before.is_none_or(|before| before == node),
                "a node changed: {before:?} {node:?}"
            );
        }
    }
}
