//! The state machine alone: no sockets, no tasks, a clock that is told. Messages of several peers arrive in
//! any order, connections break and come back, feeds grow; in the end everybody has everything, nobody
//! was refused anything, and nobody was asked twice for what he had given.

mod common;

use cobox_feed::feed::Feed;
use cobox_feed::set::{Event, FeedSet};
use cobox_feed::store::{Options as StoreOptions, Store};
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::PublicKey;
use cobox_swarm::protocol::{Action, Fact, Limits, PeerId, Replication, Serve, Weight};
use cobox_swarm::wire::feed::{Data, NoData, Reason};
use cobox_swarm::wire::{Message, frame};
use common::{TestSpace, append, assert_equal, own_feed};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

/// What is under way from one node to another. Control messages keep their order, blocks do not.
#[derive(Default)]
struct Line {
    control: VecDeque<(u64, u64, Vec<u8>)>,
    bulk: Vec<(u64, Data)>,
}

struct Node {
    set: Arc<FeedSet>,
    own: Arc<Feed>,
    replication: Replication,
    events: broadcast::Receiver<Event>,
    /// By our id of a connection: the other node, and its id.
    peers: BTreeMap<PeerId, (usize, PeerId)>,
    synced: BTreeSet<PeerId>,
    _store: (Store, tempfile::TempDir),
}

struct Simulation {
    runtime: Runtime,
    now: Instant,
    nodes: Vec<Node>,
    lines: BTreeMap<PeerId, Line>,
    next_id: u64,
    blocks_sent: u64,
    /// A node whose blocks never arrive.
    mute: Option<usize>,
    /// What it was asked for.
    unserved: VecDeque<Serve>,
}

