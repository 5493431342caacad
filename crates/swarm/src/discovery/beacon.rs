//! The LAN beacon: says on every network interface that this device is here, and hears others say so.
//!
//! Each interface gets its own socket and both ways of reaching a local network, multicast and subnet
//! broadcast: one of them works even without a default route, on hotspots and direct cables.

use super::packet::{self, Announcement, MAX_ENTRIES};
use super::setup::{PacketMaker, Setup};
use crate::transport::Hint;
use cobox_keys::access::{AccessSecret, Address};
use if_addrs::IfAddr;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// UDP port that all beacons use.
pub const PORT: u16 = 39_112;
/// Multicast group (administratively scoped) that all beacons use.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 99, 112);
/// Packets in quick succession after a start or a change.
const EAGER: u32 = 10;
const EAGER_PAUSE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_secs(2);
/// Pause while somebody is connected in every space.
const CALM_PAUSE: Duration = Duration::from_secs(10);
/// Packets are compared with every space of ours; so many comparisons a second are made, and no more: a flood of
/// packets costs nobody his processor.
const COMPARISONS: usize = 100_000;
/// Signatures of setup beacons checked in a second.
const SIGNATURES: usize = 200;
/// Sightings not yet taken; more are dropped, the next packet brings them again.
const QUEUE: usize = 64;

/// Somebody was heard at a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// where they are
    pub address: Address,
    /// how to reach them
    pub hint: Hint,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// somebody at a space of ours
    Peer(Sighting),
    /// a device that can be claimed, and where the packet came from
    Device(Setup, SocketAddr),
    /// somebody with our own device key, at a place that is not ours
    Myself(SocketAddr),
}

/// What is announced: this device, at these spaces.
#[derive(Clone)]
pub struct Announced {
    /// this device
    pub me: Announcement,
    /// spaces it takes part in
    pub spaces: Vec<(Address, AccessSecret)>,
    /// nobody is missed: announced less often
    pub calm: Arc<AtomicBool>,
    /// this device can be claimed
    pub setup: Option<PacketMaker>,
}

/// How many comparisons may still be made in this second.
struct Budget {
    left: usize,
    full: usize,
    since: Instant,
}

impl Budget {
    fn take(&mut self, count: usize) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self::of(self.full);
        }
        let fits = count <= self.left || self.left == self.full; // one packet always is
        self.left = self.left.saturating_sub(count);
        fits
    }

    fn of(full: usize) -> Self {
        Self {
            left: full,
            full,
            since: Instant::now(),
        }
    }
}

/// A running beacon; dropping it ends the announcing and the listening.
pub struct Beacon {
    _tasks: JoinSet<()>,
}

impl Beacon {
    /// Announces and listens on `port` (see [`PORT`]) until dropped. Must be called on a tokio runtime.
    pub fn start(
        port: u16,
        announced: watch::Receiver<Announced>,
    ) -> io::Result<(Self, mpsc::Receiver<Heard>)> {
        let ears = UdpSocket::from_std(listener(port)?)?;
        let (sender, sightings) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(ears, announced.clone(), sender));
        tasks.spawn(announce(port, announced));
        Ok((Self { _tasks: tasks }, sightings))
    }
}

/// Several programs on one machine share the port: multicast and broadcast reach all of them.
fn listener(port: u16) -> io::Result<StdUdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    for interface in interfaces() {
        // An interface without multicast still hears broadcasts.
        let _ = socket.join_multicast_v4(&GROUP, &interface.ip);
    }
    Ok(socket.into())
}

async fn listen(
    ears: UdpSocket,
    announced: watch::Receiver<Announced>,
    sender: mpsc::Sender<Heard>,
) {
    let mut buffer = [0; 1024];
    let mut budget = Budget::of(COMPARISONS);
    let mut signatures = Budget::of(SIGNATURES);
    loop {
        let Ok((length, from)) = ears.recv_from(&mut buffer).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let packet = &buffer[..length];
        if Setup::is_one(packet) {
            let me = announced.borrow().me.device;
            let setup = signatures.take(1).then(|| Setup::decode(packet)).flatten();
            if let Some(setup) = setup.filter(|setup| setup.device != me) {
                let _ = sender.try_send(Heard::Device(setup, from));
            }
        } else if budget.take(announced.borrow().spaces.len()) {
            for heard in heard(packet, from, &announced.borrow()) {
                let _ = sender.try_send(heard);
            }
        }
        if sender.is_closed() {
            return;
        }
    }
}

