//! What happens below, told upward: one task per space and one for the network and the house-keeping.
//!
//! Tasks hold the shelf weakly and end when their [`Following`] is dropped. What people say and do is
//! told in `people`, who they are in `roll`, how safe a space is in `copies`.

mod copies;
mod people;
mod roll;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use cobox_drive::tree::Changed;
use cobox_feed::manifest::FeedKey;
use cobox_feed::set::Event;
use cobox_keys::access::Address;
use cobox_swarm::swarm::SwarmEvent;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::Shelf;
use super::event::ShelfEvent;
use super::inner::{Begun, Inner, read};
use super::start::blocking;
use crate::admin::Answer;
use crate::error::SpaceError;
use crate::log::types::{
    CopyGone, FileAnnotation, LastSync, PeerAbout, PeerEarlier, SpaceAbout, SpaceInvite,
    SpaceLeave, SpacePolicy, Text,
};
use crate::log::{Content, Logged, now_ms};
use crate::space::{Pin, Space, refusal_of};
use copies::Safety;
use roll::Roll;

/// New certificates come in threes and in crowds: they are repeated together.
const REPEAT_AFTER: Duration = Duration::from_secs(2);
/// Told of a space that is not written to any more.
pub(super) const FORKED: &str = "this home was put back from an older copy, and wrote here before it met anybody who has \
                                 the rest: what it wrote since then is on this device only, and nothing more is written \
                                 here. Take out what is new (export), invite your own public key, leave the space on this \
                                 device and join it again with that code";

/// Times of sync are advice; losing the last minute's in a crash harms nobody.
const RECORD_EVERY: Duration = Duration::from_secs(60);

/// A task that ends when this is dropped.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Follows the network, and writes down now and then what changed by itself.
pub(super) fn shelf(inner: &Arc<Inner>) -> [Following; 2] {
    let swarm = inner.ground.swarm.subscribe();
    let network = inner
        .runtime
        .spawn(follow_swarm(Arc::downgrade(inner), swarm));
    let keeping = inner.runtime.spawn(keep_house(Arc::downgrade(inner)));
    [Following(network), Following(keeping)]
}

/// Follows one space.
pub(super) fn space(inner: &Arc<Inner>, space: &Arc<Space>) -> Following {
    let ears = Ears {
        inner: Arc::downgrade(inner),
        space: Arc::downgrade(space),
        address: space.address(),
        unclaimed: Arc::default(),
        safety: Safety::new(space.poke(), inner.ground.device_key),
        roll: Roll::new(),
    };
    let task = ears.follow(space.changes(), space.messages(), space.set().subscribe());
    Following(inner.runtime.spawn(task))
}

async fn keep_house(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(RECORD_EVERY).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let kept = blocking(move || {
            inner.record_state()?;
            inner.tell_syncs()
        });
        if let Err(error) = kept.await {
            tracing::warn!(%error, "times of sync could not be written down");
        }
    }
}

async fn follow_swarm(inner: Weak<Inner>, mut events: Receiver<SwarmEvent>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            // Each event stands for itself; what was missed shows in the swarm's own state.
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let Some(inner) = inner.upgrade() else {
            return;
        };
        inner.on_swarm(event).await;
    }
}

impl Shelf {
    /// Becomes where a copy of this home answers, in words, if one was there before us. Then this one has given way, and
    /// must be closed.
    pub fn twin(&self) -> watch::Receiver<Option<String>> {
        self.0.twin.subscribe()
    }
}

impl Inner {
    /// Nobody listening is fine: state can be asked for at any time.
    pub(super) fn say(&self, event: ShelfEvent) {
        let _ = self.events.send(event);
    }

    pub(super) fn heard(&self, address: &Address) -> Option<Arc<Space>> {
        let open = read(&self.open);
        open.spaces.get(address).map(|(space, _)| Arc::clone(space))
    }

