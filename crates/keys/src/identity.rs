//! The long-lived key pair of a person, and what it signs and opens.
//!
//! Not its job: names, and whether a person is trusted.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

use crate::cipher::BlockKey;
use crate::error::KeyError;
use crate::secret::{Secret, hide_in_debug};
use crate::sodium;

/// 32 bytes that may be shared: of a person, a device, a space's admin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// Ed25519 signature over `"cobox/1/<what>"`, a zero byte, then the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// Any Ed25519 pair that signs statements: a person, a device, a space root, an admin, a writer
/// pair. Wipes itself.
#[derive(Clone)]
pub struct KeyPair(Box<SigningKey>); // boxed, so that moving it leaves no copy behind
hide_in_debug!(KeyPair);

/// A person. A `KeyPair` that can also open what was sealed to its public key.
pub struct Identity {
    pair: KeyPair,
}
hide_in_debug!(Identity);

impl PublicKey {
    /// Strict verification: no small-order keys, canonical encodings of key, R and S, so that a
    /// signature holds on every peer or on none.
    ///
    /// # Errors
    ///
    /// `BadSignature(what)`.
    pub fn verify(
        &self,
        what: &'static str,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), KeyError> {
        let refused = KeyError::BadSignature(what);
        let key = self.verifying_key().ok_or(refused.clone())?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&signed_bytes(what, message), &signature)
            .map_err(|_| refused)
    }

    /// libsodium sealed box to the X25519 form of this key.
    ///
    /// # Errors
    ///
    /// `Malformed` if these bytes are not a key anybody can hold.
    pub fn seal(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        sodium::sealed_box(message, &self.0).ok_or(KeyError::Malformed("public key"))
    }

    /// Some 32-byte strings name no point, a point of small order, or one that has a shorter name.
    fn verifying_key(&self) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(&self.0).ok()?;
        let canonical = key.to_edwards().compress().to_bytes() == self.0;
        (canonical && !key.is_weak()).then_some(key)
    }
}

impl KeyPair {
    /// From a 32-byte Ed25519 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Box::new(SigningKey::from_bytes(seed)))
    }

    pub(crate) fn from_secret(seed: &Secret) -> Self {
        Self::from_seed(seed.expose())
    }

    /// A new random pair.
    pub fn generate() -> Self {
        Self::from_secret(&Secret::random())
    }

    /// The half that may be shared.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a statement of the given kind.
    pub fn sign(&self, what: &'static str, message: &[u8]) -> Signature {
        Signature(self.0.sign(&signed_bytes(what, message)).to_bytes())
    }

    /// The secret seed, for storage or for handing to an engine (iroh, a feed). Handle with care.
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl Identity {
    /// A new person.
    pub fn generate() -> Self {
        Self {
            pair: KeyPair::generate(),
        }
    }

    /// From the stored 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self {
            pair: KeyPair::from_seed(seed),
        }
    }

    /// What you share.
    pub fn public_key(&self) -> PublicKey {
        self.pair.public()
    }

    /// The signing pair.
    pub fn key_pair(&self) -> &KeyPair {
        &self.pair
    }

    /// Opens a sealed box made with `PublicKey::seal`.
    ///
    /// # Errors
    ///
    /// `CannotOpen` if it was sealed to another key, altered or cut short.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        sodium::open_sealed_box(sealed, &self.public_key().0, self.pair.expose_seed())
            .map(|mut message| std::mem::take(&mut *message))
            .ok_or(KeyError::CannotOpen("sealed box"))
    }

    /// A key for sealing local rows and secrets at rest, derived for one named purpose.
    pub fn storage_key(&self, purpose: &'static str) -> BlockKey {
        let storage = sodium::kdf(self.pair.expose_seed(), b"cboxstor", 0);
        BlockKey::new(sodium::keyed_hash(
            storage.expose(),
            "storage key",
            &[purpose.as_bytes()],
        ))
    }
}

/// What is really signed: the kind first, so that no statement can pass for one of another kind.
fn signed_bytes(what: &str, message: &[u8]) -> Vec<u8> {
    [b"cobox/1/", what.as_bytes(), &[0], message].concat()
}

/// 64 hex digits, in either case, to 32 bytes.
pub(crate) fn parse_hex(text: &str, what: &'static str) -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    let malformed = KeyError::Malformed(what);
    if text.len() != 64 {
        return Err(malformed);
    }
    HEXLOWER_PERMISSIVE
        .decode_mut(text.as_bytes(), &mut bytes)
        .map_err(|_| malformed)?;
    Ok(bytes)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({})", HEXLOWER.encode(&self.0))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        parse_hex(text, "public key").map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{bytes, fixed};
    use ed25519_dalek::Verifier;

    #[test]
    fn signatures_are_libsodiums() {
        let pair = KeyPair::from_seed(&fixed("primitives", "key"));
        let message = bytes("primitives", "message");
        assert_eq!(pair.public().0, fixed("primitives", "ed25519_public"));
        let signature = pair.sign("test", &message);
        assert_eq!(signature.0, fixed("primitives", "ed25519_signature"));
        assert_eq!(pair.public().verify("test", &message, &signature), Ok(()));
    }

    #[test]
    fn a_signature_that_only_fits_the_equation_is_refused() {
        let public = PublicKey(fixed("primitives", "ed25519_public"));
        let message = bytes("primitives", "message");
        let forged = fixed("primitives", "ed25519_neutral_r");
        let signed = signed_bytes("test", &message);
        let lax = public
            .verifying_key()
            .unwrap()
            .verify(&signed, &forged.into());
        assert!(lax.is_ok(), "or else the strict rule is not needed");
        let refused = public.verify("test", &message, &Signature(forged));
        assert_eq!(refused, Err(KeyError::BadSignature("test")));
    }

    #[test]
    fn storage_keys_are_as_documented() {
        let person = Identity::from_seed(&fixed("derivations", "person"));
        assert_eq!(
            *person.storage_key("rows").expose(),
            fixed("derivations", "storage_key")
        );
        assert_ne!(
            person.storage_key("rows").expose(),
            person.storage_key("row").expose()
        );
    }

    /// Of the 19 numbers from p to 2^255 - 1, some name a point that has a shorter name as well.
    #[test]
    fn a_key_has_one_name() {
        let names = (0xed..=0xff).flat_map(|low| [0x7f, 0xff].map(|high| (low, high)));
        let long_names = names.map(|(low, high)| {
            let mut name = [0xff; 32];
            (name[0], name[31]) = (low, high);
            PublicKey(name)
        });
        let (mut taken_by_the_engine, mut ours) = (0, 0);
        for name in long_names {
            taken_by_the_engine += u32::from(VerifyingKey::from_bytes(&name.0).is_ok());
            ours += u32::from(name.verifying_key().is_some());
        }
        assert!(taken_by_the_engine > 0, "or else the check is not needed");
        assert_eq!(ours, 0);
    }
}
