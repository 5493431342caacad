//! The copies of a space on replicators: what their devices have signed, passed on in the log so that all
//! members see the same, and the verdict over it.

use std::collections::BTreeMap;

use cobox_keys::identity::PublicKey;
use cobox_swarm::swarm::{Held, Receipt, Role};

use super::gone::Gone;
use super::{Space, lock};
use crate::error::SpaceError;
use crate::health::{self, Health, Holder, Policy};
use crate::log::types::{LastSync, SpaceDrill, SpacePolicy};
use crate::log::{Filter, now_ms};

/// Two acknowledgements of one device are at least so far apart (ms), if only its state has changed.
const TOLD_APART: u64 = 2 * 60 * 1000;
/// What is told from further in the future than this (ms) is no member's honest clock.
pub(super) const CLOCKS_APART: u64 = 24 * 60 * 60 * 1000;
/// Devices whose copies are looked at; those heard of last come first.
const MAX_COPIES: usize = 256;
/// Most copies one may want.
const MAX_THRESHOLD: u32 = 1000;
/// Between a second and a hundred years.
const TOLERANCES: std::ops::RangeInclusive<u64> = 1000..=3_155_760_000_000;

/// A replicator's receipt, and when it was told by somebody's clock (Unix ms): it is not newer than that.
struct Proof {
    receipt: Receipt,
    told_ms: u64,
}

impl Proof {
    fn time_ms(&self) -> u64 {
        self.receipt.time_ms.min(self.told_ms)
    }
}

/// What the log says of one device: the newest receipt, and when anybody last told of it.
struct Told {
    newest: Proof,
    /// newest receipt by which nothing was missing, Unix ms
    synced_ms: Option<u64>,
}