impl Simulation {
    fn new(nodes: usize) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let space = TestSpace::new(1);
        let node = |n: usize| {
            let dir = tempfile::tempdir().expect("a folder");
            let store = Store::open(dir.path(), StoreOptions::default()).expect("a store");
            let set = store.set(space.address.0).expect("a set");
            let kind = FeedKind::ALL[n % 3];
            let own = runtime.block_on(own_feed(&set, &space, n as u8 + 1, kind));
            Node {
                own,
                events: set.subscribe(),
                replication: Replication::new(space.address, set.clone(), Limits::default()),
                set,
                peers: BTreeMap::new(),
                synced: BTreeSet::new(),
                _store: (store, dir),
            }
        };
        let nodes = (0..nodes).map(node).collect();
        Self {
            runtime,
            now: Instant::now(),
            nodes,
            lines: BTreeMap::new(),
            next_id: 1,
            blocks_sent: 0,
            mute: None,
            unserved: VecDeque::new(),
        }
    }

    fn id(&mut self) -> PeerId {
        self.next_id += 1;
        PeerId(self.next_id)
    }

    fn connect(&mut self, a: usize, b: usize) {
        let linked = self.nodes[a].peers.values().any(|(other, _)| *other == b);
        if a == b || linked {
            return;
        }
        let (at_a, at_b) = (self.id(), self.id());
        for (node, here, other, there) in [(a, at_a, b, at_b), (b, at_b, a, at_a)] {
            let now = self.now;
            self.nodes[node].peers.insert(here, (other, there));
            let device = PublicKey([other as u8; 32]);
            self.nodes[node].replication.connect(here, device, now);
            self.lines.insert(here, Line::default());
            self.settle(node);
        }
    }

    /// Breaks a connection: what is under way is lost.
    fn cut(&mut self, a: usize, nth: usize) {
        let ids: Vec<_> = self.nodes[a].peers.keys().copied().collect();
        let Some(id) = ids.get(nth % ids.len().max(1)).copied() else {
            return;
        };
        let Some((b, there)) = self.nodes[a].peers.get(&id).copied() else {
            return;
        };
        for (node, id) in [(a, id), (b, there)] {
            self.lines.remove(&id);
            self.nodes[node].peers.remove(&id);
            self.nodes[node].synced.remove(&id);
            self.nodes[node].replication.disconnect(id);
            self.settle(node);
        }
    }

    /// Events in, actions out.
    fn settle(&mut self, n: usize) {
        while let Ok(event) = self.nodes[n].events.try_recv() {
            self.nodes[n].replication.event(event, self.now);
        }
        self.nodes[n].replication.look_for_work(self.now);
        while let Some(action) = self.nodes[n].replication.next_action() {
            self.act(n, action);
        }
    }

    fn act(&mut self, n: usize, action: Action) {
        match action {
            Action::Send {
                peer,
                slot,
                kind,
                payload,
            } => {
                if let Some(line) = self.lines.get_mut(&peer) {
                    line.control.push_back((slot, kind, payload));
                }
            }
            Action::Serve(serve) => self.serve(n, serve),
            Action::Drop { reason, .. } => panic!("an honest peer was dropped: {reason}"),
            Action::Tell(Fact::Refused { reason, .. }) => panic!("refused: {reason}"),
            Action::Tell(Fact::Synced { peer }) => {
                self.nodes[n].synced.insert(peer);
            }
            _ => {}
        }
    }

    fn serve(&mut self, n: usize, serve: Serve) {
        if self.mute == Some(n) && serve.request.block.is_some() {
            return self.unserved.push_back(serve);
        }
        self.answer(serve);
    }

    fn answer(&mut self, serve: Serve) {
        let request = serve.id;
        let answer = serve.feed.prove(&serve.request).expect("read");
        let Some(line) = self.lines.get_mut(&serve.peer) else {
            return;
        };
        match answer {
            Some(proof) if proof.block.is_some() => {
                self.blocks_sent += 1;
                line.bulk.push((serve.slot, Data { request, proof }));
            }
            Some(proof) => {
                let payload = frame::payload(&Data { request, proof });
                line.control.push_back((serve.slot, Data::KIND, payload));
            }
            None => {
                let reason = Reason::NotAvailable;
                let payload = frame::payload(&NoData { request, reason });
                line.control.push_back((serve.slot, NoData::KIND, payload));
            }
        }
    }

    /// The `nth` line with something under way delivers it. False when there is none.
    fn deliver(&mut self, nth: usize) -> bool {
        let busy = self
            .lines
            .iter()
            .filter(|(_, l)| !l.control.is_empty() || !l.bulk.is_empty());
        let busy: Vec<_> = busy.map(|(id, _)| *id).collect();
        let Some(id) = busy.get(nth % busy.len().max(1)).copied() else {
            return false;
        };
        let from = self.nodes.iter().find(|node| node.peers.contains_key(&id));
        let (to, there) = *from
            .and_then(|node| node.peers.get(&id))
            .expect("both ends are there");
        let Some(line) = self.lines.get_mut(&id) else {
            return false;
        };
        let bulk_first = nth.is_multiple_of(3) || line.control.is_empty();
        if bulk_first && !line.bulk.is_empty() {
            let (slot, data) = line.bulk.swap_remove(nth % line.bulk.len());
            let weight = Weight::of(1000);
            let replication = &mut self.nodes[to].replication;
            replication.receive_data(there, slot, data, weight, self.now);
        } else if let Some((slot, kind, payload)) = line.control.pop_front() {
            let replication = &mut self.nodes[to].replication;
            replication.receive(there, slot, kind, &payload, self.now);
        }
        self.settle(to);
        true
    }

    /// A node checks and stores what has arrived.
    fn store(&mut self, n: usize) -> bool {
        let Some(job) = self.nodes[n].replication.next_job(self.now) else {
            return false;
        };
        let (report, pending) = job.run(&self.nodes[n].set);
        let stored = pending.map_or(Ok(()), |pending| pending.wait());
        self.nodes[n]
            .replication
            .stored(report.with(stored), self.now);
        self.settle(n);
        true
    }

    fn append(&mut self, n: usize, count: usize) {
        let (set, own) = (self.nodes[n].set.clone(), self.nodes[n].own.clone());
        self.runtime.block_on(append(&set, &own, count, 50));
        self.settle(n);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for n in 0..self.nodes.len() {
            if self.nodes[n]
                .replication
                .deadline()
                .is_some_and(|due| due <= self.now)
            {
                self.nodes[n].replication.tick(self.now);
                self.settle(n);
            }
        }
    }

    /// Lets everything happen that wants to.
    fn calm(&mut self) {
        let mut quiet = 0;
        for turn in 0.. {
            assert!(turn < 100_000, "never quiet");
            let delivered = self.deliver(turn);
            let stored = (0..self.nodes.len()).filter(|n| self.store(*n)).count();
            if delivered || stored > 0 {
                quiet = 0;
                continue;
            }
            quiet += 1;
            if quiet > 100 {
                return;
            }
            self.pass(Duration::from_millis(250));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize, usize),
    Connect(usize, usize),
    Cut(usize, usize),
    Deliver(usize),
    Store(usize),
    Pass(u64),
}

fn step(nodes: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..nodes, 1usize..6).prop_map(|(n, count)| Step::Append(n, count)),
        1 => (0..nodes, 0..nodes).prop_map(|(a, b)| Step::Connect(a, b)),
        1 => (0..nodes, 0usize..4).prop_map(|(n, nth)| Step::Cut(n, nth)),
        20 => any::<usize>().prop_map(Step::Deliver),
        5 => (0..nodes).prop_map(Step::Store),
        2 => (1u64..400).prop_map(Step::Pass),
    ]
}

