//! What is held of a feed when a proof arrives.

use super::head::Head;
use super::node::{Node, Nodes};
use crate::manifest::{FeedKey, Manifest};

/// What is held of a feed when a proof arrives.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Its name.
    pub key: FeedKey,
    /// Its manifest, once one has arrived.
    pub manifest: Option<&'a Manifest>,
    /// Its head, once one has arrived.
    pub head: Option<&'a Head>,
    /// Its nodes.
    pub nodes: &'a dyn Nodes,
    /// Its fork: 0 for certified feeds.
    pub fork: u64,
}

impl Known<'_> {
    /// A root of the head, or a stored node.
    pub(crate) fn node(&self, index: u64) -> Option<Node> {
        let roots = self.head.map_or(&[][..], |head| &head.roots);
        let root = roots.iter().find(|root| root.index == index).copied();
        root.or_else(|| self.nodes.node(index))
    }

    /// Blocks in the head.
    pub(crate) fn length(&self) -> u64 {
        self.head.map_or(0, |head| head.length)
    }
}
