//! TLS for other machines: certificates from files, handshakes beside each other, each with a bound on its time.

use super::DoorError;
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// Handshakes at once; more wait.
const HANDSHAKES: usize = 64;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rest after a failed accept, mostly for want of file descriptors.
const REST: Duration = Duration::from_secs(1);

type Greeted = (TlsStream<TcpStream>, SocketAddr);

/// The listener.
pub struct Tls {
    greeted: mpsc::Receiver<Greeted>,
    at: SocketAddr,
    greeting: JoinHandle<()>,
}

impl Tls {
    /// Opens it.
    pub async fn open(at: SocketAddr, certificates: &Path, key: &Path) -> Result<Self, DoorError> {
        let acceptor = TlsAcceptor::from(Arc::new(config(certificates, key)?));
        let failed = |error| DoorError::Listen(at.to_string(), error);
        let listener = TcpListener::bind(at).await.map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let (out, greeted) = mpsc::channel(1);
        let greeting = tokio::spawn(greet(listener, acceptor, out));
        Ok(Self {
            greeted,
            at,
            greeting,
        })
    }

    /// Where it is.
    pub fn at(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.greeting.abort();
    }
}

fn config(certificates: &Path, key: &Path) -> Result<ServerConfig, DoorError> {
    let in_certificates = |reason: String| DoorError::Certificate(certificates.to_owned(), reason);
    let in_key = |reason: String| DoorError::Certificate(key.to_owned(), reason);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificates)
        .map_err(|e| in_certificates(e.to_string()))?
        .collect();
    let chain = chain.map_err(|e| in_certificates(e.to_string()))?;
    if chain.is_empty() {
        return Err(in_certificates("there is no certificate in it".into()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| in_key(e.to_string()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder
        .map_err(|e| in_certificates(e.to_string()))?
        .with_no_client_auth();
    let mut config = builder
        .with_single_cert(chain, secret)
        .map_err(|e| in_key(e.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A slow or silent stranger holds up nobody but the like of them.
async fn greet(listener: TcpListener, acceptor: TlsAcceptor, out: mpsc::Sender<Greeted>) {
    let turns = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(turn) = turns.clone().acquire_owned().await else {
            return;
        };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("no connection could be taken: {error}");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let (acceptor, out) = (acceptor.clone(), out.clone());
        tokio::spawn(async move {
            let _turn = turn;
            stream.set_nodelay(true).ok(); // without it: slower, but as right
            match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(out.send((stream, from)).await),
                Ok(Err(error)) => tracing::debug!(%from, "no TLS: {error}"),
                Err(_) => tracing::debug!(%from, "no TLS in time"),
            }
        });
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Greeted {
        match self.greeted.recv().await {
            Some(greeted) => greeted,
            None => std::future::pending().await, // the task that greets has ended with the program
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }
}
