//! A whole stream into an intake on two threads: one reads, cuts and, of a new file, hashes; the caller's looks up,
//! compares, packs and seals. Between them a channel of bounded length, so memory does not grow with the stream.

use super::LARGE;
use super::chunk::{self, Chunker};
use super::dedup::{Hash, HashKey};
use super::intake::{Intake, Layout, Older, Small};
use bytes::Bytes;
use std::io::{self, Cursor, Read};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Chunks between the threads; one is at most 1 MiB, mostly a quarter of it.
const CHANNEL: usize = 24;

/// The next bytes of a stream and, if its reader was to compute it, their hash.
type Cut = io::Result<(Bytes, Option<Hash>)>;

impl Intake {
    /// Takes a whole stream: small files in one piece, large ones chunk by chunk. `on_chunk` is called after each
    /// chunk, so that full blocks can be taken ahead; an error of it ends the taking.
    pub fn stream<E: From<io::Error>>(
        &mut self,
        source: &mut (dyn Read + Send),
        older: Option<Box<dyn Older>>,
        mut on_chunk: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<Layout, E> {
        let mut start = Vec::new();
        chunk::fill(&mut &mut *source, &mut start, LARGE)?;
        if (start.len() as u64) < LARGE {
            let small = Small::new(start, self.hash_key());
            return Ok(self.small(&small));
        }
        let chunker = Chunker::new(Cursor::new(start).chain(source));
        // Of a new version little is to be sealed: the caller's thread has time to hash.
        let key = older.is_none().then(|| self.hash_key().clone());
        self.begin(older);
        thread::scope(|scope| {
            let (out, cuts) = sync_channel(CHANNEL);
            let cutter = thread::Builder::new().name("cutter".into());
            cutter.spawn_scoped(scope, move || cut(chunker, key.as_ref(), &out))?;
            for cut in cuts {
                let (bytes, hash) = cut?;
                let hash = hash.unwrap_or_else(|| self.hash_key().hash(&bytes));
                self.chunk(&bytes, hash);
                on_chunk(self)?;
            }
            Ok(self.end())
        })
    }
}

/// Cuts a stream until its end, an error, or until nobody takes any more.
fn cut(mut chunker: Chunker<impl Read>, key: Option<&HashKey>, out: &SyncSender<Cut>) {
    while let Some(next) = chunker.next_chunk().transpose() {
        let is_last = next.is_err();
        let hashed = next.map(|bytes| {
            let hash = key.map(|key| key.hash(&bytes));
            (bytes, hash)
        });
        if out.send(hashed).is_err() || is_last {
            return;
        }
    }
}
