//! Tickets: whoever holds the token gives one to a browser, which opens a session with it, once and soon.
//!
//! Pure: the time comes in.

use data_encoding::HEXLOWER;
use std::io;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How long a ticket is good.
pub const LIFE: Duration = Duration::from_secs(120);
/// Tickets at once; the oldest makes room.
const MOST: usize = 8;

struct Ticket {
    secret: Zeroizing<[u8; 32]>,
    made: Instant,
}

/// All that are good.
#[derive(Default)]
pub struct Tickets(Vec<Ticket>);

impl Tickets {
    /// Makes one: 64 hex digits.
    pub fn make(&mut self, now: Instant) -> io::Result<Zeroizing<String>> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut secret[..]).map_err(|e| io::Error::other(e.to_string()))?;
        self.forget(now);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        let text = Zeroizing::new(HEXLOWER.encode(&secret[..]));
        self.0.push(Ticket { secret, made: now });
        Ok(text)
    }

    /// Is it good? Then it was, until now.
    pub fn take(&mut self, text: &str, now: Instant) -> bool {
        self.forget(now);
        let Ok(given) = HEXLOWER.decode(text.as_bytes()).map(Zeroizing::new) else {
            return false;
        };
        // All are looked at, in a time that says nothing about them.
        let same: Vec<bool> = self
            .0
            .iter()
            .map(|ticket| ticket.secret[..].ct_eq(&given[..]).into())
            .collect();
        let found = same.iter().position(|same| *same);
        found.map(|at| self.0.remove(at)).is_some()
    }

    fn forget(&mut self, now: Instant) {
        self.0
            .retain(|ticket| now.saturating_duration_since(ticket.made) < LIFE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_a_while() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        let ticket = tickets.make(now).unwrap();
        for wrong in ["", "ä", "0", &"0".repeat(64), &ticket[1..]] {
            assert!(!tickets.take(wrong, now), "{wrong}");
        }
        assert!(tickets.take(&ticket, now) && !tickets.take(&ticket, now));
        let late = tickets.make(now).unwrap();
        assert!(!tickets.take(&late, now + LIFE));
    }

    #[test]
    fn the_oldest_makes_room() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        let all: Vec<_> = (0..=MOST).map(|_| tickets.make(now).unwrap()).collect();
        assert!(
            !tickets.take(&all[0], now)
                && tickets.take(&all[1], now)
                && tickets.take(&all[MOST], now)
        );
    }
}
