//! The task of one space: feeds the state machine and does what it says.

use super::event::{Observer, SwarmEvent};
use super::link::Link;
use super::serve::Task;
use super::spaces::{Answer, Proven, Space, Surroundings};
use super::{lock, unix_ms};
use crate::protocol::{
    Action, Fact, Held, Job, Limits, PeerId, Receipt, Replication, Report, Role,
};
use crate::transport::Hint;
use crate::wire::Message;
use crate::wire::feed::{NoData, Reason};
use crate::wire::frame::{self, Place};
use crate::wire::space::{MAX_HINTS, SignedReceipt};
use bytes::Bytes;
use cobox_feed::set::{Event, FeedSet};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

/// Jobs under way: some are checked while those before them are written, and those before that synced together.
const MAX_JOBS: usize = 8;
/// Inputs taken before actions are looked at.
const BURST: usize = 64;
/// How far it is, is told no more often than this.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Requests beyond the queue's limit after which a peer is dropped.
const MAX_OVERFLOW: u32 = 64;

/// What a space's task is told.
pub(super) enum Input {
    /// A peer has proven itself.
    Connect(Proven),
    /// It left, or its connection ended.
    Disconnect { peer: PeerId },
    /// It sent a control message.
    Message {
        peer: PeerId,
        slot: u64,
        kind: u64,
        payload: Vec<u8>,
    },
    /// It sent blocks that cannot be read.
    Broken { peer: PeerId, reason: String },
}

struct Member {
    link: Arc<Link>,
    channel: u64,
    overflow: u32,
}

struct Driver {
    space: Arc<Space>,
    replication: Replication,
    peers: BTreeMap<PeerId, Member>,
    jobs: JoinSet<Option<Report>>,
    around: Surroundings,
    /// When to tell that it has got further.
    tell_at: Option<Instant>,
}

/// What a space's task listens to.
pub(super) struct Incoming {
    pub events: broadcast::Receiver<Event>,
    pub inputs: mpsc::Receiver<Input>,
    pub answers: mpsc::Receiver<Answer>,
    pub limits: watch::Receiver<Limits>,
}

