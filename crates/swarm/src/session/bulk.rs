//! The streams that carry blocks: four out, as many as the peer opens in.

use super::link::Link;
use super::serve::Task;
use super::space::Input;
use super::spaces::{Answer, Space};
use crate::protocol::{PeerId, Weight};
use crate::transport::{ReceiveStream, SendStream, TransportError};
use crate::wire::Message;
use crate::wire::feed::{Data, NoData, Reason};
use crate::wire::frame::{self, BULK_PREFIX, Place};
use bytes::Bytes;
use cobox_feed::codec::{DecodeError, Reader};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Streams that we send blocks on. One is not enough: a stream's window is small in this engine.
pub(super) const STREAMS: usize = 4;
/// Streams a peer may send blocks on.
const MAX_STREAMS: usize = 8;
/// Bytes of a received frame that memory is taken for at a time; an ordinary block is one piece.
const PIECE: usize = 128 << 10;
/// So long one piece may take. A line of a few kilobytes a second is in time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes of the numbers that a frame begins with.
const HEAD: usize = 18;
/// Bytes written at once.
const WRITE: usize = 512 << 10;

/// Where bulk frames of a connection go: the peer's channel numbers.
pub(super) type Routes = Arc<Mutex<HashMap<u64, Route>>>;

/// One space of one connection.
#[derive(Clone)]
pub(super) struct Route {
    pub peer: PeerId,
    pub space: Arc<Space>,
}

/// What some requests are answered with.
#[derive(Default)]
struct Answered {
    /// Frames for a bulk stream.
    bulk: Vec<u8>,
    /// Frames for the control stream.
    control: Vec<u8>,
    /// What is left to do.
    rest: Vec<Task>,
}

/// Answers requests until the connection ends. The stream is opened for the first block only.
pub(super) async fn send(link: Arc<Link>) -> Result<(), TransportError> {
    let (mut stream, mut bulk) = (None, Vec::new());
    loop {
        let mut tasks = link.serve.take();
        if tasks.is_empty() {
            bulk = Vec::new(); // kept only while there is something to send
            tasks = link.serve.next().await;
        }
        while !tasks.is_empty() {
            let answered = tokio::task::spawn_blocking(move || answer(tasks, bulk)).await;
            let Ok(answered) = answered else {
                return Ok(()); // the runtime is shutting down
            };
            (bulk, tasks) = (answered.bulk, answered.rest);
            if !answered.control.is_empty() {
                link.send(&answered.control);
            }
            if !bulk.is_empty() {
                write(&link, &mut stream, &bulk).await?;
            }
        }
    }
}

async fn write(
    link: &Link,
    stream: &mut Option<SendStream>,
    bytes: &[u8],
) -> Result<(), TransportError> {
    let open = match stream {
        Some(open) => open,
        None => stream.insert(link.connection().open_uni().await?),
    };
    let closed = |error: io::Error| TransportError::Closed(error.to_string());
    open.write_all(bytes).await.map_err(closed)
}

/// Reads blocks and makes proofs, up to a few hundred kilobytes. The frames go into `bulk`, whose memory is used again:
/// fresh memory of that size has to be cleared by the system each time.
fn answer(tasks: Vec<Task>, mut bulk: Vec<u8>) -> Answered {
    bulk.clear();
    let mut answered = Answered {
        bulk,
        ..Default::default()
    };
    let mut tasks = tasks.into_iter();
    for task in tasks.by_ref() {
        answer_one(task, &mut answered);
        if answered.bulk.len() >= WRITE {
            break;
        }
    }
    answered.rest = tasks.collect();
    answered
}

fn answer_one(Task { channel, serve }: Task, out: &mut Answered) {
    let place = Place {
        channel,
        slot: serve.slot,
    };
    let request = serve.id;
    match serve.feed.prove(&serve.request) {
        Ok(Some(proof)) if proof.block.is_some() => {
            frame::put_bulk(&mut out.bulk, place, &Data { request, proof });
        }
        Ok(Some(proof)) => {
            let payload = frame::payload(&Data { request, proof });
            out.control
                .extend(frame::control(place, Data::KIND, &payload));
        }
        outcome => {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a block that was asked for could not be read");
            }
            let reason = Reason::NotAvailable;
            let payload = frame::payload(&NoData { request, reason });
            out.control
                .extend(frame::control(place, NoData::KIND, &payload));
        }
    }
}

