//! Values as JSON knows them, in deterministic CBOR: what annotations hold.

use std::collections::BTreeMap;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use cobox_keys::cbor::Written;

/// Lists and maps within each other: with the record around them as deep as records may be.
pub const MAX_VALUE_DEPTH: usize = 6;

/// A small value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// nothing: takes a key away
    Null,
    /// true or false
    Bool(bool),
    /// a whole number
    Whole(i64),
    /// another number
    Real(Real),
    /// text
    Text(String),
    /// values in order
    List(Vec<Value>),
    /// values by name
    Map(BTreeMap<String, Value>),
}

/// A finite number; equal to another if its bits are.
#[derive(Clone, Copy, Debug)]
pub struct Real(f64);

impl Real {
    /// `None` if it is not finite.
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Real {}

impl Value {
    /// Lists and maps within each other; 0 for what is neither.
    pub fn depth(&self) -> usize {
        let inside = match self {
            Self::List(items) => items.iter().map(Self::depth).max(),
            Self::Map(fields) => fields.values().map(Self::depth).max(),
            _ => return 0,
        };
        1 + inside.unwrap_or(0)
    }

    pub(super) fn write(&self, encoder: &mut Encoder<Vec<u8>>) -> Written {
        match self {
            Self::Null => encoder.null()?.ok(),
            Self::Bool(value) => encoder.bool(*value)?.ok(),
            Self::Whole(value) => encoder.i64(*value)?.ok(),
            Self::Real(value) => encoder.f64(value.0)?.ok(),
            Self::Text(value) => encoder.str(value)?.ok(),
            Self::List(items) => {
                encoder.array(items.len() as u64)?;
                items.iter().try_for_each(|item| item.write(encoder))
            }
            Self::Map(fields) => write_map(fields, encoder),
        }
    }

    /// What `write` wrote. The shape of the whole record, and so its depth, has been checked before.
    pub(super) fn read(decoder: &mut Decoder<'_>) -> Option<Self> {
        Some(match decoder.datatype().ok()? {
            Type::Null => {
                decoder.null().ok()?;
                Self::Null
            }
            Type::Bool => Self::Bool(decoder.bool().ok()?),
            Type::F64 => Self::Real(Real::new(decoder.f64().ok()?)?),
            Type::String => Self::Text(decoder.str().ok()?.to_owned()),
            Type::Array => {
                let count = decoder.array().ok()??;
                // Grows item by item: a stated count alone allocates nothing.
                let items = (0..count).map(|_| Self::read(decoder));
                Self::List(items.collect::<Option<_>>()?)
            }
            Type::Map => Self::Map(read_map(decoder)?),
            _ => Self::Whole(decoder.i64().ok()?),
        })
    }
}

/// Keys ascend by their encoded bytes: shorter ones first.
pub(super) fn write_map(
    fields: &BTreeMap<String, Value>,
    encoder: &mut Encoder<Vec<u8>>,
) -> Written {
    let mut ordered: Vec<_> = fields.iter().collect();
    ordered.sort_by_key(|(key, _)| (key.len(), *key));
    encoder.map(ordered.len() as u64)?;
    ordered.into_iter().try_for_each(|(key, value)| {
        encoder.str(key)?;
        value.write(encoder)
    })
}

pub(super) fn read_map(decoder: &mut Decoder<'_>) -> Option<BTreeMap<String, Value>> {
    let count = decoder.map().ok()??;
    let field = |decoder: &mut Decoder<'_>| {
        let key = decoder.str().ok()?.to_owned();
        Some((key, Value::read(decoder)?))
    };
    (0..count).map(|_| field(decoder)).collect()
}
