//! One connection as others see it: where to put what is to be sent, and how to end it.

use super::lock;
use super::serve::ServeQueue;
use crate::protocol::Role;
use crate::transport::{Connection, Hint};
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Control bytes that may wait for a peer to read them; one that does not read is dropped.
const MAX_OUTBOX: usize = 16 << 20;

/// One connection.
pub struct Link {
    connection: Arc<dyn Connection>,
    outbox: Outbox,
    pub(super) serve: ServeQueue,
    closing: CancellationToken,
    expelled: AtomicBool,
    hint: Mutex<Hint>,
    /// Where the connection to the same device came from that this one replaced.
    replaced: Mutex<Vec<SocketAddr>>,
    shared: Mutex<BTreeMap<Address, Role>>,
    since: Instant,
}

#[derive(Default)]
struct Outbox {
    waiting: Mutex<Vec<u8>>,
    more: Notify,
}

impl Link {
    /// Around a fresh connection.
    pub fn new(connection: Arc<dyn Connection>) -> Self {
        let hint = Hint {
            device: connection.remote(),
            addresses: connection.remote_address().into_iter().collect(),
        };
        Self {
            connection,
            outbox: Outbox::default(),
            serve: ServeQueue::default(),
            closing: CancellationToken::new(),
            expelled: AtomicBool::new(false),
            hint: Mutex::new(hint),
            replaced: Mutex::default(),
            shared: Mutex::default(),
            since: Instant::now(),
        }
    }

    /// Queues a control frame; never waits. Nothing is queued for a peer that does not read.
    pub(super) fn send(&self, frame: &[u8]) {
        let mut waiting = lock(&self.outbox.waiting);
        if waiting.len() + frame.len() > MAX_OUTBOX {
            drop(waiting);
            self.close("it does not read what it is sent");
            return;
        }
        waiting.extend_from_slice(frame);
        drop(waiting);
        self.outbox.more.notify_one();
    }

    /// What is to be written next; waits until there is something.
    pub(super) async fn outgoing(&self) -> Vec<u8> {
        loop {
            let waiting = std::mem::take(&mut *lock(&self.outbox.waiting));
            if !waiting.is_empty() {
                return waiting;
            }
            self.outbox.more.notified().await;
        }
    }

    /// Ends the connection.
    pub fn close(&self, reason: &str) {
        if !self.closing.is_cancelled() {
            tracing::debug!(device = %self.device(), reason, "closing");
            self.connection.close(reason);
            self.closing.cancel();
        }
    }

    /// Ends the connection with a peer that does not keep to the rules.
    pub(super) fn expel(&self, reason: &str) {
        self.expelled.store(true, Ordering::Relaxed);
        self.close(reason);
    }

    /// Did it end that way?
    pub fn was_expelled(&self) -> bool {
        self.expelled.load(Ordering::Relaxed)
    }

    /// Resolves when the connection is being closed from this side.
    pub(super) async fn closing(&self) {
        self.closing.cancelled().await;
    }

    pub(super) fn connection(&self) -> &Arc<dyn Connection> {
        &self.connection
    }

    /// The other device.
    pub fn device(&self) -> PublicKey {
        self.connection.remote()
    }

    /// Did we dial it?
    pub fn dialled(&self) -> bool {
        self.connection.dialled()
    }

    /// When it began.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Where the peer is now, for people.
    pub fn path(&self) -> String {
        self.connection.path()
    }

    /// Application bytes sent and received.
    pub fn traffic(&self) -> (u64, u64) {
        self.connection.traffic()
    }

    /// How the peer can be reached again: where it is seen, and what it said of itself.
    pub fn hint(&self) -> Hint {
        lock(&self.hint).clone()
    }

    pub(super) fn learn_hint(&self, learnt: impl FnOnce(&mut Hint)) {
        learnt(&mut lock(&self.hint));
    }

    /// This connection takes the place of another one to the same device.
    pub fn replaces(&self, other: &Link) {
        *lock(&self.replaced) = other.hint().addresses;
    }

    /// Where that one came from; told once.
    pub(super) fn replaced(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut *lock(&self.replaced))
    }

    /// Spaces in which both sides have proven themselves, and the peer's role there.
    pub fn shared(&self) -> Vec<(Address, Role)> {
        let shared = lock(&self.shared);
        shared
            .iter()
            .map(|(address, role)| (*address, *role))
            .collect()
    }

    pub(super) fn share(&self, address: Address, role: Role) {
        lock(&self.shared).insert(address, role);
    }

    pub(super) fn unshare(&self, address: &Address) {
        lock(&self.shared).remove(address);
    }
}
