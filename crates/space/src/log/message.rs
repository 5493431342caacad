//! The bytes of one message, open to all members or sealed to a few.
//!
//! Not its job: who wrote it (the feed says), what its content means (`types`).

use cobox_keys::access::Address;
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, PublicKey};
use zeroize::Zeroizing;

const FORMAT: u64 = 1;
const WHAT: &str = "message";
/// Longest type, in bytes.
pub const MAX_TYPE: usize = 64;
/// Longest content, in bytes: a block of a feed less its frame and the message's own fields, and a
/// private message holds it twice.
pub const MAX_CONTENT: usize = 30 * 1024;
const MAX_SEALED: usize = 32 * 1024;
const MAX_BOXES: usize = 16;

/// What one block of a log feed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    /// The author's clock, Unix ms.
    pub time_ms: u64,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Every member reads it.
    Open(Letter),
    /// Sealed once for each person who may read it; the others see that there is a message.
    Private(Vec<Vec<u8>>),
}

/// A type and its content.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub kind: String,
    /// CBOR; kept as it came, whether the type is known or not.
    pub content: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Letter({})", self.kind)
    }
}

impl Letter {
    pub(super) fn new(kind: &str, content: &[u8]) -> Self {
        Self {
            kind: kind.to_owned(),
            content: Zeroizing::new(content.to_vec()),
        }
    }

    /// Sealed to `reader`. Says inside where and by whom it was written, because a sealed box does
    /// not: nobody can pass another's private message on as their own.
    pub(super) fn seal(
        &self,
        address: &Address,
        author: &PublicKey,
        reader: &PublicKey,
    ) -> Result<Vec<u8>, KeyError> {
        let record = Record::new(FORMAT)
            .text(1, &self.kind)
            .bytes(3, &self.content)
            .bytes(5, &address.0)
            .bytes(6, &author.0);
        reader.seal(&Zeroizing::new(record.finish()))
    }
}

impl Envelope {
    pub(super) fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT);
        let record = match &self.body {
            Body::Open(letter) => record
                .text(1, &letter.kind)
                .uint(2, self.time_ms)
                .bytes(3, &letter.content),
            Body::Private(boxes) => {
                record
                    .uint(2, self.time_ms)
                    .list(4, boxes, |encoder, sealed| encoder.bytes(sealed)?.ok())
            }
        };
        record.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(bytes, WHAT, FORMAT)?;
        let body = match fields.has(4) {
            true => Body::Private(fields.list(4, MAX_BOXES, |decoder| {
                let sealed = decoder.bytes().ok()?;
                (sealed.len() <= MAX_SEALED).then(|| sealed.to_vec())
            })?),
            false => Body::Open(letter(&fields)?),
        };
        let time_ms = fields.uint(2)?;
        Ok(Self { time_ms, body })
    }
}

/// The private message among `boxes` that `reader` can open, with its author as said inside; `None`
/// if there is none for this person and this space.
pub(super) fn open_private(
    boxes: &[Vec<u8>],
    address: &Address,
    reader: &Identity,
) -> Option<(Letter, PublicKey)> {
    let mut opened = boxes.iter().filter_map(|sealed| reader.open(sealed).ok());
    let inside = Zeroizing::new(opened.next()?);
    let fields = Fields::read(&inside, WHAT, FORMAT).ok()?;
    let here = fields.fixed(5).ok()? == address.0;
    let author = PublicKey(fields.fixed(6).ok()?);
    let letter = letter(&fields).ok()?;
    here.then_some((letter, author))
}

fn letter(fields: &Fields<'_>) -> Result<Letter, KeyError> {
    let kind = fields.text(1, MAX_TYPE)?;
    if kind.is_empty() {
        return Err(KeyError::Malformed(WHAT));
    }
    Ok(Letter::new(kind, fields.bytes(3, MAX_CONTENT)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(body: Body) -> Envelope {
        Envelope {
            time_ms: 1_700_000_000_123,
            body,
        }
    }

    #[test]
    fn messages_come_back_as_they_were() {
        for body in [
            Body::Open(Letter::new("peer/about", b"\xa0")),
            Body::Private(vec![vec![1; 80], vec![2; 80]]),
        ] {
            let envelope = envelope(body);
            assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
        }
    }

    /// Golden bytes: messages written today are read for ever.
    #[test]
    fn the_bytes_of_a_message_are_fixed() {
        let bytes = envelope(Body::Open(Letter::new("a", b"\xa0"))).encode();
        let expected = [
            &[0xa4, 0x00, 0x01, 0x01, 0x61, b'a', 0x02, 0x1b][..],
            &1_700_000_000_123_u64.to_be_bytes(),
            &[0x03, 0x41, 0xa0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn bytes_cut_short_and_types_without_a_name_are_refused() {
        let bytes = envelope(Body::Open(Letter::new("x", b"\xa0"))).encode();
        for end in 0..bytes.len() {
            assert!(Envelope::decode(&bytes[..end]).is_err());
        }
        let nameless = envelope(Body::Open(Letter::new("", b"\xa0"))).encode();
        assert!(Envelope::decode(&nameless).is_err());
    }

    #[test]
    fn a_private_message_opens_only_for_its_reader_in_its_space() {
        let (alice, bob, eve) = (
            Identity::generate(),
            Identity::generate(),
            Identity::generate(),
        );
        let (here, there) = (Address([1; 32]), Address([2; 32]));
        let letter = Letter::new("message", b"\xa0");
        let author = alice.public_key();
        let seal = |reader: &Identity| letter.seal(&here, &author, &reader.public_key()).unwrap();
        let boxes = vec![seal(&bob), seal(&alice)];
        for reader in [&alice, &bob] {
            let opened = open_private(&boxes, &here, reader);
            assert_eq!(opened, Some((letter.clone(), author)));
        }
        assert_eq!(open_private(&boxes, &here, &eve), None);
        assert_eq!(open_private(&boxes, &there, &bob), None);
    }
}
