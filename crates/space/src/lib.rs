//! People around a set of feeds: `Space` (member), `Replica` (no key), the log, members, and the
//! `Shelf` that opens each once.
//!
//! Not its job: files (drive), connections (swarm), words for people (the program).
//!
//! Order of the modules, top first; each imports only from those below it: `hub`, `shelf`, `admin`,
//! `space`, `replica`, `members`, `health`, `log`, `home`, `error`. Every byte written here is in `docs/format.md`.

pub mod admin;
pub mod error;
pub mod health;
mod home;
pub mod hub;
pub mod log;
pub mod members;
pub mod replica;
pub mod shelf;
pub mod space;
