//! Content-defined chunks: FastCDC (Xia et al., 2020) over a stream, without copying more than a buffer's rest.

use bytes::Bytes;
use fastcdc::v2020::FastCDC;
use std::io::{ErrorKind, Read, Result};

/// Smallest chunk, save for a file's last.
pub const MIN: usize = 64 << 10;
/// Aimed at.
pub const AVERAGE: usize = 256 << 10;
/// Largest chunk.
pub const MAX: usize = 1 << 20;
/// Bytes read at a time; a cut needs `MAX` bytes of sight, so up to that much is copied over per buffer.
const BUFFER: usize = 4 << 20;

/// Cuts a stream into chunks; cut points depend on the bytes alone.
pub struct Chunker<R> {
    source: R,
    buffer: Bytes,
    pool: Pool,
    ended: bool,
}

impl<R: Read> Chunker<R> {
    /// Over a source read to its end.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: Bytes::new(),
            pool: Pool::default(),
            ended: false,
        }
    }

    /// The next chunk, none at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if self.buffer.len() < MAX && !self.ended {
            self.refill()?;
        }
        Ok(cut(&self.buffer).map(|length| self.buffer.split_to(length)))
    }

    fn refill(&mut self) -> Result<()> {
        let mut buffer = self.pool.take();
        let (rest, room) = buffer.split_at_mut(self.buffer.len());
        rest.copy_from_slice(&self.buffer);
        let read = read_full(&mut self.source, room)?;
        self.ended = read < room.len();
        let length = rest.len() + read;
        self.buffer = self.pool.lend(buffer).slice(..length);
        Ok(())
    }
}

/// Buffers that were handed out in chunks and are used again once all of their chunks are gone: to map, clear and
/// unmap fresh memory costs as much as to cut it.
#[derive(Default)]
struct Pool(Vec<Bytes>);

impl Pool {
    /// A buffer of `BUFFER` bytes, whatever is in it.
    fn take(&mut self) -> Vec<u8> {
        match self.0.iter().position(Bytes::is_unique) {
            Some(free) => self.0.swap_remove(free).into(),
            None => vec![0; BUFFER],
        }
    }

    fn lend(&mut self, buffer: Vec<u8>) -> Bytes {
        let lent = Bytes::from(buffer);
        self.0.push(lent.clone());
        lent
    }
}

/// Cuts bytes that are all here, where a [`Chunker`] over them would.
pub fn chunks(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = cut(data)?;
        let (chunk, rest) = data.split_at(length);
        data = rest;
        Some(chunk)
    })
}

/// Length of the first chunk of a buffer that holds `MAX` bytes or all that is left; none of an empty one.
fn cut(buffer: &[u8]) -> Option<usize> {
    if buffer.is_empty() {
        return None;
    }
    let (_, end) = FastCDC::new(buffer, MIN, AVERAGE, MAX).cut(0, buffer.len());
    Some(end.clamp(1, buffer.len()))
}

/// Reads until the buffer is full; fewer bytes only at the source's end.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match source.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Appends up to `limit` bytes; fewer only at the source's end.
pub fn fill(source: &mut impl Read, buffer: &mut Vec<u8>, limit: u64) -> Result<u64> {
    let mut limited = source.take(limit);
    loop {
        match limited.read_to_end(buffer) {
            Ok(_) => return Ok(limit - limited.limit()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
}
