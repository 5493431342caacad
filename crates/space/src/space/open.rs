//! Putting a space together: feeds, own writer, tables, views, drive, log.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use cobox_drive::drive::{Drive, Parts};
use cobox_drive::tree::TreeView;
use cobox_feed::set::{Batch, FeedSet};
use cobox_keys::access::{Address, ReadKey};
use cobox_keys::cipher::BlockKey;
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::{Identity, PublicKey};
use cobox_keys::invite::Grant;
use cobox_swarm::swarm::Swarm;
use cobox_view::indexer::{Indexer, View};
use cobox_view::kv::Database;
use tokio::sync::broadcast;

use super::own::{Own, Writer};
use super::{NameBook, Space};
use crate::error::SpaceError;
use crate::home::{Device, SpaceEntry};
use crate::log::{self, Log, LogView};

/// Events kept for a slow listener; one that lags looks at the state again.
const EVENTS: usize = 1024;

/// What all spaces on this machine stand on.
pub(crate) struct Ground {
    pub identity: Arc<Identity>,
    pub device: Arc<Device>,
    pub device_key: PublicKey,
    pub swarm: Swarm,
    pub names: Arc<NameBook>,
}

impl Space {
    /// Opens what `entry` describes. Writes own certificates and claims if they are not there yet, so
    /// that this also is how a space begins.
    ///
    /// # Errors
    ///
    /// `Store`, `View` or `Drive`.
    pub(crate) fn open(
        ground: &Ground,
        address: Address,
        entry: &SpaceEntry,
        set: Arc<FeedSet>,
        views: &Path,
        device_name: &str,
    ) -> Result<Self, SpaceError> {
        keep_certificates(&set, &entry.certificates)?;
        let (read_key, own) = match &entry.grant {
            Grant::Read(key) => (key.clone(), None),
            Grant::Write(key) => {
                let writer = Writer {
                    address,
                    identity: &ground.identity,
                    device: &ground.device,
                    device_key: ground.device_key,
                    device_name,
                };
                (key.read_key(), writer.take_up(&set, key)?)
            }
        };
        let db = Database::open(views, views_key(&ground.identity, &address))?;
        let (changed, logged) = (broadcast::channel(EVENTS).0, broadcast::channel(EVENTS).0);
        let tree = TreeView::new(address, read_key.clone(), Arc::clone(&set), changed.clone());
        let identity = Arc::clone(&ground.identity);
        let messages = LogView::new(address, read_key.clone(), identity, logged.clone());
        let kinds = vec![FeedKind::Metadata as u8, FeedKind::Log as u8];
        let views: Vec<Box<dyn View>> = vec![Box::new(tree), Box::new(messages)];
        let indexer = Indexer::start(db.clone(), Arc::clone(&set), kinds, views)?;
        let indexer = Arc::new(indexer);
        let writable = own.is_some();
        let (own_drive, own_log) = own.map(|Own { drive, log }| (drive, log)).unzip();
        let drive = Drive::open(Parts {
            address,
            set: Arc::clone(&set),
            db: db.clone(),
            indexer: Arc::clone(&indexer),
            read_key: read_key.clone(),
            own: own_drive,
            changed: changed.clone(),
        })?;
        let log = open_log(ground, address, &set, &db, &indexer, read_key, own_log);
        Ok(Self {
            address,
            grant: entry.grant.clone(),
            certificates: entry.certificates.clone(),
            identity: Arc::clone(&ground.identity),
            set,
            db,
            indexer,
            drive: Arc::new(drive),
            log,
            swarm: ground.swarm.clone(),
            names: Arc::clone(&ground.names),
            changed,
            logged,
            writable,
            superseded: AtomicBool::new(false),
            last_sync: AtomicU64::new(entry.last_sync.unwrap_or(0)),
            pinned: Mutex::new(entry.pinned.clone()),
            refused: Mutex::default(),
            met: Mutex::default(),
            repeated: Mutex::default(),
        })
    }
}

fn open_log(
    ground: &Ground,
    address: Address,
    set: &Arc<FeedSet>,
    db: &Database,
    indexer: &Arc<Indexer>,
    read_key: ReadKey,
    own: Option<Arc<cobox_feed::feed::Feed>>,
) -> Log {
    Log::open(log::Parts {
        address,
        set: Arc::clone(set),
        db: db.clone(),
        indexer: Arc::clone(indexer),
        read_key,
        identity: Arc::clone(&ground.identity),
        own,
    })
}

/// The chain from the address to the epoch, in case the feeds' own copy is new or was lost.
fn keep_certificates(set: &FeedSet, certificates: &[Vec<u8>]) -> Result<(), SpaceError> {
    let held = set.certificates();
    let mut missing = certificates
        .iter()
        .filter(|one| !held.iter().any(|known| known[..] == one[..]))
        .peekable();
    if missing.peek().is_none() {
        return Ok(());
    }
    let mut batch = Batch::new();
    for certificate in missing {
        batch.certificate(certificate);
    }
    Ok(set.commit(batch)?.wait()?)
}

/// Each space's rows are sealed under a key of their own.
fn views_key(identity: &Identity, address: &Address) -> BlockKey {
    let all = identity.storage_key("views");
    BlockKey::from_bytes(blake3::keyed_hash(all.expose(), &address.0).as_bytes())
}
