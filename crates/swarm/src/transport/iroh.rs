//! QUIC by public key, with iroh: no relay, no look-up service, no router ports; it talks to nobody
//! who was not named.

use super::traffic::{Counted, Traffic};
use super::{
    BoxFuture, Connection, DIAL_TIMEOUT, Hint, MAX_ADDRESSES, Purpose, ReceiveStream, SendStream,
    Transport, TransportError,
};
use cobox_keys::identity::{KeyPair, PublicKey};
use iroh::endpoint::{ConnectionError, QuicTransportConfig, VarInt, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, SecretKey, TransportAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// How long the end waits for peers to hear of it.
const GOODBYE: Duration = Duration::from_millis(500);

/// Protocol names and versions within the TLS handshake.
const SYNC: &[u8] = b"cobox/sync/1";
const CLAIM: &[u8] = b"cobox/claim/1";
/// A path that has been silent for so long is dead: short, so that a pulled cable is noticed.
const IDLE: Duration = Duration::from_secs(6);
/// A connection without a living path ends after this, so that a device that lost power is seen to be away.
const CONNECTION_IDLE_MS: u32 = 12_000;
/// A third of [`IDLE`], so that two keep-alives may be lost.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Streams a peer may have open towards us, each way of counting.
const MAX_STREAMS: u32 = 16;
/// Incoming handshakes at a time.
const MAX_HANDSHAKES: usize = 64;
/// Longest reason that is sent along with a close.
const MAX_REASON: usize = 200;

/// Where to listen.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IrohOptions {
    /** bind only here (tests: 127.0.0.1); all interfaces of both families if not given */
    pub ip: Option<IpAddr>,
    /** fixed UDP port, for people who forward one; 0 takes a free one */
    pub port: u16,
}

/// An iroh endpoint as a [`Transport`].
pub struct IrohTransport {
    pair: KeyPair,
    ip: Option<IpAddr>,
    endpoint: Endpoint,
    accepted: Mutex<mpsc::Receiver<Box<dyn Connection>>>,
}

impl IrohOptions {
    /// Listen on one address only.
    pub fn bound_to(ip: IpAddr, port: u16) -> Self {
        Self { ip: Some(ip), port }
    }
}

impl IrohTransport {
    /// Binds and starts listening under the device key.
    ///
    /// # Errors
    ///
    /// `Start`, when the port is taken or there is no network stack.
    pub async fn start(pair: KeyPair, options: IrohOptions) -> Result<Self, TransportError> {
        let start = |e: &dyn std::fmt::Display| TransportError::Start(e.to_string());
        let mut builder = Endpoint::builder(presets::Minimal)
            .secret_key(SecretKey::from_bytes(pair.expose_seed()))
            .alpns(vec![SYNC.to_vec(), CLAIM.to_vec()])
            .transport_config(transport_config())
            .clear_ip_transports();
        for ip in addresses_to_bind(options.ip) {
            builder = builder
                .bind_addr(SocketAddr::new(ip, options.port))
                .map_err(|e| start(&e))?;
        }
        let endpoint = builder.bind().await.map_err(|e| start(&e))?;
        let (shaken, accepted) = mpsc::channel(MAX_HANDSHAKES);
        tokio::spawn(accept_all(endpoint.clone(), shaken));
        Ok(Self {
            pair,
            ip: options.ip,
            endpoint,
            accepted: Mutex::new(accepted),
        })
    }
}

/// Handshakes run beside each other, so that a peer that stalls in its own holds up nobody.
async fn accept_all(endpoint: Endpoint, shaken: mpsc::Sender<Box<dyn Connection>>) {
    let mut handshakes = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while handshakes.try_join_next().is_some() {}
        if handshakes.len() >= MAX_HANDSHAKES {
            incoming.refuse();
            continue;
        }
        let shaken = shaken.clone();
        handshakes.spawn(async move {
            match tokio::time::timeout(DIAL_TIMEOUT, incoming).await {
                Ok(Ok(connection)) => {
                    let connection = IrohConnection::boxed(connection, false);
                    shaken.send(connection).await.ok(); // nobody accepts any more: dropped is closed
                }
                Ok(Err(cause)) => tracing::debug!(%cause, "incoming connection failed"),
                Err(_) => tracing::debug!("incoming connection did not finish its handshake"),
            }
        });
    }
}

fn addresses_to_bind(only: Option<IpAddr>) -> Vec<IpAddr> {
    match only {
        Some(ip) => vec![ip],
        None if has_ipv6() => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        None => vec![Ipv4Addr::UNSPECIFIED.into()],
    }
}

/// Some machines have IPv6 switched off; binding would then fail as a whole.
fn has_ipv6() -> bool {
    std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

/// Windows stay at their defaults: a larger stream window breaks bulk transfers in this engine.
fn transport_config() -> QuicTransportConfig {
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(MAX_STREAMS))
        .max_idle_timeout(Some(VarInt::from_u32(CONNECTION_IDLE_MS).into()))
        .default_path_max_idle_timeout(IDLE)
        .default_path_keep_alive_interval(KEEP_ALIVE)
        .build()
}

