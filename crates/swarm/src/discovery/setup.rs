//! The setup beacon: "here is a device that can be claimed", in clear, signed by the device.
//!
//! ```text
//! magic 4 "cbx2" | device key 32 | port 2 | flags 1 | nonce 16 | name length 1 | name | signature 64
//! ```
//! Everybody on the local network can read it and nobody can make one for a key that is not theirs. The nonce is
//! good for one claim: a recorded packet is of no use. Not its job: what a claim is.

use crate::transport::Hint;
use cobox_keys::identity::{KeyPair, PublicKey, Signature};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MAGIC: &[u8; 4] = b"cbx2";
const FIXED: usize = 4 + 32 + 2 + 1 + NONCE + 1;
const SIGNATURE: usize = 64;
const WHAT: &str = "setup beacon";
/// Longest name, so that a packet stays below 512 bytes.
pub const MAX_NAME: usize = 255;
/// A device that was not heard for so long is not there any more.
const FORGET: Duration = Duration::from_secs(15);
/// Devices remembered at a time: more are strangers playing.
const MAX_SEEN: usize = 64;
const NEEDS_CODE: u8 = 1;
const CLAIMED: u8 = 2;
/// Bytes of a nonce.
pub const NONCE: usize = 16;

/// Good for one claim.
pub type Nonce = [u8; NONCE];

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// its device key
    pub device: PublicKey,
    /// UDP port for connections, on the address that the packet came from
    pub port: u16,
    /// the code that it shows is needed
    pub needs_code: bool,
    /// it has an administrator already
    pub claimed: bool,
    /// fresh
    pub nonce: Nonce,
    /// at most 255 bytes
    pub name: String,
}

/// Makes the next packet, given the port for connections; none: nothing is to be announced now.
pub type PacketMaker = Arc<dyn Fn(u16) -> Option<Vec<u8>> + Send + Sync>;

/// A device that announces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// as last heard
    pub setup: Setup,
    /// how to reach it
    pub hint: Hint,
}

/// Devices that announced themselves lately.
#[derive(Debug, Default)]
pub struct SeenDevices(BTreeMap<PublicKey, (Seen, Instant)>);

impl Setup {
    /// Whether a packet claims to be one.
    pub fn is_one(packet: &[u8]) -> bool {
        packet.starts_with(MAGIC)
    }

    /// A packet, signed. A longer name is cut.
    pub fn encode(&self, pair: &KeyPair) -> Vec<u8> {
        let name = cut(&self.name);
        let mut packet = Vec::with_capacity(FIXED + name.len() + SIGNATURE);
        packet.extend_from_slice(MAGIC);
        packet.extend_from_slice(&self.device.0);
        packet.extend_from_slice(&self.port.to_le_bytes());
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        packet.push(flag(self.needs_code, NEEDS_CODE) | flag(self.claimed, CLAIMED));
        packet.extend_from_slice(&self.nonce);
        packet.push(name.len() as u8);
        packet.extend_from_slice(name.as_bytes());
        let signature = pair.sign(WHAT, &packet);
        packet.extend_from_slice(&signature.0);
        packet
    }

    /// Reads a packet; none if it is another one, or not signed by the key it names.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let (signed, signature) = packet.split_last_chunk::<SIGNATURE>()?;
        let rest = signed.strip_prefix(MAGIC)?;
        let (device, rest) = rest.split_first_chunk::<32>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let (flags, rest) = rest.split_first()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let (length, name) = rest.split_first()?;
        if name.len() != usize::from(*length) {
            return None;
        }
        let device = PublicKey(*device);
        device.verify(WHAT, signed, &Signature(*signature)).ok()?;
        Some(Self {
            device,
            port: u16::from_le_bytes(*port),
            needs_code: flags & NEEDS_CODE != 0,
            claimed: flags & CLAIMED != 0,
            nonce: *nonce,
            name: std::str::from_utf8(name).ok()?.to_owned(),
        })
    }
}

