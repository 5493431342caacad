//! The last word of a device that leaves.

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;

use super::{Content, FORMAT};

/// The author's device leaves the space. It has left for as long as this is the newest message of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceLeave;

impl Content for SpaceLeave {
    const TYPE: &'static str = "space/leave";

    fn encode(&self) -> Vec<u8> {
        Record::new(FORMAT).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        Fields::read(content, Self::TYPE, FORMAT).map(|_| Self)
    }
}
