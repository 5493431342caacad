//! A device at work: obeys its admins, tells how it is, and lets itself be claimed.
//!
//! Here: the start, and what the parts share. `work` does what the machine says, `desk` and `code` take claims, `claim` is the
//! other side of that, `talk` what both say, `door` who may come in. Not its job: deciding what is to be done (`admin::machine`).

mod claim;
mod code;
mod desk;
mod door;
mod talk;
#[cfg(test)]
mod tests;
mod work;

pub use claim::{claim, seen};
pub use cobox_swarm::swarm::{Seen, Setup};

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use cobox_swarm::swarm::PacketMaker;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::admin::{Picture, judge, read_book};
use crate::error::SpaceError;
use crate::log::now_ms;
use crate::shelf::Shelf;
use crate::space::Space;
use code::Code;
use desk::Nonces;
use door::Door;

/// How a hub is started.
#[derive(Clone, Debug, Default)]
pub struct HubOptions {
    /// its name until somebody gives it one
    pub name: String,
    /// show a code which whoever claims it must know
    pub code: bool,
    /// of the program, for reports
    pub version: String,
}

/// A device at work; it rests when this is dropped.
pub struct Hub {
    inner: Arc<Inner>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a hub shows on its own screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// the code that whoever claims it must know, if there is one
    pub code: Option<String>,
    /// it announces itself
    pub announced: bool,
    /// it has an admin
    pub claimed: bool,
}

struct Inner {
    shelf: Shelf,
    address: Address,
    code: Option<Code>,
    version: String,
    started: Instant,
    nonces: Nonces,
    door: Mutex<Door>,
    /// Who said that they are in, in this run.
    arrived: Mutex<BTreeSet<PublicKey>>,
    /// One decision or piece of work at a time.
    working: Mutex<()>,
    shown: watch::Sender<Shown>,
    /// There is something to look at.
    wake: Notify,
}

impl Hub {
    /// Begins to obey. On a new home this also makes the admin space. Call on a runtime with several threads.
    ///
    /// # Errors
    ///
    /// `NotADevice` if the home is a person's, `BadName`, or the store's.
    pub async fn start(shelf: &Shelf, options: HubOptions) -> Result<Self, SpaceError> {
        let preparing = (shelf.clone(), options.name.clone());
        let prepared = tokio::task::spawn_blocking(move || prepare(&preparing.0, &preparing.1));
        let address = prepared.await.unwrap_or(Err(SpaceError::Stopping))?;
        let code = options.code.then(Code::new);
        let shown = Shown {
            code: code.as_ref().map(|code| code.now().0.to_string()),
            announced: false,
            claimed: false,
        };
        let inner = Arc::new(Inner {
            shelf: shelf.clone(),
            address,
            code,
            version: options.version,
            started: Instant::now(),
            nonces: Nonces::default(),
            door: Mutex::default(),
            arrived: Mutex::default(),
            working: Mutex::default(),
            shown: watch::Sender::new(shown),
            wake: Notify::new(),
        });
        let claims = shelf.swarm().take_claims();
        let events = shelf.subscribe();
        let first = Arc::clone(&inner);
        // What was not done before the last stop or crash is done before anybody is let in.
        let begun = tokio::task::spawn_blocking(move || first.step());
        begun.await.unwrap_or(Err(SpaceError::Stopping))?;
        let tasks = vec![
            tokio::spawn(work::run(Arc::clone(&inner), events)),
            tokio::spawn(desk::run(Arc::clone(&inner), claims)),
        ];
        Ok(Self { inner, tasks })
    }

    /// Its admin space.
    pub fn address(&self) -> Address {
        self.inner.address
    }

    /// Ends the work, in time before the shelf is closed.
    pub fn rest(&self) {
        self.inner.shelf.swarm().announce_setup(None);
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    /// What it shows on its screen, as that changes.
    pub fn shown(&self) -> watch::Receiver<Shown> {
        self.inner.shown.subscribe()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.rest();
    }
}

/// The admin space of the device in this home, made if there is none.
fn prepare(shelf: &Shelf, name: &str) -> Result<Address, SpaceError> {
    let me = shelf.public_key();
    let devices = shelf.devices()?;
    if !shelf.people_spaces()?.is_empty() || devices.iter().any(|device| device.identity() != me) {
        return Err(SpaceError::NotADevice("spaces or devices of a person"));
    }
    if let Some(device) = devices.first() {
        return Ok(device.space().address());
    }
    if !shelf.failed().is_empty() {
        // Making another one would make it another device.
        return Err(SpaceError::NotADevice("a space that could not be opened"));
    }
    if shelf.name().is_none() {
        shelf.set_name(name)?;
    }
    Ok(shelf.create_device(name)?.address())
}

impl Inner {
    fn space(&self) -> Result<Arc<Space>, SpaceError> {
        self.shelf.space(&self.address.to_string())
    }

    /// How things stand.
    fn picture(&self, space: &Space) -> Result<Picture, SpaceError> {
        let book = read_book(space.log(), &self.shelf.public_key())?;
        Ok(judge(&book, now_ms()))
    }

    /// Opens or shuts the door as things stand, and says so on the local network.
    fn tend_door(self: &Arc<Self>, space: &Space, picture: &Picture) -> Result<Door, SpaceError> {
        let mut inside: BTreeSet<PublicKey> = lock(&self.arrived).clone();
        let writers = space.drive().writers()?;
        inside.extend(writers.iter().map(|writer| writer.claim.identity));
        let book = read_book(space.log(), &self.shelf.public_key())?;
        let door = Door::of(picture, book.ruled(), &inside, now_ms());
        let changed = {
            let mut before = lock(&self.door);
            let changed = *before != door;
            *before = door.clone();
            changed
        };
        if changed {
            self.shelf.swarm().announce_setup(self.maker(&door));
        }
        self.shown.send_if_modified(|shown| {
            let now = (door.is_ajar(), picture.claimed);
            let before = (shown.announced, shown.claimed);
            (shown.announced, shown.claimed) = now;
            before != now
        });
        Ok(door)
    }

    /// Makes packets while the door is ajar.
    fn maker(self: &Arc<Self>, door: &Door) -> Option<PacketMaker> {
        if !door.is_ajar() {
            return None;
        }
        let inner = Arc::downgrade(self);
        Some(Arc::new(move |port| {
            let inner = inner.upgrade()?;
            let door = lock(&inner.door).clone();
            if !door.is_ajar_at(now_ms()) {
                return None;
            }
            let setup = Setup {
                device: inner.shelf.swarm().hint().device,
                port,
                needs_code: inner.code.is_some(),
                claimed: door.claimed,
                nonce: inner.nonces.fresh(Instant::now()),
                name: inner.space().ok()?.name(),
            };
            Some(inner.shelf.swarm().sign_setup(&setup))
        }))
    }
}

/// Every value behind these locks is whole after each statement, so a panic elsewhere spoils none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