    async fn on_swarm(self: Arc<Self>, event: SwarmEvent) {
        match event {
            SwarmEvent::Connected { device, address } => {
                self.meet(&address, device);
                self.say(ShelfEvent::Connected { address, device });
                self.tell_presence(address, device).await;
            }
            SwarmEvent::Disconnected { device, address } => {
                self.meet(&address, device);
                self.say(ShelfEvent::Disconnected { address, device });
                self.tell_presence(address, device).await;
            }
            SwarmEvent::Synced {
                device,
                address,
                time_ms,
            } => {
                self.on_synced(address, time_ms).await;
                self.meet(&address, device);
                self.say(ShelfEvent::Synced {
                    address,
                    device,
                    time_ms,
                });
            }
            SwarmEvent::Receipt(receipt) => {
                let address = receipt.address;
                if let Some(space) = self.heard(&address) {
                    space.poke().notify_one();
                }
                self.say(ShelfEvent::Receipt { address, receipt });
            }
            SwarmEvent::Progress { address } => self.say(ShelfEvent::Progress { address }),
            SwarmEvent::DeviceSeen { device } => {
                let seen = self.ground.swarm.seen().into_iter();
                for seen in seen.filter(|seen| seen.setup.device == device) {
                    self.say(ShelfEvent::DeviceSeen { seen });
                }
            }
            SwarmEvent::DeviceGone { device } => self.say(ShelfEvent::DeviceGone { device }),
            SwarmEvent::Refused {
                address, reason, ..
            }
            | SwarmEvent::StoreFailed { address, reason } => self.refuse(address, reason),
            SwarmEvent::Twin { at, is_older } => self.on_twin(at, is_older).await,
            SwarmEvent::OwnFeedAhead { address, feed, .. } => self.on_older(address, feed).await,
            SwarmEvent::OwnFeedForked { address, .. } => self.on_forked(address).await,
            _ => {}
        }
    }

    /// Tells in each space, rarely, with whom it was equal and complete.
    fn tell_syncs(&self) -> Result<(), SpaceError> {
        let spaces: Vec<_> = {
            let open = read(&self.open);
            open.spaces
                .values()
                .map(|(space, _)| Arc::clone(space))
                .collect()
        };
        let peers = self.ground.swarm.peers();
        for space in spaces {
            for peer in &peers {
                let here = peer.last_sync.iter().find(|(at, _)| *at == space.address());
                if let Some((_, time_ms)) = here {
                    space.tell_sync(peer.device, *time_ms)?;
                }
            }
        }
        Ok(())
    }

    fn meet(&self, address: &Address, device: cobox_keys::identity::PublicKey) {
        if let Some(space) = self.heard(address) {
            space.met(device, now_ms());
            space.poke().notify_one();
        }
    }

    fn refuse(&self, address: Address, reason: String) {
        if let Some(space) = self.heard(&address) {
            space.refuse(&reason);
        }
        self.say(ShelfEvent::Refused { address, reason });
    }

    /// Of two with the same keys the one that started later gives way.
    async fn on_twin(self: Arc<Self>, at: Vec<SocketAddr>, is_older: bool) {
        let at: Vec<_> = at.iter().map(SocketAddr::to_string).collect();
        let at = at.join(" or ");
        if !is_older {
            return tracing::warn!("a copy of this home was started at {at}; it gives way to us");
        }
        let inner = Arc::clone(&self);
        if let Err(error) = blocking(move || inner.give_way()).await {
            tracing::error!(%error, "this home runs twice, and no new feeds could be taken");
        }
        self.twin.send_replace(Some(at));
    }

    /// This home is an older state of itself, and has written since.
    async fn on_forked(self: Arc<Self>, address: Address) {
        let inner = Arc::clone(&self);
        let reason = match blocking(move || inner.stop_writing(address)).await {
            Ok(false) => return,
            Ok(true) => FORKED.to_owned(),
            Err(error) => format!("{FORKED} ({error})"),
        };
        self.refuse(address, reason);
        self.say(ShelfEvent::Listed { address });
    }

