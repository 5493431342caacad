//! How to reach a device: its key and where it was last known. Text form `<64 hex digits>@<ip:port>,<ip:port>...`.

use cobox_keys::identity::PublicKey;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Addresses a hint may carry; more are cut off.
pub const MAX_ADDRESSES: usize = 8;

/// How to reach a device. Text form: `<64 hex digits>@<ip:port>,<ip:port>...`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hint {
    /** its key */
    pub device: PublicKey,
    /** where it was last known, best first */
    pub addresses: Vec<SocketAddr>,
}

/// Not the text form of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a peer hint: expected <64 hex digits>@<ip:port>,<ip:port>...")]
pub struct ParseHintError;

impl Hint {
    /// Adds addresses that are not yet there, the new ones first, and keeps the first [`MAX_ADDRESSES`].
    pub fn prefer(&mut self, newer: &[SocketAddr]) {
        let older = std::mem::take(&mut self.addresses);
        for address in newer.iter().chain(&older) {
            if self.addresses.len() < MAX_ADDRESSES && !self.addresses.contains(address) {
                self.addresses.push(*address);
            }
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.device)?;
        for (n, address) in self.addresses.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

impl FromStr for Hint {
    type Err = ParseHintError;

    fn from_str(text: &str) -> Result<Self, ParseHintError> {
        let (device, addresses) = text.trim().split_once('@').ok_or(ParseHintError)?;
        let device = device.parse().map_err(|_| ParseHintError)?;
        let addresses = addresses
            .split(',')
            .filter(|part| !part.is_empty())
            .take(MAX_ADDRESSES)
            .map(|part| part.trim().parse().map_err(|_| ParseHintError))
            .collect::<Result<_, _>>()?;
        Ok(Self { device, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 168, 1, 7], port))
    }

    #[test]
    fn text_form_round_trips() {
        for addresses in [vec![], vec![address(1)], vec![address(1), address(2)]] {
            let hint = Hint {
                device: PublicKey([0xab; 32]),
                addresses,
            };
            assert_eq!(hint.to_string().parse(), Ok(hint));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "@", "ab@1.2.3.4:5", "1.2.3.4:5"] {
            assert_eq!(text.parse::<Hint>(), Err(ParseHintError));
        }
    }

    #[test]
    fn newer_addresses_come_first_and_the_list_is_bounded() {
        let mut hint = Hint {
            device: PublicKey([1; 32]),
            addresses: vec![address(1), address(2)],
        };
        hint.prefer(&[address(2), address(3)]);
        assert_eq!(hint.addresses, [address(2), address(3), address(1)]);
        hint.prefer(&(10..30).map(address).collect::<Vec<_>>());
        assert_eq!(hint.addresses.len(), MAX_ADDRESSES);
    }
}