impl Transport for IrohTransport {
    fn stranger(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        let options = IrohOptions {
            ip: self.ip,
            port: 0,
        };
        Box::pin(async {
            let stranger = Self::start(KeyPair::generate(), options).await?;
            Ok(Box::new(stranger) as Box<dyn Transport>)
        })
    }

    fn key_pair(&self) -> &KeyPair {
        &self.pair
    }

    fn hint(&self) -> Hint {
        Hint {
            device: self.device(),
            addresses: reachable_at(&self.endpoint.bound_sockets()),
        }
    }

    fn dial_for<'a>(
        &'a self,
        purpose: Purpose,
        hint: &'a Hint,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        Box::pin(async move {
            let id =
                EndpointId::from_bytes(&hint.device.0).map_err(|_| TransportError::Unreachable)?;
            let addresses = worth_dialling(hint, &interface_ips());
            let target = EndpointAddr::from_parts(id, addresses.into_iter().map(TransportAddr::Ip));
            let dialled = self.endpoint.connect(target, protocol(purpose));
            match tokio::time::timeout(DIAL_TIMEOUT, dialled).await {
                Ok(Ok(connection)) => Ok(IrohConnection::boxed(connection, true)),
                Ok(Err(cause)) => {
                    tracing::debug!(device = %hint.device, %cause, "dial failed");
                    Err(TransportError::Unreachable)
                }
                Err(_) => Err(TransportError::Unreachable),
            }
        })
    }

    fn accept(&self) -> BoxFuture<'_, Option<Box<dyn Connection>>> {
        Box::pin(async move { self.accepted.lock().await.recv().await })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // Live peers hear it at once. A dial without an answer would hold this up for seconds: nobody is there to hear.
            let goodbye = tokio::time::timeout(GOODBYE, self.endpoint.close());
            goodbye.await.ok(); // what is left ends with the endpoint
        })
    }
}

fn protocol(purpose: Purpose) -> &'static [u8] {
    match purpose {
        Purpose::Sync => SYNC,
        Purpose::Claim => CLAIM,
    }
}

/// Every address of ours that a peer could dial, loopback last: it serves programs on one machine.
fn reachable_at(bound: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for socket in bound {
        if !socket.ip().is_unspecified() {
            found.push(*socket);
            continue;
        }
        let family = |ip: &IpAddr| ip.is_ipv4() == socket.is_ipv4();
        let interfaces = interface_ips().into_iter().filter(family);
        found.extend(interfaces.map(|ip| SocketAddr::new(ip, socket.port())));
    }
    found.sort_by_key(|address| (address.ip().is_loopback(), address.is_ipv6()));
    found.dedup();
    keep_one_loopback(found)
}

fn keep_one_loopback(mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let loopback = found.iter().find(|a| a.ip().is_loopback()).copied();
    found.retain(|address| !address.ip().is_loopback());
    found.truncate(MAX_ADDRESSES - 1);
    found.extend(loopback);
    found
}

/// Addresses of this machine; link-local IPv6 is left out, since it means nothing without its interface.
fn interface_ips() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    };
    interfaces.iter().map(|i| i.ip()).filter(usable).collect()
}

/// A peer's loopback address is ours too: dialling it from another machine would reach a stranger
/// with another key. It is kept only when the peer is on this machine, or nothing else is known.
fn worth_dialling(hint: &Hint, own: &[IpAddr]) -> Vec<SocketAddr> {
    let outside = |address: &&SocketAddr| !address.ip().is_loopback();
    let elsewhere: Vec<_> = hint.addresses.iter().filter(outside).copied().collect();
    let same_machine = elsewhere.iter().any(|address| own.contains(&address.ip()));
    if elsewhere.is_empty() || same_machine {
        return hint.addresses.clone();
    }
    elsewhere
}

struct IrohConnection {
    inner: iroh::endpoint::Connection,
    dialled: bool,
    traffic: Arc<Traffic>,
}

impl IrohConnection {
    fn boxed(inner: iroh::endpoint::Connection, dialled: bool) -> Box<dyn Connection> {
        Box::new(Self {
            inner,
            dialled,
            traffic: Arc::default(),
        })
    }

    fn counted<S>(&self, inner: S) -> Box<Counted<S>> {
        Box::new(Counted::new(inner, &self.traffic))
    }
}

fn ended(error: ConnectionError) -> TransportError {
    TransportError::Closed(in_words(error))
}

fn in_words(error: ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            String::from_utf8_lossy(&close.reason).into_owned()
        }
        other => other.to_string(),
    }
}

impl Connection for IrohConnection {
    fn remote(&self) -> PublicKey {
        PublicKey(*self.inner.remote_id().as_bytes())
    }

