//! One order over all JSON values, and bytes that are equal exactly when values are.
//!
//! null < false < true < numbers < texts < arrays < objects. Numbers are compared by what they are worth, whole or not;
//! texts by their bytes.

use serde_json::{Map, Number, Value};
use std::cmp::Ordering;

/// The order.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| compare(a, b));
            first_difference(pairs).then(a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => compare_objects(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// A value that lies in this order, for sets and maps.
#[derive(Clone, Debug)]
pub struct Ordered(pub Value);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

pub(super) fn equal(a: &Value, b: &Value) -> bool {
    compare(a, b).is_eq()
}

/// Which of the six kinds.
pub(super) fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// By their fields in the order of names, whatever order they were written in.
fn compare_objects(a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    let sorted = |map: &'_ Map<String, Value>| {
        let mut names: Vec<String> = map.keys().cloned().collect();
        names.sort();
        names
    };
    let (names_a, names_b) = (sorted(a), sorted(b));
    let pairs = names_a.iter().zip(&names_b);
    let orders = pairs.map(|(name_a, name_b)| {
        let values = || compare(&a[name_a], &b[name_b]);
        name_a.cmp(name_b).then_with(values)
    });
    first_difference(orders).then(a.len().cmp(&b.len()))
}

fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => compare_mixed(a, float(b)),
        (None, Some(b)) => compare_mixed(b, float(a)).reverse(),
        (None, None) => float(a).total_cmp(&float(b)),
    }
}

/// A whole number with one that is not. Exact: turning either into the other could make them equal, and an order with such
/// holes is none.
fn compare_mixed(whole: i128, other: f64) -> Ordering {
    let floor = other.floor();
    // Casts stop at the ends, beyond which no whole number of JSON lies.
    let order = whole.cmp(&(floor as i128));
    order.then(if other > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    })
}

/// A number without a fraction, also one written as `2.0`, if it is not beyond all whole numbers of JSON.
pub(super) fn whole(number: &Number) -> Option<i128> {
    if let Some(whole) = number.as_i64() {
        return Some(whole.into());
    }
    if let Some(whole) = number.as_u64() {
        return Some(whole.into());
    }
    let float = number.as_f64()?;
    let fits = float.abs() < 1e30 && float == float.floor();
    fits.then_some(float as i128)
}

/// JSON has no numbers that are none.
pub(super) fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(0.0)
}

/// A whole number as JSON, inexactly if it is beyond the 64 bits.
pub(super) fn number(value: i128) -> Value {
    let exact = i64::try_from(value).map(Value::from);
    exact
        .or_else(|_| u64::try_from(value).map(Value::from))
        .unwrap_or_else(|_| Value::from(value as f64))
}

/// Bytes for a key of an index: the same for equal values, different for others. `None` for arrays and objects, which are
/// not looked up.
pub fn key_bytes(value: &Value) -> Option<Vec<u8>> {
    let mut bytes = vec![rank(value)];
    match value {
        Value::Null => {}
        Value::Bool(truth) => bytes.push((*truth).into()),
        Value::Number(number) => match whole(number) {
            Some(whole) => bytes.extend_from_slice(&whole.to_be_bytes()),
            None => bytes.extend_from_slice(&float(number).to_be_bytes()),
        },
        Value::String(text) => bytes.extend_from_slice(text.as_bytes()),
        Value::Array(_) | Value::Object(_) => return None,
    }
    Some(bytes)
}

/// Bytes that a value takes in memory, roughly.
pub(super) fn size(value: &Value) -> usize {
    const SLOT: usize = std::mem::size_of::<Value>();
    match value {
        Value::String(text) => SLOT + text.len(),
        Value::Array(items) => SLOT + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| 2 * SLOT + name.len() + size(value);
            SLOT + fields.iter().map(field).sum::<usize>()
        }
        _ => SLOT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn number_strategy() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-3i64..3).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-6i64..6).prop_map(|n| Value::from(n as f64 / 2.0)),
            prop::sample::select(vec![
                9_007_199_254_740_992.0,
                9_007_199_254_740_994.0,
                1e300,
                -1e300
            ])
            .prop_map(Value::from),
            Just(json!(9_007_199_254_740_993_i64)),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number_strategy(),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in value(), b in value(), c in value()) {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert!(compare(&a, &a).is_eq());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }

        #[test]
        fn numbers_too(a in number_strategy(), b in number_strategy(), c in number_strategy()) {
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
            prop_assert_eq!(key_bytes(&a) == key_bytes(&b), equal(&a, &b));
        }

        #[test]
        fn keys_are_equal_exactly_when_values_are(a in value(), b in value()) {
            if let (Some(key_a), Some(key_b)) = (key_bytes(&a), key_bytes(&b)) {
                prop_assert_eq!(key_a == key_b, equal(&a, &b));
            }
        }
    }

    #[test]
    fn worth_counts_not_spelling() {
        assert!(equal(&json!(1), &json!(1.0)));
        assert!(equal(&json!(0), &json!(-0.0)));
        assert!(
            compare(
                &json!(9_007_199_254_740_993_i64),
                &json!(9_007_199_254_740_992.0)
            )
            .is_gt()
        );
        assert!(compare(&json!(u64::MAX), &json!(1e300)).is_lt());
        assert!(compare(&json!(-1), &json!(-0.5)).is_lt());
        assert!(equal(
            &json!({ "a": 1, "b": 2 }),
            &json!({ "b": 2, "a": 1 })
        ));
    }
}
