//! Where the API answers: loopback always; over TLS for other machines and at a Unix socket where asked for.

mod house;
mod loopback;
mod serve;
mod tls;
mod unix;

pub use house::House;

use crate::api::{Door, Reach};
use axum::serve::Listener;
use loopback::Loopback;
use serve::answer;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Another program listens there.
    #[error(
        "port {0} is taken by another program; choose another one with --port (nothing was changed)"
    )]
    PortTaken(u16),
    /// Listening failed otherwise.
    #[error("the API cannot listen on {0}: {1}")]
    Listen(String, io::Error),
    /// For other machines, but in the clear.
    #[error(
        "the API is not opened on {0} without TLS: whoever is on the way could read the password and every file. Give --tls-cert and --tls-key, or use --socket PATH and a proxy of your own"
    )]
    NoTls(SocketAddr),
    /// A certificate or key that cannot be used.
    #[error("{0}: {1}; nothing was opened")]
    Certificate(PathBuf, String),
}

/// Which doors are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// on loopback; 0 = any free port
    pub port: u16,
    /// for other machines
    pub listen: Option<SocketAddr>,
    /// certificates and key for that
    pub tls: Option<(PathBuf, PathBuf)>,
    /// a Unix socket
    pub socket: Option<PathBuf>,
    /// further names of ours
    pub hosts: Vec<String>,
}

/// Somebody answers at a door until the program stops.
pub type Server = JoinHandle<io::Result<()>>;

/// Doors that are open, though nobody answers yet.
pub struct Doors {
    loopback: Vec<Loopback>,
    network: Option<tls::Tls>,
    socket: Option<unix::Socket>,
    hosts: Vec<String>,
}

impl Doors {
    /// Opens all, or none.
    pub async fn open(wanted: &Wanted) -> Result<Self, DoorError> {
        let opened = loopback::open(wanted.port).await;
        let loopback = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => DoorError::PortTaken(wanted.port),
            _ => DoorError::Listen(format!("port {}", wanted.port), error),
        })?;
        let network = match (wanted.listen, &wanted.tls) {
            (Some(at), Some((certificates, key))) => {
                Some(tls::Tls::open(at, certificates, key).await?)
            }
            (Some(at), None) => return Err(DoorError::NoTls(at)),
            (None, _) => None,
        };
        let socket = wanted
            .socket
            .as_deref()
            .map(unix::Socket::open)
            .transpose()?;
        Ok(Self {
            loopback,
            network,
            socket,
            hosts: wanted.hosts.clone(),
        })
    }

    /// The port on loopback.
    pub fn port(&self) -> io::Result<u16> {
        let first = self.loopback.first();
        first.map_or(Ok(0), |loopback| Ok(loopback.local_addr()?.port()))
    }

    /// Where else it is open, for people.
    pub fn others(&self) -> Vec<String> {
        let network = self
            .network
            .iter()
            .map(|tls| format!("https://{}", tls.at()));
        let socket = self
            .socket
            .iter()
            .map(|socket| socket.path().display().to_string());
        network.chain(socket).collect()
    }

    /// Which doors there are, as the guard sees them.
    fn doors(&self) -> io::Result<Vec<Door>> {
        let door = |reach| Door {
            reach,
            hosts: self.hosts.clone(),
        };
        let network = self.network.iter().map(|tls| Reach::Network(tls.at()));
        let socket = self.socket.iter().map(|_| Reach::Socket);
        let others = network.chain(socket).map(door);
        Ok([Door::loopback(self.port()?)]
            .into_iter()
            .chain(others)
            .collect())
    }

    /// Answers at all of them until the program stops, with what the house shows.
    pub fn serve(self, stop: &watch::Sender<bool>) -> io::Result<(Arc<House>, Vec<Server>)> {
        let house = Arc::new(House::of(self.doors()?));
        // Both addresses of loopback are one door, the first.
        let loopback = self.loopback.into_iter();
        let mut all: Vec<_> = loopback
            .map(|loopback| answer(loopback, house.behind(0), stop))
            .collect();
        let mut rooms = (1..).map(|door| house.behind(door));
        let mut room = || rooms.next().unwrap_or_default(); // there is always a next number
        if let Some(tls) = self.network {
            all.push(answer(tls, room(), stop));
        }
        if let Some(socket) = self.socket {
            all.push(answer(socket, room(), stop));
        }
        Ok((house, all))
    }
}
