//! A hub and people over the network in memory; nonces are taken from the hub itself in place of its beacon.

mod claims;
mod commands;
mod conflicts;
mod copies;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cobox_swarm::transport::Transport;
use cobox_swarm::transport::memory::MemoryNetwork;
use tokio::runtime::Runtime;

use super::claim::claim_seen;
use super::*;
use crate::admin::Device;
use crate::shelf::{ShelfOptions, TransportFactory};

struct World {
    runtime: Runtime,
    network: MemoryNetwork,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self {
            runtime: builder.worker_threads(2).enable_all().build().unwrap(),
            network: MemoryNetwork::new(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn shelf(&self, name: &str) -> Shelf {
        let options = ShelfOptions {
            lan: false,
            ..Default::default()
        };
        let network = self.network.clone();
        let transport: TransportFactory = Arc::new(move |pair, _| {
            let device = network.device(pair);
            Box::pin(async move { Ok(Arc::new(device) as Arc<dyn Transport>) })
        });
        let home = self.dir.path().join(name);
        let opened = self
            .runtime
            .block_on(Shelf::open_with(&home, options, transport));
        opened.unwrap()
    }

    fn person(&self, name: &str) -> Shelf {
        let shelf = self.shelf(name);
        shelf.set_name(name).unwrap();
        shelf
    }

    fn hub(&self, code: bool) -> (Shelf, Hub) {
        let shelf = self.shelf("hub");
        let options = HubOptions {
            name: "new".into(),
            code,
            version: "test".into(),
        };
        let hub = self.runtime.block_on(Hub::start(&shelf, options)).unwrap();
        (shelf, hub)
    }

    fn claim(&self, who: &Shelf, hub: &Hub, code: Option<&str>) -> Result<Device, SpaceError> {
        self.runtime
            .block_on(claim_seen(who, announced(hub), "attic", code))
    }

    fn stop_all<const N: usize>(&self, shelves: [Shelf; N]) {
        shelves.into_iter().for_each(|shelf| self.stop(shelf));
    }

    fn stop(&self, shelf: Shelf) {
        self.runtime.block_on(shelf.close()).unwrap();
    }
}

/// What its beacon would say now.
fn announced(hub: &Hub) -> Seen {
    let inner = &hub.inner;
    let hint = inner.shelf.hint();
    let setup = Setup {
        device: hint.device,
        port: 1,
        needs_code: inner.code.is_some(),
        claimed: false,
        nonce: inner.nonces.fresh(Instant::now()),
        name: "new".into(),
    };
    Seen { setup, hint }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