/// Accepts the peer's streams and reads them until the connection ends or one of them is broken.
pub(super) async fn receive(
    link: Arc<Link>,
    routes: Routes,
    memory: Arc<Semaphore>,
) -> Result<(), TransportError> {
    let mut readers = JoinSet::new();
    loop {
        tokio::select! {
            stream = link.connection().accept_uni() => {
                let stream = stream?;
                if readers.len() < MAX_STREAMS {
                    readers.spawn(read(stream, routes.clone(), memory.clone()));
                }
            }
            Some(ended) = readers.join_next() => {
                if let Ok(Err(broken)) = ended {
                    link.close(&broken.to_string());
                    return Ok(());
                }
            }
        }
    }
}

/// Why a bulk stream is not read any further.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("a bulk frame could not be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("a bulk stream ended: {0}")]
    Ended(#[from] io::Error),
    #[error("a bulk frame was begun and did not come")]
    Slow,
}

async fn read(
    mut stream: ReceiveStream,
    routes: Routes,
    memory: Arc<Semaphore>,
) -> Result<(), Broken> {
    loop {
        let mut prefix = [0; BULK_PREFIX];
        if stream.read_exact(&mut prefix).await.is_err() {
            return Ok(()); // ended between frames: nothing is lost
        }
        let length = frame::bulk_length(prefix)?;
        let mut head = [0; HEAD];
        let head = &mut head[..length.min(HEAD)];
        stream.read_exact(head).await?;
        let place = frame::open_bulk(&mut Reader::new(head))?;
        if !super::lock(&routes).contains_key(&place.channel) {
            // A space that was left meanwhile, or a stranger: nothing is kept for either.
            let rest = (length - head.len()) as u64;
            tokio::io::copy(&mut (&mut stream).take(rest), &mut tokio::io::sink()).await?;
            continue;
        }
        let Some((bytes, weight)) = body(&mut stream, head, length, &memory).await? else {
            return Ok(()); // stopping
        };
        deliver(bytes, weight, &routes).await?;
    }
}

/// The rest of a frame. Memory is taken for what comes and not for what is announced: it is there for all peers
/// together, and who announces much and sends nothing must not take it from them.
async fn body(
    stream: &mut ReceiveStream,
    head: &[u8],
    length: usize,
    memory: &Arc<Semaphore>,
) -> Result<Option<(Bytes, Weight)>, Broken> {
    let first = length.min(PIECE);
    let mut bytes = Vec::with_capacity(first);
    bytes.extend_from_slice(head);
    // Who holds none of the memory may wait for it as long as it takes.
    let Ok(mut permit) = take(memory, first).await else {
        return Ok(None);
    };
    loop {
        let more = (permit.num_permits() - bytes.len()) as u64;
        timely((&mut *stream).take(more).read_to_end(&mut bytes)).await??;
        if bytes.len() < permit.num_permits() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if bytes.len() == length {
            break;
        }
        let Ok(taken) = timely(take(memory, (length - bytes.len()).min(PIECE))).await? else {
            return Ok(None);
        };
        permit.merge(taken);
    }
    let weight = Weight {
        bytes: length,
        permit: Some(permit),
    };
    Ok(Some((Bytes::from(bytes), weight)))
}

async fn take(memory: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, AcquireError> {
    // A piece: far below what a u32 counts.
    memory.clone().acquire_many_owned(bytes as u32).await
}

async fn timely<T>(what: impl Future<Output = T>) -> Result<T, Broken> {
    let in_time = tokio::time::timeout(PATIENCE, what).await;
    in_time.map_err(|_| Broken::Slow)
}

async fn deliver(bytes: Bytes, weight: Weight, routes: &Routes) -> Result<(), DecodeError> {
    let mut reader = Reader::shared(&bytes);
    let place = frame::open_bulk(&mut reader)?;
    let route = super::lock(routes).get(&place.channel).cloned();
    let Some(Route { peer, space }) = route else {
        return Ok(()); // a space that was left meanwhile
    };
    match Data::decode(&mut reader) {
        Ok(data) => {
            let answer = Answer {
                peer,
                slot: place.slot,
                data,
                weight,
            };
            space.answers.send(answer).await.ok(); // left meanwhile
            Ok(())
        }
        Err(error) => {
            let reason = format!("blocks could not be read: {error}");
            space.input(Input::Broken { peer, reason }).await;
            Err(error)
        }
    }
}
