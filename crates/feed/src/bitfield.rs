//! Which blocks are held: a set of block numbers kept as sorted disjoint ranges.

use std::ops::Range;

/// A set of `u64` kept as disjoint, non-adjacent ranges. Cost is by range, not by member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet;
impl RangeSet {
    /// Is `index` a member?
    pub fn contains(&self, index: u64) -> bool { unimplemented!() }
    /// Adds a range; returns how many members are new.
    pub fn insert(&mut self, range: Range<u64>) -> u64 { unimplemented!() }
    /// Removes a range.
    pub fn remove(&mut self, range: Range<u64>) { unimplemented!() }
    /// First number from 0 on that is not a member (the contiguous length).
    pub fn contiguous(&self) -> u64 { unimplemented!() }
    /// Members.
    pub fn len(&self) -> u64 { unimplemented!() }
    /// No members?
    pub fn is_empty(&self) -> bool { unimplemented!() }
    /// Ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ { std::iter::empty() }
    /// What of `within` is not here, in order.
    pub fn missing(&self, within: Range<u64>) -> Vec<Range<u64>> { unimplemented!() }
}
