//! Putting a space together: feeds, own writer, tables, views, drive, log.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use cobox_drive::drive::{Drive, Parts};
use cobox_drive::tree::{Changed, TreeView};
use cobox_feed::set::{Batch, FeedSet};
use cobox_keys::access::{Address, ReadKey};
use cobox_keys::cipher::BlockKey;
use cobox_keys::derive::{FeedKind, Incarnation};
use cobox_keys::identity::{Identity, PublicKey};
use cobox_keys::invite::Grant;
use cobox_swarm::swarm::Swarm;
use cobox_view::indexer::{Indexer, View};
use cobox_view::kv::Database;
use tokio::sync::broadcast;

use super::own::{Own, Writer};
use super::{NameBook, Space, clean_name, lock};
use crate::error::SpaceError;
use crate::home::{Device, SpaceEntry};
use crate::log::{self, Log, LogView, Logged};

/// Events kept for a slow listener; one that lags looks at the state again.
const EVENTS: usize = 1024;

/// What all spaces on this machine stand on.
pub(crate) struct Ground {
    /// Another one only where there is no space yet; see `shelf::restore`.
    pub identity: Mutex<Arc<Identity>>,
    /// In this life of the store; see [`Space::renew`].
    pub device: Mutex<Arc<Device>>,
    /// Our key on the network, in this run.
    pub device_key: PublicKey,
    pub swarm: Swarm,
    pub names: Arc<NameBook>,
}

impl Ground {
    /// Who lives here.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&lock(&self.identity))
    }
}

/// A space's rows and who keeps them up to date.
#[derive(Clone)]
pub(super) struct Tables {
    pub db: Database,
    pub indexer: Arc<Indexer>,
    pub changed: broadcast::Sender<Changed>,
    pub logged: broadcast::Sender<Logged>,
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
        // Before the indexer, so that it finds the claims with the rest.
        let incarnation = entry.incarnation;
        let own = match entry.forked {
            true => None,
            false => take_up(
                ground,
                address,
                &entry.grant,
                incarnation,
                &set,
                device_name,
            )?,
        };
        let tables = Tables::open(ground, address, &entry.grant, &set, views)?;
        let hands = Hands::new(ground, address, &entry.grant, &set, &tables, own)?;
        Ok(Self {
            address,
            grant: entry.grant.clone(),
            incarnation,
            certificates: entry.certificates.clone(),
            identity: ground.identity(),
            set,
            tables,
            drive: hands.drive,
            log: hands.log,
            swarm: ground.swarm.clone(),
            names: Arc::clone(&ground.names),
            writable: hands.writable,
            last_sync: AtomicU64::new(entry.last_sync.unwrap_or(0)),
            pinned: Mutex::new(entry.pinned.clone()),
            refused: Mutex::default(),
            met: Mutex::default(),
            told_syncs: Mutex::default(),
            acknowledged: Mutex::default(),
            poke: Arc::default(),
            repeated: Mutex::default(),
        })
    }

    /// The same space with a new writer, for a device that begins anew: the old feeds are signed no
    /// more, new ones are taken up. Whoever holds the old one can go on reading.
    ///
    /// # Errors
    ///
    /// `Store`, `View` or `Drive`.
    pub(crate) fn renew(&self, ground: &Ground, device_name: &str) -> Result<Self, SpaceError> {
        let (address, set) = (self.address, &self.set);
        let incarnation = self.incarnation;
        let own = take_up(ground, address, &self.grant, incarnation, set, device_name)?;
        self.with_writer(ground, own)
    }

    /// The same space without a writer. Whoever holds the old one can go on reading.
    ///
    /// # Errors
    ///
    /// `View` or `Drive`.
    pub(crate) fn stopped(&self, ground: &Ground) -> Result<Self, SpaceError> {
        self.with_writer(ground, None)
    }

    fn with_writer(&self, ground: &Ground, own: Option<Own>) -> Result<Self, SpaceError> {
        let (address, set) = (self.address, &self.set);
        let hands = Hands::new(ground, address, &self.grant, set, &self.tables, own)?;
        Ok(Self {
            address,
            grant: self.grant.clone(),
            incarnation: self.incarnation,
            certificates: self.certificates.clone(),
            identity: Arc::clone(&self.identity),
            set: Arc::clone(set),
            tables: self.tables.clone(),
            drive: hands.drive,
            log: hands.log,
            swarm: self.swarm.clone(),
            names: Arc::clone(&self.names),
            writable: hands.writable,
            last_sync: AtomicU64::new(self.last_sync().unwrap_or(0)),
            pinned: Mutex::new(self.pinned()),
            refused: Mutex::new(lock(&self.refused).clone()),
            met: Mutex::new(lock(&self.met).clone()),
            told_syncs: Mutex::default(),
            acknowledged: Mutex::default(),
            poke: Arc::default(),
            repeated: Mutex::default(),
        })
    }
}

