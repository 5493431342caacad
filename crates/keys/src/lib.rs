//! What you may know and prove: identities, keys, certificates, sealing, invite codes.
//!
//! Pure functions: no files, no network, no clocks. Not its job: deciding who is trusted,
//! storing anything, talking to anybody.
//!
//! Order of the modules, top first; each imports only from those below it:
//! `paper`, `invite`, `certificate`, `derive`, `access`, `signed`, `identity`, `pake`, `password`, `cipher`,
//! `sodium`,
//! `secret`, `cbor`, `error`, and for tests `vectors`. Every byte these modules write is in `docs/format.md`.

pub mod access;
pub mod cbor;
pub mod certificate;
pub mod cipher;
pub mod derive;
pub mod error;
pub mod identity;
pub mod invite;
pub mod pake;
pub mod paper;
pub mod password;
mod secret;
pub mod signed;
mod sodium;
#[cfg(test)]
mod vectors;
