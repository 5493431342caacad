//! Small notes on a file or folder, by its id: they stay with it whatever it is called.

use std::collections::BTreeMap;

use cobox_drive::record::NodeId;
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;

use super::value::{read_map, write_map};
use super::{Content, FORMAT, Value};

/// Longest name of a note, in bytes.
pub const MAX_KEY: usize = 255;
/// Most notes in one message.
pub const MAX_KEYS: usize = 256;

/// What its author notes about a node. Of each author and key the newest value counts; `Null` takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAnnotation {
    /// the file or folder
    pub node: NodeId,
    /// 1 to 256 values by name, each name 1 to 255 bytes
    pub values: BTreeMap<String, Value>,
}

impl Content for FileAnnotation {
    const TYPE: &'static str = "file/annotation";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).bytes(1, &self.node.0);
        let record = record.field(2, |encoder| write_map(&self.values, encoder));
        record.finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let usable = |values: &BTreeMap<String, Value>| {
            values.len() <= MAX_KEYS && values.keys().all(|key| is_key(key))
        };
        Ok(Self {
            node: NodeId(fields.fixed(1)?),
            values: fields.value(2, |decoder| read_map(decoder).filter(usable))?,
        })
    }
}

/// Can this name a note?
pub fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= MAX_KEY && !key.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::super::Real;
    use super::*;
    use cobox_keys::cbor::is_deterministic;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Whole),
            any::<f64>().prop_filter_map("finite", |n| Real::new(n).map(Value::Real)),
            ".{0,30}".prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::List),
                btree_map(".{0,30}", inner, 0..4).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn annotations_come_back_as_they_were(
            node in any::<[u8; 16]>(),
            values in btree_map("[a-zä]{1,40}", value(), 0..5),
        ) {
            let annotation = FileAnnotation { node: NodeId(node), values };
            let bytes = annotation.encode();
            prop_assert!(is_deterministic(&bytes));
            prop_assert_eq!(FileAnnotation::decode(&bytes), Ok(annotation));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..80)) {
            let _ = FileAnnotation::decode(&bytes);
        }
    }

    /// Golden bytes: what is noted today is read for ever.
    #[test]
    fn the_bytes_of_an_annotation_are_fixed() {
        let values = [
            ("stars".to_owned(), Value::Whole(5)),
            ("by".to_owned(), Value::Text("Ann".into())),
        ];
        let annotation = FileAnnotation {
            node: NodeId([9; 16]),
            values: values.into(),
        };
        let expected = [
            &b"\xa3\x00\x01\x01\x50"[..],
            &[9; 16],
            b"\x02\xa2\x62by\x63Ann\x65stars\x05",
        ];
        assert_eq!(annotation.encode(), expected.concat());
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for key in ["", "a\nb", &"x".repeat(256)] {
            let annotation = FileAnnotation {
                node: NodeId([9; 16]),
                values: [(key.to_owned(), Value::Null)].into(),
            };
            assert!(FileAnnotation::decode(&annotation.encode()).is_err());
        }
    }
}
