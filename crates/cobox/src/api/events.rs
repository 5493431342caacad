//! Live events as server-sent events, one JSON object each.

use crate::api::types::EventJson;
use crate::api::{
    Api, ApiError, Segment, annotations, blocking, health, members, messages, shapes, time,
};
use crate::mounts::MountEvent;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use cobox_keys::access::Address;
use cobox_space::shelf::{ShelfEvent, SpaceError};
use futures_util::Stream;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

type Events = Sse<
    axum::response::sse::KeepAliveStream<
        std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>,
    >,
>;

/// `GET /api/events`
pub async fn all(State(api): State<Arc<Api>>) -> Events {
    follow(&api, None)
}

/// `GET /api/spaces/:space/events`
pub async fn of_space(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Result<Events, ApiError> {
    let of = api.clone();
    let address = blocking(move || Ok::<_, SpaceError>(of.shelf.space(&space)?.address())).await?;
    Ok(follow(&api, Some(address)))
}

fn follow(api: &Api, only: Option<Address>) -> Events {
    let (events, mounts) = (api.shelf.subscribe(), api.mounts.subscribe());
    let port = api.port;
    let sources = (events, mounts, api.stop.subscribe());
    let events = futures_util::stream::unfold(sources, move |mut sources| async move {
        let (events, mounts, stop) = &mut sources;
        loop {
            let event = tokio::select! {
                event = events.recv() => event.map(|event| shape(&event)),
                event = mounts.recv() => event.map(|event| of_mount(port, &event)),
                _ = stop.wait_for(|stop| *stop) => return None,
            };
            match event {
                Ok(json) => {
                    if only.is_none_or(|address| json.address == address.to_string()) {
                        let text = serde_json::to_string(&json).unwrap_or_default();
                        return Some((Ok(Event::default().data(text)), sources));
                    }
                }
                // Events missed by a slow reader: state can always be asked for again.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let boxed: std::pin::Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(events);
    Sse::new(boxed).keep_alive(KeepAlive::default())
}

fn shape(event: &ShelfEvent) -> EventJson {
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
            let about = json!({ "author": public_key.to_string(), "content": { "name": name } });
            ("peer/about", address, about)
        }
        ShelfEvent::Renamed { address, name } => ("space/about", address, json!({ "name": name })),
        ShelfEvent::Connected { address, device } => (
            "peer/connection",
            address,
            json!({ "peerId": device.to_string(), "online": true }),
        ),
        ShelfEvent::Disconnected { address, device } => (
            "peer/connection",
            address,
            json!({ "peerId": device.to_string(), "online": false }),
        ),
        ShelfEvent::Synced {
            address,
            device,
            time_ms,
        } => {
            let at = time::format_ms(*time_ms);
            (
                "space/last-sync",
                address,
                json!({ "peerId": device.to_string(), "lastSyncAt": at }),
            )
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
        ShelfEvent::Left { address, member } => {
            ("member/left", address, json!(members::shape(member)))
        }
        ShelfEvent::Refused { address, reason } => {
            ("refused", address, json!({ "reason": reason }))
        }
        _ => return unknown(),
    };
    made(kind, address.to_string(), data)
}

fn of_mount(port: u16, event: &MountEvent) -> EventJson {
    let now = json!(event.now.as_ref().map(|shown| shapes::mount(port, shown)));
    made("space/mount", event.address.to_string(), now)
}

fn unknown() -> EventJson {
    made("unknown", String::new(), Value::Null)
}

fn made(kind: &str, address: String, data: Value) -> EventJson {
    EventJson {
        kind: kind.into(),
        address,
        time: time::format_ms(time::now_ms()),
        data,
    }
}
