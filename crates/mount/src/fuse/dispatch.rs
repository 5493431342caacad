//! On which thread a request is answered, and how long an answer holds.

use super::content::Open;
use super::{Files, GENERATION, NOTHING, SOON, TTL};
use crate::aside::{Aside, Counter};
use crate::errno::Answer;
use crate::hidden::is_hidden;
use fuser::{Errno, FileAttr, FileHandle, INodeNo, ReplyData, ReplyEntry, ReplyWrite, WriteFlags};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Writes that are done at once. More of them would keep all threads busy, and whoever looks for a name would wait.
const WRITES: usize = 2;

/// Takes the kernel's requests. The few threads that do must never wait for long: for a peer, a disk, or something
/// that has to be put together first.
pub(crate) struct Requests {
    pub(super) files: Arc<Files>,
    /// for what ends by itself
    aside: Aside,
    /// for what peers may keep waiting
    far: Aside,
    writing: Counter,
}

impl Requests {
    pub fn new(files: Arc<Files>) -> Self {
        Self {
            files,
            aside: Aside::default(),
            far: Aside::default(),
            writing: Counter::default(),
        }
    }

    /// Answers on a thread beside if that may take long, else at once.
    pub(super) fn run(&self, is_slow: bool, job: impl FnOnce(&Files) + Send + 'static) {
        match is_slow {
            false => job(&self.files),
            true => {
                let files = self.files.clone();
                self.aside.run(move || job(&files));
            }
        }
    }

    /// Reads, at once if it is here; a peer may keep a read waiting only beside.
    pub(super) fn read(&self, ino: INodeNo, open: Arc<Open>, range: Range<u64>, reply: ReplyData) {
        if !open.is_here(range.clone()) {
            let files = self.files.clone();
            return self
                .far
                .run(move || files.read_far(ino, &open, range, reply));
        }
        open.read(&range, reply, |_| {});
        if open.wants_around(&range) {
            self.run(true, move |files| files.read_around(ino, &open, &range));
        }
    }

    /// Writes, at once unless others are at it.
    pub(super) fn write(
        &self,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        flags: WriteFlags,
        reply: ReplyWrite,
    ) {
        let writing = self.writing.enter();
        if writing.before() < WRITES {
            return written(reply, self.files.write(fh, offset, data, flags), data.len());
        }
        let data = data.to_vec();
        self.run(true, move |files| {
            let done = files.write(fh, offset, &data, flags);
            drop(writing);
            written(reply, done, data.len());
        });
    }
}

fn written(reply: ReplyWrite, done: Answer<()>, length: usize) {
    match done {
        Ok(()) => reply.written(length as u32),
        Err(error) => reply.error(error),
    }
}

/// How long an answer may be trusted.
pub(super) fn ttl(attr: &FileAttr) -> &'static Duration {
    match is_hidden(attr.ino.0) {
        true => &SOON,
        false => &TTL,
    }
}

pub(super) fn found(reply: ReplyEntry, found: Answer<FileAttr>) {
    match found {
        Ok(attr) => reply.entry(ttl(&attr), &attr, GENERATION),
        // Compilers and shells look for the same missing names again and again.
        Err(Errno::ENOENT) => reply.entry(&SOON, &NOTHING, GENERATION),
        Err(error) => reply.error(error),
    }
}
