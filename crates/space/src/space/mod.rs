//! `Space`: what a member holds: feeds, drive, log, members.
//!
//! Here: the verbs. `open` puts the parts together, `own` are the feeds we write, `admit` the certificates that a paper key does not have, `name` the rules
//! for names, `pin` what an invite promised, `arrival` the waiting for it, `people` who is here, `talk` what
//! they say, `query` questions to all messages, `notes` what they note on files, `copies` what replicators
//! keep, `gone` which of them do no more, `tend` what the shelf does for it. Not its job: which spaces there are (`shelf`).

mod admit;
mod arrival;
mod copies;
mod gone;
mod name;
mod notes;
mod open;
mod own;
mod people;
mod pin;
mod query;
mod talk;
mod tend;

pub(crate) use admit::Proof;
pub(crate) use name::{NameBook, clean_name};
pub use notes::{Note, Noted};
pub(crate) use open::Ground;
use open::Tables;
pub(crate) use pin::Pin;
pub use talk::Said;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cobox_drive::drive::Drive;
use cobox_drive::tree::{Changed, Tree};
use cobox_drive::version::WriterTag;
use cobox_feed::set::FeedSet;
use cobox_keys::access::{Address, SpaceRoot};
use cobox_keys::derive::Incarnation;
use cobox_keys::identity::{Identity, PublicKey};
use cobox_keys::invite::{Grant, Invite, PinnedHead};
use cobox_swarm::swarm::Swarm;
use tokio::sync::{Notify, broadcast};
use zeroize::Zeroizing;

use crate::error::SpaceError;
use crate::home::SpaceEntry;
use crate::log::types::{PeerAbout, SpaceAbout, SpaceInvite, SpaceRootSeed};
use crate::log::{Filter, Log, Logged, Message};

/// As many hints as an invite carries.
const MAX_HINTS: usize = 16;

/// A space whose key we hold. Methods block: call them from a thread that may.
pub struct Space {
    address: Address,
    grant: Grant,
    /// Under which our feeds derive; none: the device's.
    incarnation: Option<Incarnation>,
    /// Admin and epoch certificates, as an invite passes them on.
    certificates: Vec<Vec<u8>>,
    identity: Arc<Identity>,
    set: Arc<FeedSet>,
    tables: Tables,
    drive: Arc<Drive>,
    log: Log,
    swarm: Swarm,
    names: Arc<NameBook>,
    writable: bool,
    /// Unix ms; 0 is never.
    last_sync: AtomicU64,
    pinned: Mutex<Option<PinnedHead>>,
    refused: Mutex<VecDeque<String>>,
    met: Mutex<BTreeMap<PublicKey, u64>>,
    /// When our log last told of a sync with a device, Unix ms.
    told_syncs: Mutex<Option<BTreeMap<PublicKey, u64>>>,
    /// When we last passed on a device's receipt, Unix ms.
    acknowledged: Mutex<BTreeMap<PublicKey, u64>>,
    /// Something happened outside that its health may depend on.
    poke: Arc<Notify>,
    /// Hashes of the certificates that our log already repeats.
    repeated: Mutex<Option<HashSet<[u8; 32]>>>,
}

impl Space {
    /// Its address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Our public key.
    pub(crate) fn me(&self) -> PublicKey {
        self.identity.public_key()
    }

    /// Its name as agreed in the log (`space/about`), else as created or joined.
    pub fn name(&self) -> String {
        let known = self.names.get(&self.address);
        known.unwrap_or_else(|| self.address.to_string())
    }

    /// Renames for everybody.
    ///
    /// # Errors
    ///
    /// `BadName`, `NameTaken` by another space here, `ReadOnly`, or the store's.
    pub fn rename(&self, name: &str) -> Result<(), SpaceError> {
        let name = clean_name(name)?;
        if !self.writable() {
            return Err(SpaceError::ReadOnly);
        }
        let before = self.name();
        self.names.claim(self.address, &name)?;
        let told = self.log.tell(&SpaceAbout { name }).map(drop);
        if told.is_err() {
            self.names.learn(self.address, &before);
        }
        told
    }

    /// The file system.
    pub fn drive(&self) -> &Arc<Drive> {
        &self.drive
    }

    /// The feeds.
    pub fn set(&self) -> &Arc<FeedSet> {
        &self.set
    }

    /// The messages.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// A code only `recipient` can open, granting what we have ourselves. Records a `space/invite`
    /// message, if we may write.
    ///
    /// # Errors
    ///
    /// `OwnKey`, `Invite`, or the store's.
    pub fn invite(&self, recipient: &PublicKey) -> Result<String, SpaceError> {
        self.invite_with(recipient, self.grant.clone())
    }