impl Space {
    /// How safe the space is, and why.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn health(&self) -> Result<Health, SpaceError> {
        let (now, gone) = (now_ms(), self.gone()?);
        let mut copies = BTreeMap::new();
        for (device, told) in self.told_receipts(&gone)? {
            let copy = copies.entry(device).or_insert_with(|| unknown(device));
            note(copy, &told.newest, now);
            copy.synced_ms = copy.synced_ms.max(told.synced_ms.map(|at| at.min(now)));
        }
        for receipt in self.heard_receipts(&gone) {
            let device = receipt.device;
            let copy = copies.entry(device).or_insert_with(|| unknown(device));
            let told_ms = now;
            note(copy, &Proof { receipt, told_ms }, now);
        }
        for device in self.replicators_here() {
            let copy = copies.entry(device).or_insert_with(|| unknown(device));
            copy.reachable = true;
        }
        for (device, proven_ms) in self.drills()? {
            if let Some(copy) = copies.get_mut(&device) {
                copy.proven_ms = Some(proven_ms.min(now));
            }
        }
        let known = Held::known(&self.set);
        let copies = copies.into_values().collect();
        Ok(health::judge(copies, known, self.policy()?, now))
    }

    /// How many copies the members want and how old proofs may be.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn policy(&self) -> Result<Policy, SpaceError> {
        let told = self
            .log
            .newest(|told: &SpacePolicy| is_possible(&policy_of(told)))?;
        Ok(told.as_ref().map(policy_of).unwrap_or_default())
    }

    /// Changes that for all members.
    ///
    /// # Errors
    ///
    /// `ReadOnly`, `BadPolicy`, or the store's.
    pub fn set_policy(&self, policy: Policy) -> Result<(), SpaceError> {
        if !is_possible(&policy) {
            let why = "0 to 1000 copies, proven within one second to a hundred years";
            return Err(SpaceError::BadPolicy(why));
        }
        let Policy {
            threshold,
            tolerance_ms,
        } = policy;
        let told = SpacePolicy {
            threshold,
            tolerance_ms,
        };
        self.log.tell(&told).map(drop)
    }

    /// Passes receipts on in the log where that says something new: a device that nobody told of, one that is complete for the
    /// first time, one whose state has changed (not more often than every two minutes), or a proof that gets old. Answers
    /// when to ask again, Unix ms, if something must wait.
    pub(crate) fn acknowledge(&self) -> Result<Option<u64>, SpaceError> {
        if !self.writable() {
            return Ok(None);
        }
        let (now, gone) = (now_ms(), self.gone()?);
        let told = self.told_receipts(&gone)?;
        let renewal = self.policy()?.renewal_ms();
        let here = self.replicators_here();
        let mut acknowledged = lock(&self.acknowledged);
        let mut again: Option<u64> = None;
        for receipt in self.heard_receipts(&gone) {
            let device = receipt.device;
            // What was told before the copy was gone is not told now.
            let last = acknowledged.get(&device).copied();
            let last = last.filter(|last| gone.lets(&device, *last));
            let due = match told.get(&device) {
                Some(told) if is_first_whole(&receipt, told, last) => Some(now),
                Some(told) => due(&receipt, told, renewal, here.contains(&device)),
                // Told in vain, if before: whatever the reason, not again and again.
                None => Some(last.map_or(now, |last| last.saturating_add(renewal))),
            };
            match due {
                Some(at) if at <= now => {
                    self.log.tell(&LastSync {
                        device,
                        time_ms: now,
                        receipt: Some(receipt.signed.to_vec()),
                    })?;
                    acknowledged.insert(device, now);
                }
                Some(at) => again = Some(again.map_or(at, |other| other.min(at))),
                None => {}
            }
        }
        Ok(again)
    }

    /// Whether a device has signed here that it is a replicator: those are told of by their receipts.
    pub(crate) fn has_receipt(&self, device: &PublicKey) -> bool {
        let heard = self.heard_receipts(&Gone::default());
        heard.iter().any(|receipt| receipt.device == *device)
    }

    /// When a device last signed a receipt that is known here, Unix ms by its clock; 0 if never.
    pub(super) fn signed_last(&self, device: &PublicKey) -> Result<u64, SpaceError> {
        let none = Gone::default();
        let told = self.told_receipts(&none)?.remove(device);
        let told = told.map(|told| told.newest.receipt.time_ms);
        let heard = self.heard_receipts(&none).into_iter();
        let heard = heard.filter(|receipt| receipt.device == *device);
        let times = heard.map(|receipt| receipt.time_ms).chain(told);
        Ok(times.max().unwrap_or(0))
    }

    /// Replicators' receipts that came to this device, and count.
    fn heard_receipts(&self, gone: &Gone) -> Vec<Receipt> {
        let mut receipts = self.swarm.receipts(&self.address);
        receipts.retain(|one| one.replicator && gone.lets(&one.device, one.time_ms));
        receipts
    }

    /// Replicators that are connected in this space.
    fn replicators_here(&self) -> Vec<PublicKey> {
        let is_here =
            |(address, role): &(_, Role)| *address == self.address && *role == Role::Replicator;
        let peers = self.swarm.peers().into_iter();
        let here = peers.filter(|peer| peer.connected && peer.spaces.iter().any(is_here));
        here.map(|peer| peer.device).collect()
    }

    /// The newest proof of each device in the log that counts. A signature is checked only where it may.
    fn told_receipts(&self, gone: &Gone) -> Result<BTreeMap<PublicKey, Told>, SpaceError> {
        let mut told: BTreeMap<PublicKey, Told> = BTreeMap::new();
        let mut messages = self.log.read(&Filter::of::<LastSync>())?;
        messages.reverse();
        let latest = now_ms().saturating_add(CLOCKS_APART);
        for message in messages.iter().filter(|message| !message.private) {
            let Some(sync) = message.read::<LastSync>() else {
                continue;
            };
            let known = told.get(&sync.device);
            let counts = match known {
                _ if sync.time_ms > latest => false,
                Some(known) => known.synced_ms.is_none(),
                None => told.len() < MAX_COPIES,
            };
            let receipt = sync.receipt.filter(|_| counts);
            let receipt = receipt.and_then(|bytes| self.verified(&bytes, &sync.device));
            let lets = |receipt: &Receipt| gone.lets(&sync.device, receipt.time_ms);
            let Some(receipt) = receipt.filter(lets) else {
                continue;
            };
            let told_ms = sync.time_ms.min(message.time_ms);
            let proof = Proof { receipt, told_ms };
            let synced = proof.receipt.complete.then_some(proof.time_ms());
            let of_device = told.entry(sync.device).or_insert(Told {
                newest: proof,
                synced_ms: None,
            });
            of_device.synced_ms = of_device.synced_ms.or(synced);
        }
        Ok(told)
    }

    /// When each device last gave files back that were all equal, as members told.
    fn drills(&self) -> Result<BTreeMap<PublicKey, u64>, SpaceError> {
        let mut drills: BTreeMap<PublicKey, u64> = BTreeMap::new();
        for message in self.log.read(&Filter::of::<SpaceDrill>())? {
            let Some(drill) = message.read::<SpaceDrill>().filter(|_| !message.private) else {
                continue;
            };
            let at = drill.time_ms.min(message.time_ms);
            let newest = drills.entry(drill.device).or_insert(at);
            *newest = at.max(*newest);
        }
        Ok(drills)
    }

    fn verified(&self, bytes: &[u8], device: &PublicKey) -> Option<Receipt> {
        let receipt = Receipt::verify(bytes, device).ok()?;
        (receipt.address == self.address && receipt.replicator).then_some(receipt)
    }
}

