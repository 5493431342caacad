//! From what happens beneath to the JSON of events. Field names and types are the original's.

use crate::api::jobs::JobEvent;
use crate::api::types::{EVENTS, EventJson, PresenceJson};
use crate::api::{annotations, devices, health, members, messages, shapes, time};
use crate::mounts::MountEvent;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use cobox_space::shelf::ShelfEvent;
use serde_json::{Value, json};

/// What the shelf tells; none for what is told otherwise (see `state`), or what this program does not know.
pub fn of_shelf(event: &ShelfEvent) -> Option<EventJson> {
    of_nobody(event).or_else(|| of_space(event))
}

/// What belongs to no space.
fn of_nobody(event: &ShelfEvent) -> Option<EventJson> {
    let (kind, data) = match event {
        ShelfEvent::Person { name } => ("identity/changed", json!({ "name": name })),
        ShelfEvent::DeviceSeen { seen } => ("device/seen", json!(devices::shapes::seen(seen))),
        ShelfEvent::DeviceGone { device } => {
            ("device/gone", json!({ "publicKey": device.to_string() }))
        }
        _ => return None,
    };
    Some(made(kind, String::new(), data))
}

fn of_space(event: &ShelfEvent) -> Option<EventJson> {
    let (kind, address, data) = match event {
        ShelfEvent::Changed { address, path } => {
            ("drive/changed", address, json!({ "path": path }))
        }
        ShelfEvent::Conflicts { address } => ("drive/conflicts", address, json!({})),
        ShelfEvent::Member {
            address,
            public_key,
            name,
        } => {
            let about = json!({ "type": "peer/about", "author": public_key.to_string(), "content": { "name": name } });
            ("peer/about", address, about)
        }
        ShelfEvent::Message { address, kind } => {
            ("space/message", address, json!({ "type": kind }))
        }
        ShelfEvent::Renamed { address, name } => ("space/about", address, json!({ "name": name })),
        ShelfEvent::Connected { address, device } => return Some(presence(address, device, true)),
        ShelfEvent::Disconnected { address, device } => {
            return Some(presence(address, device, false));
        }
        ShelfEvent::Synced {
            address,
            device,
            time_ms,
        } => {
            let at = time::format_ms(*time_ms);
            let data = json!({ "type": "space/last-sync", "peerId": device.to_string(), "lastSyncAt": at });
            ("space/last-sync", address, data)
        }
        ShelfEvent::Said { address, said } => ("message", address, json!(messages::shape(said))),
        ShelfEvent::Noted { address, noted } => {
            ("file/annotation", address, json!(annotations::event(noted)))
        }
        ShelfEvent::Presence { address, member } => {
            ("member/presence", address, json!(members::shape(member)))
        }
        ShelfEvent::Health { address, health } => {
            ("space/health", address, json!(health::shape(health)))
        }
        ShelfEvent::MemberChanged { address, member } => {
            ("member/changed", address, json!(members::shape(member)))
        }
        ShelfEvent::Receipt { address, receipt } => {
            ("space/receipt", address, json!(shapes::receipt(receipt)))
        }
        ShelfEvent::SpaceGone { address } => ("space/removed", address, json!({})),
        ShelfEvent::ReplicaGone { address } => ("replica/removed", address, json!({})),
        ShelfEvent::Left { address, member } => {
            ("member/left", address, json!(members::shape(member)))
        }
        ShelfEvent::Refused { address, reason } => {
            ("refused", address, json!({ "reason": reason }))
        }
        _ => return None,
    };
    Some(made(kind, address.to_string(), data))
}

/// A space was mounted or unmounted.
pub fn of_mount(port: u16, event: &MountEvent) -> EventJson {
    let now = json!(event.now.as_ref().map(|shown| shapes::mount(port, shown)));
    made("space/mount", event.address.to_string(), now)
}

/// Long work began, went on, ended or is forgotten.
pub fn of_job(event: &JobEvent) -> EventJson {
    match event {
        JobEvent::Changed(job) => made("job/changed", job.address.clone(), json!(job)),
        JobEvent::Removed(job) => {
            let data = json!({ "id": job.id });
            made("job/removed", job.address.clone(), data)
        }
    }
}

/// The reader was too slow for so many events; how things stand can always be asked for.
pub fn missed(count: u64) -> EventJson {
    made("events/missed", String::new(), json!({ "count": count }))
}

/// The original's page looks for who it is beside the type, programs look for it in the data.
fn presence(address: &Address, device: &PublicKey, online: bool) -> EventJson {
    let peer = PresenceJson {
        peer_id: device.to_string(),
        online,
        last_seen_at: time::now(),
    };
    let mut event = made("peer/connection", address.to_string(), json!(peer));
    event.peer = Some(peer);
    event
}

/// An event of now.
pub fn made(kind: &str, address: String, data: Value) -> EventJson {
    debug_assert!(
        EVENTS.contains(&kind),
        "an event that is not described: {kind}"
    );
    EventJson {
        kind: kind.into(),
        address,
        time: time::now(),
        data,
        peer: None,
    }
}
