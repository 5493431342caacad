//! Takes claims: who comes, with which nonce, proving which identity; decides in one durable message; answers
//! with an invite.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cobox_keys::derive::Incarnation;
use cobox_keys::identity::PublicKey;
use cobox_keys::pake::{Agreed, Exchange, Side};
use cobox_swarm::swarm::Nonce;
use cobox_swarm::transport::Connection;
use tokio::sync::{Semaphore, mpsc};

use super::door::Why;
use super::talk::{DEVICE_SIGNS, No, PERSON_SIGNS, Said, Talk, broke, is_signed, transcript};
use super::{Inner, lock};
use crate::admin::{Answer, How};
use crate::error::{ClaimError, SpaceError};
use crate::space::clean_name;

/// Claims at a time; more wait.
const AT_ONCE: usize = 4;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A nonce is good for so long.
const FRESH: Duration = Duration::from_secs(60);
/// Nonces remembered: two a second for a minute, with room to spare.
const MAX_NONCES: usize = 256;
/// A wrong guess takes this long to be told, and holds up other guesses.
const PENALTY: Duration = Duration::from_secs(1);

/// What was given out and not used.
#[derive(Default)]
pub(super) struct Nonces(Mutex<VecDeque<(Nonce, Instant)>>);

impl Nonces {
    /// A new one.
    pub fn fresh(&self, now: Instant) -> Nonce {
        let nonce = Incarnation::generate().0; // as random, and as long
        let mut given = lock(&self.0);
        if given.len() >= MAX_NONCES {
            given.pop_front();
        }
        given.push_back((nonce, now));
        nonce
    }

    /// Uses one up; false if it is none of ours, too old, or was used.
    pub fn take(&self, nonce: &Nonce, now: Instant) -> bool {
        let mut given = lock(&self.0);
        given.retain(|(_, since)| now.duration_since(*since) < FRESH);
        let at = given.iter().position(|(known, _)| known == nonce);
        at.and_then(|at| given.remove(at)).is_some()
    }
}

/// Why somebody was sent away.
enum Away {
    /// they are told
    No(No, String),
    /// they are gone
    Gone(ClaimError),
}

impl From<ClaimError> for Away {
    fn from(error: ClaimError) -> Self {
        Self::Gone(error)
    }
}

fn no<T>(why: No) -> Result<T, Away> {
    Err(Away::No(why, String::new()))
}

/// Takes claims until aborted.
pub(super) async fn run(inner: Arc<Inner>, mut claims: mpsc::Receiver<Box<dyn Connection>>) {
    let seats = Arc::new(Semaphore::new(AT_ONCE));
    let guesses = Arc::new(tokio::sync::Mutex::new(()));
    while let Some(connection) = claims.recv().await {
        let Ok(seat) = seats.clone().acquire_owned().await else {
            return;
        };
        let desk = Desk {
            inner: Arc::clone(&inner),
            guesses: Arc::clone(&guesses),
        };
        tokio::spawn(async move {
            let _seat = seat;
            let served = tokio::time::timeout(PATIENCE, desk.serve(&*connection)).await;
            match served {
                Ok(Ok(())) => connection.close("done"),
                Ok(Err(reason)) => {
                    tracing::info!(device = %connection.remote(), reason, "a claim came to nothing");
                    connection.close("no");
                }
                Err(_) => connection.close("too slow"),
            }
        });
    }
}

struct Desk {
    inner: Arc<Inner>,
    /// One guess at the code at a time.
    guesses: Arc<tokio::sync::Mutex<()>>,
}

impl Desk {
    /// One claim to its end; why it came to nothing, in words.
    async fn serve(&self, connection: &dyn Connection) -> Result<(), String> {
        let talk = Talk::accept(connection).await;
        let mut talk = talk.map_err(|error| error.to_string())?;
        match self.talk(&mut talk, connection).await {
            Ok(person) => {
                lock(&self.inner.arrived).insert(person);
                self.inner.wake.notify_one();
                let _ = talk.say(&Said::Done).await;
                connection.closed().await; // they have heard it
                Ok(())
            }
            Err(Away::No(why, words)) => {
                let reason = why.error(words.clone()).to_string();
                if talk.say(&Said::No { why, words }).await.is_ok() {
                    connection.closed().await;
                }
                Err(reason)
            }
            Err(Away::Gone(error)) => Err(error.to_string()),
        }
    }

