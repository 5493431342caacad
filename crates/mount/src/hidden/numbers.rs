//! Numbers of what is hidden, as long as the kernel refers to them.

use super::Thing;
use crate::errno::Answer;
use fuser::Errno;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The folder's number, and those of everything in it, have this bit.
pub(super) const TOP: u64 = 1 << 63;

/// Does a number belong here? Those with the next bit are of `special`.
pub(crate) fn is_hidden(ino: u64) -> bool {
    ino >> 62 == 0b10
}

/// Things by number. The first stays for ever.
pub(super) struct Numbers {
    first: (u64, Thing),
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    things: HashMap<u64, Known>,
    by_name: HashMap<At, u64>,
    given: u64,
}

/// Folder and name.
type At = (u64, Vec<u8>);

struct Known {
    thing: Thing,
    size: u64,
    at: At,
    count: u64,
}

impl Numbers {
    pub fn new(ino: u64, thing: Thing) -> Self {
        Self {
            first: (ino, thing),
            all: Mutex::default(),
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, ino: u64) -> Answer<Thing> {
        if ino == self.first.0 {
            return Ok(self.first.1.clone());
        }
        let all = self.all();
        let known = all.things.get(&ino).ok_or(Errno::ESTALE)?;
        Ok(known.thing.clone())
    }

    /// The number of what is under a name, the same as before if it has one. Counts one reference. Something of another
    /// size has another number, since the kernel keeps the size that it was first told.
    pub fn keep(&self, (parent, name): (u64, &[u8]), thing: Thing, size: u64) -> u64 {
        let mut all = self.all();
        let at = (parent, name.to_vec());
        let known = all.by_name.get(&at).copied();
        if let Some(ino) = known
            && let Some(known) = all.things.get_mut(&ino)
            && (&known.thing, known.size) == (&thing, size)
        {
            known.count += 1;
            return ino;
        }
        all.given += 1;
        let ino = TOP + all.given;
        all.by_name.insert(at.clone(), ino);
        let known = Known {
            thing,
            size,
            at,
            count: 1,
        };
        all.things.insert(ino, known);
        ino
    }

    pub fn forget(&self, ino: u64, count: u64) {
        let mut all = self.all();
        let Some(known) = all.things.get_mut(&ino) else {
            return;
        };
        known.count = known.count.saturating_sub(count);
        if known.count == 0
            && let Some(known) = all.things.remove(&ino)
            && all.by_name.get(&known.at) == Some(&ino)
        {
            all.by_name.remove(&known.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_while_it_is_referred_to_and_no_longer() {
        let numbers = Numbers::new(TOP, Thing::Top);
        let one = numbers.keep((TOP, b"history"), Thing::History, 0);
        assert_eq!(numbers.keep((TOP, b"history"), Thing::History, 0), one);
        numbers.forget(one, 1);
        assert_eq!(numbers.get(one), Ok(Thing::History));
        numbers.forget(one, 1);
        assert_eq!(numbers.get(one), Err(Errno::ESTALE));
        assert_ne!(numbers.keep((TOP, b"history"), Thing::History, 0), one);
        numbers.forget(TOP, 1);
        assert_eq!(numbers.get(TOP), Ok(Thing::Top));
    }

    #[test]
    fn something_else_under_a_name_has_another_number() {
        let numbers = Numbers::new(TOP, Thing::Top);
        let keep = |at_ms, size| {
            let past = Thing::Past(at_ms, Default::default());
            numbers.keep((TOP, b"file"), past, size)
        };
        let one = keep(1, 0);
        let two = keep(2, 0);
        let three = keep(2, 100);
        assert!(one != two && two != three);
        numbers.forget(one, 1);
        assert_eq!(keep(2, 100), three);
    }
}
