//! Signed append-only logs, byte-compatible with hypercore 11, and the store that keeps them.
//!
//! Blocks are opaque bytes here: sealing happens above. Not its job: deciding who may write
//! (certificates are opaque too, the caller verifies them first), networking, merging.

pub mod bitfield;
pub mod codec;
pub mod feed;
pub mod manifest;
pub mod set;
pub mod store;
pub mod tree;
mod index;
mod segment;