/// The spaces of ours that a packet speaks of, unless we sent it ourselves.
fn heard(packet: &[u8], from: SocketAddr, announced: &Announced) -> Vec<Heard> {
    let known = announced.spaces.iter();
    let found =
        known.filter_map(|(address, secret)| Some((*address, packet::decode(packet, secret)?)));
    found
        .filter_map(|(address, announcement)| {
            let at = SocketAddr::new(from.ip(), announcement.port);
            if announcement.device == announced.me.device {
                return is_elsewhere(at, announced.me.port).then_some(Heard::Myself(at));
            }
            Some(Heard::Peer(Sighting {
                address,
                hint: Hint {
                    device: announcement.device,
                    addresses: vec![at],
                },
            }))
        })
        .collect()
}

/// Our own packets come back to us, from each of our interfaces.
fn is_elsewhere(at: SocketAddr, port: u16) -> bool {
    at.port() != port
        || !interfaces()
            .iter()
            .any(|own| IpAddr::from(own.ip) == at.ip())
}

async fn announce(port: u16, mut announced: watch::Receiver<Announced>) {
    let mut eager = EAGER;
    let mut turn = 0;
    loop {
        let (packets, calm) = {
            let announced = announced.borrow_and_update();
            let make = |maker: &PacketMaker| maker(announced.me.port);
            let setup = announced.setup.as_ref().and_then(make);
            let calm = announced.calm.load(Ordering::Relaxed) && setup.is_none();
            ([next_packet(&announced, &mut turn), setup], calm)
        };
        for packet in packets.into_iter().flatten() {
            send_everywhere(&packet, port);
        }
        let pause = match (eager, calm) {
            (1.., false) => EAGER_PAUSE,
            (0, false) => PAUSE,
            (_, true) => CALM_PAUSE,
        };
        eager = eager.saturating_sub(1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = announced.changed() => match changed {
                Ok(()) => eager = EAGER,
                Err(_) => return,
            },
        }
    }
}

/// The next few spaces in turn: a device with thousands announces them over many packets.
fn next_packet(announced: &Announced, turn: &mut usize) -> Option<Vec<u8>> {
    let count = announced.spaces.len();
    if count == 0 {
        return None;
    }
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).ok()?;
    let these = (0..count.min(MAX_ENTRIES)).map(|n| &announced.spaces[(*turn + n) % count].1);
    let these: Vec<_> = these.collect();
    *turn = (*turn + these.len()) % count;
    Some(packet::encode(nonce, announced.me, &these))
}

/// Interfaces come and go, so they are looked up each time; a failing one is passed over.
fn send_everywhere(packet: &[u8], port: u16) {
    for interface in interfaces() {
        if let Err(error) = send_on(&interface, packet, port) {
            tracing::trace!("beacon on {}: {error}", interface.ip);
        }
    }
}

fn send_on(interface: &Interface, packet: &[u8], port: u16) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_broadcast(true)?;
    socket.bind(&SocketAddr::from((interface.ip, 0)).into())?;
    socket.set_multicast_if_v4(&interface.ip)?;
    socket.set_multicast_ttl_v4(1)?;
    let multicast = socket.send_to(packet, &SocketAddrV4::new(GROUP, port).into());
    let broadcast = socket.send_to(packet, &SocketAddrV4::new(interface.broadcast, port).into());
    multicast.or(broadcast).map(drop)
}

struct Interface {
    ip: Ipv4Addr,
    broadcast: Ipv4Addr,
}

