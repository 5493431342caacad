//! Invite codes: everything a newcomer needs, sealed to one public key and signed by the inviter.

use crate::access::{Address, EncryptionKey, ReadKey};
use crate::error::KeyError;
use crate::identity::{Identity, PublicKey};

/// What the newcomer may do.
pub enum Grant { /** read and write */ Write(EncryptionKey), /** read */ Read(ReadKey) }

/// A head that pins all others through its `seen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedHead { /** inviter's metadata feed */ pub feed_key: [u8; 32], /** blocks */ pub length: u64, /** its tree hash */ pub tree_hash: [u8; 32] }

/// The inside of an invite code.
pub struct Invite {
    /** the space */ pub address: Address,
    /** suggested name of the space */ pub name: String,
    /** admin and epoch certificates, as sent */ pub certificates: Vec<Vec<u8>>,
    /** keys */ pub grant: Grant,
    /** peer hints (text form, opaque here) */ pub hints: Vec<String>,
    /** Unix seconds; advice only */ pub expires: Option<u64>,
    /** inviter's newest metadata head */ pub head: Option<PinnedHead>,
    /** who invites; filled in by `open` */ pub inviter: PublicKey,
}
impl Invite {
    /// One copyable line, sealed to `recipient`.
    pub fn seal(&self, inviter: &Identity, recipient: &PublicKey) -> Result<String, InviteError> { unimplemented!() }
    /// Opens a code addressed to `identity`.
    pub fn open(code: &str, identity: &Identity) -> Result<Invite, InviteError> { unimplemented!() }
}
/// Each its own clear error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// Not an invite code at all.
    #[error("this is not an invite code")] NotACode,
    /// Cut short.
    #[error("the invite code is incomplete: part of it is missing")] Truncated,
    /// Altered (checksum or signature).
    #[error("the invite code was altered on the way")] Tampered,
    /// For another public key.
    #[error("the invite code was made for somebody else's public key")] NotForYou,
    /// Newer format.
    #[error("the invite code needs a newer program")] TooNew,
    /// Sealing failed (recipient's key is not usable).
    #[error(transparent)] Key(#[from] KeyError),
}