    async fn talk(&self, talk: &mut Talk, connection: &dyn Connection) -> Result<PublicKey, Away> {
        let Said::Hello {
            nonce,
            person,
            signature,
            name,
            share,
        } = talk.hear().await?
        else {
            return Err(out_of_turn());
        };
        if !self.inner.nonces.take(&nonce, Instant::now()) {
            return no(No::Stale);
        }
        let our_device = self.inner.shelf.swarm().hint().device;
        let both = transcript(connection, &nonce, &our_device, &person)?;
        if !is_signed(&person, PERSON_SIGNS, &both, &signature) {
            return Err(Away::No(No::Other, "that is not your signature".into()));
        }
        let exchange = self.begin_code(share.as_ref(), &both)?;
        let identity = self.inner.shelf.identity();
        talk.say(&Said::Identity {
            device: identity.public_key(),
            signature: identity.key_pair().sign(DEVICE_SIGNS, &both).0,
            share: exchange.as_ref().map(|(exchange, _)| exchange.share()),
        })
        .await?;
        let Said::Proof { proof } = talk.hear().await? else {
            return Err(out_of_turn());
        };
        let agreed = match (exchange, share) {
            (Some((exchange, number)), Some(share)) => {
                Some(self.check_code(exchange, number, &share, proof).await?)
            }
            _ => None,
        };
        let code = self.decide(person, name).await?;
        let proof = agreed.map(|agreed| agreed.proof(Side::Second));
        talk.say(&Said::Welcome { code, proof }).await?;
        match talk.hear().await? {
            Said::Done => Ok(person),
            _ => Err(out_of_turn()),
        }
    }

    fn begin_code(
        &self,
        share: Option<&[u8; 32]>,
        both: &[u8],
    ) -> Result<Option<(Exchange, u64)>, Away> {
        let Some(code) = &self.inner.code else {
            return Ok(None);
        };
        if share.is_none() {
            return no(No::CodeNeeded);
        }
        let (digits, number) = code.now();
        let exchange = Exchange::begin(Side::Second, digits.as_bytes(), both);
        Ok(Some((exchange, number)))
    }

    async fn check_code(
        &self,
        exchange: Exchange,
        number: u64,
        share: &[u8; 32],
        proof: Option<[u8; 32]>,
    ) -> Result<Agreed, Away> {
        let _one = self.guesses.lock().await;
        let Some(code) = self
            .inner
            .code
            .as_ref()
            .filter(|code| code.is_current(number))
        else {
            return no(No::WrongCode);
        };
        let agreed = exchange.finish(share).ok();
        let right = |agreed: &Agreed| proof.is_some_and(|proof| agreed.check(Side::First, &proof));
        match agreed.filter(right) {
            Some(agreed) => Ok(agreed),
            None => {
                if code.wrong() {
                    let digits = code.now().0.to_string();
                    self.inner
                        .shown
                        .send_modify(|shown| shown.code = Some(digits));
                }
                tokio::time::sleep(PENALTY).await;
                no(No::WrongCode)
            }
        }
    }

    /// The deciding moment; an invite for whom it was decided.
    async fn decide(&self, person: PublicKey, name: String) -> Result<String, Away> {
        let inner = Arc::clone(&self.inner);
        let decided = tokio::task::spawn_blocking(move || inner.admit(person, &name)).await;
        match decided.unwrap_or(Err(SpaceError::Stopping)) {
            Ok(Some(code)) => Ok(code),
            Ok(None) => no(No::Taken),
            Err(error) => Err(Away::No(No::Other, error.to_string())),
        }
    }
}

fn out_of_turn() -> Away {
    Away::Gone(broke("out of turn"))
}

impl Inner {
    /// Makes somebody an admin, if they may be one; an invite for them. None: it is somebody else's. Blocks.
    fn admit(
        self: &Arc<Self>,
        person: PublicKey,
        name: &str,
    ) -> Result<Option<String>, SpaceError> {
        let name = clean_name(name)?;
        let _one = lock(&self.working);
        let space = self.space()?;
        let picture = self.picture(&space)?;
        let door = self.tend_door(&space, &picture)?;
        let is_new = !picture.claimed;
        let again = door.is_promised(&person);
        let is_admin = picture.admins.contains_key(&person);
        if !again {
            let how = match door.anyone {
                None => return Ok(None),
                Some(Why::Unclaimed) => How::Claimed,
                Some(Why::Announced { id, .. }) => How::Announced { id },
            };
            if !is_admin {
                // From here on they are one, whatever happens to us.
                space.log().tell(&Answer::Admitted {
                    public_key: person,
                    how,
                })?;
            }
        }
        if is_new || (again && picture.admins.len() == 1 && picture.name.is_none()) {
            self.take_name(&space, &name)?;
        }
        let code = space.invite(&person)?;
        let picture = self.picture(&space)?;
        self.tend_door(&space, &picture)?;
        Ok(Some(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_and_not_for_long() {
        let nonces = Nonces::default();
        let now = Instant::now();
        let (one, other) = (nonces.fresh(now), nonces.fresh(now));
        assert!(nonces.take(&one, now));
        assert!(!nonces.take(&one, now), "used");
        assert!(!nonces.take(&other, now + FRESH), "old");
        assert!(!nonces.take(&[9; 16], now), "never given");
    }

    #[test]
    fn the_list_of_nonces_does_not_grow() {
        let nonces = Nonces::default();
        let now = Instant::now();
        let first = nonces.fresh(now);
        for _ in 0..MAX_NONCES {
            nonces.fresh(now);
        }
        assert!(!nonces.take(&first, now));
        assert_eq!(lock(&nonces.0).len(), MAX_NONCES);
    }
}
