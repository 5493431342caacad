//! How fast passwords may be tried: each wrong one makes the next wait longer, up to a bound.
//!
//! One for everybody: whoever tries has no name. A right password, or the token, ends it. Pure: the time comes in.

use std::time::{Duration, Instant};

/// Wrong tries that cost nothing: people mistype.
const FREE: u32 = 3;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// What is remembered of wrong tries.
#[derive(Default)]
pub struct Throttle {
    wrong: u32,
    until: Option<Instant>,
}

impl Throttle {
    /// May a password be tried now? Else how long to wait.
    pub fn ask(&self, now: Instant) -> Result<(), Duration> {
        let left = self.until.map(|until| until.saturating_duration_since(now));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(left),
            None => Ok(()),
        }
    }

    /// It was wrong.
    pub fn wrong(&mut self, now: Instant) {
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong > FREE {
            let doubled = 1u64 << (self.wrong - FREE - 1).min(16);
            self.until = Some(now + Duration::from_secs(doubled).min(LONGEST));
        }
    }

    /// It was right.
    pub fn right(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_try_makes_the_next_wait_longer_up_to_a_bound() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..100 {
            let wait = throttle.ask(now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert!(throttle.ask(now).is_ok(), "after the wait it may be tried");
            throttle.wrong(now);
        }
        assert_eq!(waits[..10], [0, 0, 0, 0, 1, 2, 4, 8, 16, 32]);
        assert!(waits.is_sorted() && waits[99] == LONGEST.as_secs());
        throttle.right();
        assert!(throttle.ask(now).is_ok());
    }
}
