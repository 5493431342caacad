//! Requests that wait to be answered from disk: urgent ones first, then metadata and log, then content;
//! within each, spaces take turns, then feeds.

use super::lock;
use crate::protocol::{PeerId, Serve};
use cobox_keys::derive::FeedKind;
use std::collections::{HashMap, VecDeque};
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
    /// What waits, by space and id: its class and slot.
    ids: HashMap<PeerId, HashMap<u64, (usize, u64)>>,
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
        let (class, slot) = (class_of(&task.serve), task.serve.slot);
        let ids = waiting.ids.entry(task.serve.peer).or_default();
        if ids.len() >= MAX_WAITING || ids.contains_key(&task.serve.id) {
            return false;
        }
        ids.insert(task.serve.id, (class, slot));
        let feeds = waiting.classes[class].spaces.entry(task.serve.peer);
        feeds.entry(slot).push_back(task);
        drop(waiting);
        self.more.notify_one();
        true
    }

    /// Forgets a request, unless it is being answered.
    pub fn cancel(&self, peer: PeerId, id: u64) {
        let mut waiting = lock(&self.waiting);
        let Some((class, slot)) = waiting.ids.get_mut(&peer).and_then(|ids| ids.remove(&id)) else {
            return;
        };
        let feeds = waiting.classes[class].spaces.entry(peer);
        feeds.entry(slot).retain(|task| task.serve.id != id);
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
            let tasks = self.take();
            if !tasks.is_empty() {
                return tasks;
            }
            self.more.notified().await;
        }
    }

    /// The same without waiting: none, if there are none now.
    pub fn take(&self) -> Vec<Task> {
        let (tasks, more) = lock(&self.waiting).take();
        if more {
            self.more.notify_one(); // other streams can help
        }
        tasks
    }
}

impl Waiting {
    fn take(&mut self) -> (Vec<Task>, bool) {
        let mut taken = Vec::new();
        for class in &mut self.classes {
            while taken.is_empty() && !class.spaces.is_empty() {
                taken = class.take(); // none, where all were cancelled
            }
        }
        for Task { serve, .. } in &taken {
            self.forget_id(serve.peer, serve.id);
        }
        let more = self.classes.iter().any(|class| !class.spaces.is_empty());
        (taken, more)
    }

    fn forget_id(&mut self, peer: PeerId, id: u64) {
        let Some(ids) = self.ids.get_mut(&peer) else {
            return;
        };
        ids.remove(&id);
        if ids.is_empty() {
            self.ids.remove(&peer);
        }
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

fn class_of(serve: &Serve) -> usize {
    let head_only = serve.request.block.is_none();
    match (serve.urgent, serve.feed.kind()) {
        (true, _) => 0,
        (false, kind) if head_only || kind != FeedKind::Content as u8 => 1,
        (false, _) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cobox_feed::feed::Feed;
    use cobox_feed::manifest::FeedKey;
    use cobox_feed::store::{Options, Store};
    use cobox_feed::tree::Request;
    use std::sync::Arc;

    const ALICE: PeerId = PeerId(1);
    const BOB: PeerId = PeerId(2);

    fn feeds() -> (Arc<Feed>, Arc<Feed>, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path(), Options::default()).expect("a store");
        let set = store.set([1; 32]).expect("a set");
        let metadata = set.admit(FeedKey([1; 32]), FeedKind::Metadata as u8);
        let content = set.admit(FeedKey([2; 32]), FeedKind::Content as u8);
        (metadata, content, dir)
    }

    fn task(peer: PeerId, slot: u64, id: u64, feed: &Arc<Feed>, urgent: bool) -> Task {
        let request = Request {
            block: Some((id, 0)),
            ..Default::default()
        };
        let serve = Serve {
            peer,
            slot,
            id,
            urgent,
            feed: feed.clone(),
            request,
        };
        Task { channel: 1, serve }
    }

    /// Takes everything; tells whose turn each was, and for which slot.
    fn turns(queue: &ServeQueue) -> Vec<(PeerId, u64, usize)> {
        let mut turns = Vec::new();
        loop {
            let (tasks, _) = lock(&queue.waiting).take();
            let Some(first) = tasks.first() else {
                return turns;
            };
            turns.push((first.serve.peer, first.serve.slot, tasks.len()));
        }
    }

    #[test]
    fn urgent_then_metadata_then_content() {
        let (metadata, content, _dir) = feeds();
        let queue = ServeQueue::default();
        assert!(queue.push(task(ALICE, 2, 1, &content, false)));
        assert!(queue.push(task(ALICE, 1, 2, &metadata, false)));
        assert!(queue.push(task(ALICE, 2, 3, &content, true)));
        assert_eq!(turns(&queue), [(ALICE, 2, 1), (ALICE, 1, 1), (ALICE, 2, 1)]);
        assert!(lock(&queue.waiting).ids.is_empty());
    }

    #[test]
    fn spaces_take_turns_and_within_them_feeds() {
        let (_, content, _dir) = feeds();
        let queue = ServeQueue::default();
        for id in 0..TURN as u64 * 2 {
            queue.push(task(ALICE, 1, id, &content, false));
        }
        queue.push(task(ALICE, 2, 1000, &content, false));
        queue.push(task(BOB, 1, 1, &content, false));
        let order: Vec<_> = turns(&queue)
            .iter()
            .map(|(peer, slot, _)| (*peer, *slot))
            .collect();
        assert_eq!(order, [(ALICE, 1), (BOB, 1), (ALICE, 2), (ALICE, 1)]);
    }

    #[test]
    fn what_is_cancelled_or_left_is_not_served() {
        let (_, content, _dir) = feeds();
        let queue = ServeQueue::default();
        for id in 0..4 {
            queue.push(task(ALICE, 1, id, &content, false));
            queue.push(task(BOB, 1, id, &content, false));
        }
        queue.cancel(ALICE, 2);
        queue.cancel(ALICE, 77);
        queue.forget(BOB);
        assert_eq!(turns(&queue), [(ALICE, 1, 3)]);
    }

    #[test]
    fn too_many_and_twice_the_same_are_refused() {
        let (_, content, _dir) = feeds();
        let queue = ServeQueue::default();
        for id in 0..MAX_WAITING as u64 {
            assert!(queue.push(task(ALICE, 1, id, &content, false)));
        }
        assert!(!queue.push(task(ALICE, 1, 1 << 40, &content, false)));
        assert!(queue.push(task(BOB, 1, 5, &content, false)));
        assert!(!queue.push(task(BOB, 1, 5, &content, false)));
    }
}
