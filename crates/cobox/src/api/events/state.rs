//! States that are made of many things, looked at again when one of them moved, and told where they look different:
//! spaces and replicas as in their lists, devices and what was said to them, peers, how others reach us.
//!
//! One task for all who follow; while nobody does, only devices are looked at. What has not moved is not looked at, so
//! an idle program does nothing here.

use super::shape::made;
use crate::api::devices::types::{CommandJson, DeviceDetailJson};
use crate::api::devices::{hub_json, look_at};
use crate::api::{Api, shapes};
use cobox_keys::access::Address;
use cobox_space::hub::Hub;
use cobox_space::shelf::{ShelfEvent, SpaceError};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// What moves all the time is told so often.
const PAUSE: Duration = Duration::from_millis(500);
/// How often peers are looked at, while somebody follows.
const PEERS_EVERY: Duration = Duration::from_secs(2);
/// Peers say a little to each other all the time: fewer bytes than this are no news.
const TRAFFIC: u64 = 16 << 10;

const SPACE: &str = "space";
const REPLICA: &str = "replica";

/// What was told last.
#[derive(Default)]
struct Told {
    /// what is at an address, [`SPACE`] or [`REPLICA`], and how it looked
    listed: BTreeMap<Address, (&'static str, Value)>,
    devices: BTreeMap<Address, ToldDevice>,
    /// by device key: what it was, and its bytes then
    peers: BTreeMap<String, (Value, u64)>,
    hint: String,
    hub: Value,
}

#[derive(Default)]
struct ToldDevice {
    detail: Value,
    /// by id
    commands: BTreeMap<String, Value>,
}

/// Looks and tells until it is aborted.
pub async fn run(api: Arc<Api>) {
    let mut events = api.shelf.subscribe();
    let mut shown = api.hub.as_ref().map(Hub::shown);
    let mut ticks = interval(PEERS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Devices as they are now are known to whoever asks from now on.
    let mut told = look(&api, Told::default(), all(&api), true).await;
    let mut moved = BTreeSet::new();
    let mut look_at = Instant::now();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => moved.extend(of(&event)),
                Err(RecvError::Lagged(_)) => moved.append(&mut all(&api)),
                Err(RecvError::Closed) => return,
            },
            () = sleep_until(look_at), if !moved.is_empty() => {
                told = look(&api, told, std::mem::take(&mut moved), false).await;
                look_at = Instant::now() + PAUSE;
            }
            _ = ticks.tick() => told = look_at_peers(&api, told).await,
            () = changed(&mut shown) => tell_hub(&api, &mut told),
        }
    }
}

/// What the device that runs here shows has changed.
async fn changed(shown: &mut Option<tokio::sync::watch::Receiver<cobox_space::hub::Shown>>) {
    let changed = match shown {
        Some(shown) => shown.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending().await
    }
}

/// Everything there is.
fn all(api: &Api) -> BTreeSet<Address> {
    let spaces = api.shelf.spaces().into_iter().map(|space| space.address());
    let replicas = api.shelf.replicas().into_iter();
    spaces
        .chain(replicas.map(|replica| replica.address()))
        .collect()
}

/// The space or replica that may look different after an event.
fn of(event: &ShelfEvent) -> Option<Address> {
    match event {
        ShelfEvent::Changed { address, .. }
        | ShelfEvent::Conflicts { address }
        | ShelfEvent::Message { address, .. }
        | ShelfEvent::Presence { address, .. }
        | ShelfEvent::MemberChanged { address, .. }
        | ShelfEvent::Renamed { address, .. }
        | ShelfEvent::Synced { address, .. }
        | ShelfEvent::Progress { address }
        | ShelfEvent::Listed { address }
        | ShelfEvent::SpaceGone { address }
        | ShelfEvent::ReplicaGone { address } => Some(*address),
        _ => None,
    }
}

async fn look(api: &Arc<Api>, told: Told, moved: BTreeSet<Address>, quietly: bool) -> Told {
    let api = api.clone();
    off_the_network(told, move |told| {
        for address in &moved {
            if let Err(error) = look_at_one(&api, told, address, quietly) {
                tracing::debug!(%address, %error, "cannot be looked at now");
            }
        }
        tell_hub(&api, told);
    })
    .await
}

async fn look_at_peers(api: &Arc<Api>, told: Told) -> Told {
    if api.news.receiver_count() == 0 {
        return told;
    }
    let api = api.clone();
    off_the_network(told, move |told| {
        tell_peers(&api, told);
        let hint = api.shelf.hint().to_string();
        if told.hint != hint {
            tell(&api, "system/hint", String::new(), json!({ "hint": hint }));
            told.hint = hint;
        }
    })
    .await
}

