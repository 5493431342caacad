//! The body of a request as a plain reader for a blocking thread.
//!
//! Bytes change threads in large pieces: waking a thread for every few kilobytes costs more than all work on them.

use axum::body::Body;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Bytes handed over at a time,
const PIECE: usize = 1 << 20;
/// and how many such pieces may wait.
const WAITING: usize = 4;

/// What arrived together; the end is told by nothing, so that it is not taken for granted.
type Piece = VecDeque<Bytes>;

/// Reads a body. Not for threads of the runtime: it blocks.
pub struct Upload {
    runtime: Handle,
    state: State,
}

enum State {
    /// Nobody has read yet. The caller is asked for the body (`100 Continue`) only then, so that a refusal comes first.
    Untouched(Body),
    Coming(Receiver<io::Result<Piece>>, Piece),
    Ended,
}

impl Upload {
    /// Of a body; to be called on the runtime. Receiving ends when this is dropped.
    pub fn of(body: Body) -> Self {
        Self {
            runtime: Handle::current(),
            state: State::Untouched(body),
        }
    }

    fn begin(&mut self) {
        if let State::Untouched(body) = std::mem::replace(&mut self.state, State::Ended) {
            let (sender, pieces) = channel(WAITING);
            self.runtime.spawn(receive(body, sender));
            self.state = State::Coming(pieces, Piece::new());
        }
    }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if matches!(self.state, State::Untouched(_)) {
            self.begin();
        }
        let State::Coming(pieces, piece) = &mut self.state else {
            return Ok(0);
        };
        if piece.is_empty() {
            let next = pieces.blocking_recv();
            *piece = next.unwrap_or(Err(ErrorKind::UnexpectedEof.into()))?;
        }
        match piece.front_mut() {
            Some(bytes) => {
                let length = bytes.len().min(buffer.len());
                bytes.copy_to_slice(&mut buffer[..length]);
                if bytes.is_empty() {
                    piece.pop_front();
                }
                Ok(length)
            }
            None => {
                self.state = State::Ended;
                Ok(0)
            }
        }
    }
}

/// Hands a body on until it ends, breaks, or nobody reads any more.
async fn receive(body: Body, out: Sender<io::Result<Piece>>) {
    let mut body = body.into_data_stream();
    let (mut piece, mut length) = (Piece::new(), 0);
    while let Some(next) = body.next().await {
        match next {
            Ok(bytes) => {
                length += bytes.len();
                piece.extend(Some(bytes).filter(|bytes| !bytes.is_empty()));
            }
            Err(error) => {
                out.send(Err(io::Error::other(error))).await.ok(); // nobody may read any more
                return;
            }
        }
        if length >= PIECE {
            length = 0;
            if out.send(Ok(std::mem::take(&mut piece))).await.is_err() {
                return;
            }
        }
    }
    if !piece.is_empty() {
        out.send(Ok(piece)).await.ok(); // nobody reads any more
    }
    out.send(Ok(Piece::new())).await.ok(); // the same
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn read(parts: Vec<io::Result<&'static [u8]>>) -> io::Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
        let body = Body::from_stream(stream::iter(parts));
        let mut upload = runtime.block_on(async { Upload::of(body) });
        let mut all = Vec::new();
        let read = upload.read_to_end(&mut all);
        read.map(|_| all)
    }

    #[test]
    fn a_body_is_read_to_its_end_in_any_parts() {
        assert_eq!(read(vec![]).unwrap(), b"");
        assert_eq!(read(vec![Ok(b"a"), Ok(b""), Ok(b"bc")]).unwrap(), b"abc");
        let large: &'static [u8] = vec![7; 3 * PIECE + 1].leak();
        assert_eq!(
            read(vec![Ok(large), Ok(large)]).unwrap().len(),
            2 * large.len()
        );
    }

    #[test]
    fn a_body_that_breaks_is_not_taken_for_a_whole_one() {
        let broken = read(vec![Ok(b"a"), Err(io::ErrorKind::ConnectionReset.into())]);
        assert!(broken.is_err());
    }
}
