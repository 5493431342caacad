//! One error family for everything that can be wrong with a key, a seal or a certificate.

/// Why a key, a signature, a seal, a certificate or an invite code was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Wrong length, wrong alphabet, not CBOR: it was damaged or cut short.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A signature that does not verify.
    #[error("the signature on this {0} is not valid")]
    BadSignature(&'static str),
    /// Sealed to, or for, somebody else; or altered.
    #[error("this {0} cannot be opened with this key")]
    CannotOpen(&'static str),
    /// Its format, or a field that must be understood, is newer than this program.
    #[error("this {what} needs a newer program (format {format})")]
    TooNew {
        /// What was being read.
        what: &'static str,
        /// The format number it names.
        format: u64,
    },
}
