//! People around a set of feeds: `Space` (member), `Replica` (no key), the log, members, and the `Shelf` that opens each once.
//!
//! Not its job: files (drive), connections (swarm), words for people (the program).

pub mod log;
pub mod members;
pub mod replica;
pub mod shelf;
pub mod space;
