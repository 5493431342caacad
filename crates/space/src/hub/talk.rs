//! What is said while a device is claimed: frames on one stream, and what both sides sign.
//!
//! ```text
//! frame: length 2 (little-endian) | record { 0: format 1, 1: kind, ... }
//! ```

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::{PublicKey, Signature};
use cobox_swarm::swarm::Nonce;
use cobox_swarm::transport::{Connection, ReceiveStream, SendStream, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::ClaimError;

const FORMAT: u64 = 1;
const WHAT: &str = "claim";
/// Longest frame: an invite code fits with room to spare.
const MAX_FRAME: usize = 32 * 1024;
const MAX_NAME: usize = 255;
const MAX_WORDS: usize = 512;
/// Label of the connection's exporter.
const EXPORTER: &[u8] = b"cobox/1/claim";
/// What the person's identity signs.
pub(super) const PERSON_SIGNS: &str = "claim";
/// What the device's identity signs.
pub(super) const DEVICE_SIGNS: &str = "claimed device";

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// person: I heard your nonce, and I am this person
    Hello {
        nonce: Nonce,
        person: PublicKey,
        signature: [u8; 64],
        /// for the device, if it has none yet
        name: String,
        /// first share of the code exchange
        share: Option<[u8; 32]>,
    },
    /// device: this is my identity
    Identity {
        device: PublicKey,
        signature: [u8; 64],
        /// second share, if a code is needed
        share: Option<[u8; 32]>,
    },
    /// person: I know the code; or, without one, that the device's identity is accepted
    Proof { proof: Option<[u8; 32]> },
    /// device: you are my admin; come into my space
    Welcome {
        code: String,
        proof: Option<[u8; 32]>,
    },
    /// person: I am in
    Done,
    /// device: no
    No { why: No, words: String },
}

/// Why a device refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    /// the nonce is used, too old, or none of ours
    Stale,
    CodeNeeded,
    WrongCode,
    Taken,
    /// see the words
    Other,
}

impl No {
    fn of(number: u64) -> Self {
        let all = [Self::Stale, Self::CodeNeeded, Self::WrongCode, Self::Taken];
        let at = usize::try_from(number).ok();
        at.and_then(|at| all.get(at))
            .copied()
            .unwrap_or(Self::Other)
    }

    /// As the person is told.
    pub fn error(self, words: String) -> ClaimError {
        match self {
            Self::Stale => ClaimError::Stale,
            Self::CodeNeeded => ClaimError::CodeNeeded,
            Self::WrongCode => ClaimError::WrongCode,
            Self::Taken => ClaimError::Taken,
            Self::Other => ClaimError::Refused(words),
        }
    }
}

impl Said {
    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT);
        let optional = |record: Record, key, value: &Option<[u8; 32]>| match value {
            Some(value) => record.bytes(key, value),
            None => record,
        };
        match self {
            Self::Hello {
                nonce,
                person,
                signature,
                name,
                share,
            } => {
                let record = record
                    .uint(1, 1)
                    .bytes(2, nonce)
                    .bytes(3, &person.0)
                    .bytes(4, signature)
                    .text(5, name);
                optional(record, 6, share)
            }
            Self::Identity {
                device,
                signature,
                share,
            } => {
                let record = record.uint(1, 2).bytes(3, &device.0).bytes(4, signature);
                optional(record, 6, share)
            }
            Self::Proof { proof } => optional(record.uint(1, 3), 7, proof),
            Self::Welcome { code, proof } => {
                let record = optional(record.uint(1, 4), 7, proof);
                record.text(8, code)
            }
            Self::Done => record.uint(1, 5),
            Self::No { why, words } => record.uint(1, 6).uint(9, *why as u64).text(10, words),
        }
        .finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(bytes, WHAT, FORMAT)?;
        let optional = |key| fields.has(key).then(|| fields.fixed(key)).transpose();
        Ok(match fields.uint(1)? {
            1 => Self::Hello {
                nonce: fields.fixed(2)?,
                person: PublicKey(fields.fixed(3)?),
                signature: fields.fixed(4)?,
                name: fields.text(5, MAX_NAME)?.to_owned(),
                share: optional(6)?,
            },
            2 => Self::Identity {
                device: PublicKey(fields.fixed(3)?),
                signature: fields.fixed(4)?,
                share: optional(6)?,
            },
            3 => Self::Proof {
                proof: optional(7)?,
            },
            4 => Self::Welcome {
                code: fields.text(8, MAX_FRAME)?.to_owned(),
                proof: optional(7)?,
            },
            5 => Self::Done,
            6 => Self::No {
                why: No::of(fields.uint(9)?),
                words: fields.text(10, MAX_WORDS)?.to_owned(),
            },
            _ => return Err(KeyError::Malformed(WHAT)),
        })
    }
}

