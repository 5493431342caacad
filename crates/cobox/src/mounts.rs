//! Which spaces are mounted where: mounts and unmounts them, remembers it, and brings it back after a restart.
//!
//! One mount per space: two would keep unwritten changes apart from each other. Here: the verbs; `live` is one mount,
//! `place` its folder. Not its job: what a mount does (`cobox_mount`), words over the API.

mod error;
mod live;
mod place;
mod web;

pub use error::MountsError;
pub use web::ROOT as WEB_ROOT;

use cobox_keys::access::Address;
use cobox_mount::webdav::WebDav;
use cobox_space::shelf::{MountEntry, MountPlace, Shelf};
use cobox_space::space::Space;
use live::Live;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Events kept for a slow listener.
const EVENTS: usize = 256;
/// How often it is looked whether somebody else took a mount away.
const LOOK: Duration = Duration::from_secs(1);

/// What somebody wants mounted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// where
    pub place: WantedPlace,
    /// nothing can be changed through it
    pub read_only: bool,
    /// as the space was then, Unix ms; read-only
    pub as_of_ms: Option<u64>,
}

/// Where somebody wants a space mounted.
#[derive(Clone, Debug, Default)]
pub enum WantedPlace {
    /// `~/cobox/<space name>`
    #[default]
    Usual,
    /// this folder
    Folder(PathBuf),
    /// over WebDAV, for this machine only
    Web,
}

/// How a space is mounted, or why it is not though it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// where and how
    pub entry: MountEntry,
    /// where its paths begin, not percent-encoded, if it is a WebDAV share
    pub prefix: Option<String>,
    /// why it is not there
    pub problem: Option<String>,
}

impl Shown {
    /// The folder, in words.
    fn at(&self) -> String {
        match &self.entry.place {
            MountPlace::Folder { at, .. } => at.display().to_string(),
            MountPlace::Web { .. } => "a WebDAV address".into(),
        }
    }
}

/// What came of unmounting.
#[derive(Clone, Debug)]
pub struct Unmounted {
    /// how it was mounted
    pub shown: Shown,
    /// programs still have something open in it: for them it goes on until they close it or we end
    pub busy: bool,
}

/// A space was mounted or unmounted; told after it is so.
#[derive(Clone, Debug)]
pub struct MountEvent {
    /// space
    pub address: Address,
    /// how it is mounted now
    pub now: Option<Shown>,
}

/// A mount that shall be.
struct Kept {
    entry: MountEntry,
    prefix: Option<String>,
    state: State,
}

enum State {
    Up(Live),
    Failed(String),
}

/// All mounts of a home. Methods block unless they are `async`.
pub struct Mounts {
    shelf: Shelf,
    /// Its free space is what `df` shows.
    disk: PathBuf,
    /// One mounts or unmounts at a time; looking never waits for it.
    changing: Mutex<()>,
    kept: Mutex<BTreeMap<Address, Kept>>,
    events: broadcast::Sender<MountEvent>,
}

