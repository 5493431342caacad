//! Whom to dial, and when: at once when somebody is introduced, then with growing pauses.

use crate::transport::Hint;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Pause after many.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A beacon or another hint of a peer that just failed does not hurry us more often than this.
const HURRY: Duration = Duration::from_secs(2);
/// A dial that has gone on for longer goes to where nobody is: whoever is there answers at once.
const FRESH: Duration = Duration::from_secs(1);
/// Devices to dial per address.
const MAX_PER_ADDRESS: usize = 64;
/// Failures after which a device that only others told of is forgotten.
const MAX_FAILURES: u32 = 6;

/// Where a hint comes from: how long it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An invite, the cache, or the device's own proof: tried for ever.
    Known,
    /// A beacon: it is there now.
    Beacon,
    /// Another peer's word.
    Hearsay,
}

/// Every device worth dialling.
#[derive(Default)]
pub(super) struct Dialler {
    targets: Mutex<HashMap<PublicKey, Target>>,
    changed: Notify,
}

/// A dial to be made.
pub(super) struct Dial {
    pub hint: Hint,
    /// Cancelled when the device is connected anyway.
    pub needless: CancellationToken,
}

struct Target {
    hint: Hint,
    addresses: BTreeSet<Address>,
    due: Instant,
    tried: Option<Instant>,
    pause: Duration,
    failures: u32,
    kept: bool,
    /// Being dialled, or connected; a connected one that is not busy is found to be so when it is due.
    busy: bool,
    /// Of the newest dial.
    needless: CancellationToken,
}

impl Dialler {
    fn targets(&self) -> MutexGuard<'_, HashMap<PublicKey, Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns of a device; it is dialled at once unless that was just tried.
    pub fn introduce(&self, address: Address, hint: Hint, source: Source, now: Instant) {
        let mut targets = self.targets();
        let crowd = targets
            .values()
            .filter(|target| target.addresses.contains(&address));
        let crowded = source != Source::Known && crowd.count() >= MAX_PER_ADDRESS;
        if crowded && !targets.contains_key(&hint.device) {
            return;
        }
        let target = targets.entry(hint.device).or_insert_with(|| Target {
            hint: hint.clone(),
            addresses: BTreeSet::new(),
            due: now,
            tried: None,
            pause: FIRST_PAUSE,
            failures: 0,
            kept: false,
            busy: false,
            needless: CancellationToken::new(),
        });
        let known = &target.hint.addresses;
        let moved = hint.addresses.iter().any(|at| !known.contains(at));
        let news = target.addresses.insert(address) || moved;
        target.hint.prefer(&hint.addresses);
        if moved && source != Source::Hearsay {
            // It was started anew elsewhere: a dial to where it was would only time out, and hold up the right one.
            target.needless.cancel();
            target.busy = false;
        }
        target.kept |= source == Source::Known;
        let hurried = target.tried.is_some_and(|tried| now < tried + HURRY);
        if source != Source::Hearsay && !hurried || news {
            (target.due, target.pause) = (now, FIRST_PAUSE);
        }
        drop(targets);
        self.changed.notify_one();
    }

    /// Forgets an address, and devices known for nothing else.
    pub fn forget(&self, address: &Address) {
        self.targets().retain(|_, target| {
            target.addresses.remove(address);
            !target.addresses.is_empty() || target.busy
        });
    }

    /// Devices to dial now; they count as busy until told otherwise, as do those that are connected.
    pub fn take_due(
        &self,
        now: Instant,
        joined: impl Fn(&Address) -> bool,
        connected: impl Fn(&PublicKey) -> bool,
    ) -> Vec<Dial> {
        let mut due = Vec::new();
        for (device, target) in self.targets().iter_mut() {
            let ready = !target.busy && target.due <= now;
            if !ready || !target.addresses.iter().any(&joined) {
                continue;
            }
            target.busy = true;
            if !connected(device) {
                target.tried = Some(now);
                target.needless = CancellationToken::new();
                due.push(Dial {
                    hint: target.hint.clone(),
                    needless: target.needless.clone(),
                });
            }
        }
        due
    }

    /// When the next is due, if nothing changes.
    pub fn next_due(&self, joined: impl Fn(&Address) -> bool) -> Option<Instant> {
        let targets = self.targets();
        let waiting = targets.values().filter(|target| !target.busy);
        let useful = waiting.filter(|target| target.addresses.iter().any(&joined));
        useful.map(|target| target.due).min()
    }

    /// Resolves when there may be somebody new to dial.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Looks again, as after joining a space.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// A connection is there, whoever dialled. A dial still under way is given up: at the device's old address nobody
    /// answers, but the transport would send its next try to the new one, and a second handshake would follow for nothing.
    /// Only a fresh dial that both sides would prefer (`ours_counts`) goes on: else each side could give up its own.
    pub fn connected(&self, device: &PublicKey, ours_counts: bool, now: Instant) {
        if let Some(target) = self.targets().get_mut(device) {
            target.busy = true;
            let fresh = target.tried.is_some_and(|tried| now < tried + FRESH);
            if !(fresh && ours_counts) {
                target.needless.cancel();
            }
        }
    }

