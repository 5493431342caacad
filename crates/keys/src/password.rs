//! A key made from a password: Argon2id, slow and greedy on purpose, with bounds on what a stored file may ask for.
//!
//! Not its job: what is sealed with the key, and how often somebody may guess.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::cipher::BlockKey;
use crate::error::KeyError;
use crate::secret::{Secret, fill_random};

/// Characters that a password has at least,
pub const SHORTEST: usize = 8;
/// and bytes at most.
pub const LONGEST: usize = 1024;

/// Memory for a hash, KiB, and passes over it: a sixth of a second on a small machine.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
/// What a stored cost may ask for at most, so that a damaged file takes neither all memory nor all day.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 32;

/// What it costs to try a password, and the salt that makes each home's tries its own. Stored in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// KiB, at least 8
    pub memory: u32,
    /// passes over it, at least 1
    pub passes: u32,
    /// random
    pub salt: [u8; 16],
}

impl Cost {
    /// As is right today, with a new salt.
    pub fn generate() -> Self {
        let mut salt = [0; 16];
        fill_random(&mut salt);
        Self {
            memory: MEMORY,
            passes: PASSES,
            salt,
        }
    }

    /// The key that a password gives: Argon2id version 0x13, one lane, 32 bytes out (libsodium's `crypto_pwhash`). Takes a while and much memory,
    /// which is wiped.
    ///
    /// # Errors
    ///
    /// `Malformed` if the cost is none that this program would write, or more than it is willing to pay.
    pub fn key(&self, password: &str) -> Result<BlockKey, KeyError> {
        let malformed = KeyError::Malformed("cost of a password");
        if self.memory > MOST_MEMORY || self.passes > MOST_PASSES {
            return Err(malformed);
        }
        let params = Params::new(self.memory, self.passes, 1, None);
        let params = params.map_err(|_| malformed.clone())?;
        let engine = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut hashed = Ok(());
        let key = Secret::filled(|key| {
            hashed = engine.hash_password_into(password.as_bytes(), &self.salt, key);
        });
        hashed.map_err(|_| malformed).map(|()| BlockKey::new(key))
    }
}

/// Whether a password is one that may be set.
pub fn is_acceptable(password: &str) -> bool {
    password.chars().count() >= SHORTEST && password.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> Cost {
        Cost {
            memory: 8,
            passes: 1,
            salt: [7; 16],
        }
    }

    /// libsodium's `crypto_pwhash` with `opslimit` 1, `memlimit` 8192 and `crypto_pwhash_ALG_ARGON2ID13`.
    #[test]
    fn a_key_is_libsodiums() {
        let theirs = [
            0x77, 0xc7, 0x16, 0x5d, 0x16, 0x2c, 0xfa, 0x44, 0x2d, 0xd9, 0x59, 0xd1, 0x39, 0x71,
            0x17, 0x90, 0xf8, 0x4c, 0x09, 0x14, 0x01, 0x08, 0x0d, 0xf1, 0xb8, 0xcb, 0xdb, 0x18,
            0x55, 0xcc, 0xf1, 0x1e,
        ];
        assert_eq!(*cheap().key("correct horse").unwrap().expose(), theirs);
    }

    #[test]
    fn a_key_hangs_on_password_salt_and_cost() {
        let key = |cost: Cost, password: &str| *cost.key(password).unwrap().expose();
        let right = key(cheap(), "correct horse");
        assert_eq!(right, key(cheap(), "correct horse"));
        let others = [
            key(cheap(), "correct horsf"),
            key(cheap(), ""),
            key(
                Cost {
                    passes: 2,
                    ..cheap()
                },
                "correct horse",
            ),
            key(
                Cost {
                    memory: 16,
                    ..cheap()
                },
                "correct horse",
            ),
            key(
                Cost {
                    salt: [8; 16],
                    ..cheap()
                },
                "correct horse",
            ),
        ];
        assert!(!others.contains(&right));
        assert_ne!(Cost::generate().salt, Cost::generate().salt);
    }

    #[test]
    fn a_cost_that_nobody_would_write_is_refused_before_any_memory_is_taken() {
        for (memory, passes) in [(u32::MAX, 1), (8, u32::MAX), (0, 1), (8, 0), (2 << 20, 3)] {
            let cost = Cost {
                memory,
                passes,
                salt: [0; 16],
            };
            let refused = cost.key("x").err();
            assert_eq!(refused, Some(KeyError::Malformed("cost of a password")));
        }
    }

    #[test]
    fn passwords_are_neither_short_nor_endless() {
        assert!(is_acceptable("12345678") && is_acceptable("äöüäöüäö"));
        assert!(!is_acceptable("1234567") && !is_acceptable(&"x".repeat(LONGEST + 1)));
    }
}
