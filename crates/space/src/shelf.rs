//! `Shelf`: the home folder: identity, device, store, swarm; opens each space and replica once and finds it by name or address.

use crate::replica::Replica;
use crate::space::Space;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use cobox_swarm::swarm::Swarm;
use cobox_swarm::transport::Hint;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What can go wrong around a space; each says what it means for the data and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// No space or replica of that name or address.
    #[error("there is no space called {0:?} here")] NotFound(String),
    /// Two spaces have this name.
    #[error("more than one space is called {0:?}: use the address")] Ambiguous(String),
    /// Name taken here.
    #[error("a space called {0:?} exists already")] NameTaken(String),
    /// Address already here.
    #[error("this space is already here as {0:?}")] AlreadyHere(String),
    /// Empty, too long, or not a folder name.
    #[error("{0:?} cannot be used as a name: {1}")] BadName(String, &'static str),
    /// No name set yet.
    #[error("say who you are first: cobox name NAME")] NoName,
    /// Read-only member.
    #[error("you can read this space but not write to it")] ReadOnly,
    /// Invite.
    #[error(transparent)] Invite(#[from] cobox_keys::invite::InviteError),
    /// Keys.
    #[error(transparent)] Key(#[from] cobox_keys::error::KeyError),
    /// Drive.
    #[error(transparent)] Drive(#[from] cobox_drive::drive::DriveError),
    /// Store.
    #[error(transparent)] Store(#[from] cobox_feed::store::StoreError),
    /// Views.
    #[error(transparent)] View(#[from] cobox_view::kv::ViewError),
    /// Network.
    #[error(transparent)] Transport(#[from] cobox_swarm::transport::TransportError),
    /// Home folder files.
    #[error("{action} {path}: {source}")] Home { /** what */ action: &'static str, /** file */ path: std::path::PathBuf, /** cause */ source: std::io::Error },
    /// A home file that does not decode.
    #[error("{0} is damaged")] DamagedHome(std::path::PathBuf),
}
/// How to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShelfOptions { /** LAN beacon */ pub lan: bool, /** bind address of the transport; none = all interfaces, random port */ pub bind: Option<SocketAddr> }
/// Something a person may want to know, told after it is so.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ShelfEvent {
    /** files changed */ Changed { /** space */ address: Address, /** path */ path: String },
    /** conflicts appeared or went */ Conflicts { /** space */ address: Address },
    /** somebody's name or a new member */ Member { /** space */ address: Address, /** who */ public_key: PublicKey, /** name */ name: String },
    /** the space's name */ Renamed { /** space */ address: Address, /** name */ name: String },
    /** peer here */ Connected { /** space */ address: Address, /** device */ device: PublicKey },
    /** peer gone */ Disconnected { /** space */ address: Address, /** device */ device: PublicKey },
    /** equal and complete with a peer */ Synced { /** space */ address: Address, /** device */ device: PublicKey, /** Unix ms */ time_ms: u64 },
    /** refused input */ Refused { /** space */ address: Address, /** why */ reason: String },
}
/// One home folder, open. Cheap to clone.
#[derive(Clone)]
pub struct Shelf;
impl Shelf {
    /// Opens (creating on first start) everything: identity, parent key, store, transport, swarm, all spaces and replicas. Call on a tokio runtime.
    pub async fn open(home: &Path, options: ShelfOptions) -> Result<Shelf, SpaceError> { unimplemented!() }
    /// Our public key.
    pub fn public_key(&self) -> PublicKey { unimplemented!() }
    /// Our name, once given.
    pub fn name(&self) -> Option<String> { unimplemented!() }
    /// Gives or changes our name; told in every space.
    pub fn set_name(&self, name: &str) -> Result<(), SpaceError> { unimplemented!() }
    /// How peers reach us.
    pub fn hint(&self) -> Hint { unimplemented!() }
    /// Creates a space; we are its creator, admin and first member.
    pub fn create(&self, name: &str) -> Result<Arc<Space>, SpaceError> { unimplemented!() }
    /// Joins by code; `name` overrides the suggested one.
    pub fn join(&self, code: &str, name: Option<&str>) -> Result<Arc<Space>, SpaceError> { unimplemented!() }
    /// Leaves a space and removes it from this machine.
    pub fn delete(&self, address: &Address) -> Result<(), SpaceError> { unimplemented!() }
    /// Keeps a copy of an address for others.
    pub fn replicate(&self, address: Address, name: Option<&str>, peers: &[Hint]) -> Result<Arc<Replica>, SpaceError> { unimplemented!() }
    /// Stops that and frees the disk.
    pub fn unreplicate(&self, address: &Address) -> Result<(), SpaceError> { unimplemented!() }
    /// All spaces, by name.
    pub fn spaces(&self) -> Vec<Arc<Space>> { unimplemented!() }
    /// All replicas.
    pub fn replicas(&self) -> Vec<Arc<Replica>> { unimplemented!() }
    /// By name or address.
    pub fn space(&self, name_or_address: &str) -> Result<Arc<Space>, SpaceError> { unimplemented!() }
    /// The network side (peers, progress, receipts, introduce).
    pub fn swarm(&self) -> &Swarm { unimplemented!() }
    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ShelfEvent> { unimplemented!() }
    /// Orderly end: goodbye to peers, views flushed, index committed.
    pub async fn close(&self) -> Result<(), SpaceError> { unimplemented!() }
}
