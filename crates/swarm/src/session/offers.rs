//! Which spaces both sides have, without telling which ones we have: blinded offers, then proofs both ways.

use super::spaces::Space;
use crate::protocol::Role;
use crate::wire::session::{Prove, Tag};
use cobox_keys::access::{AccessSecret, Address};
use cobox_keys::identity::PublicKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Label of the secret that both ends of a connection share.
pub(super) const EXPORTER: &[u8] = b"cobox/1/session";

/// One connection, as proofs are bound to it.
#[derive(Clone, Copy)]
pub(super) struct Binding {
    pub exporter: [u8; 32],
    pub ours: PublicKey,
    pub theirs: PublicKey,
    /// We dialled.
    pub dialled: bool,
}

/// What a peer's proof led to.
pub(super) enum Proof {
    /// It is in; if it is an answer to our offer, ours is to be sent.
    Right {
        space: Arc<Space>,
        reply: Option<Prove>,
        role: Role,
    },
    /// It is not.
    Wrong { address: Address },
    /// About nothing that was offered.
    Unknown,
}

/// The offers of one connection.
pub(super) struct Offers {
    binding: Binding,
    /// Tags of ours that were sent.
    offered: HashMap<Tag, Arc<Space>>,
    /// Tags of theirs to which a proof was sent.
    answered: HashMap<Tag, Arc<Space>>,
    /// Tags that the peer would send for our spaces.
    expected: HashMap<Tag, Arc<Space>>,
    /// Our number for each space of this connection: one, however often it is offered.
    channels: HashMap<Address, u64>,
    next_channel: u64,
}

impl Binding {
    /// What `sender` offers a space by.
    fn tag(&self, secret: &AccessSecret, ours: bool) -> Tag {
        let (sender, dialled) = match ours {
            true => (&self.ours, self.dialled),
            false => (&self.theirs, !self.dialled),
        };
        let mac = secret.mac("offer", &[&self.exporter, &[u8::from(dialled)], &sender.0]);
        let mut tag = [0; 16];
        tag.copy_from_slice(&mac[..16]);
        tag
    }

    fn proof(&self, secret: &AccessSecret, replicator: bool) -> [u8; 32] {
        let (sender, receiver) = (&self.ours.0, &self.theirs.0);
        secret.mac(
            "proof",
            &[&self.exporter, &[replicator.into()], sender, receiver],
        )
    }

    fn check(&self, secret: &AccessSecret, prove: &Prove) -> bool {
        let (sender, receiver) = (&self.theirs.0, &self.ours.0);
        let parts: [&[u8]; 4] = [&self.exporter, &[prove.replicator.into()], sender, receiver];
        secret.check_mac("proof", &parts, &prove.mac)
    }
}

impl Offers {
    pub fn new(binding: Binding) -> Self {
        Self {
            binding,
            offered: HashMap::new(),
            answered: HashMap::new(),
            expected: HashMap::new(),
            channels: HashMap::new(),
            next_channel: 1,
        }
    }

    /// A space of ours: recognised from now on.
    pub fn expect(&mut self, space: &Arc<Space>) {
        let tag = self.binding.tag(&space.secret, false);
        self.expected.insert(tag, space.clone());
    }

    /// A tag to send for a space.
    pub fn offer(&mut self, space: &Arc<Space>) -> Tag {
        let tag = self.binding.tag(&space.secret, true);
        self.offered.insert(tag, space.clone());
        tag
    }

    /// Answers the offers that are recognised, each with a proof.
    pub fn answer(&mut self, tags: &[Tag]) -> Vec<Prove> {
        let mut proofs = Vec::new();
        for tag in tags {
            let known = self.expected.get(tag).cloned();
            let Some(space) = known.filter(|_| !self.answered.contains_key(tag)) else {
                continue;
            };
            proofs.push(self.prove(*tag, &space));
            self.answered.insert(*tag, space);
        }
        proofs
    }

    fn prove(&mut self, tag: Tag, space: &Space) -> Prove {
        let replicator = space.role == Role::Replicator;
        Prove {
            tag,
            replicator,
            mac: self.binding.proof(&space.secret, replicator),
            channel: self.channel(&space.address),
        }
    }

    /// Checks a peer's proof.
    pub fn check(&mut self, prove: &Prove) -> Proof {
        let (space, is_ours) = match self.offered.get(&prove.tag) {
            Some(space) => (space.clone(), true),
            None => match self.answered.remove(&prove.tag) {
                Some(space) => (space, false),
                None => return Proof::Unknown,
            },
        };
        self.offered.remove(&prove.tag);
        if !self.binding.check(&space.secret, prove) {
            return Proof::Wrong {
                address: space.address,
            };
        }
        let reply = is_ours.then(|| self.prove(prove.tag, &space));
        let role = match prove.replicator {
            true => Role::Replicator,
            false => Role::Member,
        };
        Proof::Right { space, reply, role }
    }

    /// The peer did not believe our proof.
    pub fn refused(&mut self, tag: &Tag) -> Option<Address> {
        let space = self
            .offered
            .remove(tag)
            .or_else(|| self.answered.remove(tag))?;
        Some(space.address)
    }

    /// Our number for a space.
    pub fn channel(&mut self, address: &Address) -> u64 {
        *self.channels.entry(*address).or_insert_with(|| {
            let channel = self.next_channel;
            self.next_channel += 1;
            channel
        })
    }

    /// We left: nothing of the space is recognised any more. Returns our number, if it had one.
    pub fn forget(&mut self, address: &Address) -> Option<u64> {
        for tags in [&mut self.offered, &mut self.answered, &mut self.expected] {
            tags.retain(|_, space| space.address != *address);
        }
        self.channels.remove(address)
    }

    /// The peer left: if it joins again, it gets another number.
    pub fn renumber(&mut self, address: &Address) {
        self.channels.remove(address);
    }
}
