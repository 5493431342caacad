//! Two who know the same short code agree on a key, and show each other that they do (CPace on ristretto255).
//!
//! Whoever does not know the code can try one guess for each exchange and learns nothing to guess from
//! afterwards. Not its job: counting tries, and who is talking (that goes into the transcript).

use blake2b_simd::Params;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::error::KeyError;
use crate::secret::{Secret, fill_random, hide_in_debug};
use crate::sodium;

/// Which end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// whoever speaks first
    First,
    /// whoever answers
    Second,
}

/// Our half of an exchange. Wipes itself.
pub struct Exchange {
    scalar: Scalar,
    share: [u8; 32],
    transcript: Vec<u8>,
    side: Side,
}
hide_in_debug!(Exchange);

/// What both have if both knew the code, and nobody else. Wipes itself.
pub struct Agreed(Secret);
hide_in_debug!(Agreed);

impl Exchange {
    /// Begins. `transcript` is what both must see alike: connection, names, keys.
    pub fn begin(side: Side, code: &[u8], transcript: &[u8]) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        fill_random(&mut wide[..32]);
        fill_random(&mut wide[32..]);
        let scalar = Scalar::from_bytes_mod_order_wide(&wide);
        let share = (generator(code, transcript) * scalar).compress().to_bytes();
        Self {
            scalar,
            share,
            transcript: transcript.to_vec(),
            side,
        }
    }

    /// What to send to the other.
    pub fn share(&self) -> [u8; 32] {
        self.share
    }

    /// Takes the other's share.
    ///
    /// # Errors
    ///
    /// `Malformed` if it is no point, or one that would make the outcome known to everybody.
    pub fn finish(self, theirs: &[u8; 32]) -> Result<Agreed, KeyError> {
        let malformed = KeyError::Malformed("code exchange");
        let point = CompressedRistretto(*theirs).decompress();
        let mut shared = point.ok_or(malformed.clone())? * self.scalar;
        if shared.is_identity() {
            return Err(malformed);
        }
        let bytes = Zeroizing::new(shared.compress().to_bytes());
        shared.zeroize();
        let (first, second) = match self.side {
            Side::First => (&self.share, theirs),
            Side::Second => (theirs, &self.share),
        };
        let parts: [&[u8]; 3] = [first, second, &self.transcript];
        Ok(Agreed(sodium::keyed_hash(&bytes, "code key", &parts)))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl Agreed {
    /// Shows that this side knew the code.
    pub fn proof(&self, side: Side) -> [u8; 32] {
        let label = match side {
            Side::First => "code proof 1",
            Side::Second => "code proof 2",
        };
        *sodium::keyed_hash(self.0.expose(), label, &[]).expose()
    }

    /// Whether the other side's proof is right; takes the same time wherever it differs.
    pub fn check(&self, side: Side, claimed: &[u8; 32]) -> bool {
        self.proof(side).ct_eq(claimed).into()
    }
}

/// A point that depends on the code and whose logarithm nobody knows.
fn generator(code: &[u8], transcript: &[u8]) -> RistrettoPoint {
    let mut hash = Params::new().hash_length(64).to_state();
    hash.update(b"cobox/1/code generator\0");
    for part in [code, transcript] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut uniform = Zeroizing::new([0; 64]);
    uniform.copy_from_slice(hash.finalize().as_bytes());
    RistrettoPoint::from_uniform_bytes(&uniform)
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::traits::Identity;

    fn meet(code: &str, guess: &str, one: &[u8], other: &[u8]) -> (Agreed, Agreed) {
        let first = Exchange::begin(Side::First, guess.as_bytes(), one);
        let second = Exchange::begin(Side::Second, code.as_bytes(), other);
        let (to_second, to_first) = (first.share(), second.share());
        (
            first.finish(&to_first).unwrap(),
            second.finish(&to_second).unwrap(),
        )
    }

    #[test]
    fn both_agree_if_and_only_if_both_know_the_code_and_saw_the_same() {
        let (first, second) = meet("12345678", "12345678", b"here", b"here");
        assert!(second.check(Side::First, &first.proof(Side::First)));
        assert!(first.check(Side::Second, &second.proof(Side::Second)));
        assert_ne!(first.proof(Side::First), first.proof(Side::Second));
        for (guess, seen) in [("12345679", b"here"), ("12345678", b"else")] {
            let (first, second) = meet("12345678", guess, seen, b"here");
            assert!(!second.check(Side::First, &first.proof(Side::First)));
            assert!(!first.check(Side::Second, &second.proof(Side::Second)));
        }
    }

    #[test]
    fn a_share_that_fixes_the_outcome_is_refused() {
        let identity = RistrettoPoint::identity().compress().to_bytes();
        for bad in [identity, [0xff; 32]] {
            let exchange = Exchange::begin(Side::Second, b"code", b"");
            assert!(exchange.finish(&bad).is_err());
        }
    }

    #[test]
    fn no_two_exchanges_show_the_same_share() {
        let one = Exchange::begin(Side::First, b"code", b"");
        let other = Exchange::begin(Side::First, b"code", b"");
        assert_ne!(one.share(), other.share());
    }
}
