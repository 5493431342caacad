#![no_main]
//! Range sets from any ranges stay sorted, disjoint and counted.

use cobox_feed::bitfield::RangeSet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|steps: Vec<(u64, u64, bool)>| {
    let mut set = RangeSet::default();
    for (a, b, insert) in steps {
        if insert {
            set.insert(a..b);
        } else {
            set.remove(a..b);
        }
        let ranges: Vec<_> = set.iter().collect();
        assert!(ranges.is_sorted_by(|a, b| a.end < b.start));
        assert_eq!(
            ranges
                .iter()
                .map(|range| range.end - range.start)
                .sum::<u64>(),
            set.len()
        );
    }
});
