//! Commands: what an admin says.

use cobox_keys::access::Address;
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::derive::Incarnation;
use cobox_keys::error::KeyError;
use cobox_keys::identity::PublicKey;

use super::FORMAT;
use crate::log::Content;

const MAX_NAME: usize = 255;
const MAX_HINTS: usize = 16;
const MAX_HINT: usize = 512;
/// Longest announcement.
pub const MAX_MINUTES: u64 = 24 * 60;

/// Which command: a hash over its author, time and content, so that nobody can put another in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub [u8; 16]);

/// What the device shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Keep a copy of a space.
    Replicate {
        /// which
        address: Address,
        /// what admins call it
        name: Option<String>,
        /// most bytes of its signed trees
        quota: Option<u64>,
        /// peers that have it, text form
        hints: Vec<String>,
    },
    /// Stop that and free the disk.
    Unreplicate {
        /// which
        address: Address,
    },
    /// Change the quota of one space; none: as much as the disk takes.
    Quota {
        /// which
        address: Address,
        /// bytes
        quota: Option<u64>,
    },
    /// Let one more person become an admin on the local network.
    Announce {
        /// for how long; at most [`MAX_MINUTES`]
        minutes: u64,
    },
    /// End that.
    Hide,
    /// Give the device a name.
    Rename {
        /// name
        name: String,
    },
    /// Tell how it is.
    Status,
    /// Let somebody command it.
    AddAdmin {
        /// who
        public_key: PublicKey,
    },
    /// Let somebody command it no more.
    RemoveAdmin {
        /// who
        public_key: PublicKey,
    },
}

/// 16 random bytes in a command, by which a program finds what it has said before: a repeated call gives no second command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub [u8; 16]);

/// A command, as an admin writes it. Author and time are the message's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// of this one
    pub token: Token,
    /// what
    pub deed: Deed,
}

impl Token {
    /// A new one.
    pub fn generate() -> Self {
        Self(Incarnation::generate().0) // as random, and as long
    }
}

impl CommandId {
    /// Of the command that `author` wrote at `time_ms`, as its content came.
    pub fn of(author: &PublicKey, time_ms: u64, content: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"cobox/1/command\0");
        hasher.update(&author.0);
        hasher.update(&time_ms.to_be_bytes());
        hasher.update(content);
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }
}

impl std::fmt::Display for CommandId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl std::str::FromStr for CommandId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let malformed = KeyError::Malformed("command id");
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed);
        }
        let mut id = [0; 16];
        for (byte, at) in id.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| malformed.clone())?;
        }
        Ok(Self(id))
    }
}

impl Deed {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Replicate { .. } => "replicate",
            Self::Unreplicate { .. } => "unreplicate",
            Self::Quota { .. } => "quota",
            Self::Announce { .. } => "announce",
            Self::Hide => "hide",
            Self::Rename { .. } => "rename",
            Self::Status => "status",
            Self::AddAdmin { .. } => "add-admin",
            Self::RemoveAdmin { .. } => "remove-admin",
        }
    }

    fn number(&self) -> u64 {
        match self {
            Self::Replicate { .. } => 1,
            Self::Unreplicate { .. } => 2,
            Self::Quota { .. } => 3,
            Self::Announce { .. } => 4,
            Self::Hide => 5,
            Self::Rename { .. } => 6,
            Self::Status => 7,
            Self::AddAdmin { .. } => 8,
            Self::RemoveAdmin { .. } => 9,
        }
    }
}

impl Content for Command {
    const TYPE: &'static str = "device/command";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT)
            .bytes(1, &self.token.0)
            .uint(2, self.deed.number());
        match &self.deed {
            Deed::Replicate {
                address,
                name,
                quota,
                hints,
            } => {
                let mut record = record.bytes(3, &address.0);
                if let Some(name) = name {
                    record = record.text(4, name);
                }
                if let Some(quota) = quota {
                    record = record.uint(5, *quota);
                }
                record.list(6, hints, |encoder, hint| encoder.str(hint)?.ok())
            }
            Deed::Unreplicate { address } => record.bytes(3, &address.0),
            Deed::Quota { address, quota } => {
                let record = record.bytes(3, &address.0);
                match quota {
                    Some(quota) => record.uint(5, *quota),
                    None => record,
                }
            }
            Deed::Announce { minutes } => record.uint(7, *minutes),
            Deed::Hide | Deed::Status => record,
            Deed::Rename { name } => record.text(4, name),
            Deed::AddAdmin { public_key } | Deed::RemoveAdmin { public_key } => {
                record.bytes(8, &public_key.0)
            }
        }
        .finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let address = || fields.fixed(3).map(Address);
        let public_key = || fields.fixed(8).map(PublicKey);
        let name = || fields.text(4, MAX_NAME).map(str::to_owned);
        let quota = || fields.has(5).then(|| fields.uint(5)).transpose();
        let deed = match fields.uint(2)? {
            1 => Deed::Replicate {
                address: address()?,
                name: fields.has(4).then(name).transpose()?,
                quota: quota()?,
                hints: hints(&fields)?,
            },
            2 => Deed::Unreplicate {
                address: address()?,
            },
            3 => Deed::Quota {
                address: address()?,
                quota: quota()?,
            },
            4 => Deed::Announce {
                minutes: fields.uint(7)?.min(MAX_MINUTES),
            },
            5 => Deed::Hide,
            6 => Deed::Rename { name: name()? },
            7 => Deed::Status,
            8 => Deed::AddAdmin {
                public_key: public_key()?,
            },
            9 => Deed::RemoveAdmin {
                public_key: public_key()?,
            },
            _ => return Err(KeyError::Malformed(Self::TYPE)),
        };
        let token = Token(fields.fixed(1)?);
        Ok(Self { token, deed })
    }
}

fn hints(fields: &Fields<'_>) -> Result<Vec<String>, KeyError> {
    fields.list(6, MAX_HINTS, |decoder| {
        let hint = decoder.str().ok()?;
        (hint.len() <= MAX_HINT).then(|| hint.to_owned())
    })
}
