//! Reading the vectors that JavaScript hypercore made, and plain trees to compare with.
#![allow(dead_code, reason = "each test file uses its own part")]

use bytes::Bytes;
use cobox_feed::codec::{DecodeError, Reader, Writer};
use cobox_feed::manifest::{FeedKey, FeedKeyPair, Manifest};
use cobox_feed::tree::{
    Head, Known, MerkleBatch, Node, Nodes, Proof, ProveError, Request, UntrustedProof, prove,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;
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

/// A whole feed in memory.
#[derive(Clone)]
pub struct Plain {
    pub key: FeedKey,
    pub manifest: Option<Manifest>,
    pub blocks: BTreeMap<u64, Bytes>,
    pub nodes: NodeMap,
    pub head: Option<Head>,
}

impl Plain {
    /// Knows the name of `feed`, nothing else.
    pub fn empty(feed: &Plain) -> Self {
        Self {
            key: feed.key,
            manifest: None,
            blocks: BTreeMap::new(),
            nodes: NodeMap::default(),
            head: None,
        }
    }

    /// Appends and signs as the owner.
    pub fn append(&mut self, blocks: &[Bytes]) {
        let mut batch = self
            .head
            .as_ref()
            .map_or_else(MerkleBatch::new, MerkleBatch::from_head);
        let first = batch.append(blocks);
        self.nodes.extend(batch.nodes());
        self.blocks.extend((first..).zip(blocks.iter().cloned()));
        self.head = Some(sign(&batch, &pair(), self.manifest.as_ref()));
    }

    pub fn length(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.length)
    }

    /// Keeps what was checked.
    pub fn store(&mut self, proof: &Proof) {
        self.blocks.extend(proof.blocks().iter().cloned());
        self.nodes.extend(proof.nodes().iter().copied());
        self.head = proof.head().cloned().or(self.head.take());
        self.manifest = proof.manifest().cloned().or(self.manifest.take());
    }

    pub fn of(kind: &str, blocks: &[Bytes]) -> Self {
        let manifest = manifest_of(kind);
        let key = manifest
            .as_ref()
            .map_or(FeedKey(pair().public_key()), Manifest::key);
        let mut batch = MerkleBatch::new();
        batch.append(blocks);
        let mut nodes = NodeMap::default();
        nodes.extend(batch.nodes());
        let head = (!blocks.is_empty()).then(|| sign(&batch, &pair(), manifest.as_ref()));
        Self {
            key,
            manifest,
            blocks: (0..).zip(blocks.iter().cloned()).collect(),
            nodes,
            head,
        }
    }

    pub fn prove(&self, request: &Request) -> Result<UntrustedProof, ProveError<Infallible>> {
        let load = |block: u64| Ok(self.blocks.get(&block).cloned());
        prove(
            request,
            self.head.as_ref(),
            self.manifest.as_ref(),
            &self.nodes,
            load,
        )
    }

    pub fn known(&self) -> Known<'_> {
        Known {
            key: self.key,
            manifest: self.manifest.as_ref(),
            head: self.head.as_ref(),
            nodes: &self.nodes,
            fork: 0,
        }
    }
}

/// A request or answer as sent: flags, id, fork, parts.
pub fn message(flags: u64, id: u64, fork: u64, parts: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    [flags, id, fork]
        .into_iter()
        .for_each(|value| out.put_uint(value));
    parts(&mut out);
    out
}

/// A whole answer, nothing behind it.
pub fn decode(message: &[u8]) -> UntrustedProof {
    let mut reader = Reader::new(message);
    let proof = try_decode(&mut reader).unwrap();
    assert!(reader.is_empty());
    proof
}

pub fn try_decode(reader: &mut Reader<'_>) -> Result<UntrustedProof, DecodeError> {
    let (flags, _id, fork) = (reader.uint()?, reader.uint()?, reader.uint()?);
    UntrustedProof::decode(flags, fork, reader)
}

pub fn encode(proof: &UntrustedProof) -> Vec<u8> {
    message(proof.flags(), 1, proof.fork, |out| proof.encode(out))
}
