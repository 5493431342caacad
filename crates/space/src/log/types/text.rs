//! Words from a person to all members, or to one.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::PublicKey;

use super::{Content, FORMAT};
use crate::log::MAX_CONTENT;

/// Longest text, in bytes: one block holds a private message twice. What is longer belongs in a file.
pub const MAX_TEXT: usize = 30_000;

/// A message in words.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// 1 to 30 000 bytes
    pub text: String,
    /// to whom, in a private message; says nothing in an open one
    pub to: Option<PublicKey>,
}

/// The words stay out of logs.
impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Text({} bytes)", self.text.len())
    }
}

impl Content for Text {
    const TYPE: &'static str = "message";

    fn encode(&self) -> Vec<u8> {
        let record = Record::with_capacity(FORMAT, self.text.len() + 64).text(1, &self.text);
        match &self.to {
            Some(to) => record.bytes(2, &to.0).finish(),
            None => record.finish(),
        }
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let to = fields.has(2).then(|| fields.fixed(2)).transpose()?;
        Ok(Self {
            text: fields.text(1, MAX_CONTENT)?.to_owned(),
            to: to.map(PublicKey),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden bytes: messages written today are read for ever.
    #[test]
    fn the_bytes_of_a_text_are_fixed() {
        let open = Text {
            text: "hi".into(),
            to: None,
        };
        assert_eq!(open.encode(), b"\xa2\x00\x01\x01\x62hi");
        let private = Text {
            to: Some(PublicKey([7; 32])),
            ..open
        };
        let expected = [&b"\xa3\x00\x01\x01\x62hi\x02\x58\x20"[..], &[7; 32]].concat();
        assert_eq!(private.encode(), expected);
        assert_eq!(Text::decode(&expected), Ok(private));
    }

    #[test]
    fn the_longest_text_fits_and_its_words_are_not_in_its_debug_form() {
        let text = Text {
            text: "x".repeat(MAX_TEXT),
            to: Some(PublicKey([7; 32])),
        };
        assert!(text.encode().len() <= MAX_CONTENT);
        assert_eq!(format!("{text:?}"), "Text(30000 bytes)");
    }
}