    fn purpose(&self) -> Purpose {
        match self.inner.alpn() == CLAIM {
            true => Purpose::Claim,
            false => Purpose::Sync,
        }
    }

    fn dialled(&self) -> bool {
        self.dialled
    }

    fn exporter(&self, label: &'static [u8]) -> Result<[u8; 32], TransportError> {
        let mut secret = [0; 32];
        self.inner
            .export_keying_material(&mut secret, label, b"")
            .map_err(|_| TransportError::Closed("no keying material".into()))?;
        Ok(secret)
    }

    fn open_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>> {
        Box::pin(async {
            let (send, receive) = self.inner.open_bi().await.map_err(ended)?;
            Ok((
                self.counted(send) as SendStream,
                self.counted(receive) as ReceiveStream,
            ))
        })
    }

    fn accept_bi(&self) -> BoxFuture<'_, Result<(SendStream, ReceiveStream), TransportError>> {
        Box::pin(async {
            let (send, receive) = self.inner.accept_bi().await.map_err(ended)?;
            Ok((
                self.counted(send) as SendStream,
                self.counted(receive) as ReceiveStream,
            ))
        })
    }

    fn open_uni(&self) -> BoxFuture<'_, Result<SendStream, TransportError>> {
        Box::pin(async {
            let send = self.inner.open_uni().await.map_err(ended)?;
            Ok(self.counted(send) as SendStream)
        })
    }

    fn accept_uni(&self) -> BoxFuture<'_, Result<ReceiveStream, TransportError>> {
        Box::pin(async {
            let receive = self.inner.accept_uni().await.map_err(ended)?;
            Ok(self.counted(receive) as ReceiveStream)
        })
    }

    fn path(&self) -> String {
        match self.remote_address() {
            Some(address) if is_local(address.ip()) => format!("lan {address}"),
            Some(address) => format!("direct {address}"),
            None => "relayed".into(),
        }
    }

    fn remote_address(&self) -> Option<SocketAddr> {
        let paths = self.inner.paths();
        let chosen = paths.iter().find(|path| path.is_selected());
        match chosen.or_else(|| paths.iter().next())?.remote_addr() {
            TransportAddr::Ip(address) => Some(*address),
            _ => None,
        }
    }

    fn traffic(&self) -> (u64, u64) {
        self.traffic.so_far()
    }

    fn close(&self, reason: &str) {
        let cut = reason.floor_char_boundary(MAX_REASON);
        self.inner
            .close(VarInt::from_u32(0), &reason.as_bytes()[..cut]);
    }

    fn closed(&self) -> BoxFuture<'_, String> {
        Box::pin(async { in_words(self.inner.closed().await) })
    }
}

fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn socket(ip: [u8; 4]) -> SocketAddr {
        SocketAddr::from((ip, 7000))
    }

    #[test]
    fn loopback_is_dialled_only_on_the_same_machine() {
        let hint = Hint {
            device: PublicKey([1; 32]),
            addresses: vec![socket([10, 0, 0, 5]), socket([127, 0, 0, 1])],
        };
        assert_eq!(worth_dialling(&hint, &[]), [socket([10, 0, 0, 5])]);
        let own = [IpAddr::from([10, 0, 0, 5])];
        assert_eq!(worth_dialling(&hint, &own).len(), 2);
    }

    #[test]
    fn loopback_is_told_last() {
        let many = (0..20).map(|n| socket([10, 0, 0, n]));
        let found: Vec<_> = [socket([127, 0, 0, 1])].into_iter().chain(many).collect();
        let kept = keep_one_loopback(found);
        assert_eq!(kept.len(), MAX_ADDRESSES);
        assert_eq!(kept.last(), Some(&socket([127, 0, 0, 1])));
    }

    #[tokio::test]
    async fn two_endpoints_talk_and_prove_their_keys() {
        let local = || IrohOptions::bound_to(IpAddr::from([127, 0, 0, 1]), 0);
        let a = IrohTransport::start(KeyPair::from_seed(&[1; 32]), local())
            .await
            .unwrap();
        let b = IrohTransport::start(KeyPair::from_seed(&[2; 32]), local())
            .await
            .unwrap();
        let hint = b.hint();
        let (dialled, accepted) = tokio::join!(a.dial(&hint), b.accept());
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        assert_eq!(
            (dialled.remote(), accepted.remote()),
            (b.device(), a.device())
        );
        assert_eq!(
            dialled.exporter(b"x").unwrap(),
            accepted.exporter(b"x").unwrap()
        );
        let mut send = dialled.open_uni().await.unwrap();
        send.write_all(b"hello").await.unwrap();
        let mut receive = accepted.accept_uni().await.unwrap();
        let mut heard = [0; 5];
        receive.read_exact(&mut heard).await.unwrap();
        assert!(dialled.path().starts_with("lan 127.0.0.1"));
        dialled.close("enough");
        assert_eq!(accepted.closed().await, "enough");
        tokio::join!(a.close(), b.close());
    }
}
