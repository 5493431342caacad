//! Claiming a device, from the side of the person who wants it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cobox_keys::identity::PublicKey;
use cobox_keys::invite::Invite;
use cobox_keys::pake::{Exchange, Side};
use cobox_swarm::swarm::Seen;
use cobox_swarm::transport::Connection;

use super::code::typed;
use super::talk::{DEVICE_SIGNS, PERSON_SIGNS, Said, Talk, is_signed, transcript};
use crate::admin::Device;
use crate::error::{ClaimError, SpaceError};
use crate::shelf::Shelf;
use crate::space::clean_name;

/// The device may have to write to a slow disk before it answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for the first words of the admin space, which say who the device is.
const FIRST_WORDS: Duration = Duration::from_secs(20);

/// Devices that announce themselves on the local network.
pub fn seen(shelf: &Shelf) -> Vec<Seen> {
    shelf.swarm().seen()
}

/// Becomes an admin of a device that announces itself, by its key or the name it announces. The first admin also names it.
///
/// # Errors
///
/// `NoName`, `BadName`, `NameTaken`, `Claim`, or the store's. Nothing has changed then, or what has is made good by
/// doing it again.
pub async fn claim(
    shelf: &Shelf,
    device: &str,
    name: &str,
    code: Option<&str>,
) -> Result<Device, SpaceError> {
    let seen = find(shelf, device)?;
    claim_seen(shelf, seen, name, code).await
}

/// The same for one that was found.
pub(super) async fn claim_seen(
    shelf: &Shelf,
    seen: Seen,
    name: &str,
    code: Option<&str>,
) -> Result<Device, SpaceError> {
    let name = clean_name(name)?;
    shelf.name().ok_or(SpaceError::NoName)?;
    let dialled = shelf.swarm().dial_claim(&seen.hint).await;
    let connection = dialled.map_err(|error| ClaimError::Unreachable(error.to_string()))?;
    let claimed = tokio::time::timeout(PATIENCE, ask(shelf, &*connection, &seen, &name, code));
    let asked = claimed.await.map_err(|_| late())?;
    let (mut talk, identity, invite) = asked.inspect_err(|_| connection.close("given up"))?;
    let joined = join(shelf, &seen, identity, invite).await?;
    // Only a courtesy: the device also notices that we are in its space.
    if talk.say(&Said::Done).await.is_ok() {
        let _ = tokio::time::timeout(Duration::from_secs(2), talk.hear()).await;
    }
    connection.close("done");
    first_words(joined).await
}

fn late() -> ClaimError {
    ClaimError::Interrupted("no answer in time".into())
}

fn find(shelf: &Shelf, device: &str) -> Result<Seen, ClaimError> {
    let text = device.trim();
    let is_it = |seen: &Seen| {
        let key = seen.setup.device.to_string();
        key == text.to_ascii_lowercase() || seen.setup.name == text
    };
    let mut found = seen(shelf).into_iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(seen), None) => Ok(seen),
        (None, _) => Err(ClaimError::NotSeen(text.to_owned())),
        (Some(_), Some(_)) => Err(ClaimError::Ambiguous(text.to_owned())),
    }
}

/// Until the device has answered with an invite.
async fn ask(
    shelf: &Shelf,
    connection: &dyn Connection,
    seen: &Seen,
    name: &str,
    code: Option<&str>,
) -> Result<(Talk, PublicKey, String), ClaimError> {
    let me = shelf.public_key();
    let nonce = seen.setup.nonce;
    let both = transcript(connection, &nonce, &shelf.swarm().hint().device, &me)?;
    let exchange = code.map(|code| Exchange::begin(Side::First, typed(code).as_bytes(), &both));
    let mut talk = Talk::open(connection).await.map_err(super::talk::broke)?;
    let signature = shelf.identity().key_pair().sign(PERSON_SIGNS, &both).0;
    let hello = Said::Hello {
        nonce,
        person: me,
        signature,
        name: name.to_owned(),
        share: exchange.as_ref().map(Exchange::share),
    };
    talk.say(&hello).await?;
    let Said::Identity {
        device,
        signature,
        share,
    } = talk.hear_yes().await?
    else {
        return Err(ClaimError::Unproven("it answered out of turn"));
    };
    if !is_signed(&device, DEVICE_SIGNS, &both, &signature) {
        return Err(ClaimError::Unproven("its signature is wrong"));
    }
    let agreed = match (exchange, share) {
        (None, _) => None,
        // Whoever was given a code wants to be sure of the device.
        (Some(_), None) => return Err(ClaimError::Unproven("it shows no code")),
        (Some(exchange), Some(share)) => {
            let agreed = exchange.finish(&share);
            Some(agreed.map_err(|_| ClaimError::Unproven("its code exchange is wrong"))?)
        }
    };
    let proof = agreed.as_ref().map(|agreed| agreed.proof(Side::First));
    talk.say(&Said::Proof { proof }).await?;
    let Said::Welcome { code, proof } = talk.hear_yes().await? else {
        return Err(ClaimError::Unproven("it answered out of turn"));
    };
    let knows_code = |proof: &[u8; 32]| {
        let agreed = agreed.as_ref();
        agreed.is_some_and(|agreed| agreed.check(Side::Second, proof))
    };
    if agreed.is_some() && !proof.as_ref().is_some_and(knows_code) {
        return Err(ClaimError::Unproven("it does not know its own code"));
    }
    Ok((talk, device, code))
}

/// Into the admin space, unless we are in it already.
async fn join(
    shelf: &Shelf,
    seen: &Seen,
    identity: PublicKey,
    code: String,
) -> Result<(Shelf, cobox_keys::access::Address, PublicKey), SpaceError> {
    let invite = Invite::open(&code, &shelf.identity())?;
    if invite.inviter != identity {
        return Err(ClaimError::Unproven("its invite is somebody else's").into());
    }
    let (joining, hint) = (shelf.clone(), seen.hint.clone());
    let aside = format!("{} {}", invite.name, &seen.setup.device.to_string()[..8]);
    let join = move || {
        match joining.join(&code, None) {
            Err(SpaceError::AlreadyHere(_)) => {}
            // Another space has its name here: this one gets a longer one until they are told apart.
            Err(SpaceError::NameTaken(_)) => drop(joining.join(&code, Some(&aside))?),
            joined => drop(joined?),
        }
        joining.swarm().introduce(invite.address, hint);
        Ok((joining, invite.address, identity))
    };
    let joined = tokio::task::spawn_blocking(join).await;
    joined.unwrap_or(Err(SpaceError::Stopping))
}

/// Waits until the space itself says that it is this device's.
async fn first_words(
    (shelf, address, identity): (Shelf, cobox_keys::access::Address, PublicKey),
) -> Result<Device, SpaceError> {
    let wait = move || {
        let begun = Instant::now();
        loop {
            let space = shelf.space(&address.to_string())?;
            let device = Device::of(&Arc::clone(&space))?;
            match device.filter(|device| device.identity() == identity) {
                Some(device) => return Ok(device),
                None if begun.elapsed() > FIRST_WORDS => {
                    let why = "it took you as its admin, but its first words have not come yet";
                    return Err(ClaimError::Interrupted(why.into()).into());
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    };
    let waited = tokio::task::spawn_blocking(wait).await;
    waited.unwrap_or(Err(SpaceError::Stopping))
}
