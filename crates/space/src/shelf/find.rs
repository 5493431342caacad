//! What is on the shelf: spaces, replicas and devices, looked up; where spaces are mounted.

use std::collections::BTreeMap;
use std::sync::Arc;

use cobox_keys::access::Address;

use super::inner::{lock, read};
use super::{Failed, Shelf};
use crate::admin::Device;
use crate::error::SpaceError;
use crate::home::{MountEntry, SpaceEntry};
use crate::replica::Replica;
use crate::space::Space;

impl Shelf {
    /// All spaces, by name.
    pub fn spaces(&self) -> Vec<Arc<Space>> {
        let open = read(&self.0.open);
        let mut spaces: Vec<_> = open
            .spaces
            .values()
            .map(|(space, _)| Arc::clone(space))
            .collect();
        spaces.sort_by_cached_key(|space| (space.name(), space.address()));
        spaces
    }

    /// All replicas.
    pub fn replicas(&self) -> Vec<Arc<Replica>> {
        read(&self.0.open).replicas.values().cloned().collect()
    }

    /// One replica.
    pub fn replica(&self, address: &Address) -> Option<Arc<Replica>> {
        read(&self.0.open).replicas.get(address).cloned()
    }

    /// Devices whose admins we are, or which we are: their admin spaces are among [`Shelf::spaces`].
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn devices(&self) -> Result<Vec<Device>, SpaceError> {
        let spaces = self.spaces();
        let devices = spaces.iter().map(Device::of);
        devices.filter_map(Result::transpose).collect()
    }

    /// Spaces that are no device's.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn people_spaces(&self) -> Result<Vec<Arc<Space>>, SpaceError> {
        let mut spaces = self.spaces();
        let devices = self.devices()?;
        spaces.retain(|space| {
            devices
                .iter()
                .all(|device| !Arc::ptr_eq(device.space(), space))
        });
        Ok(spaces)
    }

    /// A device by name, address, or public key.
    ///
    /// # Errors
    ///
    /// `NoDevice`, `Ambiguous` or `View`.
    pub fn device_called(&self, text: &str) -> Result<Device, SpaceError> {
        let text = text.trim();
        let is_it = |device: &Device| {
            let space = device.space();
            space.name() == text
                || space.address().to_string() == text
                || device.identity().to_string() == text
        };
        let mut found = self.devices()?.into_iter().filter(is_it);
        match (found.next(), found.next()) {
            (Some(device), None) => Ok(device),
            (None, _) => Err(SpaceError::NoDevice(text.to_owned())),
            (Some(_), Some(_)) => Err(SpaceError::Ambiguous(text.to_owned())),
        }
    }

    /// Spaces and replicas that could not be opened at the start.
    pub fn failed(&self) -> BTreeMap<Address, Failed> {
        read(&self.0.open).failed.clone()
    }

    /// By name or address.
    ///
    /// # Errors
    ///
    /// `NotFound` or `Ambiguous`.
    pub fn space(&self, name_or_address: &str) -> Result<Arc<Space>, SpaceError> {
        let not_found = || SpaceError::NotFound(name_or_address.to_owned());
        let by_address = name_or_address
            .parse()
            .ok()
            .and_then(|address| self.opened(&address));
        if let Some(space) = by_address {
            return Ok(space);
        }
        let address = self.0.ground.names.find(name_or_address.trim())?;
        self.opened(&address).ok_or_else(not_found)
    }

    /// Which spaces shall be mounted where.
    pub fn mounts(&self) -> BTreeMap<Address, MountEntry> {
        let registry = lock(&self.0.registry);
        let mounted = |(address, entry): (&Address, &SpaceEntry)| {
            let mount = entry.mount.clone().filter(|_| !entry.leaving);
            mount.map(|mount| (*address, mount))
        };
        registry.spaces.iter().filter_map(mounted).collect()
    }

    /// Remembers durably where a space is mounted, or that it is not.
    ///
    /// # Errors
    ///
    /// `NotFound` or `Home`.
    pub fn remember_mount(
        &self,
        address: &Address,
        mount: Option<MountEntry>,
    ) -> Result<(), SpaceError> {
        let known = self.0.record(|registry| {
            let entry = registry.spaces.get_mut(address)?;
            entry.mount = mount;
            Some(())
        })?;
        known.ok_or(SpaceError::NotFound(address.to_string()))
    }

    pub(super) fn opened(&self, address: &Address) -> Option<Arc<Space>> {
        let open = read(&self.0.open);
        open.spaces.get(address).map(|(space, _)| Arc::clone(space))
    }
}
