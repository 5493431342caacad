//! Invite codes: everything a newcomer needs, sealed to one public key and signed by the inviter.
//!
//! Here: what an invite says and whether it is true. The line of letters around it is `code`. Not
//! its job: whether an invite has expired or was used before; there is no clock and no store here.

mod code;
#[cfg(test)]
mod tests;

use crate::access::{Address, EncryptionKey, ReadKey};
use crate::cbor::{self, Fields, Record};
use crate::certificate::{CertificateError, Chain, MAX_CERTIFICATE};
use crate::error::KeyError;
use crate::identity::{Identity, PublicKey};
use crate::signed::{self, Signed};
use zeroize::Zeroizing;

/// What the newcomer may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// read and write
    Write(EncryptionKey),
    /// read
    Read(ReadKey),
}

/// A head that pins all others through its `seen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedHead {
    /// inviter's metadata feed
    pub feed_key: [u8; 32],
    /// blocks
    pub length: u64,
    /// its tree hash
    pub tree_hash: [u8; 32],
}

/// The inside of an invite code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// the space
    pub address: Address,
    /// suggested name of the space, at most 255 bytes
    pub name: String,
    /// admin and epoch certificates, as sent; at most 16 of 4 KiB each
    pub certificates: Vec<Vec<u8>>,
    /// keys
    pub grant: Grant,
    /// peer hints (text form, opaque here); at most 16 of 512 bytes each
    pub hints: Vec<String>,
    /// Unix seconds; advice only
    pub expires: Option<u64>,
    /// inviter's newest metadata head
    pub head: Option<PinnedHead>,
    /// who invites; filled in by `open`, not read by `seal`
    pub inviter: PublicKey,
}

