//! Waiting for a tree that is still being fetched, as after a join.

use std::time::{Duration, Instant};

use super::Space;
use super::pin::Pin;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A tree that was not whole counts as whole after being so for this long: the next writer's feed may be about to come.
const SETTLED: Duration = Duration::from_millis(200);
/// Nothing came for so long: what is missing will not come soon.
const PATIENCE: Duration = Duration::from_secs(30);

impl Space {
    /// Waits until the tree shows all that is known to exist: what the invite promised, and every commit whose signed
    /// head is here. Not longer than something comes. Returns in words what is missing; `stop` ends the waiting.
    pub fn await_tree(&self, mut stop: impl FnMut() -> bool) -> Option<String> {
        let mut missing = self.missing_of_tree()?;
        let (mut held, mut came) = (self.drive.blocks_held(), Instant::now());
        let mut whole_since = None;
        while !stop() && came.elapsed() < PATIENCE {
            std::thread::sleep(LOOK_EVERY);
            let now = self.drive.blocks_held();
            if now != held {
                (held, came) = (now, Instant::now());
            }
            match self.missing_of_tree() {
                Some(reason) => (missing, whole_since) = (reason, None),
                None if whole_since.get_or_insert_with(Instant::now).elapsed() >= SETTLED => {
                    return None;
                }
                None => {}
            }
        }
        Some(missing)
    }

    fn missing_of_tree(&self) -> Option<String> {
        if let Some(Pin::Behind(reason)) = self.pin() {
            return Some(reason);
        }
        let reason = "some of the commits that peers have shown are not here yet";
        (!self.drive.has_whole_tree()).then(|| reason.to_owned())
    }
}
