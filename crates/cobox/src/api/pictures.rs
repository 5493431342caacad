//! Spaces as they were, as long as somebody browses them: the last one asked for is kept for a moment.

use cobox_drive::drive::{DriveError, Picture};
use cobox_keys::access::Address;
use cobox_space::space::Space;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one is kept after it was asked for: it is read anew then, since older changes of others may have come.
const KEPT: Duration = Duration::from_secs(60);

struct Kept {
    address: Address,
    picture: Arc<Picture>,
    made: Instant,
}

/// The last picture.
#[derive(Default)]
pub struct Pictures(Mutex<Option<Kept>>);

impl Pictures {
    /// A space as of a time (ms since 1970). Blocks.
    pub fn of(self: &Arc<Self>, space: &Space, at_ms: u64) -> Result<Arc<Picture>, DriveError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = space.address();
        let fits = |one: &&Kept| {
            one.address == address && one.picture.at_ms() == at_ms && one.made.elapsed() < KEPT
        };
        if let Some(one) = kept.as_ref().filter(fits) {
            return Ok(one.picture.clone());
        }
        *kept = None;
        let picture = Arc::new(space.drive().picture(at_ms)?);
        *kept = Some(Kept {
            address,
            picture: picture.clone(),
            made: Instant::now(),
        });
        drop(kept);
        self.clone().tidy_later();
        Ok(picture)
    }

    /// Forgets: a space that is left or closed must not be held.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Rows of a large space take memory, so they go when their time is over.
    fn tidy_later(self: Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            tokio::time::sleep(KEPT).await;
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.take_if(|one| one.made.elapsed() >= KEPT);
        });
    }
}
