//! What peers ask of us.

use super::{Action, PeerId, Replication, Serve};
use crate::wire::feed::{NoData, Reason, Request};
use cobox_feed::manifest::FeedKey;
use cobox_feed::tree;

impl Replication {
    /// A request came: it is queued to be read from disk, or refused at once.
    pub(super) fn on_request(&mut self, id: PeerId, key: &FeedKey, request: Request) {
        let Some(state) = self.feeds.get(key).filter(|state| state.certified) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let slot = peer.slot(id, key, &state.name, &mut self.actions);
        let sensible = request.fork == 0 && request.parts != tree::Request::default();
        if !sensible {
            let refusal = NoData {
                request: request.id,
                reason: Reason::Invalid,
            };
            self.actions.send(id, slot, &refusal);
            return;
        }
        self.actions.push(Action::Serve(Serve {
            peer: id,
            slot,
            id: request.id,
            urgent: request.priority > 0,
            feed: state.feed.clone(),
            request: request.parts,
        }));
    }
}
