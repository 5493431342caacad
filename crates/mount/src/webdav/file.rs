//! A file that a request reads or writes.

use super::details::Details;
use super::failure::blocking;
use super::files::Found;
use bytes::{Buf, Bytes};
use cobox_drive::overlay::OpenFile;
use dav_server::fs::{DavFile, DavMetaData, FsError, FsFuture};
use std::fmt;
use std::io::SeekFrom;
use std::sync::Arc;

/// An open file and how far the request is in it.
pub(super) struct Reading {
    pub open: Arc<OpenFile>,
    /// Keeps its number while it is open.
    pub found: Found,
    pub at: u64,
    /// Every write goes to the end.
    pub append: bool,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.open.id(), self.at)
    }
}

impl DavFile for Reading {
    fn metadata(&'_ mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let (overlay, id) = (self.found.overlay.clone(), self.open.id());
        Box::pin(async move {
            let stat = blocking(move || overlay.stat(id)).await?;
            Ok(Box::new(Details(stat)) as Box<dyn DavMetaData>)
        })
    }

    fn write_buf(&'_ mut self, mut buffer: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        self.write_bytes(bytes)
    }

    fn write_bytes(&'_ mut self, bytes: Bytes) -> FsFuture<'_, ()> {
        Box::pin(async move {
            let at = if self.append {
                self.open.size()
            } else {
                self.at
            };
            let (open, length) = (self.open.clone(), bytes.len() as u64);
            blocking(move || open.write_at(at, &bytes)).await?;
            self.at = at + length;
            Ok(())
        })
    }

    fn read_bytes(&'_ mut self, count: usize) -> FsFuture<'_, Bytes> {
        Box::pin(async move {
            let (open, at) = (self.open.clone(), self.at);
            let read = blocking(move || {
                let mut buffer = vec![0; count];
                let length = open.read_at(at, &mut buffer)?;
                buffer.truncate(length);
                Ok(Bytes::from(buffer))
            });
            let read = read.await?;
            self.at += read.len() as u64;
            Ok(read)
        })
    }

    fn seek(&'_ mut self, to: SeekFrom) -> FsFuture<'_, u64> {
        let moved = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.open.size().checked_add_signed(by),
        };
        self.at = moved.unwrap_or(self.at);
        let answer = moved.ok_or(FsError::GeneralFailure);
        Box::pin(std::future::ready(answer))
    }

    /// The upload is over: what is answered as stored is durable.
    fn flush(&'_ mut self) -> FsFuture<'_, ()> {
        let open = self.open.clone();
        Box::pin(blocking(move || open.sync()))
    }
}
