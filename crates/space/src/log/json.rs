//! Messages as JSON, for queries: `{ type, timestamp, author, name, private, id, feed, seq, content }`.
//!
//! Contents are CBOR records with numbered fields. [`FIELDS`] gives the numbers of known types names: a new type is one line.
//! What has no name keeps its number, so that unknown types show too. Byte strings become hex.

use minicbor::data::Type;
use minicbor::{Decoder, data::Tag};
use serde_json::{Map, Value, json};

use cobox_keys::cbor::MAX_DEPTH;

use super::Message;
use cobox_feed::manifest::FeedKey;

/// Type -> names of its fields. Raise the version of the log's view if an index lists a field that is named here anew.
const FIELDS: &[(&str, &[(u64, &str)])] = &[
    ("peer/about", &[(1, "name")]),
    ("peer/earlier", &[(1, "device")]),
    ("space/about", &[(1, "name")]),
    ("space/invite", &[(1, "publicKey"), (2, "level")]),
    (
        "space/last-sync",
        &[(1, "device"), (2, "timestamp"), (3, "receipt")],
    ),
    ("space/copy-gone", &[(1, "device"), (2, "until")]),
    ("space/policy", &[(1, "threshold"), (2, "tolerance")]),
    ("message", &[(1, "text"), (2, "to")]),
    ("file/annotation", &[(1, "node"), (2, "values")]),
    ("space/certificates", &[(1, "certificates")]),
    ("device/about", &[(1, "publicKey"), (2, "signature")]),
    (
        "device/command",
        &[
            (1, "token"),
            (2, "deed"),
            (3, "address"),
            (4, "name"),
            (5, "quota"),
            (6, "hints"),
            (7, "minutes"),
            (8, "publicKey"),
        ],
    ),
    (
        "device/answer",
        &[
            (1, "kind"),
            (2, "command"),
            (3, "outcome"),
            (4, "words"),
            (5, "publicKey"),
            (6, "until"),
        ],
    ),
];

/// Types whose content is a secret that no answer repeats.
const HIDDEN: &[&str] = &["space/root"];

/// A message as a row of a query. `name` is the author's, if told.
pub(super) fn row(message: &Message, feed: &FeedKey, name: Option<&str>) -> Value {
    let mut row = json!({
        "type": message.kind,
        "timestamp": message.time_ms,
        "author": message.author.to_string(),
        "private": message.private,
        "id": format!("{}-{}", hex(&message.writer.0), message.block),
        "feed": hex(&feed.0),
        "seq": message.block,
        "content": content(&message.kind, &message.content),
    });
    if let (Value::Object(fields), Some(name)) = (&mut row, name) {
        fields.insert("name".into(), name.into());
    }
    row
}

/// What a message of this type says.
pub(super) fn content(kind: &str, bytes: &[u8]) -> Value {
    if HIDDEN.contains(&kind) {
        return Value::Null;
    }
    let known = FIELDS.iter().find(|(known, _)| *known == kind);
    let names = known.map_or(&[][..], |(_, names)| names);
    decode(bytes, names).unwrap_or_else(|| json!({ "hex": hex(bytes) }))
}

fn decode(bytes: &[u8], names: &[(u64, &str)]) -> Option<Value> {
    let mut decoder = Decoder::new(bytes);
    let value = match decoder.datatype().ok()? {
        Type::Map => record(&mut decoder, names)?,
        _ => value(&mut decoder, 0)?,
    };
    (decoder.position() == bytes.len()).then_some(value)
}

/// A map with numbered fields. Field 0 of a known type is its format, which says nothing to people.
fn record(decoder: &mut Decoder<'_>, names: &[(u64, &str)]) -> Option<Value> {
    let mut fields = Map::new();
    for _ in 0..decoder.map().ok()?? {
        let key = value(decoder, 1)?;
        let number = key.as_u64();
        let item = value(decoder, 1)?;
        if number == Some(0) && !names.is_empty() {
            continue;
        }
        let known = names.iter().find(|(known, _)| Some(*known) == number);
        let name = known.map_or_else(|| key_text(&key), |(_, name)| (*name).to_owned());
        fields.insert(name, item);
    }
    Some(Value::Object(fields))
}

/// Any value; `None` if it is cut short, too deep or of indefinite length.
fn value(decoder: &mut Decoder<'_>, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match decoder.datatype().ok()? {
        Type::Null | Type::Undefined => {
            decoder.skip().ok()?;
            Value::Null
        }
        Type::Bool => decoder.bool().ok()?.into(),
        Type::Bytes => hex(decoder.bytes().ok()?).into(),
        Type::String => decoder.str().ok()?.into(),
        // Numbers that are none become null.
        Type::F16 | Type::F32 | Type::F64 => float(decoder)?.into(),
        Type::Array => {
            let count = decoder.array().ok()??;
            // Grows item by item: a stated count alone allocates nothing.
            let items = (0..count).map(|_| value(decoder, depth + 1));
            Value::Array(items.collect::<Option<_>>()?)
        }
        Type::Map => map(decoder, depth)?,
        Type::Tag => {
            let _: Tag = decoder.tag().ok()?;
            value(decoder, depth + 1)?
        }
        _ => whole(decoder)?,
    })
}

