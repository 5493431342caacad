//! Whose program is at the other end of a connection on this machine: the kernel knows.
//!
//! A file with mode 0600 says "only I"; a port cannot. This says the same of a port, as far as Linux tells. It does not tell
//! apart programs of one person, and a program of ours that passes on what others send speaks for us. Not its job: deciding.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the kernel calls a connection that is open at that end.
const OPEN: &str = "01";
/// Stands for users whom our name space does not know.
const NOBODY: u32 = 65_534;

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// a program of the user as whom we run
    Us,
    /// a program of another user
    Another,
    /// the kernel does not tell
    Unknown,
}

/// Of the end at `theirs` of a connection whose other end is ours, at `port` of loopback.
pub fn of(theirs: SocketAddr, port: u16) -> Owner {
    let (table, ours): (_, IpAddr) = match theirs {
        SocketAddr::V4(_) => ("/proc/net/tcp", Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(_) => ("/proc/net/tcp6", Ipv6Addr::LOCALHOST.into()),
    };
    let Ok(table) = File::open(table) else {
        return Owner::Unknown;
    };
    let lines = BufReader::new(table).lines().map_while(Result::ok);
    let me = rustix::process::geteuid().as_raw();
    match user(lines, theirs, SocketAddr::new(ours, port)) {
        Some(NOBODY) | None => Owner::Unknown,
        Some(user) if user == me => Owner::Us,
        Some(_) => Owner::Another,
    }
}

/// The user of the open connection from `from` to `to`, read from the kernel's table.
fn user(lines: impl Iterator<Item = String>, from: SocketAddr, to: SocketAddr) -> Option<u32> {
    let (from, to) = (hex(from), hex(to));
    lines.skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let wanted = [from.as_str(), to.as_str(), OPEN];
        let fits = wanted.iter().all(|want| fields.next() == Some(want));
        fits.then(|| fields.nth(3)?.parse().ok()).flatten()
    })
}

/// As in the table: the address in words as the machine holds them in memory, the port as a number.
fn hex(at: SocketAddr) -> String {
    let octets = match at.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let (words, _) = octets.as_chunks::<4>();
    let words: String = words
        .iter()
        .map(|word| format!("{:08X}", u32::from_ne_bytes(*word)))
        .collect();
    format!("{words}:{:04X}", at.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn our_own_connection_is_ours_while_it_is_open() {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(loopback) else {
                assert_ne!(loopback, "127.0.0.1:0");
                continue; // a machine without IPv6
            };
            let at = listener.local_addr().unwrap();
            let there = TcpStream::connect(at).unwrap();
            let (_here, theirs) = listener.accept().unwrap();
            assert_eq!(of(theirs, at.port()), Owner::Us, "{loopback}");
            assert_eq!(of(theirs, at.port().wrapping_add(1)), Owner::Unknown);
            drop(there);
            assert_eq!(
                of(theirs, at.port()),
                Owner::Unknown,
                "whoever has gone is nobody"
            );
        }
    }

    #[test]
    fn the_user_is_read_from_the_line_of_the_open_connection_in_that_direction() {
        let (from, to) = (
            "127.0.0.1:40000".parse().unwrap(),
            "127.0.0.1:9112".parse().unwrap(),
        );
        let line = |from: SocketAddr, to: SocketAddr, state: &str, user: u32| {
            let (from, to) = (hex(from), hex(to));
            format!(
                "   1: {from} {to} {state} 00000000:00000000 00:00000000 00000000  {user}        0 4711 1"
            )
        };
        let table = |lines: &[String]| {
            let head = String::from("  sl  local_address rem_address   st");
            user([&[head], lines].concat().into_iter(), from, to)
        };
        let ours = line(to, from, "01", 1000); // the same connection, seen from our end
        assert_eq!(
            table(&[ours.clone(), line(from, to, "01", 1001)]),
            Some(1001)
        );
        assert_eq!(
            table(&[ours, line(from, to, "06", 0)]),
            None,
            "it is closing"
        );
        assert_eq!(table(&[]), None);
        assert_eq!(table(&["x".into(), String::new()]), None);
    }
}
