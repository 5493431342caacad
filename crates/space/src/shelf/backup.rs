//! Which of our keys are also outside of this machine, on paper or in a file of keys, as far as this program made those.
//!
//! Remembered with the list of spaces: a space that is taken up later is on no paper yet. Not its job: making either.

use cobox_keys::access::Address;
use cobox_keys::invite::Grant;

use super::Shelf;
use super::inner::lock;
use crate::error::SpaceError;

/// What would come back if this machine were lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// when keys were last put on paper or into a file, Unix ms
    pub made_ms: Option<u64>,
    /// spaces, devices' among them, whose key is in none
    pub missing: Vec<Address>,
}

impl Shelf {
    /// How it is. Spaces that we may only read are on no paper, and not missed.
    pub fn backed_up(&self) -> BackedUp {
        let registry = lock(&self.0.registry);
        let missing = registry.spaces.iter().filter(|(_, entry)| {
            !entry.backed_up && !entry.leaving && matches!(entry.grant, Grant::Write(_))
        });
        BackedUp {
            made_ms: registry.backed_up_ms,
            missing: missing.map(|(address, _)| *address).collect(),
        }
    }

    /// Our keys and those of these spaces were put on paper or into a file, at `now_ms`.
    ///
    /// # Errors
    ///
    /// `Home`.
    pub fn note_backup(&self, of: &[Address], now_ms: u64) -> Result<(), SpaceError> {
        self.0.record(|registry| {
            registry.backed_up_ms = Some(now_ms);
            for address in of {
                if let Some(entry) = registry.spaces.get_mut(address) {
                    entry.backed_up = true;
                }
            }
        })
    }
}
