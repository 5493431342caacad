//! Requests that wait to be answered from disk: urgent ones first, then metadata and log, then content;
//! within each, spaces take turns, then feeds.

use super::lock;
use crate::protocol::{PeerId, Serve};
use cobox_keys::derive::FeedKind;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use tokio::sync::Notify;

/// Requests one space of one connection may have waiting.
const MAX_WAITING: usize = 4096;
/// Requests answered in one turn.
const TURN: usize = 16;

/// A request, and our number of its space.
pub(super) struct Task {
    pub channel: u64,
    pub serve: Serve,
}

/// The queue of one connection.
#[derive(Default)]
pub(super) struct ServeQueue {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    classes: [Class; 3],
    /// Ids that wait, by space; those taken away are cancelled.
    ids: HashMap<PeerId, HashSet<u64>>,
}

/// Spaces in turn, within each its feeds in turn, within each its requests in order.
#[derive(Default)]
struct Class {
    spaces: Turns<PeerId, Turns<u64, VecDeque<Task>>>,
}

/// Things with names, taken round and round.
struct Turns<K, V> {
    order: VecDeque<K>,
    by_name: HashMap<K, V>,
}

impl<K, V> Default for Turns<K, V> {
    fn default() -> Self {
        Self {
            order: VecDeque::new(),
            by_name: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq + std::hash::Hash, V: Default> Turns<K, V> {
    fn entry(&mut self, name: K) -> &mut V {
        let order = &mut self.order;
        self.by_name.entry(name).or_insert_with(|| {
            order.push_back(name);
            V::default()
        })
    }

    /// Lets the next one act; it goes to the back, or away when `act` says that it is empty.
    fn turn<T>(&mut self, act: impl FnOnce(&mut V) -> (T, bool)) -> Option<T> {
        let name = self.order.pop_front()?;
        let (result, empty) = act(self.by_name.get_mut(&name)?);
        if empty {
            self.by_name.remove(&name);
        } else {
            self.order.push_back(name);
        }
        Some(result)
    }

    fn remove(&mut self, name: &K) {
        if self.by_name.remove(name).is_some() {
            self.order.retain(|other| other != name);
        }
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl ServeQueue {
    /// Queues a request. False when there are too many, or its id is waiting already.
    pub fn push(&self, task: Task) -> bool {
        let mut waiting = lock(&self.waiting);
        let ids = waiting.ids.entry(task.serve.peer).or_default();
        if ids.len() >= MAX_WAITING || !ids.insert(task.serve.id) {
            return false;
        }
        let class = class_of(&task.serve);
        let feeds = waiting.classes[class].spaces.entry(task.serve.peer);
        feeds.entry(task.serve.slot).push_back(task);
        drop(waiting);
        self.more.notify_one();
        true
    }

    /// Forgets a request, unless it is being answered.
    pub fn cancel(&self, peer: PeerId, id: u64) {
        if let Some(ids) = lock(&self.waiting).ids.get_mut(&peer) {
            ids.remove(&id);
        }
    }

    /// Forgets everything of a space.
    pub fn forget(&self, peer: PeerId) {
        let mut waiting = lock(&self.waiting);
        waiting.ids.remove(&peer);
        for class in &mut waiting.classes {
            class.spaces.remove(&peer);
        }
    }

    /// Some requests of one feed; waits until there are any.
    pub async fn next(&self) -> Vec<Task> {
        loop {
            let (tasks, more) = lock(&self.waiting).take();
            if more {
                self.more.notify_one(); // other streams can help
            }
            if !tasks.is_empty() {
                return tasks;
            }
            self.more.notified().await;
        }
    }
}

impl Waiting {
    fn take(&mut self) -> (Vec<Task>, bool) {
        let mut taken = Vec::new();
        for class in &mut self.classes {
            while taken.is_empty() && !class.spaces.is_empty() {
                taken = class.take();
                let ids = &mut self.ids;
                taken.retain(|task| still_wanted(ids, task));
            }
        }
        let more = self.classes.iter().any(|class| !class.spaces.is_empty());
        (taken, more)
    }
}

impl Class {
    fn take(&mut self) -> Vec<Task> {
        let of_feed = |tasks: &mut VecDeque<Task>| {
            let taken: Vec<_> = tasks.drain(..TURN.min(tasks.len())).collect();
            (taken, tasks.is_empty())
        };
        let of_space = |feeds: &mut Turns<u64, VecDeque<Task>>| {
            let taken = feeds.turn(of_feed);
            (taken, feeds.is_empty())
        };
        self.spaces.turn(of_space).flatten().unwrap_or_default()
    }
}

fn still_wanted(ids: &mut HashMap<PeerId, HashSet<u64>>, task: &Task) -> bool {
    let Some(waiting) = ids.get_mut(&task.serve.peer) else {
        return false;
    };
    let wanted = waiting.remove(&task.serve.id);
    if waiting.is_empty() {
        ids.remove(&task.serve.peer);
    }
    wanted
}

fn class_of(serve: &Serve) -> usize {
    let head_only = serve.request.block.is_none();
    match (serve.urgent, serve.feed.kind()) {
        (true, _) => 0,
        (false, kind) if head_only || kind != FeedKind::Content as u8 => 1,
        (false, _) => 2,
    }
}