/// IPv4 interfaces, loopback included: two programs on one machine without network find each other.
fn interfaces() -> Vec<Interface> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let ipv4 = all
        .into_iter()
        .filter_map(|interface| match interface.addr {
            IfAddr::V4(v4) => Some(v4),
            IfAddr::V6(_) => None,
        });
    ipv4.map(|v4| {
        let widest = Ipv4Addr::from(u32::from(v4.ip) | !u32::from(v4.netmask));
        Interface {
            ip: v4.ip,
            broadcast: v4.broadcast.unwrap_or(widest),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cobox_keys::identity::PublicKey;

    fn announced(device: u8, port: u16, spaces: &[u8]) -> watch::Receiver<Announced> {
        let me = Announcement {
            device: PublicKey([device; 32]),
            port,
        };
        let spaces = spaces.iter().map(|byte| Address([*byte; 32]));
        let spaces = spaces
            .map(|address| (address, address.access_secret()))
            .collect();
        // The sender is leaked on purpose: nothing changes in these tests.
        let (sender, receiver) = watch::channel(Announced {
            me,
            spaces,
            calm: Arc::default(),
            setup: None,
        });
        std::mem::forget(sender);
        receiver
    }

    async fn next(heard: &mut mpsc::Receiver<Heard>) -> Heard {
        let heard = tokio::time::timeout(Duration::from_secs(20), heard.recv());
        heard.await.expect("in time").expect("something")
    }

    async fn next_peer(heard: &mut mpsc::Receiver<Heard>) -> Sighting {
        match next(heard).await {
            Heard::Peer(sighting) => sighting,
            other => panic!("no peer: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_device_that_can_be_claimed_is_heard_with_its_port() {
        let port = 40_000 + (std::process::id() % 500) as u16;
        let pair = cobox_keys::identity::KeyPair::from_seed(&[1; 32]);
        let device = pair.public();
        let maker: PacketMaker = Arc::new(move |port| {
            let setup = Setup {
                device: pair.public(),
                port,
                needs_code: false,
                claimed: false,
                nonce: [7; 16],
                name: "attic".into(),
            };
            Some(setup.encode(&pair))
        });
        let quiet = announced(2, 2222, &[]);
        let (_client, mut heard) = Beacon::start(port, quiet).expect("a beacon");
        let mut loud = announced(1, 1111, &[]).borrow().clone();
        (loud.me.device, loud.setup) = (device, Some(maker));
        let (_kept, loud) = watch::channel(loud);
        let (_hub, _) = Beacon::start(port, loud).expect("a second one");
        let Heard::Device(setup, _) = next(&mut heard).await else {
            panic!("no space was announced");
        };
        assert_eq!((setup.device, setup.port), (device, 1111));
    }

    #[tokio::test]
    async fn two_programs_on_one_machine_hear_each_other_at_the_space_they_share() {
        let port = 39_500 + (std::process::id() % 500) as u16;
        let (_alice, mut at_alice) =
            Beacon::start(port, announced(1, 1111, &[8, 9])).expect("a beacon");
        let (_bob, mut at_bob) =
            Beacon::start(port, announced(2, 2222, &[9, 10])).expect("a second one");
        let heard = next_peer(&mut at_alice).await;
        assert_eq!(heard.address, Address([9; 32]));
        assert_eq!(heard.hint.device, PublicKey([2; 32]));
        assert_eq!(heard.hint.addresses[0].port(), 2222);
        let heard = next_peer(&mut at_bob).await;
        assert_eq!(
            (heard.address, heard.hint.device),
            (Address([9; 32]), PublicKey([1; 32]))
        );
    }

    #[test]
    fn a_flood_of_packets_is_not_compared() {
        let mut budget = Budget::of(COMPARISONS);
        let compared = (0..1000).filter(|_| budget.take(10_000)).count();
        assert_eq!(compared, 10);
    }

    #[test]
    fn many_spaces_take_turns() {
        let spaces: Vec<u8> = (0..25).collect();
        let announced = announced(1, 1, &spaces).borrow().clone();
        let mut turn = 0;
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let packet = next_packet(&announced, &mut turn).expect("a packet");
            let found = announced
                .spaces
                .iter()
                .filter(|(_, secret)| packet::decode(&packet, secret).is_some());
            seen.extend(found.map(|(address, _)| *address));
        }
        assert_eq!(seen.len(), 25);
    }
}
