//! A peer that speaks the protocol by hand, and not always as it should.

use super::{PATIENCE, TestSpace};
use cobox_feed::codec::Reader;
use cobox_feed::manifest::FeedKey;
use cobox_keys::identity::KeyPair;
use cobox_swarm::transport::memory::{MemoryNetwork, MemoryTransport};
use cobox_swarm::transport::{Connection, Hint, ReceiveStream, SendStream, Transport};
use cobox_swarm::wire::feed::{Range, Sync};
use cobox_swarm::wire::frame::{self, CONTROL_PREFIX, Place};
use cobox_swarm::wire::session::{Hello, Offer, Prove};
use cobox_swarm::wire::space::Open;
use cobox_swarm::wire::{Message, discovery_key};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Her number for the one space she speaks about.
pub const CHANNEL: u64 = 7;

pub struct Mallory {
    pub connection: Box<dyn Connection>,
    pub send: SendStream,
    receive: ReceiveStream,
    transport: MemoryTransport,
}

/// A frame that she heard.
pub struct Heard {
    pub place: Place,
    pub kind: u64,
    pub payload: Vec<u8>,
}

impl Heard {
    pub fn as_message<M: Message>(&self) -> Option<M> {
        let fits = self.kind == M::KIND;
        fits.then(|| M::decode(&mut Reader::new(&self.payload)).ok())
            .flatten()
    }
}

impl Mallory {
    /// Dials and says hello.
    pub async fn dial(network: &MemoryNetwork, seed: u8, victim: &Hint) -> Self {
        let transport = network.device(KeyPair::from_seed(&[seed; 32]));
        let connection = transport.dial(victim).await.expect("a connection");
        let (send, receive) = connection.open_bi().await.expect("a stream");
        let mut mallory = Self {
            connection,
            send,
            receive,
            transport,
        };
        let hello = Hello {
            version: 1,
            capabilities: 0,
            addresses: Vec::new(),
            run: [0; 16],
        };
        mallory.raw(&frame::session(&hello)).await;
        mallory
    }

    /// Dials where nobody wants her, and says nothing: the connection may be closed before there is a stream. Why it was.
    pub async fn turned_away(network: &MemoryNetwork, seed: u8, victim: &Hint) -> String {
        let transport = network.device(KeyPair::from_seed(&[seed; 32]));
        let connection = transport.dial(victim).await.expect("a connection");
        let closed = tokio::time::timeout(PATIENCE, connection.closed());
        closed.await.expect("turned away in time")
    }

    /// Dials and proves that she knows the address, as every replicator can.
    pub async fn in_space(
        network: &MemoryNetwork,
        seed: u8,
        victim: &Hint,
        space: &TestSpace,
    ) -> Self {
        let mut mallory = Self::dial(network, seed, victim).await;
        mallory.prove(space, victim, false).await;
        mallory
    }

    /// Offers a space and proves it, rightly or wrongly.
    pub async fn prove(&mut self, space: &TestSpace, victim: &Hint, wrongly: bool) {
        let secret = space.address.access_secret();
        let exporter = self
            .connection
            .exporter(b"cobox/1/session")
            .expect("a secret");
        let ours = self.transport.device();
        let mac = secret.mac("offer", &[&exporter, &[1], &ours.0]);
        let mut tag = [0; 16];
        tag.copy_from_slice(&mac[..16]);
        self.raw(&frame::session(&Offer { tags: vec![tag] })).await;
        self.hear(|heard| heard.place.channel == frame::SESSION && heard.kind == Prove::KIND)
            .await;
        let mut mac = secret.mac("proof", &[&exporter, &[1], &ours.0, &victim.device.0]);
        mac[0] ^= u8::from(wrongly);
        let prove = Prove {
            tag,
            replicator: true,
            mac,
            channel: CHANNEL,
        };
        self.raw(&frame::session(&prove)).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.send.write_all(bytes).await.expect("written");
    }

    /// A message about the space (slot 0) or a feed.
    pub async fn say<M: Message>(&mut self, slot: u64, message: &M) {
        let place = Place {
            channel: CHANNEL,
            slot,
        };
        let bytes = frame::control(place, M::KIND, &frame::payload(message));
        self.raw(&bytes).await;
    }

    /// Claims to hold a feed from its first block on.
    pub async fn claim(&mut self, slot: u64, feed: &FeedKey, fork: u64, length: u64) {
        let open = Open {
            slot,
            feed: discovery_key(feed),
        };
        self.say(0, &open).await;
        let range = Range {
            drop: false,
            start: 0,
            length,
        };
        self.say(slot, &range).await;
        self.say(slot, &sync(fork, length)).await;
    }

    /// The next frame that fits.
    pub async fn hear(&mut self, mut fits: impl FnMut(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.next().await.expect("a frame");
            if fits(&heard) {
                return heard;
            }
        }
    }

    /// The next frame; none when the connection has ended.
    pub async fn next(&mut self) -> Option<Heard> {
        let read = async {
            let mut prefix = [0; CONTROL_PREFIX];
            self.receive.read_exact(&mut prefix).await.ok()?;
            let mut bytes = vec![0; frame::control_length(prefix).ok()?];
            self.receive.read_exact(&mut bytes).await.ok()?;
            let frame = frame::open(&bytes).ok()?;
            Some(Heard {
                place: frame.place,
                kind: frame.kind,
                payload: frame.payload.to_vec(),
            })
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("a frame in time")
    }

    /// Waits until she is thrown out; tells the reason.
    pub async fn thrown_out(&mut self) -> String {
        let closed = self.connection.closed();
        tokio::time::timeout(PATIENCE, closed)
            .await
            .expect("thrown out in time")
    }
}

pub fn sync(fork: u64, length: u64) -> Sync {
    Sync {
        fork,
        length,
        remote_length: 0,
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
    }
}
