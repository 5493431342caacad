//! A wire that can be listened to: datagrams go through a port of the test's, which keeps a copy.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Forwards datagrams to one address and back until dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    heard: Mutex<Vec<u8>>,
    ended: AtomicBool,
}

impl Proxy {
    /// Listens on loopback for whoever wants to talk to `target`.
    pub fn to(target: SocketAddr) -> Self {
        let front = socket();
        let address = front.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            heard: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let own = shared.clone();
        std::thread::spawn(move || own.forward(&front));
        Self { address, shared }
    }

    /// Where to talk to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that went through so far, both ways.
    pub fn heard(&self) -> Vec<u8> {
        self.shared.heard.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// From callers to the target; each caller gets a socket of its own for the way back.
    fn forward(self: &Arc<Self>, front: &UdpSocket) {
        let mut ways: HashMap<SocketAddr, UdpSocket> = HashMap::new();
        self.each_datagram(front, |caller, datagram| {
            let way = match ways.get(&caller) {
                Some(way) => way,
                None => {
                    let (way, back) = (socket(), front.try_clone()?);
                    let (own, listening) = (self.clone(), way.try_clone()?);
                    std::thread::spawn(move || {
                        own.each_datagram(&listening, |_, datagram| {
                            back.send_to(datagram, caller).map(drop)
                        });
                    });
                    ways.entry(caller).or_insert(way)
                }
            };
            way.send_to(datagram, self.target).map(drop)
        });
    }

    fn each_datagram(
        &self,
        socket: &UdpSocket,
        mut forward: impl FnMut(SocketAddr, &[u8]) -> io::Result<()>,
    ) {
        let mut buffer = vec![0; 65_536];
        while !self.ended.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            self.heard
                .lock()
                .unwrap()
                .extend_from_slice(&buffer[..length]);
            // A datagram may get lost; those who talk know how to live with it.
            let _ = forward(from, &buffer[..length]);
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    socket
}
