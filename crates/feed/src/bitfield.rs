//! Which blocks are held: a set of block numbers kept as sorted disjoint ranges.
//!
//! Not its job: the bitfield and range messages of the wire, which are made from it.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of `u64` kept as disjoint, non-adjacent ranges. Cost is by range, not by member, so that a
/// peer's claim to hold 2^50 blocks costs one entry. `u64::MAX` itself cannot be a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// First member to one past the last member of each range; no two touch.
    ranges: BTreeMap<u64, u64>,
    members: u64,
}

impl RangeSet {
    /// Is `index` a member?
    pub fn contains(&self, index: u64) -> bool {
        self.range_at(index).is_some()
    }

    /// The whole range that `index` is a member of.
    pub fn range_at(&self, index: u64) -> Option<Range<u64>> {
        let (&start, &end) = self.ranges.range(..=index).next_back()?;
        (index < end).then_some(start..end)
    }

    /// Adds a range; returns how many members are new.
    pub fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let before = self.members;
        let merged = self.take_touching(range);
        self.members += merged.end - merged.start;
        self.ranges.insert(merged.start, merged.end);
        self.members - before
    }

    /// Takes out every range that overlaps or touches `range`; returns the hull of them all.
    fn take_touching(&mut self, range: Range<u64>) -> Range<u64> {
        let mut hull = range;
        while let Some((&start, &end)) = self.ranges.range(..=hull.end).next_back() {
            if end < hull.start {
                break;
            }
            self.ranges.remove(&start);
            self.members -= end - start;
            hull = hull.start.min(start)..hull.end.max(end);
        }
        hull
    }

    /// Removes a range.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        while let Some((&start, &end)) = self.ranges.range(..range.end).next_back() {
            if end <= range.start {
                break;
            }
            self.ranges.remove(&start);
            self.members -= end - start;
            self.put_back(start..range.start);
            self.put_back(range.end..end);
        }
    }

    fn put_back(&mut self, rest: Range<u64>) {
        if !rest.is_empty() {
            self.members += rest.end - rest.start;
            self.ranges.insert(rest.start, rest.end);
        }
    }

    /// First number from 0 on that is not a member (the contiguous length).
    pub fn contiguous(&self) -> u64 {
        self.ranges.get(&0).copied().unwrap_or(0)
    }

    /// Members.
    pub fn len(&self) -> u64 {
        self.members
    }

    /// How many ranges it is kept as: what it costs.
    pub fn stretches(&self) -> usize {
        self.ranges.len()
    }

    /// No members?
    pub fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// Ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }

    /// What of `within` is here, in order.
    pub fn present(&self, within: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let from = self
            .range_at(within.start)
            .map_or(within.start, |r| r.start);
        let until = within.end.max(from);
        self.ranges
            .range(from..until)
            .map(move |(&start, &end)| start.max(within.start)..end.min(within.end))
            .filter(|range| !range.is_empty())
    }

    /// What of `within` is not here, in order.
    pub fn missing(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut next = within.start;
        for held in self.present(within.clone()) {
            if next < held.start {
                gaps.push(next..held.start);
            }
            next = held.end;
        }
        if next < within.end {
            gaps.push(next..within.end);
        }
        gaps
    }
}

impl FromIterator<Range<u64>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Self::default();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}
