//! 32 secret bytes that wipe themselves and never print.
//!
//! Not its job: saying what the bytes are for; that is the type around them.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Kept in one place on the heap, so that moving the owner leaves no copy behind.
#[derive(Clone)]
pub(crate) struct Secret(Box<Zeroizing<[u8; 32]>>);

impl Secret {
    /// Lets `fill` write the bytes in place.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut secret = Self(Box::new(Zeroizing::new([0; 32])));
        fill(&mut secret.0);
        secret
    }

    /// A copy of `bytes`.
    pub(crate) fn copy_of(bytes: &[u8; 32]) -> Self {
        Self::filled(|secret| secret.copy_from_slice(bytes))
    }

    /// 32 bytes from the operating system.
    pub(crate) fn random() -> Self {
        Self::filled(|secret| fill_random(secret))
    }

    /// The bytes themselves.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

/// Fills `bytes` from the operating system's random source.
///
/// # Panics
///
/// If there is no such source. Going on with guessable keys would be worse, and no peer, disk or
/// person can cause it.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// Gives types that hold secrets a `Debug` which shows only their name.
macro_rules! hide_in_debug {
    ($($secret:ident),+) => {$(
        impl std::fmt::Debug for $secret {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($secret), "(..)"))
            }
        }
    )+};
}
pub(crate) use hide_in_debug;
