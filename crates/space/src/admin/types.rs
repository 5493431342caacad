//! The messages of an admin space and their bytes.

use cobox_keys::access::{Address, SpaceRoot};
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::derive::Incarnation;
use cobox_keys::error::KeyError;
use cobox_keys::identity::{PublicKey, Signature};

use crate::log::Content;

const FORMAT: u64 = 1;
const MAX_NAME: usize = 255;
const MAX_HINTS: usize = 16;
const MAX_HINT: usize = 512;
/// Longest words of an answer, in bytes.
pub const MAX_WORDS: usize = 1024;
/// Longest announcement.
pub const MAX_MINUTES: u64 = 24 * 60;
const ROOT_SIGNS: &str = "device";

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

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// it is so
    Done,
    /// somebody decided otherwise later
    Superseded,
    /// its author may not, or it cannot be
    Refused,
    /// the device tried and could not
    Failed,
}

/// By what somebody became an admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// the first one
    Claimed,
    /// on the local network, while it was announced
    Announced {
        /// by which command
        id: CommandId,
    },
}

/// What the device says about a command or a person. Counts only if the device wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// a command was dealt with
    Command {
        /// which
        id: CommandId,
        /// how
        outcome: Outcome,
        /// for people
        words: String,
        /// for an announcement: when it ends, Unix ms by the device's clock
        until_ms: Option<u64>,
    },
    /// somebody is an admin from now on
    Admitted {
        /// who
        public_key: PublicKey,
        /// why
        how: How,
    },
}

/// Who the device is. Signed by the root of its space, so that the address proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAbout {
    /// the device's identity
    pub identity: PublicKey,
    signature: [u8; 64],
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

impl Outcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Superseded => "superseded",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn of(number: u64) -> Option<Self> {
        let all = [Self::Done, Self::Superseded, Self::Refused, Self::Failed];
        all.get(usize::try_from(number).ok()?).copied()
    }
}

/// Kinds of [`Answer`].
const TO_COMMAND: u64 = 0;
const CLAIMED: u64 = 1;
const ANNOUNCED: u64 = 2;

impl Content for Answer {
    const TYPE: &'static str = "device/answer";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT);
        match self {
            Self::Command {
                id,
                outcome,
                words,
                until_ms,
            } => {
                let record = record
                    .uint(1, TO_COMMAND)
                    .bytes(2, &id.0)
                    .uint(3, *outcome as u64)
                    .text(4, cut(words));
                match until_ms {
                    Some(until) => record.uint(6, *until),
                    None => record,
                }
            }
            Self::Admitted { public_key, how } => match how {
                How::Claimed => record.uint(1, CLAIMED).bytes(5, &public_key.0),
                How::Announced { id } => record
                    .uint(1, ANNOUNCED)
                    .bytes(2, &id.0)
                    .bytes(5, &public_key.0),
            },
        }
        .finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let malformed = KeyError::Malformed(Self::TYPE);
        let id = || fields.fixed(2).map(CommandId);
        let admitted = |how| {
            let public_key = PublicKey(fields.fixed(5)?);
            Ok(Self::Admitted { public_key, how })
        };
        match fields.uint(1)? {
            TO_COMMAND => Ok(Self::Command {
                id: id()?,
                outcome: Outcome::of(fields.uint(3)?).ok_or(malformed)?,
                words: fields.text(4, MAX_WORDS)?.to_owned(),
                until_ms: fields.has(6).then(|| fields.uint(6)).transpose()?,
            }),
            CLAIMED => admitted(How::Claimed),
            ANNOUNCED => admitted(How::Announced { id: id()? }),
            _ => Err(malformed),
        }
    }
}

fn cut(words: &str) -> &str {
    let mut end = words.len().min(MAX_WORDS);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    &words[..end]
}

impl DeviceAbout {
    /// Only who has the root can say it.
    pub fn sign(root: &SpaceRoot, identity: PublicKey) -> Self {
        let signature = root.key_pair().sign(ROOT_SIGNS, &identity.0).0;
        Self {
            identity,
            signature,
        }
    }

    /// Whether the root of this space said it.
    pub fn holds_at(&self, address: &Address) -> bool {
        let signature = Signature(self.signature);
        let root = address.root();
        root.verify(ROOT_SIGNS, &self.identity.0, &signature)
            .is_ok()
    }
}

impl Content for DeviceAbout {
    const TYPE: &'static str = "device/about";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).bytes(1, &self.identity.0);
        record.bytes(2, &self.signature).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        Ok(Self {
            identity: PublicKey(fields.fixed(1)?),
            signature: fields.fixed(2)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comes_back<C: Content + PartialEq + std::fmt::Debug>(content: C) {
        let bytes = content.encode();
        for end in 0..bytes.len() {
            assert!(C::decode(&bytes[..end]).is_err());
        }
        assert_eq!(C::decode(&bytes), Ok(content));
    }

    #[test]
    fn every_message_comes_back_as_it_was() {
        let (address, public_key) = (Address([1; 32]), PublicKey([2; 32]));
        let deeds = [
            Deed::Replicate {
                address,
                name: Some("photos".into()),
                quota: Some(9),
                hints: vec!["x@1.2.3.4:5".into()],
            },
            Deed::Replicate {
                address,
                name: None,
                quota: None,
                hints: Vec::new(),
            },
            Deed::Unreplicate { address },
            Deed::Quota {
                address,
                quota: None,
            },
            Deed::Announce { minutes: 10 },
            Deed::Hide,
            Deed::Rename {
                name: "attic".into(),
            },
            Deed::Status,
            Deed::AddAdmin { public_key },
            Deed::RemoveAdmin { public_key },
        ];
        for deed in deeds {
            let token = Token([7; 16]);
            comes_back(Command { token, deed });
        }
        let id = CommandId([7; 16]);
        for outcome in [
            Outcome::Done,
            Outcome::Superseded,
            Outcome::Refused,
            Outcome::Failed,
        ] {
            let words = "so".to_owned();
            let until_ms = (outcome == Outcome::Done).then_some(6);
            comes_back(Answer::Command {
                id,
                outcome,
                words,
                until_ms,
            });
        }
        for how in [How::Claimed, How::Announced { id }] {
            comes_back(Answer::Admitted { public_key, how });
        }
    }

    #[test]
    fn only_the_root_says_who_the_device_is() {
        let (root, other) = (SpaceRoot::generate(), SpaceRoot::generate());
        let about = DeviceAbout::sign(&root, PublicKey([3; 32]));
        comes_back(about);
        assert!(about.holds_at(&root.address()));
        assert!(!about.holds_at(&other.address()));
        let mut another = about;
        another.identity = PublicKey([4; 32]);
        assert!(!another.holds_at(&root.address()));
    }

    #[test]
    fn an_id_is_its_text() {
        let id = CommandId::of(&PublicKey([1; 32]), 5, b"content");
        assert_ne!(id, CommandId::of(&PublicKey([1; 32]), 6, b"content"));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "00", &"g".repeat(32), &"ü".repeat(16), &"+1".repeat(16)] {
            assert!(bad.parse::<CommandId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Command::decode(&bytes);
            let _ = Answer::decode(&bytes);
            let _ = DeviceAbout::decode(&bytes);
        }
    }
}
