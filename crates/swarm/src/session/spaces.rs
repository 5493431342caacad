//! The spaces this device takes part in: joined, looked up by sessions, left.

use super::event::Observer;
use super::link::Link;
use super::lock;
use super::space::{self, Incoming, Input};
use crate::protocol::{Limits, PeerId, Replication, Role, Weight};
use crate::transport::Transport;
use crate::wire::feed::Data;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_keys::access::{AccessSecret, Address};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Control messages that may wait for a space; a connection waits when there are more.
const INPUTS: usize = 64;
/// Answers that may wait for a space; their bytes are bounded elsewhere.
const ANSWERS: usize = 256;
/// Changes a session may be behind before it looks at all spaces again.
const CHANGES: usize = 256;

/// One joined space: the door to its task.
pub struct Space {
    pub(super) address: Address,
    pub(super) role: Role,
    pub(super) secret: AccessSecret,
    pub(super) set: Arc<FeedSet>,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) answers: mpsc::Sender<Answer>,
    pub(super) left: CancellationToken,
    /// Longest lengths that peers claim, where they are ahead.
    pub(super) claims: Mutex<HashMap<FeedKey, u64>>,
    /// Something was left out because of the quota.
    pub(super) over_quota: AtomicBool,
    limits: watch::Sender<Limits>,
}

/// Blocks from a bulk stream.
pub(super) struct Answer {
    pub peer: PeerId,
    pub slot: u64,
    pub data: Data,
    pub weight: Weight,
}

/// A space came or went.
#[derive(Clone)]
pub(super) enum Change {
    Joined(Arc<Space>),
    Left(Address),
}

/// What every space's task needs.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub transport: Arc<dyn Transport>,
    pub observer: Arc<dyn Observer>,
    pub limits: Limits,
    /// Where free space is measured for receipts.
    pub disk: Option<PathBuf>,
}

/// All joined spaces.
pub struct Spaces {
    joined: Mutex<BTreeMap<Address, Arc<Space>>>,
    changes: broadcast::Sender<Change>,
    around: Surroundings,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Spaces {
    /// None yet. Must be called on a tokio runtime, which runs the tasks of all spaces.
    pub fn new(
        transport: Arc<dyn Transport>,
        observer: Arc<dyn Observer>,
        limits: Limits,
        disk: Option<PathBuf>,
    ) -> Self {
        Self {
            joined: Mutex::default(),
            changes: broadcast::channel(CHANGES).0,
            around: Surroundings {
                transport,
                observer,
                limits,
                disk,
            },
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
        }
    }

    /// Takes part at an address, within a quota of its own if there is one. Joined twice with the same set and role:
    /// nothing changes.
    pub fn join(&self, address: Address, role: Role, set: Arc<FeedSet>, quota: Option<u64>) {
        let mut joined = lock(&self.joined);
        if let Some(before) = joined.get(&address) {
            if before.role == role && Arc::ptr_eq(&before.set, &set) {
                return;
            }
            before.left.cancel();
            self.changes.send(Change::Left(address)).ok(); // no session: nobody to tell
        }
        let (inputs, inbox) = mpsc::channel(INPUTS);
        let (answers, answered) = mpsc::channel(ANSWERS);
        let space = Arc::new(Space {
            address,
            role,
            secret: address.access_secret(),
            set: set.clone(),
            inputs,
            answers,
            left: CancellationToken::new(),
            claims: Mutex::default(),
            over_quota: AtomicBool::new(false),
            limits: watch::Sender::new(self.limits(quota)),
        });
        let limits = space.limits.subscribe();
        joined.insert(address, space.clone());
        let events = set.subscribe();
        let around = self.around.clone();
        let door = space.clone();
        let task = async move {
            let now = *limits.borrow();
            // Reads certificates and heads: not for a thread that others wait for.
            let begin = move || Replication::new(address, set, now);
            let Ok(replication) = tokio::task::spawn_blocking(begin).await else {
                return; // the runtime is shutting down
            };
            let incoming = Incoming {
                events,
                inputs: inbox,
                answers: answered,
                limits,
            };
            space::run(door, replication, incoming, around).await;
        };
        self.tasks.spawn_on(task, &self.runtime);
        self.changes.send(Change::Joined(space)).ok();
    }

    fn limits(&self, quota: Option<u64>) -> Limits {
        let both = [quota, self.around.limits.quota];
        Limits {
            quota: both.into_iter().flatten().min(),
        }
    }

    /// Changes the quota of one address.
    pub fn limit(&self, address: &Address, quota: Option<u64>) {
        if let Some(space) = lock(&self.joined).get(address) {
            space.limits.send_replace(self.limits(quota));
        }
    }

    /// Was something left out at an address because of the quota?
    pub fn is_over_quota(&self, address: &Address) -> bool {
        let joined = lock(&self.joined);
        let space = joined.get(address);
        space.is_some_and(|space| space.over_quota.load(Ordering::Relaxed))
    }

    /// Bytes left on the disk, if it is known where that is.
    pub fn free(&self) -> Option<u64> {
        let disk = self.around.disk.clone()?;
        Some(space::free_space(Some(disk)))
    }

    /// Takes no part any more.
    pub fn leave(&self, address: &Address) {
        if let Some(space) = lock(&self.joined).remove(address) {
            space.left.cancel();
            self.changes.send(Change::Left(*address)).ok();
        }
    }

    /// Leaves all.
    pub fn leave_all(&self) {
        let all: Vec<_> = lock(&self.joined).keys().copied().collect();
        for address in all {
            self.leave(&address);
        }
    }

    /// Waits for the tasks of left spaces; after [`Spaces::leave_all`].
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Addresses and their secrets, for recognising others.
    pub fn secrets(&self) -> Vec<(Address, AccessSecret)> {
        let joined = lock(&self.joined);
        joined
            .iter()
            .map(|(address, space)| (*address, space.secret.clone()))
            .collect()
    }

    /// The set of feeds at an address, and the lengths that peers claim.
    pub fn state(&self, address: &Address) -> Option<(Arc<FeedSet>, HashMap<FeedKey, u64>)> {
        let space = lock(&self.joined).get(address).cloned()?;
        let claims = lock(&space.claims).clone();
        Some((space.set.clone(), claims))
    }

    /// Does this hold for every joined address?
    pub fn are_all(&self, holds: impl Fn(&Address) -> bool) -> bool {
        lock(&self.joined).keys().all(holds)
    }

    /// Is this address joined?
    pub fn contains(&self, address: &Address) -> bool {
        lock(&self.joined).contains_key(address)
    }

    pub(super) fn all(&self) -> Vec<Arc<Space>> {
        lock(&self.joined).values().cloned().collect()
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    pub(super) fn observer(&self) -> &Arc<dyn Observer> {
        &self.around.observer
    }
}

impl Space {
    /// A message for the space's task; false when the space was left.
    pub(super) async fn input(&self, input: Input) -> bool {
        self.inputs.send(input).await.is_ok()
    }
}

/// A peer that has proven itself in a space, for [`Input::Connect`].
pub(super) struct Proven {
    pub peer: PeerId,
    pub link: Arc<Link>,
    /// Our number for the space in that connection.
    pub channel: u64,
    pub role: Role,
}
