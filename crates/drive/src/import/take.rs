//! Reading one file for an import, once more if it changes meanwhile.

use super::read;
use super::walk::{Bytes, Item, Step, Walk};
use crate::content::LARGE;
use crate::content::intake::Small;
use crate::path::DrivePath;
use crate::tree::Entry;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// A file as it was read.
pub(super) struct Taken {
    pub bytes: Bytes,
    pub xattrs: io::Result<read::Xattrs>,
    pub metadata: Metadata,
}

pub(super) struct Read {
    bytes: Bytes,
    length: u64,
}

impl Walk<'_> {
    /// Reads a file's bytes; once more if it changed meanwhile. None: it could not be read, and that was told.
    pub(super) fn take(
        &mut self,
        path: &Path,
        base: Option<(&Entry, DrivePath)>,
    ) -> Step<Option<Taken>> {
        let mut last = None;
        for is_last in [false, true] {
            let (file, before) = match read::open(path) {
                Ok(opened) => opened,
                Err(error) => return self.unreadable(path, &error).map(|()| None),
            };
            let bytes = match self.read(&file, &before, &base)? {
                Ok(bytes) => bytes,
                Err(error) => return self.unreadable(path, &error).map(|()| None),
            };
            let is_same = file
                .metadata()
                .is_ok_and(|after| read::stamp(&after) == read::stamp(&before));
            let is_whole = bytes.length == before.len();
            last = Some(Taken {
                bytes: bytes.bytes,
                xattrs: read::xattrs(&file),
                metadata: before,
            });
            if is_same && is_whole {
                break;
            }
            if is_last {
                self.problem(
                    path,
                    "it changed while it was read; what was read last was kept",
                )?;
            } else if let Some(Taken {
                bytes: Bytes::Begun,
                ..
            }) = last
            {
                self.send(Item::Abandon {
                    bytes: bytes.length,
                })?;
            }
        }
        Ok(last)
    }

    fn read(
        &mut self,
        file: &File,
        metadata: &Metadata,
        base: &Option<(&Entry, DrivePath)>,
    ) -> Step<io::Result<Read>> {
        if metadata.len() < LARGE && !read::is_sparse(metadata) {
            return Ok(read::small(file, metadata.len()).map(|data| {
                let length = data.len() as u64;
                Read {
                    bytes: Bytes::Small(Small::new(data, &self.key)),
                    length,
                }
            }));
        }
        let base = base
            .as_ref()
            .map(|(entry, path)| (Box::new((*entry).clone()), path.clone()));
        // Of a new version little is to be sealed: the other thread has time to hash.
        let is_new = base.is_none();
        self.send(Item::Begin { base })?;
        let mut length = 0;
        let done = self.stream(file, metadata, is_new, &mut length)?;
        if done.is_err() {
            self.send(Item::Abandon { bytes: length })?;
        }
        Ok(done.map(|()| Read {
            bytes: Bytes::Begun,
            length,
        }))
    }

    fn stream(
        &mut self,
        file: &File,
        metadata: &Metadata,
        do_hash: bool,
        length: &mut u64,
    ) -> Step<io::Result<()>> {
        for segment in read::segments(file, metadata) {
            match segment {
                Err(error) => return Ok(Err(error)),
                Ok(read::Segment::Hole(hole)) => {
                    *length += hole;
                    self.send(Item::Hole(hole))?;
                }
                Ok(read::Segment::Data(mut chunks)) => loop {
                    match chunks.next_chunk() {
                        Err(error) => return Ok(Err(error)),
                        Ok(None) => break,
                        Ok(Some(bytes)) => {
                            *length += bytes.len() as u64;
                            let hash = do_hash.then(|| self.key.hash(&bytes));
                            self.send(Item::Chunk { bytes, hash })?;
                        }
                    }
                },
            }
        }
        Ok(Ok(()))
    }
}
