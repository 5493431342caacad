//! Tables that can be thrown away and grown again from feeds.
//!
//! Not its job: knowing what the rows mean, or opening sealed blocks (views above do).
//! Modules from the roof down: `indexer`, `journal`, `source`, `kv`, and `query`, which stands alone.

pub mod indexer;
pub mod journal;
pub mod kv;
pub mod query;
pub mod source;
