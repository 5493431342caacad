//! One beacon packet: "somebody here is at these addresses", readable only by those who know one of them.
//!
//! ```text
//! magic 4 "cbx1" | nonce 16 | count 1 | count x { tag 8 | device key 32 ^ mask | port 2 ^ mask }
//! ```
//! Tag and masks are MACs of the nonce under the space's access secret, so that without the address a
//! packet is noise, a new one each time, and never names a device or a space.

use cobox_keys::access::AccessSecret;
use cobox_keys::identity::PublicKey;

const MAGIC: &[u8; 4] = b"cbx1";
const NONCE: usize = 16;
const HEADER: usize = 4 + NONCE + 1;
const TAG: usize = 8;
const ENTRY: usize = TAG + 32 + 2;
/// Entries in one packet, so that it stays below 512 bytes.
pub const MAX_ENTRIES: usize = 11;

/// Who announces: a device and the UDP port where it takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// device key
    pub device: PublicKey,
    /// port for connections, on the address that the packet came from
    pub port: u16,
}

/// Announces one device at up to [`MAX_ENTRIES`] spaces; more are left out.
pub fn encode(nonce: [u8; NONCE], me: Announcement, spaces: &[&AccessSecret]) -> Vec<u8> {
    let spaces = &spaces[..spaces.len().min(MAX_ENTRIES)];
    let mut packet = Vec::with_capacity(HEADER + spaces.len() * ENTRY);
    packet.extend_from_slice(MAGIC);
    packet.extend_from_slice(&nonce);
    packet.push(spaces.len() as u8);
    for secret in spaces {
        packet.extend_from_slice(&tag(secret, &nonce));
        let mut body = plain(me);
        mask(&mut body, secret, &nonce);
        packet.extend_from_slice(&body);
    }
    packet
}

/// Finds the entry for one space in a packet, if it is there.
pub fn decode(packet: &[u8], secret: &AccessSecret) -> Option<Announcement> {
    let rest = packet.strip_prefix(MAGIC)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
    let (count, entries) = rest.split_first()?;
    if entries.len() != usize::from(*count) * ENTRY || usize::from(*count) > MAX_ENTRIES {
        return None;
    }
    let tag = tag(secret, nonce);
    let entry = entries
        .chunks_exact(ENTRY)
        .find(|entry| entry[..TAG] == tag)?;
    let mut body: [u8; 34] = entry[TAG..].try_into().ok()?;
    mask(&mut body, secret, nonce);
    let (device, port) = body.split_first_chunk::<32>()?;
    let port = u16::from_le_bytes(port.try_into().ok()?);
    Some(Announcement {
        device: PublicKey(*device),
        port,
    })
}

fn plain(me: Announcement) -> [u8; 34] {
    let mut body = [0; 34];
    body[..32].copy_from_slice(&me.device.0);
    body[32..].copy_from_slice(&me.port.to_le_bytes());
    body
}

fn tag(secret: &AccessSecret, nonce: &[u8]) -> [u8; TAG] {
    let mac = secret.mac("beacon tag", &[nonce]);
    let mut tag = [0; TAG];
    tag.copy_from_slice(&mac[..TAG]);
    tag
}

fn mask(body: &mut [u8; 34], secret: &AccessSecret, nonce: &[u8]) {
    let device = secret.mac("beacon device", &[nonce]);
    let port = secret.mac("beacon port", &[nonce]);
    for (byte, mask) in body.iter_mut().zip(device.iter().chain(&port[..2])) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cobox_keys::access::Address;
    use proptest::prelude::*;

    fn secret(byte: u8) -> AccessSecret {
        Address([byte; 32]).access_secret()
    }

    #[test]
    fn those_who_know_the_address_read_it_and_nobody_else() {
        let me = Announcement {
            device: PublicKey([7; 32]),
            port: 4242,
        };
        let packet = encode([1; 16], me, &[&secret(1), &secret(2)]);
        assert!(packet.len() < 512);
        assert_eq!(decode(&packet, &secret(1)), Some(me));
        assert_eq!(decode(&packet, &secret(2)), Some(me));
        assert_eq!(decode(&packet, &secret(3)), None);
        let shown = packet.windows(32).any(|window| window == [7; 32]);
        assert!(!shown, "the device key is in the clear");
    }

    #[test]
    fn a_packet_never_grows_beyond_its_limit() {
        let secrets: Vec<_> = (0..40).map(secret).collect();
        let me = Announcement {
            device: PublicKey([7; 32]),
            port: 1,
        };
        let packet = encode([0; 16], me, &secrets.iter().collect::<Vec<_>>());
        assert!(packet.len() < 512, "{}", packet.len());
        assert_eq!(decode(&packet, &secret(10)), Some(me));
        assert_eq!(decode(&packet, &secret(11)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_ignored(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode(&bytes, &secret(1));
        }
    }
}
