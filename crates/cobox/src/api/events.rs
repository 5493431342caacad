//! Live events: one JSON object each, as server-sent events; `socket` sends the same over a web socket.
//!
//! What happens is told as it happens; states made of many things are told by `state` where they look different.
//! Bounded: what a slow reader has not taken when the sources run over is lost to it, and it is told how much.

mod shape;
mod state;

pub use state::{run as watch_state, tell};

use crate::api::jobs::JobEvent;
use crate::api::types::EventJson;
use crate::api::{Api, ApiError, Segment, Session, blocking};
use crate::mounts::MountEvent;
use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use cobox_keys::access::Address;
use cobox_space::shelf::{ShelfEvent, SpaceError};
use futures_util::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

type Events = Sse<KeepAliveStream<Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>>>;

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    hub_routes().routes(routes!(of_space))
}

/// Those that a device answers too.
pub fn hub_routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(all))
}

/// Follow everything live
///
/// Server-sent events; the data of each is an `EventJson`. The same comes over a web socket at `/api`.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "followEvents",
    responses((status = 200, description = "events until the caller goes away", body = EventJson, content_type = "text/event-stream")))]
pub async fn all(State(api): State<Arc<Api>>, Extension(by): Extension<Session>) -> Events {
    stream(Follow::of(&api, None, by))
}

/// Follow what happens in a space
#[utoipa::path(get, path = "/spaces/{space}/events", tag = "events", operation_id = "followSpace",
    responses((status = 200, description = "events until the caller goes away", body = EventJson, content_type = "text/event-stream")))]
pub async fn of_space(
    State(api): State<Arc<Api>>,
    Extension(by): Extension<Session>,
    Segment(space): Segment,
) -> Result<Events, ApiError> {
    let of = api.clone();
    let address = blocking(move || Ok::<_, SpaceError>(of.shelf.space(&space)?.address())).await?;
    Ok(stream(Follow::of(&api, Some(address), by)))
}

fn stream(follow: Follow) -> Events {
    let events = futures_util::stream::unfold(follow, async |mut follow| {
        let event = follow.next().await?;
        let text = serde_json::to_string(&event).unwrap_or_default();
        Some((Ok(Event::default().data(text)), follow))
    });
    let boxed: Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(events);
    Sse::new(boxed).keep_alive(KeepAlive::default())
}

/// Events of `state` kept for a slow listener.
pub const NEWS: usize = 4096;

/// All events from now on, of everything or of one space.
pub struct Follow {
    shelf: Receiver<ShelfEvent>,
    mounts: Receiver<MountEvent>,
    jobs: Receiver<JobEvent>,
    news: Receiver<EventJson>,
    stop: watch::Receiver<bool>,
    by: Session,
    only: Option<String>,
    port: u16,
}

impl Follow {
    /// Begins now; ends with the session of who follows.
    pub fn of(api: &Api, only: Option<Address>, by: Session) -> Self {
        Self {
            shelf: api.shelf.subscribe(),
            mounts: api.mounts.subscribe(),
            jobs: api.jobs.subscribe(),
            news: api.news.subscribe(),
            stop: api.stop.subscribe(),
            by,
            only: only.map(|address| address.to_string()),
            port: api.port,
        }
    }

    /// The next one; none when the program stops, or the session is over. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<EventJson> {
        loop {
            let event = tokio::select! {
                event = self.shelf.recv() => event.map(|event| shape::of_shelf(&event)),
                event = self.mounts.recv() => event.map(|event| Some(shape::of_mount(self.port, &event))),
                event = self.jobs.recv() => event.map(|job| Some(shape::of_job(&job))),
                event = self.news.recv() => event.map(Some),
                _ = self.stop.wait_for(|stop| *stop) => return None,
                () = self.by.over() => return None,
            };
            match event {
                Ok(Some(event)) if self.wants(&event) => return Some(event),
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Some(shape::missed(count)),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn wants(&self, event: &EventJson) -> bool {
        self.only.as_ref().is_none_or(|only| event.address == *only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast;

    struct Sources {
        shelf: broadcast::Sender<ShelfEvent>,
        _mounts: broadcast::Sender<MountEvent>,
        _jobs: broadcast::Sender<JobEvent>,
        _news: broadcast::Sender<EventJson>,
        stop: watch::Sender<bool>,
    }

    fn follow(only: Option<Address>) -> (Sources, Follow) {
        let (shelf, mounts) = (broadcast::channel(4), broadcast::channel(4));
        let (jobs, news) = (broadcast::channel(4), broadcast::channel(4));
        let (stop, stopping) = watch::channel(false);
        let follow = Follow {
            shelf: shelf.1,
            mounts: mounts.1,
            jobs: jobs.1,
            news: news.1,
            stop: stopping,
            by: Session::default(),
            only: only.map(|address| address.to_string()),
            port: 1,
        };
        (
            Sources {
                shelf: shelf.0,
                _mounts: mounts.0,
                _jobs: jobs.0,
                _news: news.0,
                stop,
            },
            follow,
        )
    }

    fn changed(space: u8, n: usize) -> ShelfEvent {
        let address: Address = format!("{space:02x}").repeat(32).parse().unwrap();
        ShelfEvent::Changed {
            address,
            path: n.to_string(),
        }
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_how_much_it_missed_and_goes_on() {
        let (sources, mut follow) = follow(None);
        for n in 0..100 {
            sources.shelf.send(changed(1, n)).unwrap();
        }
        let first = follow.next().await.unwrap();
        assert_eq!(
            (first.kind.as_str(), first.data["count"].as_u64()),
            ("events/missed", Some(96))
        );
        for n in 96..100 {
            assert_eq!(follow.next().await.unwrap().data["path"], n.to_string());
        }
    }

    #[tokio::test]
    async fn of_one_space_nothing_else_is_told_and_all_ends_with_the_program() {
        let only = "01".repeat(32).parse().unwrap();
        let (sources, mut follow) = follow(Some(only));
        for (space, n) in [(2, 0), (1, 1), (2, 2)] {
            sources.shelf.send(changed(space, n)).unwrap();
        }
        assert_eq!(follow.next().await.unwrap().data["path"], "1");
        sources.stop.send_replace(true);
        assert!(follow.next().await.is_none());
    }
}