    /// The same for somebody who shall only read.
    ///
    /// # Errors
    ///
    /// `OwnKey`, `Invite`, or the store's.
    pub fn invite_to_read(&self, recipient: &PublicKey) -> Result<String, SpaceError> {
        let grant = match &self.grant {
            Grant::Write(key) => Grant::Read(key.read_key()),
            Grant::Read(key) => Grant::Read(key.clone()),
        };
        self.invite_with(recipient, grant)
    }

    fn invite_with(&self, recipient: &PublicKey, grant: Grant) -> Result<String, SpaceError> {
        // Who may not write here any more comes back by an invite to themselves.
        if *recipient == self.me() && !self.is_stopped() {
            return Err(SpaceError::OwnKey);
        }
        if self.writable() {
            self.log.tell(&SpaceInvite {
                public_key: *recipient,
                reads_only: matches!(grant, Grant::Read(_)),
            })?;
        }
        let invite = Invite {
            address: self.address,
            name: self.name(),
            certificates: self.certificates.clone(),
            grant,
            hints: self.hints(),
            expires: None,
            head: self.head(),
            inviter: self.identity.public_key(),
        };
        Ok(invite.seal(&self.identity, recipient)?)
    }

    /// Our newest metadata head, which pins all others: for invites and paper.
    pub fn head(&self) -> Option<PinnedHead> {
        let head = self.drive.own_head();
        head.map(|(feed, length, tree_hash)| PinnedHead {
            feed_key: feed.0,
            length,
            tree_hash,
        })
    }

    /// How to reach us and others who have the space.
    fn hints(&self) -> Vec<String> {
        let all = std::iter::once(self.swarm.hint()).chain(self.swarm.hints(&self.address));
        all.map(|hint| hint.to_string()).take(MAX_HINTS).collect()
    }

    /// What our next machine must know of the space to begin, and what it must have seen to be up to date.
    pub(crate) fn see_off(&self, entry: &mut SpaceEntry) {
        entry.name = self.name();
        entry.hints = self.hints();
        entry.pinned = self.head().or_else(|| self.pinned());
    }

    /// We hold the key and have no writer all the same: our feeds were forked, or the key is not the current one.
    fn is_stopped(&self) -> bool {
        matches!(self.grant, Grant::Write(_)) && !self.writable() && !self.waits()
    }

    /// May we write?
    pub fn writable(&self) -> bool {
        self.writable
    }

    /// Refusals kept by the drive and the network, in words; before them whether what the invite
    /// promised is still missing.
    pub fn refusals(&self) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(Pin::Behind(reason)) = self.pin() {
            all.push(reason);
        }
        all.extend(lock(&self.refused).iter().cloned());
        // Rows that cannot be read are being made anew; their refusals come again with them.
        let drive = self
            .tables
            .db
            .snapshot()
            .and_then(|rows| Tree(&rows).refusals());
        let drive = drive.unwrap_or_default().into_iter();
        all.extend(drive.map(|(writer, reason)| refusal_of(&writer, &reason)));
        all
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        self.set.disk_size()
    }

    /// When a peer last had everything we have, Unix ms.
    pub fn last_sync(&self) -> Option<u64> {
        Some(self.last_sync.load(Ordering::Acquire)).filter(|time| *time > 0)
    }

    /// What we hold of it.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Admin and epoch certificates: what, with the address, lets another machine begin.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The seed of the space's root, if we created the space and its message is here: for printing on
    /// paper. Whoever has it can name new admins.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn root_seed(&self) -> Result<Option<Zeroizing<[u8; 32]>>, SpaceError> {
        let mine = Filter {
            author: Some(self.identity.public_key()),
            ..Filter::of::<SpaceRootSeed>()
        };
        let told = self.log.read(&mine)?;
        let seeds = told
            .iter()
            .filter_map(|message| message.read::<SpaceRootSeed>());
        let mut ours = seeds.filter(|seed| SpaceRoot::from_seed(&seed.0).address() == self.address);
        Ok(ours.next().map(|seed| seed.0))
    }

    /// Files and names as they change, after their rows are committed.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.tables.changed.subscribe()
    }

    /// Messages as they come, after their rows are committed.
    pub fn messages(&self) -> broadcast::Receiver<Logged> {
        self.tables.logged.subscribe()
    }
}

/// What was refused of a writer, in words.
pub(crate) fn refusal_of(writer: &WriterTag, reason: &str) -> String {
    format!("writer {writer}: {reason}")
}

/// The name told in a message, if it can be one.
fn name_in(message: &Message) -> Option<String> {
    let about = message.read::<PeerAbout>()?;
    clean_name(&about.name).ok()
}

/// Every value behind these locks is whole after each statement, so a panic elsewhere spoils none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