/// Each its own clear error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// Not an invite code at all.
    #[error("this is not an invite code")]
    NotACode,
    /// Cut short.
    #[error("the invite code is incomplete: part of it is missing")]
    Truncated,
    /// Altered (checksum or signature).
    #[error("the invite code was altered on the way")]
    Tampered,
    /// For another public key.
    #[error("the invite code was made for somebody else's public key")]
    NotForYou,
    /// Newer format.
    #[error("the invite code needs a newer program")]
    TooNew,
    /// Sealing failed: more than a code can carry.
    #[error("the {0} is too long for an invite code")]
    TooLong(&'static str),
    /// Sealing failed: the certificates do not prove what the invite grants.
    #[error("the certificates do not vouch for the keys in this invite")]
    Unproven,
    /// Sealing failed (recipient's key is not usable).
    #[error(transparent)]
    Key(#[from] KeyError),
}

const FORMAT: u64 = 1;
const WHAT: &str = "invite";
const MAX_NAME: usize = 255;
const MAX_CERTIFICATES: usize = 16;
const MAX_HINTS: usize = 16;
const MAX_HINT: usize = 512;
const READ: u64 = 0;
const WRITE: u64 = 1;

impl Invite {
    /// One copyable line, sealed to `recipient`.
    ///
    /// # Errors
    ///
    /// `TooLong`, `Unproven`, or `Key` if `recipient` is not a key anybody can hold.
    pub fn seal(&self, inviter: &Identity, recipient: &PublicKey) -> Result<String, InviteError> {
        self.fits()?;
        self.is_proven().map_err(|_| InviteError::Unproven)?;
        let statement = Zeroizing::new(self.encode(inviter, recipient));
        let signed = Zeroizing::new(signed::sign(inviter.key_pair(), WHAT, &statement));
        code::write(&recipient.seal(&signed)?, recipient)
    }

    /// Opens a code addressed to `identity`. Spaces, line breaks and capitals in it do no harm.
    ///
    /// # Errors
    ///
    /// `NotACode`, `Truncated`, `Tampered`, `NotForYou` or `TooNew`. Only a code that is whole and
    /// unaltered is ever called `NotForYou`.
    pub fn open(code: &str, identity: &Identity) -> Result<Invite, InviteError> {
        let me = identity.public_key();
        let sealed = code::read(code, &me)?;
        let opened = identity.open(&sealed).map(Zeroizing::new);
        let opened = opened.map_err(|_| InviteError::Tampered)?;
        let signed = Signed::read(&opened, WHAT, code::MAX_CODE).map_err(refusal)?;
        let (invite, recipient) = Self::decode(signed.statement).map_err(refusal)?;
        // Before the signature: an invite to somebody else, sealed on to me, is not for me.
        if recipient != me {
            return Err(InviteError::NotForYou);
        }
        signed.verify(WHAT, &invite.inviter).map_err(refusal)?;
        invite.is_proven()?;
        Ok(invite)
    }

    fn fits(&self) -> Result<(), InviteError> {
        let within = |fits: bool, what| {
            if fits {
                Ok(())
            } else {
                Err(InviteError::TooLong(what))
            }
        };
        within(self.name.len() <= MAX_NAME, "name")?;
        within(
            self.certificates.len() <= MAX_CERTIFICATES,
            "list of certificates",
        )?;
        within(
            self.certificates
                .iter()
                .all(|one| one.len() <= MAX_CERTIFICATE),
            "certificate",
        )?;
        within(self.hints.len() <= MAX_HINTS, "list of hints")?;
        within(self.hints.iter().all(|hint| hint.len() <= MAX_HINT), "hint")
    }

    /// The certificates must all hold and lead from the address to an epoch; and the encryption key
    /// must be that epoch's. A read key cannot be checked before the first block is opened.
    fn is_proven(&self) -> Result<(), InviteError> {
        let mut chain = Chain::new(self.address);
        let (_, refused) = chain.add_all(self.certificates.iter().map(Vec::as_slice));
        if refused
            .iter()
            .any(|(_, error)| matches!(error, CertificateError::TooNew(_)))
        {
            return Err(InviteError::TooNew);
        }
        let writer = chain.current_writer().filter(|_| refused.is_empty());
        let writer = writer.ok_or(InviteError::Tampered)?;
        match &self.grant {
            Grant::Write(key) if key.writer_pair().public() != writer => Err(InviteError::Tampered),
            Grant::Write(_) | Grant::Read(_) => Ok(()),
        }
    }

    fn encode(&self, inviter: &Identity, recipient: &PublicKey) -> Vec<u8> {
        let (level, key) = match &self.grant {
            Grant::Read(key) => (READ, key.expose()),
            Grant::Write(key) => (WRITE, key.expose()),
        };
        let mut record = Record::with_capacity(FORMAT, self.room())
            .bytes(1, &recipient.0)
            .bytes(2, &inviter.public_key().0)
            .bytes(3, &self.address.0)
            .text(4, &self.name)
            .uint(5, level)
            .bytes(6, key)
            .list(7, &self.certificates, |encoder, certificate| {
                encoder.bytes(certificate)?.ok()
            })
            .list(8, &self.hints, |encoder, hint| encoder.str(hint)?.ok());
        if let Some(expires) = self.expires {
            record = record.uint(9, expires);
        }
        if let Some(head) = &self.head {
            record = record.field(10, |encoder| {
                encoder.array(3)?.bytes(&head.feed_key)?.u64(head.length)?;
                encoder.bytes(&head.tree_hash)?.ok()
            });
        }
        record.finish()
    }

    /// More than the statement will take.
    fn room(&self) -> usize {
        let lists = self
            .certificates
            .iter()
            .map(Vec::len)
            .chain(self.hints.iter().map(String::len));
        512 + self.name.len() + lists.map(|length| length + 9).sum::<usize>()
    }

    /// The invite and whom it names as its recipient.
    fn decode(statement: &[u8]) -> Result<(Self, PublicKey), KeyError> {
        let fields = Fields::read(statement, WHAT, FORMAT)?;
        let key = Zeroizing::new(fields.fixed(6)?);
        let grant = match fields.uint(5)? {
            READ => Grant::Read(ReadKey::from_bytes(&key)),
            WRITE => Grant::Write(EncryptionKey::from_bytes(&key)),
            _ => {
                return Err(KeyError::TooNew {
                    what: WHAT,
                    format: fields.format()?,
                });
            }
        };
        let certificates = fields.list(7, MAX_CERTIFICATES, |decoder| {
            let bytes = decoder.bytes().ok()?;
            (bytes.len() <= MAX_CERTIFICATE).then(|| bytes.to_vec())
        })?;
        let hints = fields.list(8, MAX_HINTS, |decoder| {
            let hint = decoder.str().ok()?;
            (hint.len() <= MAX_HINT).then(|| hint.to_owned())
        })?;
        let invite = Self {
            address: Address(fields.fixed(3)?),
            name: fields.text(4, MAX_NAME)?.to_owned(),
            certificates,
            grant,
            hints,
            expires: fields.has(9).then(|| fields.uint(9)).transpose()?,
            head: PinnedHead::decode(&fields)?,
            inviter: PublicKey(fields.fixed(2)?),
        };
        Ok((invite, PublicKey(fields.fixed(1)?)))
    }
}

impl PinnedHead {
    fn decode(fields: &Fields<'_>) -> Result<Option<Self>, KeyError> {
        if !fields.has(10) {
            return Ok(None);
        }
        let head = fields.value(10, |decoder| {
            if decoder.array().ok()?? != 3 {
                return None;
            }
            let feed_key = cbor::fixed(decoder)?;
            let length = decoder.u64().ok()?;
            Some(Self {
                feed_key,
                length,
                tree_hash: cbor::fixed(decoder)?,
            })
        });
        head.map(Some)
    }
}

/// What is inside was checked against a sum and a seal: a fault there was put in on purpose.
fn refusal(error: KeyError) -> InviteError {
    match error {
        KeyError::TooNew { .. } => InviteError::TooNew,
        _ => InviteError::Tampered,
    }
}
