//! Who wrote what after seeing what: dots, clocks, Lamport times.

use std::collections::BTreeMap;

/// First 8 bytes of a writer's metadata feed key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriterTag(pub [u8; 8]);

/// Names a version: the commit that ends at block `block` of the writer's metadata feed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Dot { /** who */ pub writer: WriterTag, /** block number of the commit's last block */ pub block: u64 }

/// Vector clock: per writer how many metadata blocks are seen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Clock(pub BTreeMap<WriterTag, u64>);
impl Clock {
    /// Is the version within what this clock has seen? (`block < seen length`)
    pub fn covers(&self, dot: &Dot) -> bool { unimplemented!() }
    /// Raises to at least `length`.
    pub fn raise(&mut self, writer: WriterTag, length: u64) { unimplemented!() }
    /// Least upper bound.
    pub fn join(&mut self, other: &Clock) { unimplemented!() }
    /// Every entry of `other` is within this one.
    pub fn includes(&self, other: &Clock) -> bool { unimplemented!() }
}
/// Order among heads: highest wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rank { /** 1 + largest seen */ pub lamport: u64, /** tie-break */ pub writer: WriterTag }