    /// It could not be dialled, or the connection ended. A useful one is sought again at once.
    pub fn ended(&self, device: &PublicKey, useful: bool, now: Instant) {
        let mut targets = self.targets();
        let Some(target) = targets.get_mut(device) else {
            return;
        };
        target.busy = false;
        if useful {
            (target.failures, target.pause) = (0, FIRST_PAUSE);
        } else {
            target.failures += 1;
        }
        target.due = now + jitter(target.pause);
        target.pause = (target.pause * 2).min(LONGEST_PAUSE);
        if !target.kept && target.failures >= MAX_FAILURES {
            targets.remove(device);
        }
        drop(targets);
        self.changed.notify_one();
    }
}

/// Between three and five quarters, so that two who lost each other do not meet in the middle for ever.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [128];
    getrandom::fill(&mut byte).ok(); // without randomness: no jitter
    pause * 3 / 4 + pause * u32::from(byte[0]) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Address = Address([1; 32]);

    fn hint(device: u8) -> Hint {
        Hint {
            device: PublicKey([device; 32]),
            addresses: vec![([127, 0, 0, 1], 7000).into()],
        }
    }

    fn due(dialler: &Dialler, now: Instant) -> usize {
        dialler
            .take_due(now, |address| *address == HERE, |_| false)
            .len()
    }

    #[test]
    fn pauses_grow_and_an_introduction_ends_them() {
        let (dialler, mut now) = (Dialler::default(), Instant::now());
        dialler.introduce(HERE, hint(1), Source::Known, now);
        for _ in 0..12 {
            assert_eq!(due(&dialler, now), 1);
            assert_eq!(due(&dialler, now), 0, "busy");
            dialler.ended(&hint(1).device, false, now);
            assert_eq!(due(&dialler, now), 0, "pausing");
            let next = dialler
                .next_due(|_| true)
                .expect("known peers are never given up");
            assert!(next <= now + LONGEST_PAUSE * 5 / 4);
            now = next;
        }
        due(&dialler, now);
        dialler.ended(&hint(1).device, false, now);
        assert_eq!(due(&dialler, now + HURRY), 0);
        dialler.introduce(HERE, hint(1), Source::Beacon, now + HURRY);
        assert_eq!(due(&dialler, now + HURRY), 1);
    }

    #[test]
    fn hearsay_is_given_up() {
        let (dialler, mut now) = (Dialler::default(), Instant::now());
        dialler.introduce(HERE, hint(1), Source::Hearsay, now);
        for _ in 0..MAX_FAILURES {
            assert_eq!(due(&dialler, now), 1);
            dialler.ended(&hint(1).device, false, now);
            now += LONGEST_PAUSE * 2;
        }
        assert_eq!(due(&dialler, now), 0);
        for device in 0..200 {
            dialler.introduce(HERE, hint(device), Source::Hearsay, now);
        }
        assert_eq!(due(&dialler, now), MAX_PER_ADDRESS);
    }

    #[test]
    fn a_dial_to_an_old_address_is_given_up_once_the_device_is_connected() {
        for (ours_counts, age, given_up) in [
            (false, Duration::ZERO, true),
            (true, Duration::ZERO, false),
            (true, FRESH, true),
        ] {
            let (dialler, now) = (Dialler::default(), Instant::now());
            dialler.introduce(HERE, hint(1), Source::Known, now);
            let dials = dialler.take_due(now, |_| true, |_| false);
            assert!(!dials[0].needless.is_cancelled());
            dialler.connected(&hint(1).device, ours_counts, now + age);
            assert_eq!(dials[0].needless.is_cancelled(), given_up);
        }
    }

    #[test]
    fn a_device_that_was_started_anew_is_dialled_there_at_once() {
        for (source, redialled) in [(Source::Beacon, 1), (Source::Hearsay, 0)] {
            let (dialler, now) = (Dialler::default(), Instant::now());
            dialler.introduce(HERE, hint(1), Source::Known, now);
            let old = dialler.take_due(now, |_| true, |_| false);
            let mut anew = hint(1);
            anew.addresses = vec![([127, 0, 0, 1], 7001).into()];
            dialler.introduce(HERE, anew.clone(), source, now);
            let new = dialler.take_due(now, |_| true, |_| false);
            assert_eq!(new.len(), redialled);
            assert_eq!(old[0].needless.is_cancelled(), redialled == 1);
            dialler.introduce(HERE, anew, source, now);
            assert_eq!(due(&dialler, now), 0, "told again: nothing new");
        }
    }

    #[test]
    fn a_connected_device_with_a_new_address_is_not_dialled() {
        let (dialler, now) = (Dialler::default(), Instant::now());
        dialler.introduce(HERE, hint(1), Source::Known, now);
        due(&dialler, now);
        dialler.connected(&hint(1).device, true, now);
        let mut more = hint(1);
        more.addresses.push(([127, 0, 0, 1], 7001).into());
        dialler.introduce(HERE, more, Source::Beacon, now);
        assert!(dialler.take_due(now, |_| true, |_| true).is_empty());
        assert_eq!(due(&dialler, now), 0, "busy again");
    }

    #[test]
    fn nobody_is_dialled_for_a_space_that_is_not_joined() {
        let (dialler, now) = (Dialler::default(), Instant::now());
        dialler.introduce(Address([2; 32]), hint(1), Source::Known, now);
        assert_eq!(due(&dialler, now), 0);
        dialler.introduce(HERE, hint(1), Source::Known, now);
        dialler.forget(&Address([2; 32]));
        assert_eq!(due(&dialler, now), 1);
    }
}
