//! A home whose password nobody gave yet: it keeps what it kept, as a replicator that understands none of it.
//!
//! It knows addresses, quotas and hints, and the key by which peers know this device; no names, no members, no
//! messages, and nothing that opens or signs. What it receives is there when the home is unlocked.

use std::path::Path;
use std::sync::Arc;

use cobox_feed::manifest::FeedKey;
use cobox_feed::store::Store;
use cobox_keys::access::Address;
use cobox_swarm::swarm::{Swarm, SwarmEvent};
use cobox_swarm::transport::Hint;
use tokio::sync::broadcast;

use super::ShelfOptions;
use super::start::{Entered, TransportFactory, blocking, enter, iroh, network};
use crate::error::SpaceError;
use crate::home::{Kept, KeptEntry};
use crate::replica::{Replica, Terms};

/// One locked home, open as far as that goes.
pub struct LockedShelf {
    store: Store,
    /// None: this home cannot go on under the key that it had, so it waits for the password.
    swarm: Option<Swarm>,
    replicas: Vec<Replica>,
}

impl LockedShelf {
    /// Opens what can be opened, and replicates. Call on a tokio runtime with several threads.
    ///
    /// # Errors
    ///
    /// As [`super::Shelf::open`], but for `LockedHome`.
    pub async fn open(home: &Path, options: &ShelfOptions) -> Result<Self, SpaceError> {
        Self::open_with(home, options, iroh()).await
    }

    /// [`LockedShelf::open`] over another transport.
    ///
    /// # Errors
    ///
    /// As [`LockedShelf::open`].
    pub async fn open_with(
        home: &Path,
        options: &ShelfOptions,
        transport: TransportFactory,
    ) -> Result<Self, SpaceError> {
        let (dir, moved) = (home.to_owned(), options.moved);
        let (entered, device, kept) = blocking(move || {
            let entered = enter(&dir, moved)?;
            let (device, kept) = (entered.home.device()?, entered.home.kept()?);
            Ok((entered, device, kept))
        })
        .await?;
        let Entered { home, store, .. } = entered;
        let device = device.filter(|_| !store.moved());
        let Some(device) = device else {
            return Ok(Self {
                store,
                swarm: None,
                replicas: Vec::new(),
            });
        };
        let network = network(&home, options);
        let swarm = Swarm::start(transport(device.pair, options.bind).await?, network).await;
        let (of, joining) = (store.clone(), swarm.clone());
        let runtime = tokio::runtime::Handle::current();
        let replicas = blocking(move || {
            let _runtime = runtime.enter();
            Ok(replicas(&of, &joining, kept))
        });
        Ok(Self {
            replicas: replicas.await?,
            store,
            swarm: Some(swarm),
        })
    }

    /// How many addresses are kept.
    pub fn count(&self) -> usize {
        self.replicas.len()
    }

    /// How peers reach us; none while nothing is replicated.
    pub fn hint(&self) -> Option<Hint> {
        self.swarm.as_ref().map(Swarm::hint)
    }

    /// What happens on the network, from now on; none while nothing is replicated.
    pub fn subscribe(&self) -> Option<broadcast::Receiver<SwarmEvent>> {
        self.swarm.as_ref().map(Swarm::subscribe)
    }

    /// Orderly end: goodbye to peers, index committed.
    ///
    /// # Errors
    ///
    /// `Store`.
    pub async fn close(self) -> Result<(), SpaceError> {
        if let Some(swarm) = &self.swarm {
            swarm.stop().await;
        }
        drop(self.replicas);
        let store = self.store;
        blocking(move || Ok(store.close()?)).await
    }
}

/// What cannot be kept is no reason not to keep the rest.
fn replicas(store: &Store, swarm: &Swarm, kept: Kept) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for (address, entry) in kept.0 {
        match replica(store, swarm, address, &entry) {
            Ok(replica) => replicas.push(replica),
            Err(error) => tracing::warn!(%address, %error, "cannot be kept"),
        }
    }
    replicas
}

fn replica(
    store: &Store,
    swarm: &Swarm,
    address: Address,
    entry: &KeptEntry,
) -> Result<Replica, SpaceError> {
    let set = store.set(address.0)?;
    for (feed, kind) in &entry.own {
        set.guard(FeedKey(*feed), *kind);
    }
    let terms = Terms {
        name: None,
        quota: entry.quota,
    };
    let replica = Replica::start(address, terms, Arc::clone(&set), swarm);
    let hints = entry
        .hints
        .iter()
        .filter_map(|hint| hint.parse::<Hint>().ok());
    hints.for_each(|hint| swarm.introduce(address, hint));
    Ok(replica)
}
