//! The text of a QR code: `COBOX1:`, then base32 (capitals, no padding) of
//!
//! ```text
//! 0        1      2        2 + n               end-8  end
//! | format | kind | secret | name, hints, head | sum  |
//! ```
//!
//! Capitals, digits and the colon are the letters that a QR code holds in the least room. A name is its length (one
//! byte) and UTF-8; hints are their number (one byte), then each its length (two bytes, little-endian) and UTF-8. A
//! head is 72 bytes or none: feed key, length (eight bytes, little-endian), tree hash; readers of before pass over it,
//! and so do we over what may come later. The sum notices what a camera misread. Not its job: drawing it.

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::{PaperKey, PaperKind};
use crate::invite::PinnedHead;
use crate::sodium;

pub(super) const PREFIX: &str = "COBOX1:";
const FORMAT: u8 = 1;
const SUM: usize = 8;
const MAX_NAME: usize = 255;
const MAX_HINTS: usize = 16;
const MAX_HINT: usize = 512;
const HEAD: usize = 72;
/// Of all, in bytes before base32.
pub(super) const MAX_CODE: usize = 16 * 1024;

/// A key with what the words do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// the key
    pub key: PaperKey,
    /// the person's or the space's name; empty if not said
    pub name: String,
    /// peers that have the space (text form, opaque here)
    pub hints: Vec<String>,
    /// what whoever printed it had written last, which pins all that they had seen
    pub head: Option<PinnedHead>,
}

impl Named {
    /// The text for a QR code. What is too long of name and hints is left out: the words do without.
    pub fn code(&self) -> Zeroizing<String> {
        let bytes = self.encode();
        let mut text = Zeroizing::new(String::with_capacity(
            PREFIX.len() + BASE32_NOPAD.encode_len(bytes.len()),
        ));
        text.push_str(PREFIX);
        BASE32_NOPAD.encode_append(&bytes, &mut text);
        text
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let name = Some(self.name.as_str()).filter(|name| name.len() <= MAX_NAME);
        let name = name.unwrap_or_default();
        let hints = self.hints.iter().filter(|hint| hint.len() <= MAX_HINT);
        let hints: Vec<_> = hints.take(MAX_HINTS).collect();
        let room = 96 + HEAD + name.len() + hints.iter().map(|hint| hint.len() + 2).sum::<usize>();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        bytes.extend([FORMAT, self.key.kind() as u8]);
        bytes.extend_from_slice(&self.key.bytes());
        bytes.push(name.len() as u8);
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(hints.len() as u8);
        for hint in hints {
            bytes.extend((hint.len() as u16).to_le_bytes());
            bytes.extend_from_slice(hint.as_bytes());
        }
        if let Some(head) = &self.head {
            bytes.extend_from_slice(&head.feed_key);
            bytes.extend(head.length.to_le_bytes());
            bytes.extend_from_slice(&head.tree_hash);
        }
        let sum = sum(&bytes);
        bytes.extend(sum);
        bytes
    }

    /// What `code` wrote, in capitals or not. `None` if a letter is wrong or missing.
    pub(super) fn read(text: &str) -> Option<Self> {
        let letters = Zeroizing::new(text.to_ascii_uppercase());
        let letters = letters.strip_prefix(PREFIX)?;
        if letters.len() > BASE32_NOPAD.encode_len(MAX_CODE) {
            return None;
        }
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(letters.as_bytes()).ok()?);
        let (body, stated) = bytes.split_last_chunk::<SUM>()?;
        if *stated != sum(body) {
            return None;
        }
        Self::decode(body)
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let ([format, kind], rest) = body.split_first_chunk::<2>()?;
        if *format != FORMAT {
            return None;
        }
        let kind = PaperKind::from_u8(*kind)?;
        let (secret, rest) = rest.split_at_checked(kind.bytes())?;
        let (length, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (count, mut rest) = rest.split_first()?;
        let mut hints = Vec::new();
        for _ in 0..usize::from(*count).min(MAX_HINTS) {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (hint, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
            hints.push(text(hint)?);
            rest = after;
        }
        Some(Self {
            key: PaperKey::from_bytes(kind, secret)?,
            name: text(name)?,
            hints,
            head: head(rest),
        })
    }
}

fn head(bytes: &[u8]) -> Option<PinnedHead> {
    let (feed_key, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (tree_hash, _) = rest.split_first_chunk()?;
    Some(PinnedHead {
        feed_key: *feed_key,
        length: u64::from_le_bytes(*length),
        tree_hash: *tree_hash,
    })
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn sum(body: &[u8]) -> [u8; SUM] {
    let hash = sodium::labelled_hash("paper sum", &[body]);
    std::array::from_fn(|index| hash[index])
}
