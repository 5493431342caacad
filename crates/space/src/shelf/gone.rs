//! Devices that keep a space no more: what they have proven of it until then is said to count no more, in the space itself,
//! so that all its members hear of it and not only the device's admins.

use std::sync::Arc;

use super::Shelf;
use super::inner::Inner;
use crate::admin::Device;
use crate::error::SpaceError;
use crate::space::Space;

impl Shelf {
    /// A device of ours is gone for good: in all spaces that we may write to its copies count no more, and it is taken from
    /// the list of our devices. Answers in which spaces it was said. Should it come back, its copies count again by their
    /// next receipts; to command it we need another admin's word.
    ///
    /// # Errors
    ///
    /// As [`Shelf::delete`]; `View`, or the store's. It can be repeated.
    pub fn forget_device(&self, device: &Device) -> Result<Vec<Arc<Space>>, SpaceError> {
        let keys = device.keys()?;
        let mut told = Vec::new();
        for space in self.spaces().into_iter().filter(|space| space.writable()) {
            let copies = space.health()?.copies.into_iter();
            let its: Vec<_> = copies
                .map(|one| one.copy.device)
                .filter(|key| keys.contains(key))
                .collect();
            for key in &its {
                space.lose_copy(key)?;
            }
            told.extend((!its.is_empty()).then_some(space));
        }
        self.delete(&device.space().address())?;
        Ok(told)
    }
}

impl Inner {
    /// If this is a device's space: tells in our other spaces which copies it has deleted because it was told to.
    pub(super) fn tell_dropped(&self, space: &Arc<Space>) -> Result<(), SpaceError> {
        let Some(device) = Device::of(space)? else {
            return Ok(());
        };
        let dropped = device.picture()?.dropped;
        if dropped.is_empty() {
            return Ok(());
        }
        let keys = device.keys()?;
        for (address, until) in dropped {
            let Some(space) = self.heard(&address).filter(|space| space.writable()) else {
                continue;
            };
            for key in &keys {
                space.tell_gone(key, until)?;
            }
        }
        Ok(())
    }
}