/// Whether a device holds everything of which nobody told that before, and we did not try to (Unix ms) since it was told of.
fn is_first_whole(receipt: &Receipt, told: &Told, last: Option<u64>) -> bool {
    let before = &told.newest;
    let is_news = receipt.complete && told.synced_ms.is_none();
    let tried = last.is_some_and(|last| last > before.told_ms);
    is_news && !tried && receipt.time_ms > before.receipt.time_ms
}

/// When a receipt is to be passed on, Unix ms; `None` if it says nothing new. A peer that is here and has
/// nothing new to say is told of once more: to a new message it answers with a new receipt.
fn due(receipt: &Receipt, told: &Told, renewal: u64, is_here: bool) -> Option<u64> {
    let before = &told.newest;
    let state = |receipt: &Receipt| (receipt.complete, receipt.held);
    let is_newer = receipt.time_ms > before.receipt.time_ms;
    let apart = match is_newer && state(receipt) != state(&before.receipt) {
        true => TOLD_APART,
        false => renewal,
    };
    (is_newer || is_here).then(|| before.told_ms.saturating_add(apart))
}

fn policy_of(told: &SpacePolicy) -> Policy {
    Policy {
        threshold: told.threshold,
        tolerance_ms: told.tolerance_ms,
    }
}

fn is_possible(policy: &Policy) -> bool {
    policy.threshold <= MAX_THRESHOLD && TOLERANCES.contains(&policy.tolerance_ms)
}

fn unknown(device: PublicKey) -> Holder {
    Holder {
        device,
        held: None,
        complete: false,
        told_ms: None,
        synced_ms: None,
        free: 0,
        reachable: false,
        proven_ms: None,
    }
}

/// The newest proof counts.
fn note(copy: &mut Holder, proof: &Proof, now: u64) {
    let time = proof.time_ms().min(now);
    if proof.receipt.complete {
        copy.synced_ms = copy.synced_ms.max(Some(time));
    }
    if copy.told_ms.is_none_or(|known| known <= time) {
        copy.told_ms = Some(time);
        copy.held = proof.receipt.held;
        copy.complete = proof.receipt.complete;
        copy.free = proof.receipt.free;
    }
}
