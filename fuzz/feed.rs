//! A small feed to check proofs against and to answer requests from.

use cobox_feed::manifest::{FeedKeyPair, Manifest};
use cobox_feed::tree::{Head, Known, MerkleBatch, Node, Nodes};
use std::collections::BTreeMap;

pub struct Feed {
    pub manifest: Manifest,
    pub head: Head,
    pub nodes: Map,
}

pub struct Map(BTreeMap<u64, Node>);

impl Nodes for Map {
    fn node(&self, index: u64) -> Option<Node> {
        self.0.get(&index).copied()
    }
}

impl Feed {
    /// Nine blocks of different sizes: roots 7 and 16.
    pub fn new() -> Self {
        let pair = FeedKeyPair::from_seed(&[7; 32]);
        let manifest = pair.manifest();
        let mut batch = MerkleBatch::new();
        batch.append(&BLOCKS);
        let head = batch.sign(&pair, &manifest).expect("the only signer");
        let nodes = Map(batch
            .nodes()
            .into_iter()
            .map(|node| (node.index, node))
            .collect());
        Self {
            manifest,
            head,
            nodes,
        }
    }

    /// As a peer that holds all of it.
    pub fn known(&self) -> Known<'_> {
        Known {
            key: self.manifest.key(),
            manifest: Some(&self.manifest),
            head: Some(&self.head),
            nodes: &self.nodes,
            fork: 0,
        }
    }
}

/// The blocks of `crates/feed/tests/vectors/tree.json`, so that its answers are good seeds.
pub const BLOCKS: [&str; 9] = [
    "block-0-",
    "block-1-x",
    "block-2-xx",
    "block-3-xxx",
    "block-4-xxxx",
    "block-5-",
    "block-6-x",
    "block-7-xx",
    "block-8-xxx",
];
