//! Names that this writer freed a moment ago: editors save by deleting or moving away, then creating.

use crate::path::Name;
use crate::record::NodeId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A name used again within this time continues the history of what had it before.
const WITHIN: Duration = Duration::from_secs(60);
/// Freed names remembered.
const MOST: usize = 10_000;

/// Freed names, oldest first.
#[derive(Default)]
pub(crate) struct Gone(VecDeque<Freed>);

struct Freed {
    parent: NodeId,
    name: Name,
    node: NodeId,
    when: Instant,
}

impl Gone {
    /// Remembers that a name was freed by deleting or moving `node`.
    pub fn freed(&mut self, parent: NodeId, name: Name, node: NodeId) {
        let when = Instant::now();
        self.0.push_back(Freed {
            parent,
            name,
            node,
            when,
        });
        while self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// The node that a new one of this name succeeds.
    pub fn predecessor(&mut self, parent: NodeId, name: &Name) -> Option<NodeId> {
        while self
            .0
            .front()
            .is_some_and(|freed| freed.when.elapsed() > WITHIN)
        {
            self.0.pop_front();
        }
        let mut newest_first = self.0.iter().rev();
        let found = newest_first.find(|freed| freed.parent == parent && freed.name == *name);
        found.map(|freed| freed.node)
    }
}
