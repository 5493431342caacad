//! The short code that a hub shows, so that a stranger on the network cannot claim it first.
//!
//! Each code is good for five wrong guesses; then there is a new one, and the hub shows that. Not its job: how two
//! sides show each other that they know it (`cobox_keys::pake`).

use std::sync::{Mutex, MutexGuard, PoisonError};

use cobox_keys::derive::Incarnation;
use zeroize::Zeroizing;

/// Wrong guesses that one code stands.
const TRIES: u32 = 5;
const DIGITS: usize = 8;

/// The code of now.
pub(super) struct Code(Mutex<Now>);

struct Now {
    digits: Zeroizing<String>,
    wrong: u32,
    /// How many there were before.
    number: u64,
}

impl Code {
    /// A new one.
    pub fn new() -> Self {
        Self(Mutex::new(Now {
            digits: digits(),
            wrong: 0,
            number: 0,
        }))
    }

    /// The digits, and which code they are.
    pub fn now(&self) -> (Zeroizing<String>, u64) {
        let now = self.lock();
        (now.digits.clone(), now.number)
    }

    /// Whether a guess at the code of this number may still be looked at.
    pub fn is_current(&self, number: u64) -> bool {
        self.lock().number == number
    }

    /// Somebody guessed wrong. True if there is a new code now.
    pub fn wrong(&self) -> bool {
        let mut now = self.lock();
        now.wrong += 1;
        let used_up = now.wrong >= TRIES;
        if used_up {
            (now.digits, now.wrong) = (digits(), 0);
            now.number += 1;
        }
        used_up
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person typed, without what they put between the digits.
pub(super) fn typed(code: &str) -> Zeroizing<String> {
    Zeroizing::new(code.chars().filter(char::is_ascii_digit).collect())
}

fn digits() -> Zeroizing<String> {
    let random = u128::from_le_bytes(Incarnation::generate().0);
    // 2^128 is so much larger that no code is likelier than another by anything that counts.
    Zeroizing::new(format!("{:0DIGITS$}", random % 10_u128.pow(DIGITS as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_five_wrong_guesses() {
        let code = Code::new();
        let (first, number) = code.now();
        assert_eq!(first.len(), DIGITS);
        for _ in 1..TRIES {
            assert!(!code.wrong());
            assert!(code.is_current(number));
        }
        assert!(code.wrong());
        assert!(!code.is_current(number));
        assert_ne!(code.now().0, first, "one in a hundred million");
    }

    #[test]
    fn people_may_write_it_as_they_like() {
        assert_eq!(*typed(" 1234-5678\n"), "12345678");
    }
}
