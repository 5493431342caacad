//! Listens to everything that goes over this machine's network, as whoever owns a router can.

use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with, sockopt,
};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keeps every datagram from or to one port, until dropped.
pub struct Wire(Arc<Shared>);

struct Shared {
    port: u16,
    heard: Mutex<Vec<u8>>,
    ended: AtomicBool,
}

impl Wire {
    /// Listens from now on; `None` where this user may not.
    pub fn tapped(port: u16) -> Option<Self> {
        let (family, kind) = (AddressFamily::PACKET, SocketType::DGRAM);
        let tap = socket_with(family, kind, SocketFlags::CLOEXEC, Some(eth::IP)).ok()?;
        // What does not fit is not heard; the test counts.
        sockopt::set_socket_recv_buffer_size_force(&tap, 64 << 20).ok()?;
        sockopt::set_socket_timeout(
            &tap,
            sockopt::Timeout::Recv,
            Some(Duration::from_millis(50)),
        )
        .ok()?;
        let shared = Arc::new(Shared {
            port,
            heard: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let own = shared.clone();
        std::thread::spawn(move || own.listen(&tap));
        Some(Self(shared))
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<u8> {
        self.0.heard.lock().unwrap().clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn listen(&self, tap: &OwnedFd) {
        let mut packet = vec![0; 1 << 16];
        while !self.ended.load(Ordering::Relaxed) {
            let Ok((length, _)) = recv(tap, &mut packet[..], RecvFlags::empty()) else {
                continue;
            };
            if let Some(payload) = self.payload(&packet[..length]) {
                self.heard.lock().unwrap().extend_from_slice(payload);
            }
        }
    }

    /// What a packet carries, if it is UDP over IPv4 from or to the port.
    fn payload<'a>(&self, packet: &'a [u8]) -> Option<&'a [u8]> {
        const UDP: u8 = 17;
        if packet.first()? >> 4 != 4 || *packet.get(9)? != UDP {
            return None;
        }
        let datagram = packet.get(usize::from(packet[0] & 15) * 4..)?;
        let port = |at: usize| {
            Some(u16::from_be_bytes([
                *datagram.get(at)?,
                *datagram.get(at + 1)?,
            ]))
        };
        let ours = port(0)? == self.port || port(2)? == self.port;
        if ours { datagram.get(8..) } else { None }
    }
}