    /// This home is an older state of itself.
    async fn on_older(self: Arc<Self>, address: Address, feed: FeedKey) {
        let inner = Arc::clone(&self);
        let begun = blocking(move || inner.begin_anew(address, &feed)).await;
        let reason = match begun {
            Ok(Begun::Before) => return,
            Ok(Begun::Now) => "this home is an older copy of one that went on elsewhere: what is \
                               written from now on goes into new feeds, and nothing is lost"
                .to_owned(),
            Err(error) => format!("this home is an older copy of one that went on: {error}"),
        };
        self.refuse(address, reason);
        let path = String::new();
        self.say(ShelfEvent::Changed { address, path });
    }

    /// A peer has nothing newer: if that is still older than our invite, say so.
    async fn on_synced(&self, address: Address, time_ms: u64) {
        let Some(space) = self.heard(&address) else {
            return;
        };
        space.synced(time_ms);
        if space.pinned().is_none() {
            return;
        }
        let compared = blocking(move || Ok(space.pin())).await;
        if let Ok(Some(Pin::Behind(reason))) = compared {
            self.say(ShelfEvent::Refused { address, reason });
        }
    }
}

/// One space's listener.
struct Ears {
    inner: Weak<Inner>,
    space: Weak<Space>,
    address: Address,
    /// Said by whoever's claim is not here yet.
    unclaimed: Arc<Mutex<Vec<Logged>>>,
    safety: Safety,
    roll: Roll,
}

impl Ears {
    async fn follow(
        mut self,
        mut changed: Receiver<Changed>,
        mut logged: Receiver<Logged>,
        mut stored: Receiver<Event>,
    ) {
        self.admit().await;
        // What came while nobody was listening is repeated soon after the start.
        let mut repeat_at = Some(Instant::now() + REPEAT_AFTER);
        loop {
            let due = repeat_at.unwrap_or_else(|| Instant::now() + RECORD_EVERY);
            let alive = tokio::select! {
                event = changed.recv() => {
                    self.safety.look_soon();
                    self.on_changed(event).await
                }
                event = logged.recv() => self.on_logged(event).await,
                () = self.safety.due() => self.look_at_copies().await,
                () = self.roll.due() => self.call_the_roll().await,
                event = stored.recv() => {
                    if is_certificate(&event) {
                        self.admit().await;
                        repeat_at.get_or_insert_with(|| Instant::now() + REPEAT_AFTER);
                    }
                    (!matches!(event, Err(RecvError::Closed))).then_some(())
                }
                () = sleep_until(due), if repeat_at.is_some() => {
                    repeat_at = None;
                    self.tell_dropped().await;
                    self.with_space(|space| space.repeat_certificates()).await
                }
            };
            if alive.is_none() {
                return;
            }
        }
    }

    /// Lets a space from paper begin, once its certificates are here. This task may be another's then.
    async fn admit(&self) {
        let (Some(inner), Some(space)) = (self.inner.upgrade(), self.space.upgrade()) else {
            return;
        };
        if !space.waits() {
            return;
        }
        let address = self.address;
        let admitted = blocking(move || inner.admit(&address)).await;
        if let Err(error) = admitted {
            tracing::warn!(%address, %error, "a space from paper cannot begin yet");
        }
    }

    /// `None`: it is over.
    async fn on_changed(&mut self, event: Result<Changed, RecvError>) -> Option<()> {
        let address = self.address;
        let inner = self.inner.upgrade()?;
        match event {
            Ok(Changed::Path(path)) => inner.say(ShelfEvent::Changed {
                address,
                path: path.to_string(),
            }),
            Ok(Changed::Conflicts) => inner.say(ShelfEvent::Conflicts { address }),
            Ok(Changed::Refused { writer, reason }) => {
                let reason = refusal_of(&writer, &reason);
                inner.say(ShelfEvent::Refused { address, reason });
            }
            // Its messages, which may have come earlier, count from now on.
            Ok(Changed::Writer(writer)) => {
                self.roll.look_soon();
                self.look_again().await?;
                self.tell_claimed(writer).await?;
            }
            Err(RecvError::Lagged(_)) => self.look_again().await?,
            Err(RecvError::Closed) => return None,
            Ok(_) => {}
        }
        Some(())
    }

