//! Finds peers, authenticates them, exchanges verified blocks.
//!
//! Handles ciphertext only. Not its job: opening blocks, knowing people, deciding what a space is.

pub mod discovery;
pub mod protocol;
pub mod session;
pub mod swarm;
pub mod transport;
pub mod wire;