fn cut(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

impl Seen {
    /// Whether a person is shown the same; the nonce is another one in each packet.
    fn looks_like(&self, other: &Self) -> bool {
        let nonce = other.setup.nonce;
        let setup = Setup {
            nonce,
            ..self.setup.clone()
        };
        setup == other.setup && self.hint == other.hint
    }
}

impl SeenDevices {
    /// Remembers what was heard from an address; true if a person is to be shown
    /// something else than before.
    pub fn heard(&mut self, setup: Setup, from: SocketAddr, now: Instant) -> bool {
        if self.0.len() >= MAX_SEEN && !self.0.contains_key(&setup.device) {
            return false;
        }
        let at = SocketAddr::new(from.ip(), setup.port);
        let device = setup.device;
        let known = self.0.remove(&device).map(|(seen, _)| seen);
        let mut hint = Hint {
            device,
            addresses: Vec::new(),
        };
        if let Some(known) = &known {
            hint = known.hint.clone();
        }
        hint.prefer(&[at]);
        let seen = Seen { setup, hint };
        let is_news = known.is_none_or(|known| !known.looks_like(&seen));
        self.0.insert(device, (seen, now));
        is_news
    }

    /// Those that are there.
    pub fn list(&self, now: Instant) -> Vec<Seen> {
        let there = self.0.values().filter(|(_, heard)| is_fresh(*heard, now));
        there.map(|(seen, _)| seen.clone()).collect()
    }

    /// Drops those that have fallen silent, and says which.
    pub fn forget(&mut self, now: Instant) -> Vec<PublicKey> {
        let silent = self
            .0
            .extract_if(.., |_, (_, heard)| !is_fresh(*heard, now));
        silent.map(|(device, _)| device).collect()
    }

    /// When the next one is to be forgotten unless it is heard again.
    pub fn next_silent(&self) -> Option<Instant> {
        let heard = self.0.values().map(|(_, heard)| *heard);
        heard.min().map(|heard| heard + FORGET)
    }
}

fn is_fresh(heard: Instant, now: Instant) -> bool {
    now.duration_since(heard) < FORGET
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> KeyPair {
        KeyPair::from_seed(&[3; 32])
    }

    fn setup(name: &str) -> Setup {
        Setup {
            device: pair().public(),
            port: 4242,
            needs_code: true,
            claimed: false,
            nonce: [5; NONCE],
            name: name.into(),
        }
    }

    #[test]
    fn a_packet_comes_back_and_stays_small() {
        let packet = setup("attic").encode(&pair());
        assert_eq!(Setup::decode(&packet), Some(setup("attic")));
        let long = setup(&"ü".repeat(200)).encode(&pair());
        assert!(long.len() < 512, "{}", long.len());
        assert_eq!(Setup::decode(&long).unwrap().name, "ü".repeat(127));
    }

    #[test]
    fn nobody_speaks_for_another_key_and_no_bit_can_be_changed() {
        let forged = setup("attic").encode(&KeyPair::from_seed(&[4; 32]));
        assert_eq!(Setup::decode(&forged), None);
        let packet = setup("attic").encode(&pair());
        for at in 0..packet.len() {
            let mut bad = packet.clone();
            bad[at] ^= 1;
            assert_eq!(Setup::decode(&bad), None, "byte {at}");
            assert_eq!(Setup::decode(&packet[..at]), None);
        }
    }

    #[test]
    fn a_device_is_forgotten_when_it_falls_silent_and_strangers_are_bounded() {
        let mut seen = SeenDevices::default();
        let now = Instant::now();
        let from = |last| SocketAddr::from(([10, 0, 0, last], 999));
        assert!(seen.heard(setup("attic"), from(1), now));
        assert!(seen.heard(setup("attic"), from(2), now), "moved");
        let again = Setup {
            nonce: [6; NONCE],
            ..setup("attic")
        };
        assert!(!seen.heard(again, from(2), now), "no news");
        let list = seen.list(now);
        assert_eq!(list.len(), 1);
        let addresses: Vec<_> = list[0]
            .hint
            .addresses
            .iter()
            .map(|a| a.to_string())
            .collect();
        assert_eq!(addresses, ["10.0.0.2:4242", "10.0.0.1:4242"]);
        for stranger in 0..200 {
            let mut other = setup("x");
            other.device = PublicKey([stranger; 32]);
            seen.heard(other, from(3), now);
        }
        assert_eq!(seen.list(now).len(), MAX_SEEN);
        assert!(seen.list(now + FORGET).is_empty());
        assert_eq!(seen.next_silent(), Some(now + FORGET));
        assert!(seen.forget(now).is_empty());
        assert_eq!(seen.forget(now + FORGET).len(), MAX_SEEN);
        assert_eq!(seen.next_silent(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_ignored(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Setup::decode(&bytes);
            let _ = Setup::decode(&[&MAGIC[..], &bytes].concat());
        }
    }
}
