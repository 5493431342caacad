//! What is behind the doors: it changes when the home is unlocked, while the doors stay open.

use crate::api::Door;
use axum::Router;
use axum::extract::Request;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use tower::ServiceExt;

/// The routes behind each door.
pub struct House {
    doors: Vec<Door>,
    rooms: RwLock<Vec<Router>>,
}

impl House {
    /// With nothing inside yet.
    pub(super) fn of(doors: Vec<Door>) -> Self {
        let rooms = doors.iter().map(|_| Router::new()).collect();
        Self {
            doors,
            rooms: RwLock::new(rooms),
        }
    }

    /// From now on this is behind each door; calls that are being answered are not disturbed.
    pub fn show(&self, room: impl Fn(Door) -> Router) {
        let rooms = self.doors.iter().cloned().map(room).collect();
        *self.rooms.write().unwrap_or_else(PoisonError::into_inner) = rooms;
    }

    /// Always leads to what is behind a door now.
    pub(super) fn behind(self: &Arc<Self>, door: usize) -> Router {
        let house = Arc::clone(self);
        Router::new().fallback(async move |request: Request| {
            let answered: Result<_, Infallible> = house.room(door).oneshot(request).await;
            answered
        })
    }

    fn room(&self, door: usize) -> Router {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        rooms.get(door).cloned().unwrap_or_default()
    }
}
