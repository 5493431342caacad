//! Bytes written and not yet stored: ranges that neither overlap nor touch.

use std::collections::BTreeMap;

/// Written ranges by offset.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    ranges: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
    /// Memory of a long range that was stored, for the next one: to map and clear it anew costs as much as a copy.
    spare: Vec<u8>,
}

/// No larger piece of memory is kept for the next range.
const MAX_SPARE: usize = 32 << 20;

impl Dirty {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Nothing written?
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.ranges.iter().map(|(at, data)| (*at, data.as_slice()))
    }

    /// Writes over what is there.
    pub fn write(&mut self, at: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let before = self
            .ranges
            .range(..=at)
            .next_back()
            .filter(|(from, old)| **from + old.len() as u64 >= at);
        let start = match before.map(|(from, _)| *from) {
            Some(start) => start,
            None => {
                self.ranges.insert(at, Vec::with_capacity(data.len()));
                at
            }
        };
        let Some(range) = self.ranges.get_mut(&start) else {
            return;
        };
        let offset = (at - start) as usize;
        let over = data.len().min(range.len() - offset);
        range[offset..offset + over].copy_from_slice(&data[..over]);
        let length = range.len() + data.len() - over;
        if (range.capacity() + 1..=self.spare.capacity()).contains(&length) {
            self.spare.extend_from_slice(range);
            *range = std::mem::take(&mut self.spare);
        }
        range.extend_from_slice(&data[over..]);
        self.bytes += data.len() - over;
        self.absorb(start);
    }

    /// Joins what the range at `start` has grown over or up to.
    fn absorb(&mut self, start: u64) {
        loop {
            let end = start
                + self
                    .ranges
                    .get(&start)
                    .map_or(0, |range| range.len() as u64);
            let Some((next, _)) = self.ranges.range(start + 1..=end).next() else {
                return;
            };
            let next = *next;
            let Some(old) = self.ranges.remove(&next) else {
                return;
            };
            let covered = old.len().min((end - next) as usize);
            self.bytes -= covered;
            if let Some(range) = self.ranges.get_mut(&start) {
                range.extend_from_slice(&old[covered..]);
            }
        }
    }

    /// Forgets everything from `size` on.
    pub fn cut(&mut self, size: u64) {
        for (_, gone) in self.ranges.split_off(&size) {
            self.bytes -= gone.len();
        }
        if let Some((at, range)) = self.ranges.iter_mut().next_back() {
            let keep = range.len().min((size - at) as usize);
            self.bytes -= range.len() - keep;
            range.truncate(keep);
        }
    }

    /// Copies what was written in `at ..` over `out`.
    pub fn overlay(&self, at: u64, out: &mut [u8]) {
        let end = at + out.len() as u64;
        let first = self
            .ranges
            .range(..=at)
            .next_back()
            .map_or(at, |(from, _)| *from);
        for (from, data) in self.ranges.range(first..end) {
            let (start, stop) = ((*from).max(at), (*from + data.len() as u64).min(end));
            if start < stop {
                let part = &data[(start - from) as usize..(stop - from) as usize];
                out[(start - at) as usize..(stop - at) as usize].copy_from_slice(part);
            }
        }
    }

    /// Takes all ranges of at least `length` bytes out.
    pub fn take_long(&mut self, length: usize) -> Vec<(u64, Vec<u8>)> {
        let long: Vec<u64> = self
            .ranges
            .iter()
            .filter(|(_, data)| data.len() >= length)
            .map(|(at, _)| *at)
            .collect();
        let mut taken = Vec::with_capacity(long.len());
        for at in long {
            if let Some(data) = self.ranges.remove(&at) {
                self.bytes -= data.len();
                taken.push((at, data));
            }
        }
        taken
    }

    /// Keeps the memory of a range that was taken out.
    pub fn reuse(&mut self, mut memory: Vec<u8>) {
        if (self.spare.capacity()..=MAX_SPARE).contains(&memory.capacity()) {
            memory.clear();
            self.spare = memory;
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
