//! Copies that are no more: a member's word that nothing counts which a replicator has proven until then.

use std::collections::BTreeMap;

use cobox_keys::identity::PublicKey;

use super::Space;
use super::copies::CLOCKS_APART;
use crate::error::SpaceError;
use crate::log::types::CopyGone;
use crate::log::{Filter, now_ms};

/// By device: when what it signed began to count (again), Unix ms by its own clock.
#[derive(Default)]
pub(super) struct Gone(BTreeMap<PublicKey, u64>);

impl Gone {
    /// Whether something that a device signed at that time counts.
    pub fn lets(&self, device: &PublicKey, time_ms: u64) -> bool {
        self.0.get(device).is_none_or(|until| *until < time_ms)
    }
}

impl Space {
    /// Tells all members that a replicator is gone: its copy counts no more. If it was not, it is seen again by its next
    /// receipt.
    ///
    /// # Errors
    ///
    /// `NoSuchCopy` if it is none that [`Space::health`] lists, `ReadOnly`, or the store's.
    pub fn lose_copy(&self, device: &PublicKey) -> Result<(), SpaceError> {
        let copies = self.health()?.copies;
        if !copies.iter().any(|one| one.copy.device == *device) {
            return Err(SpaceError::NoSuchCopy(device.to_string()));
        }
        // Its clock may be ahead of ours.
        let signed = self.signed_last(device)?;
        self.tell_gone(device, now_ms().max(signed))
    }

    /// Tells all members that nothing counts which a device signed until then, unless that is known.
    ///
    /// # Errors
    ///
    /// `ReadOnly`, or the store's.
    pub(crate) fn tell_gone(&self, device: &PublicKey, until_ms: u64) -> Result<(), SpaceError> {
        if !self.gone()?.lets(device, until_ms) {
            return Ok(());
        }
        let (device, until_ms) = (*device, until_ms);
        self.log.tell(&CopyGone { device, until_ms }).map(drop)
    }

    pub(super) fn gone(&self) -> Result<Gone, SpaceError> {
        let mut gone = Gone::default();
        let latest = now_ms().saturating_add(CLOCKS_APART);
        for message in self.log.read(&Filter::of::<CopyGone>())? {
            let is_sound = !message.private && message.time_ms <= latest;
            if let Some(said) = message.read::<CopyGone>().filter(|_| is_sound) {
                let until = gone.0.entry(said.device).or_default();
                *until = said.until_ms.max(*until);
            }
        }
        Ok(gone)
    }
}
