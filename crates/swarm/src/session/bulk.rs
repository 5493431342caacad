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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Streams that we send blocks on. One is not enough: a stream's window is small in this engine.
pub(super) const STREAMS: usize = 4;
/// Streams a peer may send blocks on.
const MAX_STREAMS: usize = 8;
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
        let permits = u32::try_from(length).map_err(|_| DecodeError("length"))?;
        let Ok(permit) = memory.clone().acquire_many_owned(permits).await else {
            return Ok(()); // stopping
        };
        let mut bytes = Vec::with_capacity(length);
        (&mut stream)
            .take(length as u64)
            .read_to_end(&mut bytes)
            .await?;
        if bytes.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let weight = Weight {
            bytes: length,
            permit: Some(permit),
        };
        deliver(Bytes::from(bytes), weight, &routes).await?;
    }
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
