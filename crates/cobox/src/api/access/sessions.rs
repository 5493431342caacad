//! Who is logged in: sessions with an end, a bounded number of them, closed one by one or all at once.
//!
//! Kept in memory only: a new run of the program begins with none. Pure: the time comes in. Whoever goes on after a call, such
//! as a stream of events, waits for the end of its session by what [`Sessions::enter`] gives.

use data_encoding::HEXLOWER;
use std::io;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// A session ends when nothing was asked in it for this long,
pub const IDLE: Duration = Duration::from_secs(12 * 3600);
/// and at the latest after this long.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Sessions at once; the one that was idle longest makes room.
const MOST: usize = 32;

/// Whoever knows it is logged in.
type Id = Zeroizing<[u8; 32]>;

struct Session {
    id: Id,
    begun: Instant,
    used: Instant,
    /// Goes with the session: then whoever waits for that hears it.
    lasts: watch::Sender<()>,
}

/// Closed when the session is over.
pub type Lasting = watch::Receiver<()>;

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < IDLE
            && now.saturating_duration_since(self.begun) < LONGEST
    }
}

/// All sessions.
#[derive(Default)]
pub struct Sessions(Vec<Session>);

impl Sessions {
    /// Opens one; its id as 64 hex digits.
    pub fn open(&mut self, now: Instant) -> Result<Zeroizing<String>, io::Error> {
        let mut id = Id::default();
        getrandom::fill(&mut id[..]).map_err(|e| io::Error::other(e.to_string()))?;
        self.tidy(now);
        if self.0.len() >= MOST {
            self.0.sort_by_key(|session| session.used);
            self.0.remove(0);
        }
        let text = Zeroizing::new(HEXLOWER.encode(&id[..]));
        self.0.push(Session {
            id,
            begun: now,
            used: now,
            lasts: watch::Sender::new(()),
        });
        Ok(text)
    }

    /// Is somebody logged in by this id? If so, the session was used now.
    pub fn enter(&mut self, id: &str, now: Instant) -> Option<Lasting> {
        self.tidy(now);
        let session = self.find(id).map(|at| &mut self.0[at])?;
        session.used = now;
        Some(session.lasts.subscribe())
    }

    /// Ends those that are too old.
    pub fn tidy(&mut self, now: Instant) {
        self.0.retain(|session| session.lives(now));
    }

    /// Logs out.
    pub fn close(&mut self, id: &str) {
        if let Some(at) = self.find(id) {
            self.0.remove(at);
        }
    }

    /// Logs out everywhere.
    pub fn close_all(&mut self) {
        self.0.clear();
    }

    /// All are looked at, in a time that says nothing about them.
    fn find(&self, id: &str) -> Option<usize> {
        let id = HEXLOWER.decode(id.as_bytes()).ok().map(Zeroizing::new)?;
        let same: Vec<bool> = self
            .0
            .iter()
            .map(|s| s.id[..].ct_eq(&id[..]).into())
            .collect();
        same.iter().position(|same| *same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_as_long_as_it_is_used_and_not_for_ever() {
        let (mut sessions, begun) = (Sessions::default(), Instant::now());
        let id = sessions.open(begun).unwrap();
        assert!(
            sessions.enter("", begun).is_none()
                && sessions.enter(&"0".repeat(64), begun).is_none()
                && sessions.enter("ä", begun).is_none()
        );
        let mut now = begun;
        while now + IDLE / 2 < begun + LONGEST {
            assert!(sessions.enter(&id, now).is_some());
            now += IDLE / 2;
        }
        assert!(sessions.enter(&id, begun + LONGEST).is_none());
        let idle = sessions.open(now).unwrap();
        assert!(sessions.enter(&idle, now + IDLE).is_none());
    }

    #[test]
    fn sessions_are_closed_one_by_one_and_all_at_once() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let ids: Vec<_> = (0..3).map(|_| sessions.open(now).unwrap()).collect();
        sessions.close(&ids[1]);
        let open = |sessions: &mut Sessions| {
            ids.iter()
                .map(|id| sessions.enter(id, now).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(open(&mut sessions), [true, false, true]);
        sessions.close_all();
        assert_eq!(open(&mut sessions), [false, false, false]);
    }

    #[test]
    fn whoever_goes_on_after_a_call_hears_of_the_end_of_its_session() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let ids: Vec<_> = (0..3).map(|_| sessions.open(now).unwrap()).collect();
        let enter = |id: &str| sessions.enter(id, now).unwrap();
        let streams: Vec<_> = ids.iter().map(|id| id.as_str()).map(enter).collect();
        let over = || -> Vec<_> {
            streams
                .iter()
                .map(|one| one.has_changed().is_err())
                .collect()
        };
        assert_eq!(over(), [false; 3]);
        sessions.close(&ids[0]);
        assert_eq!(over(), [true, false, false]);
        sessions.enter(&ids[1], now + IDLE / 2);
        sessions.tidy(now + IDLE);
        assert_eq!(over(), [true, false, true]);
        sessions.close_all();
        assert_eq!(over(), [true; 3]);
    }

    #[test]
    fn the_longest_idle_makes_room() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let at = |n: usize| start + Duration::from_secs(n as u64);
        let ids: Vec<_> = (0..MOST).map(|n| sessions.open(at(n)).unwrap()).collect();
        assert!(sessions.enter(&ids[0], at(100)).is_some());
        sessions.open(at(101)).unwrap();
        assert!(sessions.enter(&ids[0], at(102)).is_some());
        assert!(sessions.enter(&ids[1], at(102)).is_none());
    }
}
