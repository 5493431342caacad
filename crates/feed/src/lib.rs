//! Signed append-only logs, byte-compatible with hypercore 11, and the store that keeps them.
//!
//! Blocks are opaque bytes here: sealing happens above. Not its job: deciding who may write
//! (certificates are opaque too, the caller verifies them first), networking, merging.

// From the roof to the ground: a module imports only modules that stand below it in this list.
pub mod bitfield;
pub mod codec;
mod disk;
mod error;
mod event;
pub mod feed;
mod index;
pub mod manifest;
mod segment;
pub mod set;
pub mod store;
mod sync;
pub mod tree;
mod vault;
