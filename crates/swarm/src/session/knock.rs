//! Asking whoever answers somewhere which run of a program it is, and nothing else.

use super::control::open_control;
use super::link::Link;
use crate::transport::{Connection, TransportError};
use crate::wire::Message;
use crate::wire::frame::{self, CONTROL_PREFIX, SESSION};
use crate::wire::session::{Hello, Run, VERSION};
use cobox_feed::codec::Reader;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says hello over a fresh connection and answers what the other side says of its run; the connection is closed then.
pub async fn ask_run(connection: Box<dyn Connection>) -> Option<Run> {
    let link = Link::new(connection.into());
    let asked = tokio::time::timeout(PATIENCE, asked(&link)).await;
    link.close("thank you");
    asked.ok()?.ok()?
}

async fn asked(link: &Link) -> Result<Option<Run>, TransportError> {
    let closed = |error: std::io::Error| TransportError::Closed(error.to_string());
    let (mut send, mut receive) = open_control(link).await?;
    let hello = Hello {
        version: VERSION,
        capabilities: 0,
        addresses: Vec::new(),
        run: [0; 16],
    };
    let hello = frame::session(&hello);
    send.write_all(&hello).await.map_err(closed)?;
    send.flush().await.map_err(closed)?;
    let mut prefix = [0; CONTROL_PREFIX];
    receive.read_exact(&mut prefix).await.map_err(closed)?;
    let Ok(length) = frame::control_length(prefix) else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    receive.read_exact(&mut bytes).await.map_err(closed)?;
    Ok(run_in(&bytes))
}

fn run_in(bytes: &[u8]) -> Option<Run> {
    let frame = frame::open(bytes).ok()?;
    let is_hello = frame.place.channel == SESSION && frame.kind == Hello::KIND;
    let hello = is_hello.then(|| Hello::decode(&mut Reader::new(frame.payload)))?;
    Some(hello.ok()?.run)
}
