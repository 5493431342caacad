//! What the feeds of one set share for reading: the index, the segment files, the events.
//! Not its job: writing.

use crate::disk::handles::Handles;
use crate::disk::{is_bad_sector, read_exact};
use crate::error::StoreError;
use crate::event::Events;
use crate::index::extent::BlockPlace;
use crate::index::rows::DraftPlace;
use crate::index::space::SpaceIndex;
use crate::segment;
use bytes::Bytes;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The readable side of one space.
#[derive(Debug)]
pub(crate) struct Vault {
    /// Committed state.
    pub index: Arc<SpaceIndex>,
    /// Told after commits.
    pub events: Events,
    handles: Arc<Handles>,
    folder: PathBuf,
    closed: AtomicBool,
}

impl Vault {
    /// Over an index and the files below the space's folder.
    pub(crate) fn new(index: Arc<SpaceIndex>, handles: Arc<Handles>) -> Self {
        let folder = segment::folder(&index.address());
        Self {
            index,
            events: Events::default(),
            handles,
            folder,
            closed: AtomicBool::new(false),
        }
    }

    /// The address was removed: nothing is readable from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Reads blocks that lie one behind the other with one disk read; stops at the first whose bytes rotted.
    pub(crate) fn read(
        &self,
        segment: u32,
        places: &[BlockPlace],
    ) -> Result<Vec<Bytes>, StoreError> {
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Ok(Vec::new());
        };
        let length = last.offset + u64::from(last.length) - first.offset;
        let mut blocks = Vec::with_capacity(places.len());
        // What rotted may be one block of many: then the bytes in front of it still count.
        if let Some(bytes) = self.read_bytes(segment, first.offset, length as usize)? {
            for place in places {
                let from = (place.offset - first.offset) as usize;
                let block = bytes.slice(from..from + place.length as usize);
                if crc32fast::hash(&block) != place.crc {
                    break;
                }
                blocks.push(block);
            }
        } else if places.len() > 1 {
            for place in places {
                match self.read(segment, std::slice::from_ref(place))?.pop() {
                    Some(block) => blocks.push(block),
                    None => break,
                }
            }
        }
        Ok(blocks)
    }

    /// Bytes that may still be written, as far as the disk tells.
    pub(crate) fn free(&self) -> io::Result<u64> {
        self.handles.disk().free()
    }

    /// Reads a draft; `None` if it rotted.
    pub(crate) fn read_draft(&self, place: &DraftPlace) -> Result<Option<Bytes>, StoreError> {
        let bytes = self.read_bytes(place.segment, place.offset, place.length as usize)?;
        Ok(bytes.filter(|bytes| crc32fast::hash(bytes) == place.crc))
    }

    /// `None`: that part of the disk cannot be read, or is not there any more.
    fn read_bytes(
        &self,
        segment: u32,
        offset: u64,
        length: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let mut bytes = vec![0; length];
        let file = self.handles.get(&segment::path(&self.folder, segment));
        match file.and_then(|file| read_exact(&*file, offset, &mut bytes)) {
            Ok(()) => Ok(Some(bytes.into())),
            Err(error) if is_rot(&error) => Ok(None),
            Err(error) => Err(StoreError::io("reading a block")(error)),
        }
    }
}

/// A bad sector, a file cut short, a file that is gone: the bytes are lost, the disk works.
fn is_rot(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound
    ) || is_bad_sector(error)
}
