//! `Space`: what a member holds: feeds, drive, log, members.

use crate::members::Member;
use cobox_drive::drive::Drive;
use cobox_feed::set::FeedSet;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use std::sync::Arc;

/// A space whose key we hold.
pub struct Space;
impl Space {
    /// Its address.
    pub fn address(&self) -> Address { unimplemented!() }
    /// Its name as agreed in the log (`space/about`), else as created/joined.
    pub fn name(&self) -> String { unimplemented!() }
    /// Renames for everybody.
    pub fn rename(&self, name: &str) -> Result<(), crate::shelf::SpaceError> { unimplemented!() }
    /// The file system.
    pub fn drive(&self) -> &Arc<Drive> { unimplemented!() }
    /// The feeds.
    pub fn set(&self) -> &Arc<FeedSet> { unimplemented!() }
    /// Members with accepted claims.
    pub fn members(&self) -> Result<Vec<Member>, crate::shelf::SpaceError> { unimplemented!() }
    /// A code only `recipient` can open. Records a `space/invite` message.
    pub fn invite(&self, recipient: &PublicKey) -> Result<String, crate::shelf::SpaceError> { unimplemented!() }
    /// May we write?
    pub fn writable(&self) -> bool { unimplemented!() }
    /// Refusals kept by the drive and the network, newest first, in words.
    pub fn refusals(&self) -> Vec<String> { unimplemented!() }
    /// Bytes on disk.
    pub fn size(&self) -> u64 { unimplemented!() }
    /// When a peer last had everything we have, Unix ms.
    pub fn last_sync(&self) -> Option<u64> { unimplemented!() }
}
