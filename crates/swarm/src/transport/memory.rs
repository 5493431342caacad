//! The in-memory twin of the network: devices that find each other by key within one process.
//!
//! For tests of everything above. Connections can be cut and devices unplugged, as cables can.

use super::traffic::{Counted, Traffic};
use super::{
    BoxFuture, Connection, Hint, Purpose, ReceiveStream, SendStream, Transport, TransportError,
};
use cobox_keys::identity::{KeyPair, PublicKey};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Bytes a stream holds before its writer waits.
const STREAM_BUFFER: usize = 256 << 10;
/// Streams or connections that may wait to be accepted.
const BACKLOG: usize = 64;

/// A network cable for everybody. Cheap to clone.
#[derive(Clone, Default)]
pub struct MemoryNetwork {
    devices: Arc<Mutex<HashMap<PublicKey, Device>>>,
}

struct Device {
    incoming: mpsc::Sender<Box<dyn Connection>>,
    plugged: bool,
    connections: Vec<Weak<Wire>>,
}

/// One device on a [`MemoryNetwork`].
pub struct MemoryTransport {
    pair: KeyPair,
    network: MemoryNetwork,
    incoming: tokio::sync::Mutex<mpsc::Receiver<Box<dyn Connection>>>,
    closed: CancellationToken,
}

/// What the two ends of a connection share.
struct Wire {
    purpose: Purpose,
    closed: CancellationToken,
    reason: Mutex<String>,
    secrets: Mutex<HashMap<&'static [u8], [u8; 32]>>,
}

struct MemoryConnection {
    remote: PublicKey,
    dialled: bool,
    wire: Arc<Wire>,
    traffic: Arc<Traffic>,
    peer_streams: mpsc::Sender<Stream>,
    bi: tokio::sync::Mutex<mpsc::Receiver<Stream>>,
    uni: tokio::sync::Mutex<mpsc::Receiver<Stream>>,
    peer_uni: mpsc::Sender<Stream>,
}

type Stream = DuplexStream;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryNetwork {
    /// An empty network.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plugs in a device.
    pub fn device(&self, pair: KeyPair) -> MemoryTransport {
        let (incoming, accepted) = mpsc::channel(BACKLOG);
        let device = Device {
            incoming,
            plugged: true,
            connections: Vec::new(),
        };
        lock(&self.devices).insert(pair.public(), device);
        MemoryTransport {
            pair,
            network: self.clone(),
            incoming: tokio::sync::Mutex::new(accepted),
            closed: CancellationToken::new(),
        }
    }

    /// Breaks every connection of a device, which may dial again at once.
    pub fn cut(&self, device: &PublicKey) {
        let mut devices = lock(&self.devices);
        let Some(device) = devices.get_mut(device) else {
            return;
        };
        for wire in device.connections.drain(..).filter_map(|w| w.upgrade()) {
            wire.close("cut");
        }
    }

    /// Pulls a device's cable, or puts it back.
    pub fn plug(&self, device: &PublicKey, plugged: bool) {
        if let Some(device) = lock(&self.devices).get_mut(device) {
            device.plugged = plugged;
        }
        if !plugged {
            self.cut(device);
        }
    }

    fn connect(
        &self,
        from: PublicKey,
        to: PublicKey,
        purpose: Purpose,
    ) -> Result<MemoryConnection, TransportError> {
        let mut devices = lock(&self.devices);
        let plugged = |key| devices.get(key).is_some_and(|d: &Device| d.plugged);
        if !plugged(&from) || !plugged(&to) {
            return Err(TransportError::Unreachable);
        }
        let wire = Arc::new(Wire::new(purpose));
        let (ours, theirs) = pair_of_connections(&wire, from, to);
        let accepted = devices
            .get(&to)
            .map(|device| device.incoming.try_send(Box::new(theirs)));
        if !matches!(accepted, Some(Ok(()))) {
            return Err(TransportError::Unreachable);
        }
        for key in [from, to] {
            if let Some(device) = devices.get_mut(&key) {
                device.connections.retain(|wire| wire.strong_count() > 0);
                device.connections.push(Arc::downgrade(&wire));
            }
        }
        Ok(ours)
    }
}

