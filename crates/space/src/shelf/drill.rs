//! The rehearsal: a space is begun again in a temporary place with nothing but its paper key, files are fetched from one
//! replicator alone and compared, bit by bit, with those here; then all of that is deleted.
//!
//! It reads only, so that nothing of it is left in the space: no feeds, no name. Its identity and device live as long as it
//! does, in memory; on disk are ciphertext and rows sealed under a key that is gone afterwards. `compare` is one file after the other.

mod compare;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cobox_drive::drive::{Drive, DriveError};
use cobox_drive::path::DrivePath;
use cobox_drive::record::Kind;
use cobox_drive::tree::Entry;
use cobox_feed::store::{Options as StoreOptions, Store};
use cobox_keys::access::EncryptionKey;
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::{Identity, PublicKey};
use cobox_keys::invite::Grant;
use cobox_swarm::swarm::{Options as SwarmOptions, Role, Swarm};
use cobox_swarm::transport::Hint;

use super::Shelf;
use crate::error::SpaceError;
use crate::home::{Device, SpaceEntry};
use crate::log::now_ms;
use crate::log::types::SpaceDrill;
use crate::space::{Ground, NameBook, Space};
use compare::{Comparison, Outcome};

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is rehearsed.
pub struct DrillPlan {
    /// as it stands on paper
    pub key: EncryptionKey,
    /// the replicator from which alone everything comes
    pub from: Hint,
    /// so many files, picked at random; none = all
    pub sample: Option<usize>,
    /// how long the replicator may take to answer, and to send anything more
    pub patience: Duration,
}

impl DrillPlan {
    /// Patience that is enough for a small device over a slow line.
    pub const PATIENCE: Duration = Duration::from_secs(30);
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrillProgress {
    /// files compared
    pub files: u64,
    /// their bytes
    pub bytes: u64,
    /// files to compare; 0 as long as that is not known
    pub total_files: u64,
    /// their bytes
    pub total_bytes: u64,
}

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrillReport {
    /// files that came back, equal bit by bit
    pub files: u64,
    /// their bytes
    pub bytes: u64,
    /// files that did not, by path, with the reason in words
    pub problems: Vec<(Vec<u8>, String)>,
}

impl Shelf {
    /// Rehearses. If all files came back equal, that is told in the space, for its health to show.
    ///
    /// # Errors
    ///
    /// `Drill` if the key does not fit or the replicator is not reached; `Drive(Cancelled)` if `cancel` is set; or the
    /// store's. Nothing is changed then.
    pub fn drill(
        &self,
        space: &Space,
        plan: &DrillPlan,
        tell: &mut dyn FnMut(DrillProgress),
        cancel: &AtomicBool,
    ) -> Result<DrillReport, SpaceError> {
        if space.waits() {
            return Err(SpaceError::Drill("nothing of this space has come back yet"));
        }
        let stage = self.0.runtime.block_on(Stage::open(self, space, plan))?;
        let outcome = stage.perform(space, plan, tell, cancel);
        self.0.runtime.block_on(stage.close());
        let report = outcome?;
        if report.problems.is_empty() && report.files > 0 && space.writable() {
            space.log().tell(&SpaceDrill {
                device: plan.from.device,
                time_ms: now_ms(),
                files: report.files,
                bytes: report.bytes,
                all: plan.sample.is_none(),
            })?;
        }
        Ok(report)
    }

    /// Takes away what a rehearsal left that was cut short.
    pub(super) fn sweep_drills(home: &Path) {
        let _ = fs::remove_dir_all(drills(home)); // there is none, mostly
    }
}

fn drills(home: &Path) -> PathBuf {
    home.join("drills")
}

/// A temporary place with the space in it.
struct Stage {
    dir: PathBuf,
    store: Store,
    swarm: Swarm,
    space: Space,
}

impl Stage {
    async fn open(shelf: &Shelf, of: &Space, plan: &DrillPlan) -> Result<Self, SpaceError> {
        let device = Device::generate(None);
        let pair = device.parent.device_key();
        let device_key = pair.public();
        let dir = drills(shelf.0.home.dir()).join(&device_key.to_string()[..16]);
        let transport = (shelf.0.transport)(pair, None).await?;
        let mut network = SwarmOptions::default();
        network.only = Some(plan.from.device); // it will tell of others that have the space
        let swarm = Swarm::start(transport, network).await;
        let ground = Ground {
            identity: Mutex::new(Arc::new(Identity::generate())),
            device: Mutex::new(Arc::new(device)),
            device_key,
            swarm: swarm.clone(),
            names: Arc::new(NameBook::default()),
        };
        let entry = SpaceEntry::new("drill".to_owned(), Grant::Read(plan.key.read_key()));
        let (address, place) = (of.address(), dir.clone());
        let opened = super::start::blocking(move || {
            crate::home::private_dir(&place)?;
            let store = Store::open(&place.join("store"), StoreOptions::default())?;
            let set = store.set(address.0)?;
            let views = place.join("views.redb");
            let space = Space::open(&ground, address, &entry, set, &views, "drill")?;
            Ok((store, space))
        });
        match opened.await {
            Ok((store, space)) => Ok(Self {
                dir,
                store,
                swarm,
                space,
            }),
            Err(error) => {
                swarm.stop().await;
                let _ = fs::remove_dir_all(&dir);
                Err(error)
            }
        }
    }

