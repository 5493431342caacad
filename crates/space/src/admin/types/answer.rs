//! Answers: what the device says about a command or a person.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::PublicKey;

use super::FORMAT;
use super::command::CommandId;
use crate::log::Content;

/// Longest words of an answer, in bytes.
pub const MAX_WORDS: usize = 1024;

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
