//! The life of one connection: control stream, hello, offers, and every frame to where it belongs.

use super::bulk::{self, Route, Routes};
use super::control::{TaskEnd, open_control, read_frames, write_frames};
use super::event::SwarmEvent;
use super::link::Link;
use super::lock;
use super::offers::{Binding, EXPORTER, Offers, Proof};
use super::space::Input;
use super::spaces::{Change, Proven, Space, Spaces};
use crate::protocol::{PeerId, Role};
use crate::transport::{Hint, MAX_ADDRESSES, Transport, TransportError};
use crate::wire::frame::{self, Frame};
use crate::wire::session::{Elsewhere, Hello, Leave, Offer, Prove, Refuse, Run, VERSION};
use crate::wire::{MAX_TAGS, Message};
use cobox_feed::codec::{DecodeError, Reader};
use cobox_keys::access::Address;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::task::JoinSet;

/// A connection that does not begin is closed after this.
const SILENT: Duration = Duration::from_secs(10);
/// A connection without a space in common is closed after this.
const LONELY: Duration = Duration::from_secs(3);
/// Frames read ahead of the session.
const READ_AHEAD: usize = 16;
/// Offers one peer may make in a connection.
const MAX_OFFERS: usize = 1 << 20;

static NEXT_PEER: AtomicU64 = AtomicU64::new(1);

/// What every connection needs.
#[derive(Clone)]
pub struct Context {
    /// our side of the network
    pub transport: Arc<dyn Transport>,
    /// what may be shared
    pub spaces: Arc<Spaces>,
    /// bytes of received blocks that may wait to be stored, one permit each
    pub memory: Arc<Semaphore>,
    /// which run of the program this is
    pub run: Run,
}

/// Why a connection ended that did not end by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("a message could not be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("the peer speaks version {0} of the protocol")]
    OtherVersion(u64),
    #[error("the peer said nothing")]
    Silent,
    #[error("no space in common")]
    NothingShared,
    #[error("too many offers")]
    TooManyOffers,
    #[error("closed")]
    Closed,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// in words
    pub reason: String,
    /// at least one space was shared
    pub shared: bool,
}

/// Runs a connection to its end.
pub async fn run(link: Arc<Link>, context: Context) -> Outcome {
    let mut shared = false;
    let ended = live(&link, context, &mut shared).await;
    let reason = match ended {
        Err(Ended::Closed) | Ok(()) => "closed".to_owned(),
        Err(ended) => ended.to_string(),
    };
    link.close(&reason);
    tracing::debug!(device = %link.device(), reason, "connection ended");
    Outcome { reason, shared }
}

async fn live(link: &Arc<Link>, context: Context, shared: &mut bool) -> Result<(), Ended> {
    let streams = open_control(link);
    let (send, receive) = within(SILENT, streams).await??;
    let mut session = Session::new(link.clone(), context)?;
    let mut tasks = JoinSet::new();
    let (frames, mut incoming) = mpsc::channel(READ_AHEAD);
    tasks.spawn(write_frames(send, link.clone()));
    tasks.spawn(read_frames(receive, frames));
    let ended = session.run(&mut incoming, &mut tasks).await;
    *shared = session.ever_shared;
    session.end().await;
    ended
}

async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Ended> {
    tokio::time::timeout(limit, future)
        .await
        .map_err(|_| Ended::Silent)
}

struct Session {
    link: Arc<Link>,
    context: Context,
    changes: broadcast::Receiver<Change>,
    offers: Offers,
    greeted: bool,
    offers_heard: usize,
    /// Spaces that were offered or are recognised.
    known: HashSet<Address>,
    routes: Routes,
    /// The peer's numbers, by space.
    shared: HashMap<Address, u64>,
    ever_shared: bool,
}

impl Session {
    fn new(link: Arc<Link>, context: Context) -> Result<Self, Ended> {
        let binding = Binding {
            exporter: link.connection().exporter(EXPORTER)?,
            ours: context.transport.device(),
            theirs: link.device(),
            dialled: link.dialled(),
        };
        Ok(Self {
            changes: context.spaces.changes(),
            offers: Offers::new(binding),
            greeted: false,
            offers_heard: 0,
            known: HashSet::new(),
            routes: Routes::default(),
            shared: HashMap::new(),
            ever_shared: false,
            link,
            context,
        })
    }