    fn perform(
        &self,
        ours: &Space,
        plan: &DrillPlan,
        tell: &mut dyn FnMut(DrillProgress),
        cancel: &AtomicBool,
    ) -> Result<DrillReport, SpaceError> {
        self.begin(plan);
        self.reach(plan, tell, cancel)?;
        let mut stop = || {
            tell(DrillProgress::default());
            self.skip(plan);
            cancel.load(Ordering::Relaxed)
        };
        let late = self.space.await_tree(&mut stop);
        let mut files = Vec::new();
        walk(ours.drive(), &DrivePath::default(), &mut files)?;
        if let Some(sample) = plan.sample {
            pick(&mut files, sample);
        }
        let mut now = DrillProgress {
            total_files: files.len() as u64,
            total_bytes: files.iter().map(|(_, entry)| entry.content.size).sum(),
            ..DrillProgress::default()
        };
        let mut report = DrillReport::default();
        let (here, there) = (ours.drive(), self.space.drive());
        let mut comparison = Comparison::new(here, there, plan.patience, late, cancel);
        for (path, entry) in files {
            tell(now);
            report.note(&path, &entry, comparison.outcome(&path, &entry)?);
            now.files += 1;
            now.bytes += entry.content.size;
        }
        tell(now);
        self.alone(plan.from.device)?;
        Ok(report)
    }

    fn begin(&self, plan: &DrillPlan) {
        let (address, set) = (self.space.address(), Arc::clone(self.space.set()));
        self.skip(plan);
        self.swarm.join(address, Role::Member, set);
        self.swarm.introduce(address, plan.from.clone());
    }

    /// Of a sample, only what is read is fetched.
    fn skip(&self, plan: &DrillPlan) {
        if plan.sample.is_none() {
            return;
        }
        for feed in self.space.set().feeds() {
            let is_new = self.space.set().skipped(&feed.key()).is_empty();
            if is_new && feed.kind() == FeedKind::Content as u8 {
                self.space.set().skip(feed.key(), 0..u64::MAX);
            }
        }
    }

    /// Waits for the certificates, by which the key on the paper is proven, and for what is signed under them.
    fn reach(
        &self,
        plan: &DrillPlan,
        tell: &mut dyn FnMut(DrillProgress),
        cancel: &AtomicBool,
    ) -> Result<(), SpaceError> {
        let begun = Instant::now();
        while begun.elapsed() < plan.patience {
            tell(DrillProgress::default());
            self.skip(plan);
            if cancel.load(Ordering::Relaxed) {
                return Err(DriveError::Cancelled.into());
            }
            let writer = self.space.current_writer();
            if writer.is_some_and(|writer| writer != plan.key.writer_pair().public()) {
                return Err(SpaceError::Drill(
                    "the key on the paper is not the one that this space has now: print a new one",
                ));
            }
            let has_heads = self
                .space
                .set()
                .feeds()
                .iter()
                .any(|feed| feed.length() > 0);
            if writer.is_some() && has_heads {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(SpaceError::Drill(
            "the replicator was not reached, or has nothing of this space; nothing is known to be wrong with its copy",
        ))
    }

    /// Nobody else may have helped.
    fn alone(&self, from: PublicKey) -> Result<(), SpaceError> {
        let peers = self.swarm.peers();
        let mut connected = peers.iter().filter(|peer| peer.connected);
        match connected.all(|peer| peer.device == from) {
            true => Ok(()),
            false => Err(SpaceError::Drill(
                "another device took part, so that nothing is proven: do it again",
            )),
        }
    }

    async fn close(self) {
        self.swarm.stop().await;
        let Self {
            dir, store, space, ..
        } = self;
        let closed = super::start::blocking(move || {
            space.stop()?;
            drop(space);
            store.close()?;
            drop(store);
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::debug!(%error, "a rehearsal could not be closed in order");
        }
        if let Err(error) = fs::remove_dir_all(&dir) {
            tracing::warn!(%error, "what a rehearsal fetched is deleted at the next start");
        }
    }
}

impl DrillReport {
    fn note(&mut self, path: &DrivePath, entry: &Entry, outcome: Outcome) {
        match outcome {
            Ok(()) => {
                self.files += 1;
                self.bytes += entry.content.size;
            }
            Err(reason) => self.problems.push((path.to_bytes(), reason)),
        }
    }
}

/// All files below a folder.
fn walk(
    drive: &Drive,
    folder: &DrivePath,
    files: &mut Vec<(DrivePath, Entry)>,
) -> Result<(), DriveError> {
    for entry in drive.list(folder)? {
        let path = folder.join(entry.name.clone());
        match entry.kind {
            Kind::File => files.push((path, entry)),
            Kind::Folder => walk(drive, &path, files)?,
            Kind::Symlink => {}
        }
    }
    Ok(())
}

/// Keeps so many, picked at random; a smaller list is kept as it is.
fn pick<T>(items: &mut Vec<T>, count: usize) {
    for at in 0..count.min(items.len()) {
        let other = at + below(items.len() - at);
        items.swap(at, other);
    }
    items.truncate(count);
}

/// A random number below `bound`, from the source that keys come from.
fn below(bound: usize) -> usize {
    let random = cobox_keys::derive::Incarnation::generate().0;
    let (number, _) = random.split_at(8);
    let number = number
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    usize::try_from(number % bound.max(1) as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::pick;
    use std::collections::BTreeSet;

    #[test]
    fn a_sample_has_no_file_twice_and_another_one_each_time() {
        let sample = |count| {
            let mut items: Vec<_> = (0..100).collect();
            pick(&mut items, count);
            items
        };
        let one = sample(30);
        assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), 30);
        assert_ne!(one, sample(30), "once in more than 10^50 times");
        assert_eq!(sample(500).len(), 100);
        assert!(sample(0).is_empty());
    }
}