fn pair_of_connections(
    wire: &Arc<Wire>,
    dialler: PublicKey,
    acceptor: PublicKey,
) -> (MemoryConnection, MemoryConnection) {
    let (to_dialler, at_dialler) = mpsc::channel(BACKLOG);
    let (to_acceptor, at_acceptor) = mpsc::channel(BACKLOG);
    let (uni_to_dialler, uni_at_dialler) = mpsc::channel(BACKLOG);
    let (uni_to_acceptor, uni_at_acceptor) = mpsc::channel(BACKLOG);
    let end = |remote, dialled, peer_streams, bi, peer_uni, uni| MemoryConnection {
        remote,
        dialled,
        wire: wire.clone(),
        traffic: Arc::default(),
        peer_streams,
        bi: tokio::sync::Mutex::new(bi),
        uni: tokio::sync::Mutex::new(uni),
        peer_uni,
    };
    (
        end(
            acceptor,
            true,
            to_acceptor,
            at_dialler,
            uni_to_acceptor,
            uni_at_dialler,
        ),
        end(
            dialler,
            false,
            to_dialler,
            at_acceptor,
            uni_to_dialler,
            uni_at_acceptor,
        ),
    )
}

impl Wire {
    fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            closed: CancellationToken::new(),
            reason: Mutex::default(),
            secrets: Mutex::default(),
        }
    }

    fn close(&self, why: &str) {
        let mut reason = lock(&self.reason);
        if !self.closed.is_cancelled() {
            *reason = why.to_owned();
            self.closed.cancel();
        }
    }

    fn reason(&self) -> String {
        lock(&self.reason).clone()
    }
}

impl Transport for MemoryTransport {
    fn stranger(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        let stranger = self.network.device(KeyPair::generate());
        Box::pin(async { Ok(Box::new(stranger) as Box<dyn Transport>) })
    }

    fn key_pair(&self) -> &KeyPair {
        &self.pair
    }

    fn hint(&self) -> Hint {
        Hint {
            device: self.device(),
            addresses: Vec::new(),
        }
    }

    fn dial_for<'a>(
        &'a self,
        purpose: Purpose,
        hint: &'a Hint,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        Box::pin(async move {
            if self.closed.is_cancelled() {
                return Err(TransportError::Closed("stopped".into()));
            }
            let connection = self.network.connect(self.device(), hint.device, purpose)?;
            Ok(Box::new(connection) as Box<dyn Connection>)
        })
    }

    fn accept(&self) -> BoxFuture<'_, Option<Box<dyn Connection>>> {
        Box::pin(async move {
            let mut incoming = self.incoming.lock().await;
            tokio::select! {
                () = self.closed.cancelled() => None,
                next = incoming.recv() => next,
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.closed.cancel();
            self.network.cut(&self.device());
        })
    }
}

impl MemoryConnection {
    fn stream(&self, half: Stream) -> MemoryStream {
        let pipe = Pipe {
            inner: half,
            closed: Box::pin(self.wire.closed.clone().cancelled_owned()),
        };
        Counted::new(pipe, &self.traffic)
    }

    fn ended(&self) -> TransportError {
        TransportError::Closed(self.wire.reason())
    }

    async fn open(&self, peer: &mpsc::Sender<Stream>) -> Result<MemoryStream, TransportError> {
        let (ours, theirs) = tokio::io::duplex(STREAM_BUFFER);
        tokio::select! {
            () = self.wire.closed.cancelled() => Err(self.ended()),
            sent = peer.send(theirs) => sent.map(|()| self.stream(ours)).map_err(|_| self.ended()),
        }
    }

    async fn accept(
        &self,
        queue: &tokio::sync::Mutex<mpsc::Receiver<Stream>>,
    ) -> Result<MemoryStream, TransportError> {
        let mut queue = queue.lock().await;
        tokio::select! {
            () = self.wire.closed.cancelled() => Err(self.ended()),
            next = queue.recv() => next.map(|half| self.stream(half)).ok_or_else(|| self.ended()),
        }
    }
}

fn halves(stream: MemoryStream) -> (SendStream, ReceiveStream) {
    let (receive, send) = tokio::io::split(stream);
    (Box::new(send), Box::new(receive))
}

