//! Live events over a web socket, the original's way: at `/api` itself, one JSON object a message.
//!
//! What the other side says is read and ignored. Whoever takes nothing for half a minute is dropped.

use crate::api::events::Follow;
use crate::api::types::EventJson;
use crate::api::{Api, ApiError, Session, blocking, compat};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{interval, timeout};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Largest message that is read; the page says nothing.
const MAX_MESSAGE: usize = 16 << 10;
/// Bytes that may wait to be sent before we wait.
const MAX_WAITING: usize = 256 << 10;
/// How often it is looked whether somebody is still there, and how long a message may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The call of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(socket))
}

/// Follow everything live over a web socket
///
/// The same events as `/api/events`, one a message.
#[utoipa::path(get, path = "/", tag = "events", operation_id = "openSocket",
    responses(
        (status = 101, description = "a web socket; each message is an `EventJson`"),
        (status = 200, description = "never: this is what each message looks like", body = EventJson),
    ),
    extensions(("x-codes" = json!(["no_socket"]))))]
pub async fn socket(
    State(api): State<Arc<Api>>,
    Extension(by): Extension<Session>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let no_socket = |_| {
        let msg = "here is a web socket for live events; this was no call for one. What else there is: /api/docs";
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "no_socket", msg)
    };
    let upgrade = upgrade.map_err(no_socket)?;
    let upgrade = upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .max_write_buffer_size(MAX_WAITING);
    Ok(upgrade.on_upgrade(move |socket| tell(socket, api, by)))
}

/// Tells until the program stops, the session is over, or the other side is gone.
async fn tell(mut socket: WebSocket, api: Arc<Api>, by: Session) {
    let mut follow = Follow::of(&api, None, by);
    let mut ticks = interval(PATIENCE);
    loop {
        let messages = tokio::select! {
            event = follow.next() => match event {
                Some(event) => about(&api, event).await,
                None => break,
            },
            said = socket.recv() => match said {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
            _ = ticks.tick() => vec![Message::Ping(Vec::new().into())],
        };
        for message in messages {
            match timeout(PATIENCE, socket.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return, // gone, or asleep: it can come again
            }
        }
    }
    let _ = timeout(PATIENCE, socket.send(Message::Close(None))).await; // it ends either way
}

/// An event, and the one about the person behind it.
async fn about(api: &Arc<Api>, event: EventJson) -> Vec<Message> {
    let (api, of) = (api.clone(), event.clone());
    let person = match event.peer {
        Some(_) => blocking(move || Ok::<_, ApiError>(compat::of_person(&api, &of))).await,
        None => Ok(None),
    };
    let all = [Some(event), person.unwrap_or_default()];
    let text = |event: &EventJson| serde_json::to_string(event).unwrap_or_default();
    all.iter()
        .flatten()
        .map(|event| Message::text(text(event)))
        .collect()
}
