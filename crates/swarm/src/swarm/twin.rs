//! Is somebody else alive under our own device key? Then a copy of this home runs elsewhere.
//!
//! What others say of it is only a reason to knock there, as a stranger: whoever proves our key in the handshake, and says
//! another run than ours, is a twin. So nobody can talk us into it, and a way back to ourselves is not taken for one.

use super::connections::Inner;
use crate::session::{Observer, SwarmEvent, ask_run, unix_ms};
use crate::transport::Hint;
use crate::wire::session::Run;
use cobox_keys::identity::KeyPair;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Where nobody was found is not looked at again for so long.
const AGAIN: Duration = Duration::from_secs(60);
/// Places remembered.
const MAX_PLACES: usize = 256;

/// A run that begins now.
pub(super) fn new_run() -> Run {
    let mut run = [0; 16];
    run[..8].copy_from_slice(&unix_ms().to_be_bytes());
    // As good as any random bytes, and they need not be secret.
    run[8..].copy_from_slice(&KeyPair::generate().public().0[..8]);
    run
}

impl Inner {
    /// Knocks wherever somebody may be alive under our own key.
    pub async fn look_for_twins(self: Arc<Self>, mut elsewhere: mpsc::Receiver<Vec<SocketAddr>>) {
        let mut looked: HashMap<SocketAddr, Instant> = HashMap::new();
        while let Some(mut places) = elsewhere.recv().await {
            let (now, ours) = (Instant::now(), self.context.transport.hint().addresses);
            looked.retain(|_, at| now.duration_since(*at) < AGAIN);
            places.retain(|place| !ours.contains(place) && !looked.contains_key(place));
            if places.is_empty() || looked.len() >= MAX_PLACES {
                continue;
            }
            looked.extend(places.iter().map(|place| (*place, now)));
            match self.knock(&places).await {
                Some(run) if run != self.context.run => {
                    let is_older = run < self.context.run;
                    let at = places;
                    self.facts.tell(SwarmEvent::Twin { at, is_older });
                }
                _ => {} // nobody, or a way back to ourselves
            }
        }
    }

    /// The run of whoever proves our device key there.
    async fn knock(&self, places: &[SocketAddr]) -> Option<Run> {
        let hint = Hint {
            device: self.context.transport.device(),
            addresses: places.to_vec(),
        };
        let stranger = self.context.transport.stranger().await.ok()?;
        let run = match stranger.dial(&hint).await {
            Ok(connection) => ask_run(connection).await,
            Err(_) => None,
        };
        stranger.close().await;
        run
    }
}
