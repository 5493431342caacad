//! A signed statement as it is stored and sent: CBOR `[statement bytes, signature]`.
//!
//! The statement's bytes are kept exactly as sent, because they are what was signed. What a
//! statement says, and who may say it, is decided by the reader of the statement.

use minicbor::{Decoder, Encoder};

use crate::cbor;
use crate::error::KeyError;
use crate::identity::{KeyPair, PublicKey, Signature};
use crate::sodium;

/// A statement beside a signature that nobody has checked yet.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'b> {
    /// What is said, as sent.
    pub statement: &'b [u8],
    /// By whom: whoever [`Signed::verify`] confirms.
    pub signature: Signature,
}

/// Signs `statement` as one of kind `what` and puts the two together.
pub fn sign(pair: &KeyPair, what: &'static str, statement: &[u8]) -> Vec<u8> {
    let signature = pair.sign(what, statement);
    let mut wire = Encoder::new(Vec::with_capacity(statement.len() + 80));
    let written = wire
        .array(2)
        .and_then(|wire| wire.bytes(statement))
        .and_then(|wire| wire.bytes(&signature.0));
    written.expect("memory takes every byte");
    wire.into_writer()
}

impl<'b> Signed<'b> {
    /// Takes the two apart again.
    ///
    /// # Errors
    ///
    /// `Malformed(what)` if it is longer than `max` bytes or has another shape.
    pub fn read(wire: &'b [u8], what: &'static str, max: usize) -> Result<Self, KeyError> {
        let short_enough = wire.len() <= max;
        let signed = (short_enough && cbor::is_deterministic(wire))
            .then(|| split(wire))
            .flatten();
        signed.ok_or(KeyError::Malformed(what))
    }

    /// Checks the signature over a statement of kind `what`.
    ///
    /// # Errors
    ///
    /// `BadSignature(what)`.
    pub fn verify(&self, what: &'static str, signer: &PublicKey) -> Result<(), KeyError> {
        signer.verify(what, self.statement, &self.signature)
    }

    /// By what a statement is known: the BLAKE2b-256 of its bytes, whatever the signature's.
    pub fn statement_hash(&self) -> [u8; 32] {
        sodium::hash(self.statement)
    }
}

fn split(wire: &[u8]) -> Option<Signed<'_>> {
    let mut decoder = Decoder::new(wire);
    if decoder.array().ok()?? != 2 {
        return None;
    }
    let statement = decoder.bytes().ok()?;
    let signature = cbor::fixed(&mut decoder).map(Signature)?;
    Some(Signed {
        statement,
        signature,
    })
}
