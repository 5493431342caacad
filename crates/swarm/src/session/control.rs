//! The control stream: opened by the dialler, frames written and read in order.

use super::connection::Ended;
use super::link::Link;
use crate::transport::{ReceiveStream, SendStream, TransportError};
use crate::wire::frame::{self, CONTROL_PREFIX};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

pub(super) async fn open_control(
    link: &Link,
) -> Result<(SendStream, ReceiveStream), TransportError> {
    match link.dialled() {
        true => link.connection().open_bi().await,
        false => link.connection().accept_bi().await,
    }
}

/// How a helper task of a connection ended.
pub(super) type TaskEnd = Result<(), Ended>;

pub(super) async fn write_frames(mut stream: SendStream, link: Arc<Link>) -> TaskEnd {
    let closed = |error: std::io::Error| TransportError::Closed(error.to_string());
    loop {
        let bytes = link.outgoing().await;
        stream.write_all(&bytes).await.map_err(closed)?;
        stream.flush().await.map_err(closed)?;
    }
}

pub(super) async fn read_frames(
    mut stream: ReceiveStream,
    frames: mpsc::Sender<Vec<u8>>,
) -> TaskEnd {
    let closed = |error: std::io::Error| TransportError::Closed(error.to_string());
    loop {
        let mut prefix = [0; CONTROL_PREFIX];
        stream.read_exact(&mut prefix).await.map_err(closed)?;
        let mut bytes = vec![0; frame::control_length(prefix)?];
        stream.read_exact(&mut bytes).await.map_err(closed)?;
        if frames.send(bytes).await.is_err() {
            return Ok(());
        }
    }
}
