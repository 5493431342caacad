//! Range sets behave like plain sets of numbers.

use cobox_feed::bitfield::RangeSet;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;

const TOP: u64 = 48;

#[derive(Clone, Debug)]
enum Step {
    Insert(Range<u64>),
    Remove(Range<u64>),
}

fn range() -> impl Strategy<Value = Range<u64>> {
    (0..TOP, 0..10u64).prop_map(|(start, length)| start..start + length)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => range().prop_map(Step::Insert),
        2 => range().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..40)
}

fn runs(set: &BTreeSet<u64>) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for &member in set {
        match runs.last_mut() {
            Some(run) if run.end == member => run.end += 1,
            _ => runs.push(member..member + 1),
        }
    }
    runs
}

proptest! {
    #[test]
    fn like_a_plain_set(steps in steps(), within in range()) {
        let mut set = RangeSet::default();
        let mut plain = BTreeSet::new();
        for step in steps {
            match step {
                Step::Insert(range) => {
                    let before = plain.len();
                    plain.extend(range.clone());
                    prop_assert_eq!(set.insert(range), (plain.len() - before) as u64);
                }
                Step::Remove(range) => {
                    set.remove(range.clone());
                    plain.retain(|member| !range.contains(member));
                }
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), runs(&plain));
            prop_assert_eq!(set.len(), plain.len() as u64);
            prop_assert_eq!(set.is_empty(), plain.is_empty());
        }
        let contiguous = (0..).find(|n| !plain.contains(n)).unwrap();
        prop_assert_eq!(set.contiguous(), contiguous);
        for n in 0..TOP + 12 {
            prop_assert_eq!(set.contains(n), plain.contains(&n));
            prop_assert_eq!(set.range_at(n), runs(&plain).into_iter().find(|run| run.contains(&n)));
        }
        let here: BTreeSet<u64> = within.clone().filter(|n| plain.contains(n)).collect();
        let gone: BTreeSet<u64> = within.clone().filter(|n| !plain.contains(n)).collect();
        prop_assert_eq!(set.present(within.clone()).collect::<Vec<_>>(), runs(&here));
        prop_assert_eq!(set.missing(within), runs(&gone));
        let again: RangeSet = set.iter().collect();
        prop_assert_eq!(again, set);
    }
}

/// A peer that claims to hold 2^50 blocks costs one entry.
#[test]
fn huge_ranges_cost_nothing() {
    let mut set = RangeSet::default();
    assert_eq!(set.insert(0..1 << 50), 1 << 50);
    set.remove(7..8);
    assert_eq!(set.iter().count(), 2);
    assert_eq!(set.missing(0..1 << 50), vec![7..8]);
    assert_eq!(set.insert(0..u64::MAX), u64::MAX - (1 << 50) + 1);
    assert_eq!(set.contiguous(), u64::MAX);
}