impl Space {
    /// The same space, once the certificates are here that its paper key does not have.
    ///
    /// # Errors
    ///
    /// `Store`, `View` or `Drive`.
    pub(crate) fn admitted(
        &self,
        ground: &Ground,
        device_name: &str,
        certificates: Vec<Vec<u8>>,
    ) -> Result<Self, SpaceError> {
        let renewed = self.renew(ground, device_name)?;
        Ok(Self {
            certificates,
            ..renewed
        })
    }
}

/// Our writer in the space, if we may have one.
fn take_up(
    ground: &Ground,
    address: Address,
    grant: &Grant,
    incarnation: Option<Incarnation>,
    set: &FeedSet,
    device_name: &str,
) -> Result<Option<Own>, SpaceError> {
    let Grant::Write(key) = grant else {
        return Ok(None);
    };
    let device = Arc::clone(&lock(&ground.device));
    let writer = Writer {
        address,
        identity: &ground.identity(),
        device: &device,
        incarnation: incarnation.unwrap_or(device.incarnation),
        device_name,
    };
    writer.take_up(set, key)
}

impl Tables {
    fn open(
        ground: &Ground,
        address: Address,
        grant: &Grant,
        set: &Arc<FeedSet>,
        views: &Path,
    ) -> Result<Self, SpaceError> {
        let db = Database::open(views, views_key(&ground.identity(), &address))?;
        let (changed, logged) = (broadcast::channel(EVENTS).0, broadcast::channel(EVENTS).0);
        let (read_key, identity) = (read_key(grant), ground.identity());
        let tree = TreeView::new(address, read_key.clone(), Arc::clone(set), changed.clone());
        let messages = LogView::new(address, read_key, identity, logged.clone());
        let kinds = vec![FeedKind::Metadata as u8, FeedKind::Log as u8];
        let views: Vec<Box<dyn View>> = vec![Box::new(tree), Box::new(messages)];
        let indexer = Indexer::start(db.clone(), Arc::clone(set), kinds, views)?;
        Ok(Self {
            db,
            indexer: Arc::new(indexer),
            changed,
            logged,
        })
    }
}

/// What reads the tables and writes with our writer.
struct Hands {
    drive: Arc<Drive>,
    log: Log,
    writable: bool,
}

impl Hands {
    fn new(
        ground: &Ground,
        address: Address,
        grant: &Grant,
        set: &Arc<FeedSet>,
        tables: &Tables,
        own: Option<Own>,
    ) -> Result<Self, SpaceError> {
        let writable = own.is_some();
        let (own_drive, own_log) = own.map(|Own { drive, log }| (drive, log)).unzip();
        let drive = Drive::open(Parts {
            address,
            set: Arc::clone(set),
            db: tables.db.clone(),
            indexer: Arc::clone(&tables.indexer),
            read_key: read_key(grant),
            own: own_drive,
            changed: tables.changed.clone(),
        })?;
        let log = Log::open(log::Parts {
            address,
            set: Arc::clone(set),
            db: tables.db.clone(),
            indexer: Arc::clone(&tables.indexer),
            read_key: read_key(grant),
            identity: ground.identity(),
            own: own_log,
            usable_name: |name| clean_name(name).ok(),
        });
        Ok(Self {
            drive: Arc::new(drive),
            log,
            writable,
        })
    }
}

fn read_key(grant: &Grant) -> ReadKey {
    match grant {
        Grant::Read(key) => key.clone(),
        Grant::Write(key) => key.read_key(),
    }
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