impl Connection for MemoryConnection {
    fn remote(&self) -> PublicKey {
        self.remote
    }

    fn purpose(&self) -> Purpose {
        self.wire.purpose
    }

    fn dialled(&self) -> bool {
        self.dialled
    }

    fn exporter(&self, label: &'static [u8]) -> Result<[u8; 32], TransportError> {
        let mut secrets = lock(&self.wire.secrets);
        if let Some(secret) = secrets.get(label) {
            return Ok(*secret);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|e| TransportError::Closed(e.to_string()))?;
        secrets.insert(label, secret);
        Ok(secret)
    }

    fn open_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>> {
        Box::pin(async { self.open(&self.peer_streams).await.map(halves) })
    }

    fn accept_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>> {
        Box::pin(async { self.accept(&self.bi).await.map(halves) })
    }

    fn open_uni(&self) -> BoxFuture<'_, Result<SendStream, TransportError>> {
        Box::pin(async {
            let stream = self.open(&self.peer_uni).await?;
            Ok(Box::new(stream) as SendStream)
        })
    }

    fn accept_uni(&self) -> BoxFuture<'_, Result<ReceiveStream, TransportError>> {
        Box::pin(async {
            let stream = self.accept(&self.uni).await?;
            Ok(Box::new(stream) as ReceiveStream)
        })
    }

    fn path(&self) -> String {
        "memory".into()
    }

    fn remote_address(&self) -> Option<SocketAddr> {
        None
    }

    fn traffic(&self) -> (u64, u64) {
        self.traffic.so_far()
    }

    fn close(&self, reason: &str) {
        self.wire.close(reason);
    }

    fn closed(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            self.wire.closed.cancelled().await;
            self.wire.reason()
        })
    }
}

impl Drop for MemoryConnection {
    fn drop(&mut self) {
        self.wire.close("dropped");
    }
}

type MemoryStream = Counted<Pipe>;

/// One half of a duplex pipe that fails as soon as its connection has ended.
struct Pipe {
    inner: Stream,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Pipe {
    fn alive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.closed.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive(cx)?;
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.alive(cx)?;
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn connected(network: &MemoryNetwork) -> (Box<dyn Connection>, Box<dyn Connection>) {
        let a = network.device(KeyPair::from_seed(&[1; 32]));
        let b = network.device(KeyPair::from_seed(&[2; 32]));
        let dialled = a.dial(&b.hint()).await.expect("dial");
        (dialled, b.accept().await.expect("accept"))
    }

    #[tokio::test]
    async fn streams_carry_bytes_and_both_ends_share_a_secret() {
        let (a, b) = connected(&MemoryNetwork::new()).await;
        assert_eq!(a.exporter(b"x").unwrap(), b.exporter(b"x").unwrap());
        assert_ne!(a.exporter(b"x").unwrap(), b.exporter(b"y").unwrap());
        let (mut send, _receive) = a.open_bi().await.unwrap();
        send.write_all(b"hello").await.unwrap();
        let (_send, mut receive) = b.accept_bi().await.unwrap();
        let mut heard = [0; 5];
        receive.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        assert_eq!((a.traffic().0, b.traffic().1), (5, 5));
    }

    #[tokio::test]
    async fn a_cut_connection_wakes_its_readers() {
        let network = MemoryNetwork::new();
        let (a, b) = connected(&network).await;
        let mut send = a.open_uni().await.unwrap();
        send.write_all(b"x").await.unwrap();
        let mut receive = b.accept_uni().await.unwrap();
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            receive.read_to_end(&mut all).await
        });
        network.cut(&b.remote());
        assert!(reader.await.unwrap().is_err());
        assert_eq!(b.closed().await, "cut");
    }

    #[tokio::test]
    async fn an_unplugged_device_is_not_reached() {
        let network = MemoryNetwork::new();
        let a = network.device(KeyPair::from_seed(&[1; 32]));
        let b = network.device(KeyPair::from_seed(&[2; 32]));
        network.plug(&b.device(), false);
        assert!(a.dial(&b.hint()).await.is_err());
        network.plug(&b.device(), true);
        assert!(a.dial(&b.hint()).await.is_ok());
    }
}
