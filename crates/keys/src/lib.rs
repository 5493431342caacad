//! What you may know and prove: identities, keys, certificates, sealing, invite codes.
//!
//! Pure functions: no files, no network, no clocks. Not its job: deciding who is trusted,
//! storing anything, talking to anybody.

pub mod access;
pub mod certificate;
pub mod cipher;
pub mod derive;
pub mod error;
pub mod identity;
pub mod invite;
