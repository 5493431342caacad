//! Authenticated streams between devices: iroh (QUIC by public key), and an in-memory twin for tests.

use cobox_keys::identity::PublicKey;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};

/// A boxed future, so that transports can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// Sending half of a stream.
pub type SendStream = Box<dyn AsyncWrite + Send + Unpin>;
/// Receiving half of a stream.
pub type ReceiveStream = Box<dyn AsyncRead + Send + Unpin>;

/// How to reach a device. Text form: `<64 hex digits>@<ip:port>,<ip:port>...`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hint { /** its key */ pub device: PublicKey, /** where it was last known */ pub addresses: Vec<SocketAddr> }

/// Why a peer could not be talked to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nobody answered there in time.
    #[error("no answer from the peer")] Unreachable,
    /// The connection ended.
    #[error("the connection was closed: {0}")] Closed(String),
    /// Could not bind or start.
    #[error("the network could not be started: {0}")] Start(String),
}
/// Dial and accept.
pub trait Transport: Send + Sync + 'static {
    /// Our device key.
    fn device(&self) -> PublicKey;
    /// How others reach us now.
    fn hint(&self) -> Hint;
    /// Connects within ten seconds, or not.
    fn dial<'a>(&'a self, hint: &'a Hint) -> BoxFuture<'a, Result<Box<dyn Connection>, TransportError>>;
    /// Next incoming connection; `None` when closed.
    fn accept(&self) -> BoxFuture<'_, Option<Box<dyn Connection>>>;
    /// Closes everything in an orderly way.
    fn close(&self) -> BoxFuture<'_, ()>;
}
/// One authenticated connection.
pub trait Connection: Send + Sync + 'static {
    /// The other device, proven.
    fn remote(&self) -> PublicKey;
    /// True on the side that dialled.
    fn dialled(&self) -> bool;
    /// 32 bytes both sides (and nobody else) can compute for a label (TLS exporter).
    fn exporter(&self, label: &'static [u8]) -> Result<[u8; 32], TransportError>;
    /// Opens a stream both ways.
    fn open_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>>;
    /// Accepts one.
    fn accept_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>>;
    /// Opens a one-way stream.
    fn open_uni(&self) -> BoxFuture<'_, Result<SendStream, TransportError>>;
    /// Accepts one.
    fn accept_uni(&self) -> BoxFuture<'_, Result<ReceiveStream, TransportError>>;
    /// Where the peer is now, for people (`lan`, `direct`, `relayed`, address).
    fn path(&self) -> String;
    /// Application bytes sent and received so far.
    fn traffic(&self) -> (u64, u64);
    /// Ends it with a reason.
    fn close(&self, reason: &str);
    /// Resolves when it has ended.
    fn closed(&self) -> BoxFuture<'_, String>;
}