/// Looking may touch the disk.
async fn off_the_network(mut told: Told, look: impl FnOnce(&mut Told) + Send + 'static) -> Told {
    let looked = tokio::task::spawn_blocking(move || {
        look(&mut told);
        told
    });
    looked.await.unwrap_or_default() // told anew then
}

fn look_at_one(
    api: &Api,
    told: &mut Told,
    address: &Address,
    quietly: bool,
) -> Result<(), SpaceError> {
    let space = api.shelf.space(&address.to_string()).ok();
    if let Some(device) = space.as_ref().map(look_at).transpose()?.flatten() {
        if told.listed.remove(address).is_some() {
            // Until its first message came nothing said that it is a device's.
            tell(api, "space/removed", address.to_string(), json!({}));
        }
        if api.hub.is_none() {
            tell_device(api, told, *address, device, quietly);
        }
        return Ok(());
    }
    if told.devices.remove(address).is_some() {
        let gone = address.to_string();
        tell(api, "device/removed", gone, json!({}));
    }
    if api.news.receiver_count() == 0 {
        told.listed.remove(address);
        return Ok(());
    }
    let replica = api.shelf.replica(address);
    let (kind, now) = match (space, replica) {
        (Some(space), _) => (SPACE, shapes::space(api, &space).map(value)?),
        (None, Some(replica)) => (REPLICA, value(shapes::replica(&api.shelf, &replica))),
        (None, None) => {
            // It was told when it went; once more, in case that was while it was looked at.
            if let Some((kind, _)) = told.listed.remove(address) {
                tell(
                    api,
                    &format!("{kind}/removed"),
                    address.to_string(),
                    json!({}),
                );
            }
            return Ok(());
        }
    };
    let is_told = |(before, looked): &(&str, Value)| *before == kind && *looked == now;
    if !told.listed.get(address).is_some_and(is_told) {
        tell(
            api,
            &format!("{kind}/changed"),
            address.to_string(),
            now.clone(),
        );
        told.listed.insert(*address, (kind, now));
    }
    Ok(())
}

/// A device, and each command that is new or has another fate. Of a device that is new the commands are not told one by
/// one: they can be asked for.
fn tell_device(
    api: &Api,
    told: &mut Told,
    address: Address,
    (detail, commands): (DeviceDetailJson, Vec<CommandJson>),
    quietly: bool,
) {
    let is_new = !told.devices.contains_key(&address);
    let before = told.devices.entry(address).or_default();
    let detail = value(detail);
    for command in commands {
        let (id, command) = (command.id.clone(), value(command));
        let is_news = before.commands.get(&id) != Some(&command);
        if is_news && !is_new {
            tell(api, "device/command", address.to_string(), command.clone());
        }
        before.commands.insert(id, command);
    }
    if before.detail != detail && !quietly {
        tell(api, "device/changed", address.to_string(), detail.clone());
    }
    before.detail = detail;
}

fn tell_peers(api: &Api, told: &mut Told) {
    let peers = api.shelf.swarm().peers();
    let known: BTreeSet<_> = peers.iter().map(|peer| peer.device.to_string()).collect();
    let keys = told.peers.keys();
    let gone: Vec<_> = keys.filter(|key| !known.contains(*key)).cloned().collect();
    for key in gone {
        told.peers.remove(&key);
        tell(api, "peer/removed", String::new(), json!({ "peerId": key }));
    }
    for peer in peers {
        let traffic = peer.traffic.0.saturating_add(peer.traffic.1);
        let peer = shapes::peer(&peer);
        let key = peer.peer_id.clone();
        let now = value(peer);
        let without_traffic = |peer: &Value| {
            let mut peer = peer.clone();
            peer["sent"].take();
            peer["received"].take();
            peer
        };
        let is_news = told.peers.get(&key).is_none_or(|(before, then)| {
            traffic.abs_diff(*then) >= TRAFFIC || without_traffic(before) != without_traffic(&now)
        });
        if is_news {
            tell(api, "peer/changed", String::new(), now.clone());
            told.peers.insert(key, (now, traffic));
        }
    }
}

fn tell_hub(api: &Api, told: &mut Told) {
    let Some(hub) = &api.hub else {
        return;
    };
    let now = value(hub_json(&api.shelf, hub));
    if told.hub != now {
        tell(api, "hub/changed", hub.address().to_string(), now.clone());
        told.hub = now;
    }
}

/// Tells those who follow.
pub fn tell(api: &Api, kind: &str, address: String, data: Value) {
    let _ = api.news.send(made(kind, address, data)); // nobody may be listening
}

fn value(of: impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}