    async fn run(
        &mut self,
        incoming: &mut mpsc::Receiver<Vec<u8>>,
        tasks: &mut JoinSet<TaskEnd>,
    ) -> Result<(), Ended> {
        let mut lonely = tokio::time::interval_at(tokio::time::Instant::now() + LONELY, LONELY);
        self.greet();
        loop {
            tokio::select! {
                frame = incoming.recv() => match frame {
                    Some(frame) => self.on_frame(&frame, tasks).await?,
                    None => return self.reader_ended(tasks).await,
                },
                change = self.changes.recv() => self.on_change(change).await,
                Some(ended) = tasks.join_next() => if let Ok(ended) = ended { ended? },
                () = self.link.closing() => return Err(Ended::Closed),
                _ = lonely.tick() => self.is_company()?,
            }
        }
    }

    async fn reader_ended(&self, tasks: &mut JoinSet<TaskEnd>) -> Result<(), Ended> {
        while let Some(ended) = tasks.try_join_next() {
            if let Ok(ended) = ended {
                ended?;
            }
        }
        Err(Ended::Closed)
    }

    fn is_company(&self) -> Result<(), Ended> {
        match (self.greeted, self.shared.is_empty()) {
            (false, _) => Err(Ended::Silent),
            (true, true) => Err(Ended::NothingShared),
            (true, false) => Ok(()),
        }
    }

    fn greet(&mut self) {
        let hello = Hello {
            version: VERSION,
            capabilities: 0,
            addresses: self.context.transport.hint().addresses,
            run: self.context.run,
        };
        self.link.send(&frame::session(&hello));
        let spaces = self.context.spaces.all();
        // The dialler offers; the other side recognises. Both offer what they join later.
        self.get_to_know(spaces, self.link.dialled());
    }

    fn get_to_know(&mut self, spaces: Vec<Arc<Space>>, offering: bool) {
        let mut tags = Vec::new();
        for space in spaces {
            if !self.known.insert(space.address) {
                continue;
            }
            self.offers.expect(&space);
            if offering {
                tags.push(self.offers.offer(&space));
            }
        }
        for tags in tags.chunks(MAX_TAGS) {
            let tags = tags.to_vec();
            self.link.send(&frame::session(&Offer { tags }));
        }
    }

    async fn on_change(&mut self, change: Result<Change, RecvError>) {
        match change {
            Ok(Change::Joined(space)) => self.get_to_know(vec![space], true),
            Ok(Change::Left(address)) => self.leave(&address).await,
            Err(RecvError::Lagged(_)) => self.look_again().await,
            Err(RecvError::Closed) => {}
        }
    }

    /// Changes were missed: compares all spaces.
    async fn look_again(&mut self) {
        let now = self.context.spaces.all();
        let joined: HashSet<_> = now.iter().map(|space| space.address).collect();
        let left: Vec<_> = self.known.difference(&joined).copied().collect();
        for address in left {
            self.leave(&address).await;
        }
        self.get_to_know(now, true);
    }

    async fn leave(&mut self, address: &Address) {
        self.known.remove(address);
        let number = self.offers.forget(address);
        if let (Some(channel), true) = (number, self.shared.contains_key(address)) {
            self.link.send(&frame::session(&Leave { channel }));
        }
        self.part(address).await;
    }

    /// The space is not spoken about any more in this connection.
    async fn part(&mut self, address: &Address) {
        let Some(channel) = self.shared.remove(address) else {
            return;
        };
        self.link.unshare(address);
        let route = lock(&self.routes).remove(&channel);
        if let Some(Route { peer, space }) = route {
            self.link.serve.forget(peer);
            space.input(Input::Disconnect { peer }).await;
        }
    }

    async fn on_frame(&mut self, bytes: &[u8], tasks: &mut JoinSet<TaskEnd>) -> Result<(), Ended> {
        let Frame {
            place,
            kind,
            payload,
        } = frame::open(bytes)?;
        if place.channel == frame::SESSION {
            return self
                .on_message(kind, &mut Reader::new(payload), tasks)
                .await;
        }
        let route = lock(&self.routes).get(&place.channel).cloned();
        let Some(Route { peer, space }) = route else {
            return Ok(()); // a space that was left meanwhile, or never proven
        };
        let input = Input::Message {
            peer,
            slot: place.slot,
            kind,
            payload: payload.to_vec(),
        };
        tokio::select! {
            _ = space.input(input) => Ok(()),
            () = self.link.closing() => Err(Ended::Closed),
        }
    }