impl Mounts {
    /// None yet.
    pub fn new(shelf: Shelf, disk: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            shelf,
            disk,
            changing: Mutex::default(),
            kept: Mutex::default(),
            events: broadcast::channel(EVENTS).0,
        })
    }

    /// Mounts what was mounted when the program ended. What cannot be is shown with the reason and tried again at
    /// the next start.
    pub fn restore(&self) {
        let _one = lock(&self.changing);
        for (address, entry) in self.shelf.mounts() {
            let Ok(space) = self.shelf.space(&address.to_string()) else {
                continue;
            };
            let restored = self.start(&space, entry.clone());
            let kept = restored.unwrap_or_else(|error| {
                tracing::warn!("{} is not mounted: {error}", space.name());
                let state = State::Failed(error.to_string());
                Kept::new(&space, entry, state)
            });
            lock(&self.kept).insert(address, kept);
        }
    }

    /// Mounts a space.
    pub fn mount(&self, space: &Space, wanted: Wanted) -> Result<Shown, MountsError> {
        let _one = lock(&self.changing);
        let address = space.address();
        if let Some(shown) = self.get(&address).filter(|shown| shown.problem.is_none()) {
            return Err(MountsError::Already(space.name(), shown.at()));
        }
        let entry = MountEntry {
            place: self.choose(space, wanted.place, wanted.as_of_ms.is_some())?,
            read_only: wanted.read_only || wanted.as_of_ms.is_some(),
            as_of_ms: wanted.as_of_ms,
        };
        let kept = self.start(space, entry)?;
        let remembered = self
            .shelf
            .remember_mount(&address, Some(kept.entry.clone()));
        if let Err(error) = remembered {
            let _ = kept.stop(); // nobody has used it yet
            return Err(error.into());
        }
        let shown = kept.shown();
        lock(&self.kept).insert(address, kept);
        self.tell(address, Some(shown.clone()));
        Ok(shown)
    }

    /// Unmounts a space and forgets that it was mounted. Everything written is committed first.
    pub fn unmount(&self, space: &Space) -> Result<Unmounted, MountsError> {
        let _one = lock(&self.changing);
        let not_mounted = || MountsError::NotMounted(space.name());
        let kept = lock(&self.kept).remove(&space.address());
        let kept = kept.ok_or_else(not_mounted)?;
        let shown = kept.shown();
        let stopped = kept.stop();
        self.shelf.remember_mount(&space.address(), None)?;
        self.tell(space.address(), None);
        let busy = stopped?;
        Ok(Unmounted { shown, busy })
    }

    /// The space is going away: nothing of it may stay mounted.
    pub fn forget(&self, space: &Space) {
        match self.unmount(space) {
            Ok(_) | Err(MountsError::NotMounted(_)) => {}
            // What could not be written would have gone with the space.
            Err(error) => tracing::warn!("unmounting {}: {error}", space.name()),
        }
    }

    /// How a space is mounted.
    pub fn get(&self, address: &Address) -> Option<Shown> {
        lock(&self.kept).get(address).map(Kept::shown)
    }

    /// The WebDAV share that a percent-encoded path belongs to.
    pub fn web(&self, path: &str) -> Option<Arc<WebDav>> {
        let kept = lock(&self.kept);
        let is_below = |kept: &&Kept| {
            let prefix = kept.prefix.as_ref();
            prefix.is_some_and(|prefix| web::is_below(path, prefix))
        };
        kept.values().find(is_below)?.live()?.web().cloned()
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<MountEvent> {
        self.events.subscribe()
    }

    /// Unmounts everything, and remembers it for the next start.
    pub fn close(&self) {
        let _one = lock(&self.changing);
        let kept = std::mem::take(&mut *lock(&self.kept));
        // Each waits for its own disk work.
        std::thread::scope(|threads| {
            for (address, kept) in kept {
                threads.spawn(move || {
                    if let Err(error) = kept.stop() {
                        tracing::warn!(%address, "unmounting at the end: {error}");
                    }
                });
            }
        });
    }

    /// Looks after the mounts until it is dropped.
    pub async fn tend(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            if lock(&self.kept).is_empty() {
                continue;
            }
            let mounts = self.clone();
            let looked = tokio::task::spawn_blocking(move || mounts.look_after());
            if let Err(error) = looked.await {
                tracing::error!("looking after mounts failed inside: {error}");
            }
        }
    }

    /// Forgets what was unmounted from outside, and follows a space that has begun anew.
    fn look_after(&self) {
        let Ok(_one) = self.changing.try_lock() else {
            return; // whoever changes something knows how it stands
        };
        let addresses: Vec<_> = lock(&self.kept).keys().copied().collect();
        for address in addresses {
            let Ok(space) = self.shelf.space(&address.to_string()) else {
                continue;
            };
            let is_old = |kept: &Kept| match &kept.state {
                State::Up(live) => !live.is_alive() || !live.shows(&space),
                State::Failed(_) => false,
            };
            let old = {
                let mut kept = lock(&self.kept);
                let is_old = kept.get(&address).is_some_and(is_old);
                is_old.then(|| kept.remove(&address)).flatten()
            };
            if let Some(old) = old {
                self.replace(&space, old);
            }
        }
    }

    fn replace(&self, space: &Space, old: Kept) {
        let (address, entry) = (space.address(), old.entry.clone());
        let was_alive = matches!(&old.state, State::Up(live) if live.is_alive());
        if let Err(error) = old.stop() {
            tracing::warn!("{} was unmounted: {error}", space.name());
        }
        let again = was_alive.then(|| self.start(space, entry)).transpose();
        let again = again.unwrap_or_else(|error| {
            tracing::warn!("{} is not mounted again: {error}", space.name());
            None
        });
        let shown = again.as_ref().map(Kept::shown);
        if let Some(kept) = again {
            lock(&self.kept).insert(address, kept);
        } else if let Err(error) = self.shelf.remember_mount(&address, None) {
            tracing::warn!(
                "{} will be mounted at the next start: {error}",
                space.name()
            );
        }
        self.tell(address, shown);
    }

    fn choose(
        &self,
        space: &Space,
        wanted: WantedPlace,
        past: bool,
    ) -> Result<MountPlace, MountsError> {
        let at = match wanted {
            WantedPlace::Web if past => return Err(MountsError::PastOverWeb),
            WantedPlace::Web => {
                let secret = web::secret().map_err(MountsError::NoSecret)?;
                return Ok(MountPlace::Web { secret });
            }
            WantedPlace::Usual => place::usual(&space.name(), &space.address())?,
            WantedPlace::Folder(at) => at,
        };
        self.refuse_inside(&at)?;
        Ok(MountPlace::Folder { at, made: false })
    }

    /// A mount inside another would go with it, and the folder for it would become part of that space.
    fn refuse_inside(&self, at: &Path) -> Result<(), MountsError> {
        let kept = lock(&self.kept);
        let mut folders = kept.values().filter_map(|kept| kept.live()?.folder());
        match folders.find(|folder| at.starts_with(folder) && at != *folder) {
            Some(folder) => Err(MountsError::Inside(at.to_owned(), folder.to_owned())),
            None => Ok(()),
        }
    }

    fn start(&self, space: &Space, entry: MountEntry) -> Result<Kept, MountsError> {
        let (live, entry) = Live::start(space, entry, self.disk.clone())?;
        Ok(Kept::new(space, entry, State::Up(live)))
    }

    fn tell(&self, address: Address, now: Option<Shown>) {
        let _ = self.events.send(MountEvent { address, now }); // nobody may be listening
    }
}

impl Kept {
    fn new(space: &Space, entry: MountEntry, state: State) -> Self {
        let prefix = match &entry.place {
            MountPlace::Web { secret } => Some(web::prefix(secret, space)),
            MountPlace::Folder { .. } => None,
        };
        Self {
            entry,
            prefix,
            state,
        }
    }

    fn shown(&self) -> Shown {
        let problem = match &self.state {
            State::Up(_) => None,
            State::Failed(reason) => Some(reason.clone()),
        };
        Shown {
            entry: self.entry.clone(),
            prefix: self.prefix.clone(),
            problem,
        }
    }

    fn live(&self) -> Option<&Live> {
        match &self.state {
            State::Up(live) => Some(live),
            State::Failed(_) => None,
        }
    }

    /// True when programs still have something open.
    fn stop(self) -> Result<bool, MountsError> {
        match self.state {
            State::Up(live) => live.stop(&self.entry),
            State::Failed(_) => Ok(false),
        }
    }
}

/// Every value behind these locks is whole after each statement, so a panic elsewhere spoils none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
