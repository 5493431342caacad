//! Loopback, under both of its addresses: browsers try `[::1]` first when they are told "localhost", and whoever else of this
//! machine answered there would be taken for us.

use axum::serve::Listener;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};

/// Free ports that are tried until one is free under both addresses.
const TRIES: usize = 16;

/// One of the two. Without a delay of its own: else the body of a small answer waits 40 ms for the acknowledgement of its head.
pub struct Loopback(TcpListener);

/// Both, at one port (0 = any free one); only IPv4 on a machine without IPv6.
pub async fn open(port: u16) -> io::Result<Vec<Loopback>> {
    let tries = if port == 0 { TRIES } else { 1 };
    let mut taken = ErrorKind::AddrInUse.into();
    for _ in 0..tries {
        match both(port).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => taken = error,
            opened => return opened,
        }
    }
    Err(taken)
}

async fn both(port: u16) -> io::Result<Vec<Loopback>> {
    let first = bind(Ipv4Addr::LOCALHOST.into(), port).await?;
    let port = first.local_addr()?.port();
    match bind(Ipv6Addr::LOCALHOST.into(), port).await {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok(vec![first]), // no IPv6 here: nobody answers there
    }
}

async fn bind(ip: IpAddr, port: u16) -> io::Result<Loopback> {
    TcpListener::bind((ip, port)).await.map(Loopback)
}

impl Listener for Loopback {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (connection, from) = Listener::accept(&mut self.0).await;
        connection.set_nodelay(true).ok(); // without it: slower, but as right
        (connection, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_else_can_answer_to_our_name() {
        let ours = open(0).await.unwrap();
        let port = ours[0].local_addr().unwrap().port();
        for at in &ours {
            assert_eq!(at.local_addr().unwrap().port(), port);
            let squatter = TcpListener::bind(at.local_addr().unwrap()).await;
            assert_eq!(squatter.err().map(|e| e.kind()), Some(ErrorKind::AddrInUse));
        }
        drop(ours);
        if let Ok(squatter) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await {
            let port = squatter.local_addr().unwrap().port();
            let refused = open(port).await.err().map(|e| e.kind());
            assert_eq!(refused, Some(ErrorKind::AddrInUse), "a squatter is noticed");
        }
    }
}
