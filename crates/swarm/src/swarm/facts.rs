//! What connections have told: receipts, syncs, who was met where; and events passed on.

use super::dialler::{Dialler, Source};
use crate::discovery::cache::Cache;
use crate::protocol::{Receipt, Role};
use crate::session::{Observer, SwarmEvent, unix_ms};
use crate::transport::Hint;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{broadcast, mpsc};

/// Events a receiver may be behind.
const EVENTS: usize = 1024;
/// Devices per space whose receipts are kept; the oldest goes first.
const MAX_RECEIPTS: usize = 256;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory of a swarm.
pub(super) struct Facts {
    device: PublicKey,
    events: broadcast::Sender<SwarmEvent>,
    cache: Mutex<Cache>,
    unsaved: AtomicBool,
    receipts: Mutex<BTreeMap<Address, BTreeMap<PublicKey, Receipt>>>,
    syncs: Mutex<BTreeMap<(PublicKey, Address), u64>>,
    /// Connections per device and space: for a moment there may be two.
    present: Mutex<HashMap<(PublicKey, Address), usize>>,
    dialler: Arc<Dialler>,
    elsewhere: mpsc::Sender<Vec<SocketAddr>>,
}

impl Facts {
    /// `elsewhere`: where somebody may be alive under our own key.
    pub fn new(
        device: PublicKey,
        cache: Cache,
        dialler: Arc<Dialler>,
        elsewhere: mpsc::Sender<Vec<SocketAddr>>,
    ) -> Self {
        Self {
            elsewhere,
            device,
            events: broadcast::channel(EVENTS).0,
            cache: Mutex::new(cache),
            unsaved: AtomicBool::new(false),
            receipts: Mutex::default(),
            syncs: Mutex::default(),
            present: Mutex::default(),
            dialler,
        }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<SwarmEvent> {
        self.events.subscribe()
    }

    /// Peers at an address that have proven themselves, last seen first.
    pub fn known_at(&self, address: &Address) -> Vec<Hint> {
        lock(&self.cache).at(address)
    }

    /// When somebody last proved to be at an address, Unix ms.
    pub fn last_seen(&self, address: &Address) -> Option<u64> {
        lock(&self.cache).last_seen_at(address)
    }

    /// All devices that have proven themselves, by device.
    pub fn known(&self) -> BTreeMap<PublicKey, Vec<Address>> {
        lock(&self.cache).devices()
    }

    pub fn forget(&self, address: &Address) {
        lock(&self.cache).forget(address);
        self.unsaved.store(true, Ordering::Relaxed);
        lock(&self.receipts).remove(address);
        lock(&self.syncs).retain(|(_, other), _| other != address);
    }

    pub fn receipts(&self, address: &Address) -> Vec<Receipt> {
        let receipts = lock(&self.receipts);
        receipts
            .get(address)
            .map(|all| all.values().cloned().collect())
            .unwrap_or_default()
    }

    /// When a device and we were last equal and complete, per space.
    pub fn syncs(&self, device: &PublicKey) -> Vec<(Address, u64)> {
        let syncs = lock(&self.syncs);
        let of_device = syncs.iter().filter(|((other, _), _)| other == device);
        of_device
            .map(|((_, address), time)| (*address, *time))
            .collect()
    }

    /// Writes the cache, if anything changed. Blocks.
    pub fn save(&self) {
        if !self.unsaved.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = lock(&self.cache).save() {
            tracing::warn!(%error, "known peers could not be remembered");
        }
    }

    /// Is anybody connected at this address?
    pub fn is_company(&self, address: &Address) -> bool {
        lock(&self.present).keys().any(|(_, at)| at == address)
    }

    fn remember(&self, address: Address, hint: Hint) {
        lock(&self.cache).remember(address, hint, unix_ms());
        self.unsaved.store(true, Ordering::Relaxed);
    }

    fn keep_receipt(&self, receipt: &Receipt) {
        let mut receipts = lock(&self.receipts);
        let of_space = receipts.entry(receipt.address).or_default();
        of_space.insert(receipt.device, receipt.clone());
        if of_space.len() > MAX_RECEIPTS {
            let oldest = of_space.values().min_by_key(|receipt| receipt.time_ms);
            if let Some(device) = oldest.map(|receipt| receipt.device) {
                of_space.remove(&device);
            }
        }
    }

    /// True for the first connection of a device in a space.
    fn arrived(&self, device: PublicKey, address: Address) -> bool {
        let mut present = lock(&self.present);
        let count = present.entry((device, address)).or_default();
        *count += 1;
        *count == 1
    }

    /// True for the last.
    fn left(&self, device: PublicKey, address: Address) -> bool {
        let mut present = lock(&self.present);
        let Some(count) = present.get_mut(&(device, address)) else {
            return false;
        };
        *count -= 1;
        let last = *count == 0;
        if last {
            present.remove(&(device, address));
        }
        last
    }
}

impl Observer for Facts {
    fn elsewhere(&self, addresses: Vec<SocketAddr>) {
        let _ = self.elsewhere.try_send(addresses); // enough is looked at already
    }

    fn tell(&self, event: SwarmEvent) {
        let news = match &event {
            SwarmEvent::Connected { device, address } => self.arrived(*device, *address),
            SwarmEvent::Disconnected { device, address } => self.left(*device, *address),
            SwarmEvent::Synced {
                device,
                address,
                time_ms,
            } => {
                lock(&self.syncs).insert((*device, *address), *time_ms);
                true
            }
            SwarmEvent::Receipt(receipt) => {
                self.keep_receipt(receipt);
                true
            }
            _ => true,
        };
        tracing::debug!(?event, news, "swarm");
        if news {
            self.events.send(event).ok(); // nobody listens: fine
        }
    }

    fn proven(&self, address: Address, hint: Hint, _role: Role) {
        self.remember(address, hint.clone());
        self.dialler
            .introduce(address, hint, Source::Known, Instant::now());
    }

    fn heard_of(&self, address: Address, hints: Vec<Hint>) {
        let others = hints.into_iter().filter(|hint| hint.device != self.device);
        for hint in others {
            self.dialler
                .introduce(address, hint, Source::Hearsay, Instant::now());
        }
    }
}
