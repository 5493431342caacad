//! Authenticated streams between devices: iroh (QUIC by public key), and an in-memory twin for tests.
//!
//! Its job: reach a device whose key is known, prove both keys, carry streams. Not its job: who the
//! device is to us, what the streams say, when to dial again.

mod hint;
mod iroh;
pub mod memory;
mod traffic;

pub use hint::{Hint, MAX_ADDRESSES, ParseHintError};
pub use iroh::{IrohOptions, IrohTransport};

use cobox_keys::identity::{KeyPair, PublicKey};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a dial may take before the peer counts as unreachable.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A boxed future, so that transports can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// Sending half of a stream.
pub type SendStream = Box<dyn AsyncWrite + Send + Unpin>;
/// Receiving half of a stream.
pub type ReceiveStream = Box<dyn AsyncRead + Send + Unpin>;

/// What a connection is for; both ends agree on it within the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// exchanging what spaces hold
    Sync,
    /// becoming a device's administrator
    Claim,
}

/// Why a peer could not be talked to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nobody answered there in time.
    #[error("no answer from the peer")]
    Unreachable,
    /// The connection ended.
    #[error("the connection was closed: {0}")]
    Closed(String),
    /// Could not bind or start.
    #[error("the network could not be started: {0}")]
    Start(String),
}

/// Dial and accept.
pub trait Transport: Send + Sync + 'static {
    /// Our device key pair: what peers authenticate, and what signs receipts.
    fn key_pair(&self) -> &KeyPair;
    /// Our device key.
    fn device(&self) -> PublicKey {
        self.key_pair().public()
    }
    /// How others reach us now.
    fn hint(&self) -> Hint;
    /// Connects within ten seconds, or not.
    fn dial_for<'a>(
        &'a self,
        purpose: Purpose,
        hint: &'a Hint,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, TransportError>>;
    /// The same, to exchange what spaces hold.
    fn dial<'a>(
        &'a self,
        hint: &'a Hint,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        self.dial_for(Purpose::Sync, hint)
    }
    /// A second one beside this, under a key that nobody knows and that is forgotten with it.
    fn stranger(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>>;
    /// Next incoming connection; `None` when closed.
    fn accept(&self) -> BoxFuture<'_, Option<Box<dyn Connection>>>;
    /// Closes everything in an orderly way.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// One authenticated connection.
pub trait Connection: Send + Sync + 'static {
    /// The other device, proven.
    fn remote(&self) -> PublicKey;
    /// What it is for.
    fn purpose(&self) -> Purpose;
    /// True on the side that dialled.
    fn dialled(&self) -> bool;
    /// 32 bytes both sides (and nobody else) can compute for a label (TLS exporter).
    ///
    /// # Errors
    ///
    /// `Closed`, when the connection ended before its handshake did.
    fn exporter(&self, label: &'static [u8]) -> Result<[u8; 32], TransportError>;
    /// Opens a stream both ways. The peer sees it with the first byte written.
    fn open_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>>;
    /// Accepts one.
    fn accept_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>>;
    /// Opens a one-way stream.
    fn open_uni(&self) -> BoxFuture<'_, Result<SendStream, TransportError>>;
    /// Accepts one.
    fn accept_uni(&self) -> BoxFuture<'_, Result<ReceiveStream, TransportError>>;
    /// Where the peer is now, for people (`lan`, `direct`, `relayed`, address).
    fn path(&self) -> String;
    /// The peer's address as seen from here, if the path has one.
    fn remote_address(&self) -> Option<SocketAddr>;
    /// Application bytes sent and received so far.
    fn traffic(&self) -> (u64, u64);
    /// Ends it with a reason.
    fn close(&self, reason: &str);
    /// Resolves when it has ended.
    fn closed(&self) -> BoxFuture<'_, String>;
}
