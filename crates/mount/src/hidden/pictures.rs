//! Pictures of the space as of a time: few are kept, since each holds all names of the space in memory.

use crate::errno::{self, Answer};
use cobox_drive::drive::{Drive, Picture};
use fuser::Errno;
use std::sync::{Arc, Mutex, PoisonError};

/// Pictures kept.
const MOST: usize = 4;

/// The ones that were looked at last, newest last.
#[derive(Default)]
pub(super) struct Pictures(Mutex<Vec<Arc<Picture>>>);

impl Pictures {
    /// Of one that is at hand.
    pub fn of(picture: Arc<Picture>) -> Self {
        Self(Mutex::new(vec![picture]))
    }

    /// The picture as of a time (ms since 1970). Made if need be, one at a time, which takes as long as the space has
    /// commits.
    pub fn get(&self, at_ms: u64, drive: Option<&Arc<Drive>>) -> Answer<Arc<Picture>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|picture| picture.at_ms() == at_ms);
        let picture = match known {
            Some(at) => kept.remove(at),
            None => {
                let drive = drive.ok_or(Errno::ESTALE)?;
                Arc::new(drive.picture(at_ms).map_err(errno::of)?)
            }
        };
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(picture.clone());
        Ok(picture)
    }
}