/// Runs until the space is left.
pub(super) async fn run(
    space: Arc<Space>,
    replication: Replication,
    incoming: Incoming,
    around: Surroundings,
) {
    let Incoming {
        mut events,
        mut inputs,
        mut answers,
        mut limits,
    } = incoming;
    let mut driver = Driver {
        space: space.clone(),
        replication,
        peers: BTreeMap::new(),
        jobs: JoinSet::new(),
        around,
        tell_at: None,
    };
    loop {
        let deadline = driver.deadline();
        tokio::select! {
            biased;
            () = space.left.cancelled() => break,
            Some(done) = driver.jobs.join_next() => driver.on_done(done.ok().flatten()),
            // Its sender lives in the space that this task holds.
            Ok(()) = limits.changed() => {
                let limits = *limits.borrow_and_update();
                driver.replication.limit(limits, Instant::now());
            }
            event = events.recv() => if !driver.on_event(event) { break },
            Some(input) = inputs.recv() => {
                driver.on_input(input);
                for _ in 1..BURST {
                    let Ok(input) = inputs.try_recv() else { break };
                    driver.on_input(input);
                }
            }
            Some(answer) = answers.recv() => {
                driver.on_answer(answer);
                for _ in 1..BURST {
                    let Ok(answer) = answers.try_recv() else { break };
                    driver.on_answer(answer);
                }
            }
            () = sleep_until(deadline), if deadline.is_some() => {
                driver.replication.tick(Instant::now());
            }
        }
        driver.replication.look_for_work(Instant::now());
        driver.act();
        // Here, because while much comes in nobody gets to sleep.
        driver.tell_progress(Instant::now());
        driver.start_jobs();
    }
    driver.end();
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

impl Driver {
    /// When to look at the clock again.
    fn deadline(&self) -> Option<Instant> {
        let room = self.jobs.len() < MAX_JOBS;
        let gathered = self.replication.gathering_until().filter(|_| room);
        gathered
            .into_iter()
            .chain(self.replication.deadline())
            .chain(self.tell_at)
            .min()
    }

    /// False when the set is gone.
    fn on_event(&mut self, event: Result<Event, RecvError>) -> bool {
        self.has_moved();
        match event {
            Ok(event) => self.replication.event(event, Instant::now()),
            Err(RecvError::Lagged(_)) => self.replication.look_again(Instant::now()),
            Err(RecvError::Closed) => return false,
        }
        true
    }

    fn has_moved(&mut self) {
        self.tell_at
            .get_or_insert_with(|| Instant::now() + TELL_EVERY);
    }

    fn tell_progress(&mut self, now: Instant) {
        if self.tell_at.take_if(|at| *at <= now).is_some() {
            let address = self.space.address;
            self.observer().tell(SwarmEvent::Progress { address });
        }
    }

    fn on_input(&mut self, input: Input) {
        let now = Instant::now();
        match input {
            Input::Connect(proven) => self.on_connect(proven, now),
            Input::Disconnect { peer } => self.on_disconnect(peer),
            Input::Broken { peer, reason } => self.replication.drop_peer(peer, reason),
            Input::Message {
                peer,
                slot,
                kind,
                payload,
            } => self.replication.receive(peer, slot, kind, &payload, now),
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        let Answer {
            peer,
            slot,
            data,
            weight,
        } = answer;
        let now = Instant::now();
        self.replication.receive_data(peer, slot, data, weight, now);
    }

    fn on_connect(&mut self, proven: Proven, now: Instant) {
        let Proven {
            peer,
            link,
            channel,
            role,
        } = proven;
        let (device, hint) = (link.device(), link.hint());
        let address = self.space.address;
        self.replication.connect(peer, device, now);
        let others: Vec<Hint> = self.peers.values().map(|other| other.link.hint()).collect();
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for other in ids {
            self.replication.introduce(other, vec![hint.clone()]);
        }
        let newest = others.len().saturating_sub(MAX_HINTS);
        self.replication.introduce(peer, others[newest..].to_vec());
        let member = Member {
            link,
            channel,
            overflow: 0,
        };
        self.peers.insert(peer, member);
        self.observer().proven(address, hint, role);
        self.observer()
            .tell(SwarmEvent::Connected { device, address });
    }

    fn on_disconnect(&mut self, peer: PeerId) {
        self.act(); // what it did last is told under its name
        self.replication.disconnect(peer);
        if let Some(member) = self.peers.remove(&peer) {
            let (device, address) = (member.link.device(), self.space.address);
            self.observer()
                .tell(SwarmEvent::Disconnected { device, address });
        }
    }

    fn on_done(&mut self, report: Option<Report>) {
        if let Some(report) = report {
            self.replication.stored(report, Instant::now());
        }
    }

    fn gathers(&self, now: Instant) -> bool {
        let until = self.replication.gathering_until();
        until.is_some_and(|until| now < until)
    }

    fn start_jobs(&mut self) {
        let now = Instant::now();
        while self.jobs.len() < MAX_JOBS && !self.gathers(now) {
            let Some(job) = self.replication.next_job(now) else {
                return;
            };
            self.jobs
                .spawn(check_and_store(job, self.space.set.clone()));
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.replication.next_action() {
            match action {
                Action::Send {
                    peer,
                    slot,
                    kind,
                    payload,
                } => self.send(peer, slot, kind, &payload),
                Action::Serve(serve) => self.serve(serve),
                Action::Unserve { peer, request } => {
                    if let Some(member) = self.peers.get(&peer) {
                        member.link.serve.cancel(peer, request);
                    }
                }
                Action::Receipt {
                    peer,
                    summary,
                    complete,
                } => self.send_receipt(peer, summary, complete),
                Action::Drop { peer, reason } => {
                    if let Some(member) = self.peers.get(&peer) {
                        member.link.expel(&reason);
                    }
                }
                Action::Tell(fact) => self.tell(fact),
            }
        }
        let claims = self.replication.claims();
        let is_longer = {
            let mut before = lock(&self.space.claims);
            let is_longer = *before != claims;
            *before = claims;
            is_longer
        };
        let over = self.replication.is_over_quota();
        let was_over = self.space.over_quota.swap(over, Ordering::Relaxed);
        if is_longer || was_over != over {
            self.has_moved();
        }
    }

    fn send(&self, peer: PeerId, slot: u64, kind: u64, payload: &[u8]) {
        if let Some(member) = self.peers.get(&peer) {
            let channel = member.channel;
            let place = Place { channel, slot };
            member.link.send(&frame::control(place, kind, payload));
        }
    }

    fn serve(&mut self, serve: crate::protocol::Serve) {
        let Some(member) = self.peers.get_mut(&serve.peer) else {
            return;
        };
        let (peer, slot, request) = (serve.peer, serve.slot, serve.id);
        let channel = member.channel;
        if member.link.serve.push(Task { channel, serve }) {
            return;
        }
        member.overflow += 1;
        let overflow = member.overflow;
        let reason = Reason::Invalid;
        let payload = frame::payload(&NoData { request, reason });
        self.send(peer, slot, NoData::KIND, &payload);
        if overflow == MAX_OVERFLOW {
            self.replication
                .drop_peer(peer, "it asks for too much at once".into());
        }
    }

    /// Measuring free space and signing take a moment: done beside.
    fn send_receipt(&self, peer: PeerId, summary: [u8; 32], complete: bool) {
        let Some(member) = self.peers.get(&peer) else {
            return;
        };
        let (link, channel) = (member.link.clone(), member.channel);
        let (transport, disk) = (self.around.transport.clone(), self.around.disk.clone());
        let receipt = Receipt {
            address: self.space.address,
            device: transport.device(),
            replicator: self.space.role == Role::Replicator,
            summary,
            complete,
            time_ms: unix_ms(),
            free: 0,
            held: None,
            signed: Bytes::new(),
        };
        let set = self.space.set.clone();
        tokio::task::spawn_blocking(move || {
            let receipt = Receipt {
                free: free_space(disk),
                held: Some(Held::of(&set)),
                ..receipt
            };
            let bytes = receipt.sign(transport.key_pair());
            let place = Place {
                channel,
                slot: frame::SPACE,
            };
            let payload = frame::payload(&SignedReceipt { bytes });
            link.send(&frame::control(place, SignedReceipt::KIND, &payload));
        });
    }

    fn tell(&self, fact: Fact) {
        let address = self.space.address;
        let device_of = |peer| self.peers.get(&peer).map(|member| member.link.device());
        let event = match fact {
            Fact::Peers { hints } => return self.observer().heard_of(address, hints),
            Fact::Synced { peer } => device_of(peer).map(|device| SwarmEvent::Synced {
                device,
                address,
                time_ms: unix_ms(),
            }),
            Fact::Refused { peer, reason } => device_of(peer).map(|device| SwarmEvent::Refused {
                device,
                address,
                reason,
            }),
            Fact::Receipt(receipt) => Some(SwarmEvent::Receipt(receipt)),
            Fact::OwnFeedAhead { feed, length } => Some(SwarmEvent::OwnFeedAhead {
                address,
                feed,
                length,
            }),
            Fact::OwnFeedForked { feed } => Some(SwarmEvent::OwnFeedForked { address, feed }),
            Fact::StoreFailed { reason } => Some(SwarmEvent::StoreFailed { address, reason }),
        };
        if let Some(event) = event {
            self.observer().tell(event);
        }
    }

    fn observer(&self) -> &Arc<dyn Observer> {
        &self.around.observer
    }

    /// Left: peers are told by their sessions.
    fn end(self) {
        for member in self.peers.values() {
            let (device, address) = (member.link.device(), self.space.address);
            self.observer()
                .tell(SwarmEvent::Disconnected { device, address });
        }
    }
}

async fn check_and_store(job: Job, set: Arc<FeedSet>) -> Option<Report> {
    let checked = tokio::task::spawn_blocking(move || job.run(&set));
    let (report, pending) = checked.await.ok()?;
    match pending {
        Some(pending) => Some(report.with(pending.done().await)),
        None => Some(report),
    }
}

pub(super) fn free_space(disk: Option<PathBuf>) -> u64 {
    let stat = disk.and_then(|path| rustix::fs::statvfs(&path).ok());
    stat.map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}