    async fn on_message(
        &mut self,
        kind: u64,
        reader: &mut Reader<'_>,
        tasks: &mut JoinSet<TaskEnd>,
    ) -> Result<(), Ended> {
        match kind {
            Hello::KIND => self.on_hello(Hello::decode(reader)?, tasks)?,
            _ if !self.greeted => return Err(Ended::Silent),
            Offer::KIND => self.on_offer(&Offer::decode(reader)?)?,
            Prove::KIND => self.on_prove(&Prove::decode(reader)?).await,
            Refuse::KIND => self.on_refuse(&Refuse::decode(reader)?),
            Leave::KIND => self.on_leave(Leave::decode(reader)?).await,
            Elsewhere::KIND => {
                let Elsewhere { addresses } = Elsewhere::decode(reader)?;
                self.context.spaces.observer().elsewhere(addresses);
            }
            _ => {} // a newer peer's
        }
        Ok(())
    }

    fn on_hello(&mut self, hello: Hello, tasks: &mut JoinSet<TaskEnd>) -> Result<(), Ended> {
        if hello.version < VERSION {
            return Err(Ended::OtherVersion(hello.version));
        }
        if !self.greeted {
            self.start_bulk(tasks);
        }
        self.greeted = true;
        let device = self.link.device();
        self.tell_elsewhere(&hello);
        self.link.learn_hint(|hint| {
            let seen = hint.addresses.clone();
            *hint = Hint {
                device,
                addresses: hello.addresses,
            };
            hint.prefer(&seen);
        });
        Ok(())
    }

    /// The peer may have been started anew elsewhere, or its home may run twice: it can find out, we need not know.
    fn tell_elsewhere(&self, hello: &Hello) {
        let mut addresses = self.link.replaced();
        addresses.retain(|address| !hello.addresses.contains(address));
        addresses.truncate(MAX_ADDRESSES);
        if !addresses.is_empty() {
            self.link.send(&frame::session(&Elsewhere { addresses }));
        }
    }

    fn start_bulk(&self, tasks: &mut JoinSet<TaskEnd>) {
        for _ in 0..bulk::STREAMS {
            let link = self.link.clone();
            tasks.spawn(async move { Ok(bulk::send(link).await?) });
        }
        let (link, routes) = (self.link.clone(), self.routes.clone());
        let memory = self.context.memory.clone();
        tasks.spawn(async move { Ok(bulk::receive(link, routes, memory).await?) });
    }

    fn on_offer(&mut self, offer: &Offer) -> Result<(), Ended> {
        self.offers_heard += offer.tags.len();
        if self.offers_heard > MAX_OFFERS {
            return Err(Ended::TooManyOffers);
        }
        for prove in self.offers.answer(&offer.tags) {
            self.link.send(&frame::session(&prove));
        }
        Ok(())
    }

    async fn on_prove(&mut self, prove: &Prove) {
        match self.offers.check(prove) {
            Proof::Unknown => {}
            Proof::Wrong { address } => {
                self.link.send(&frame::session(&Refuse { tag: prove.tag }));
                let reason = "it could not prove that it knows the address".to_owned();
                self.tell_refused(address, reason);
            }
            Proof::Right { space, reply, role } => {
                if let Some(reply) = reply {
                    self.link.send(&frame::session(&reply));
                }
                self.share(space, prove.channel, role).await;
            }
        }
    }

    fn on_refuse(&mut self, refuse: &Refuse) {
        if let Some(address) = self.offers.refused(&refuse.tag) {
            let reason = "it did not believe that we know the address".to_owned();
            self.tell_refused(address, reason);
        }
    }

    fn tell_refused(&self, address: Address, reason: String) {
        let device = self.link.device();
        self.context.spaces.observer().tell(SwarmEvent::Refused {
            device,
            address,
            reason,
        });
    }

    /// Both sides have proven themselves.
    async fn share(&mut self, space: Arc<Space>, channel: u64, role: Role) {
        let free = channel != frame::SESSION && !lock(&self.routes).contains_key(&channel);
        if !free || self.shared.contains_key(&space.address) {
            return;
        }
        let peer = PeerId(NEXT_PEER.fetch_add(1, Ordering::Relaxed));
        self.shared.insert(space.address, channel);
        self.ever_shared = true;
        self.link.share(space.address, role);
        let route = Route {
            peer,
            space: space.clone(),
        };
        lock(&self.routes).insert(channel, route);
        let proven = Proven {
            peer,
            link: self.link.clone(),
            channel: self.offers.channel(&space.address),
            role,
        };
        space.input(Input::Connect(proven)).await;
    }

    async fn on_leave(&mut self, leave: Leave) {
        let route = lock(&self.routes).get(&leave.channel).cloned();
        let address = route.map(|route| route.space.address);
        if let Some(address) = address {
            self.offers.renumber(&address);
            self.part(&address).await;
        }
    }

    async fn end(mut self) {
        let shared: Vec<_> = self.shared.keys().copied().collect();
        for address in shared {
            self.part(&address).await;
        }
    }
}
