//! Keys on paper: a secret in words that a person can type, and in the text of a QR code.
//!
//! Words (`words`) stand under a code (`check`) that no change of up to four words gets past, and that says which
//! words were meant where up to two are wrong. `typed` finds blocks of words in what somebody typed or pasted,
//! `code` is the text of a QR code. Not its job: the sheet they are printed on, and asking people.

mod check;
mod code;
mod typed;
mod words;

pub use code::Named;
pub use typed::{Piece, pieces};
pub use words::{WordHint, Words, WordsError, is_word};

use crate::access::{Address, EncryptionKey};
use crate::secret::{Secret, hide_in_debug};
use zeroize::Zeroizing;

/// 32 secret bytes of an Ed25519 pair: a person's, or a space root's.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(Secret);
hide_in_debug!(Seed);

/// What one block of words, or one QR code, gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaperKey {
    /// a person's secret key
    Person(Seed),
    /// a space: where it is and what opens it
    Space {
        /// where
        address: Address,
        /// what opens it
        key: EncryptionKey,
    },
    /// the root of a space: names its admins
    Root(Seed),
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PaperKind {
    /// secret key of a person
    Person = 1,
    /// space
    Space = 2,
    /// root of a space
    Root = 3,
}

impl Seed {
    /// From an identity or a root.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    /// For the identity or root that it is.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl PaperKind {
    /// All of them.
    pub const ALL: [PaperKind; 3] = [Self::Person, Self::Space, Self::Root];

    /// Secret bytes: 32 or 64.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Space => 64,
            Self::Person | Self::Root => 32,
        }
    }

    fn from_u8(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

impl PaperKey {
    /// Which kind it is.
    pub fn kind(&self) -> PaperKind {
        match self {
            Self::Person(_) => PaperKind::Person,
            Self::Space { .. } => PaperKind::Space,
            Self::Root(_) => PaperKind::Root,
        }
    }

    /// What is written down: 32 bytes, or address and encryption key.
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Person(seed) | Self::Root(seed) => seed.expose().to_vec(),
            Self::Space { address, key } => [address.0, *key.expose()].concat(),
        })
    }

    /// What `bytes` wrote; `None` if the length is another.
    fn from_bytes(kind: PaperKind, bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk::<32>()?;
        match kind {
            PaperKind::Person if rest.is_empty() => Some(Self::Person(Seed::from_bytes(first))),
            PaperKind::Root if rest.is_empty() => Some(Self::Root(Seed::from_bytes(first))),
            PaperKind::Space => Some(Self::Space {
                address: Address(*first),
                key: EncryptionKey::from_bytes(rest.try_into().ok()?),
            }),
            PaperKind::Person | PaperKind::Root => None,
        }
    }
}