fn map(decoder: &mut Decoder<'_>, depth: usize) -> Option<Value> {
    let mut fields = Map::new();
    for _ in 0..decoder.map().ok()?? {
        let key = key_text(&value(decoder, depth + 1)?);
        fields.insert(key, value(decoder, depth + 1)?);
    }
    Some(Value::Object(fields))
}

fn float(decoder: &mut Decoder<'_>) -> Option<f64> {
    match decoder.datatype().ok()? {
        Type::F16 => half(decoder),
        Type::F32 => decoder.f32().ok().map(f64::from),
        _ => decoder.f64().ok(),
    }
}

/// A float of two bytes, behind its first byte: sign, five bits of exponent, ten of fraction.
fn half(decoder: &mut Decoder<'_>) -> Option<f64> {
    let at = decoder.position();
    decoder.skip().ok()?;
    let [high, low] = decoder.input().get(at + 1..at + 3)?.try_into().ok()?;
    let bits = u16::from_be_bytes([high, low]);
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    Some(if bits >> 15 == 1 { -size } else { size })
}

fn whole(decoder: &mut Decoder<'_>) -> Option<Value> {
    let number = i128::from(decoder.int().ok()?);
    let exact = i64::try_from(number).map(Value::from);
    let exact = exact.or_else(|_| u64::try_from(number).map(Value::from));
    Some(exact.unwrap_or_else(|_| Value::from(number as f64)))
}

fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::super::types::{
        Certificates, LastSync, PeerAbout, SpaceAbout, SpaceInvite, SpacePolicy, SpaceRootSeed,
        Text,
    };
    use super::*;
    use cobox_keys::cbor::Record;
    use cobox_keys::identity::PublicKey;
    use zeroize::Zeroizing;

    fn shown<C: Content>(what: &C) -> Value {
        content(C::TYPE, &what.encode())
    }

    #[test]
    fn known_types_show_names() {
        let name = "Ann".to_owned();
        assert_eq!(
            shown(&PeerAbout { name: name.clone() }),
            json!({ "name": "Ann" })
        );
        assert_eq!(shown(&SpaceAbout { name }), json!({ "name": "Ann" }));
        let key = PublicKey([7; 32]);
        let invite = SpaceInvite {
            public_key: key,
            reads_only: false,
        };
        assert_eq!(shown(&invite), json!({ "publicKey": "07".repeat(32) }));
        let sync = LastSync {
            device: key,
            time_ms: 5,
            receipt: None,
        };
        assert_eq!(
            shown(&sync),
            json!({ "device": "07".repeat(32), "timestamp": 5 })
        );
        let text = Text {
            text: "hello".into(),
            to: Some(key),
        };
        assert_eq!(
            shown(&text),
            json!({ "text": "hello", "to": "07".repeat(32) })
        );
        let policy = SpacePolicy {
            threshold: 2,
            tolerance_ms: 9,
        };
        assert_eq!(shown(&policy), json!({ "threshold": 2, "tolerance": 9 }));
        let certificates = Certificates {
            certificates: vec![vec![1, 2]],
        };
        assert_eq!(shown(&certificates), json!({ "certificates": ["0102"] }));
    }

    #[test]
    fn the_root_is_never_shown() {
        let root = SpaceRootSeed(Zeroizing::new([8; 32]));
        assert_eq!(shown(&root), Value::Null);
    }

    #[test]
    fn unknown_types_and_fields_show_by_number() {
        let record = Record::new(3).text(1, "x").bytes(200, &[255]).finish();
        assert_eq!(
            content("x/new", &record),
            json!({ "0": 3, "1": "x", "200": "ff" })
        );
        let about = Record::new(1).text(1, "Ann").uint(9, 2).finish();
        assert_eq!(
            content("peer/about", &about),
            json!({ "name": "Ann", "9": 2 })
        );
        assert_eq!(content("x", &[0x82, 0x20, 0xf5]), json!([-1, true]));
        assert_eq!(
            content("x", &[0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]),
            Value::Null
        );
        assert_eq!(content("x", &[0xf9, 0x3e, 0x00]), json!(1.5));
        assert_eq!(content("x", &[0xf9, 0x80, 0x01]), json!(-(2f64.powi(-24))));
        assert_eq!(content("x", &[0xf9, 0x7c, 0x00]), Value::Null);
        assert_eq!(content("x", &[0x81]), json!({ "hex": "81" }));
        assert_eq!(content("x", &[0x00, 0x00]), json!({ "hex": "0000" }));
    }

    #[test]
    fn any_bytes_are_shown_somehow() {
        let mut state = 1u32;
        for length in 0..400 {
            let noise = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            });
            let bytes: Vec<u8> = noise.take(length % 40).collect();
            let _ = content("x", &bytes);
        }
        let deep = [vec![0x81; 5000], vec![0]].concat();
        assert!(content("x", &deep).get("hex").is_some());
    }
}
