//! The multi-writer encrypted file system of a space: names, versions, content, merge.
//!
//! Everything that reaches a feed is sealed here. Not its job: peers, members, mounting.

pub mod content;
pub mod drive;
pub mod error;
pub mod export;
pub mod handle;
pub mod import;
pub mod merge;
pub mod overlay;
pub mod path;
pub mod record;
pub mod tree;
pub mod version;