fn run(nodes: usize, steps: Vec<Step>) {
    let mut simulation = Simulation::new(nodes);
    for n in 1..nodes {
        simulation.append(n, n);
        simulation.connect(n - 1, n);
    }
    for step in steps {
        match step {
            Step::Append(n, count) => simulation.append(n, count),
            Step::Connect(a, b) => simulation.connect(a, b),
            Step::Cut(n, nth) => simulation.cut(n, nth),
            Step::Deliver(nth) => drop(simulation.deliver(nth)),
            Step::Store(n) => drop(simulation.store(n)),
            Step::Pass(ms) => simulation.pass(Duration::from_millis(ms)),
        }
    }
    for n in 1..nodes {
        simulation.connect(n - 1, n); // a chain, whatever was cut
    }
    simulation.calm();
    for n in 1..nodes {
        assert_equal(&simulation.nodes[0].set, &simulation.nodes[n].set);
    }
    for node in &simulation.nodes {
        let peers: BTreeSet<_> = node.peers.keys().copied().collect();
        assert_eq!(node.synced, peers, "everybody knows that they are equal");
        assert_eq!(
            node.replication.deadline(),
            None,
            "nothing is awaited any more"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everybody_ends_up_with_everything(
        steps in proptest::collection::vec(step(3), 0..300),
    ) {
        run(3, steps);
    }
}

#[test]
fn nothing_is_sent_twice_on_a_quiet_line() {
    let mut simulation = Simulation::new(2);
    simulation.append(0, 40);
    simulation.append(1, 40);
    simulation.connect(0, 1);
    simulation.calm();
    assert_equal(&simulation.nodes[0].set, &simulation.nodes[1].set);
    assert_eq!(simulation.blocks_sent, 80);
}

/// Every commit costs a sync: a thousand small ones took a large part of the time of a large transfer.
#[test]
fn blocks_that_come_one_by_one_are_stored_together() {
    let mut simulation = Simulation::new(2);
    simulation.append(0, 40);
    simulation.connect(0, 1);
    let (mut jobs, mut quiet) = (0, 0);
    for turn in 0.. {
        let until = simulation.nodes[1].replication.gathering_until();
        let due = until.is_none_or(|until| until <= simulation.now);
        let stored = due && simulation.store(1);
        jobs += usize::from(stored);
        if stored || simulation.deliver(turn) {
            continue;
        }
        quiet += 1;
        if quiet == 20 {
            break;
        }
        simulation.pass(Duration::from_millis(250));
    }
    simulation.calm();
    assert_equal(&simulation.nodes[0].set, &simulation.nodes[1].set);
    assert!(jobs < 8, "{jobs} jobs for 40 blocks");
}

/// Two have the same, and the third has asked the one who answers nothing before it met the other.
fn asked_in_vain() -> Simulation {
    let mut simulation = Simulation::new(3);
    simulation.append(1, 40);
    simulation.connect(1, 2);
    simulation.calm();
    simulation.mute = Some(1);
    simulation.connect(0, 1);
    for turn in 0..200 {
        simulation.deliver(turn); // the silent one is asked first
    }
    simulation.connect(0, 2);
    simulation
}

#[test]
fn what_a_silent_peer_was_asked_for_is_asked_of_another() {
    let mut simulation = asked_in_vain();
    simulation.calm();
    assert_equal(&simulation.nodes[0].set, &simulation.nodes[2].set);
}

/// It is never silent, and yet would take hours over what another has at hand.
#[test]
fn what_a_peer_drips_block_by_block_is_asked_of_another() {
    let mut simulation = asked_in_vain();
    for round in 0..12 {
        if let Some(serve) = simulation.unserved.pop_front() {
            simulation.answer(serve);
        }
        for turn in 0..500 {
            simulation.deliver(turn + round);
            simulation.store(0);
        }
        for _ in 0..40 {
            simulation.pass(Duration::from_millis(250));
        }
    }
    assert_equal(&simulation.nodes[0].set, &simulation.nodes[2].set);
}

/// A line so slow that answers are minutes old is asked once for each block, as long as nobody else has them.
#[test]
fn what_only_a_slow_peer_has_is_not_asked_of_it_again_and_again() {
    let mut simulation = Simulation::new(2);
    simulation.append(1, 40);
    simulation.mute = Some(1);
    simulation.connect(0, 1);
    for turn in 0..200 {
        simulation.deliver(turn);
    }
    let mut most = 0;
    for round in 0..40 {
        if let Some(serve) = simulation.unserved.pop_front() {
            simulation.answer(serve);
        }
        for turn in 0..500 {
            simulation.deliver(turn + round);
            simulation.store(0);
        }
        // Once the head is here, all blocks are asked for; from then on they can only become fewer.
        if round < 3 {
            most = simulation.unserved.len();
        } else {
            assert!(simulation.unserved.len() < most, "round {round}");
            most = simulation.unserved.len().max(1);
        }
        for _ in 0..40 {
            simulation.pass(Duration::from_millis(250));
        }
    }
    assert_equal(&simulation.nodes[0].set, &simulation.nodes[1].set);
}