    async fn on_logged(&mut self, event: Result<Logged, RecvError>) -> Option<()> {
        let logged = match event {
            Ok(logged) => logged,
            Err(RecvError::Lagged(_)) => return self.look_again().await,
            Err(RecvError::Closed) => return None,
        };
        let (address, inner) = (self.address, self.inner.upgrade()?);
        let kind = logged.kind.clone();
        inner.say(ShelfEvent::Message { address, kind });
        if is_about_people(&logged.kind) {
            self.roll.look_soon();
        }
        match logged.kind.as_str() {
            SpaceAbout::TYPE => self.tell_name().await,
            PeerAbout::TYPE => {
                self.learn_own_name().await?;
                self.tell_members(Some(logged)).await
            }
            LastSync::TYPE | SpacePolicy::TYPE | CopyGone::TYPE => {
                self.safety.look_soon();
                Some(())
            }
            Answer::TYPE => self.tell_dropped().await,
            Text::TYPE | FileAnnotation::TYPE | SpaceLeave::TYPE => self.tell_said(logged).await,
            _ => Some(()),
        }
    }

    /// Something was missed, or counts only now: everything may look different.
    async fn look_again(&mut self) -> Option<()> {
        self.roll.look_soon();
        let (address, path) = (self.address, String::new());
        self.inner
            .upgrade()?
            .say(ShelfEvent::Changed { address, path });
        self.tell_name().await?;
        self.learn_own_name().await?;
        self.tell_members(None).await
    }

    /// A device has answered, or may have while nobody listened: copies of other spaces may be gone.
    async fn tell_dropped(&self) -> Option<()> {
        let (inner, space) = (self.inner.upgrade()?, self.space.upgrade()?);
        self.with_space(move |_| inner.tell_dropped(&space)).await
    }

    async fn learn_own_name(&self) -> Option<()> {
        let inner = self.inner.upgrade()?;
        self.with_space(move |space| inner.learn_own_name(space))
            .await
    }

    async fn tell_name(&self) -> Option<()> {
        let (address, inner) = (self.address, self.inner.upgrade()?);
        let say = move |space: &Space| {
            if let Some(name) = space.refresh_name()? {
                inner.record_state()?;
                inner.say(ShelfEvent::Renamed { address, name });
            }
            Ok(())
        };
        self.with_space(say).await
    }

    /// The author of one message, or everybody.
    async fn tell_members(&self, logged: Option<Logged>) -> Option<()> {
        let (address, inner) = (self.address, self.inner.upgrade()?);
        let say = move |space: &Space| {
            for (public_key, name) in space.names_told(logged.as_ref())? {
                inner.say(ShelfEvent::Member {
                    address,
                    public_key,
                    name,
                });
            }
            Ok(())
        };
        self.with_space(say).await
    }

    /// Work on the space that may touch the disk. `None`: the space is gone.
    async fn with_space(
        &self,
        work: impl FnOnce(&Space) -> Result<(), SpaceError> + Send + 'static,
    ) -> Option<()> {
        let space = self.space.upgrade()?;
        if let Err(error) = blocking(move || work(&space)).await {
            tracing::debug!(address = %self.address, %error, "an event could not be followed");
        }
        Some(())
    }
}

fn is_about_people(kind: &str) -> bool {
    let kinds = [
        PeerAbout::TYPE,
        PeerEarlier::TYPE,
        SpaceInvite::TYPE,
        SpaceLeave::TYPE,
        LastSync::TYPE,
    ];
    kinds.contains(&kind)
}

fn is_certificate(event: &Result<Event, RecvError>) -> bool {
    matches!(event, Ok(Event::Certificate) | Err(RecvError::Lagged(_)))
}