/// Both directions of the one stream.
pub(super) struct Talk {
    send: SendStream,
    receive: ReceiveStream,
}

impl Talk {
    pub async fn open(connection: &dyn Connection) -> Result<Self, TransportError> {
        let (send, receive) = connection.open_bi().await?;
        Ok(Self { send, receive })
    }

    pub async fn accept(connection: &dyn Connection) -> Result<Self, TransportError> {
        let (send, receive) = connection.accept_bi().await?;
        Ok(Self { send, receive })
    }

    pub async fn say(&mut self, said: &Said) -> Result<(), ClaimError> {
        let record = said.encode();
        let length = u16::try_from(record.len()).map_err(|_| broke("too long"))?;
        let frame = [&length.to_le_bytes()[..], &record].concat();
        self.send.write_all(&frame).await.map_err(broke)?;
        self.send.flush().await.map_err(broke)
    }

    pub async fn hear(&mut self) -> Result<Said, ClaimError> {
        let mut length = [0; 2];
        self.receive.read_exact(&mut length).await.map_err(broke)?;
        let length = usize::from(u16::from_le_bytes(length));
        if length > MAX_FRAME {
            return Err(broke("it says too much"));
        }
        let mut record = vec![0; length];
        self.receive.read_exact(&mut record).await.map_err(broke)?;
        Said::decode(&record).map_err(broke)
    }

    /// What the device says next, unless it is no.
    pub async fn hear_yes(&mut self) -> Result<Said, ClaimError> {
        match self.hear().await? {
            Said::No { why, words } => Err(why.error(words)),
            said => Ok(said),
        }
    }
}

pub(super) fn broke(why: impl std::fmt::Display) -> ClaimError {
    ClaimError::Interrupted(why.to_string())
}

/// What both sides see alike, and sign: this connection, this announcement, these two devices, this person.
pub(super) fn transcript(
    connection: &dyn Connection,
    nonce: &Nonce,
    our_device: &PublicKey,
    person: &PublicKey,
) -> Result<Vec<u8>, ClaimError> {
    let exporter = connection.exporter(EXPORTER).map_err(broke)?;
    let theirs = connection.remote();
    let (claimer, claimed) = match connection.dialled() {
        true => (our_device, &theirs),
        false => (&theirs, our_device),
    };
    Ok([&exporter[..], nonce, &claimer.0, &claimed.0, &person.0].concat())
}

/// Whether a signature over the transcript is this key's.
pub(super) fn is_signed(
    by: &PublicKey,
    what: &'static str,
    transcript: &[u8],
    signature: &[u8; 64],
) -> bool {
    by.verify(what, transcript, &Signature(*signature)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_frame_comes_back_as_it_was() {
        let key = PublicKey([1; 32]);
        let (share, signature) = (Some([2; 32]), [3; 64]);
        for said in [
            Said::Hello {
                nonce: [4; 16],
                person: key,
                signature,
                name: "attic".into(),
                share,
            },
            Said::Identity {
                device: key,
                signature,
                share: None,
            },
            Said::Proof { proof: share },
            Said::Proof { proof: None },
            Said::Welcome {
                code: "code".into(),
                proof: share,
            },
            Said::Done,
            Said::No {
                why: No::Taken,
                words: "no".into(),
            },
        ] {
            let bytes = said.encode();
            for end in 0..bytes.len() {
                assert!(Said::decode(&bytes[..end]).is_err());
            }
            assert_eq!(Said::decode(&bytes), Ok(said));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Said::decode(&bytes);
        }
    }
}
