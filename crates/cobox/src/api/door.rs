//! By which names a listener is called: loopback, an address that was asked for, or a Unix socket.
//!
//! A page of somebody else can bend its own name to our address (DNS rebinding), so only known names are answered.

use std::net::{IpAddr, SocketAddr};

/// One listener, as the guard sees it.
#[derive(Clone, Debug)]
pub struct Door {
    /// who can come
    pub reach: Reach,
    /// further names that we are called by, without port
    pub hosts: Vec<String>,
}

/// Where a connection comes from, if it has an address.
#[derive(Clone, Copy, Debug)]
pub struct Remote(pub Option<SocketAddr>);

/// Who can come through a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine, in the clear, at this port.
    Loopback(u16),
    /// The network, over TLS, at this address.
    Network(SocketAddr),
    /// Whoever may open the socket; perhaps a proxy on its behalf.
    Socket,
}

impl Door {
    /// The usual one.
    pub fn loopback(port: u16) -> Self {
        Self {
            reach: Reach::Loopback(port),
            hosts: Vec::new(),
        }
    }

    /// Is it TLS all the way to the browser, as far as we know?
    pub fn is_secure(&self) -> bool {
        matches!(self.reach, Reach::Network(_))
    }

    /// May a WebDAV client of this machine come here?
    pub fn is_local(&self) -> bool {
        matches!(self.reach, Reach::Loopback(_))
    }

    /// Is a Host header one of our names?
    pub fn is_called(&self, host: &str) -> bool {
        let (name, port) = split(host);
        let known = |name: &str| {
            self.hosts
                .iter()
                .any(|host| host.eq_ignore_ascii_case(name))
        };
        match self.reach {
            Reach::Loopback(ours) => {
                port == Some(ours)
                    && (matches!(name, "localhost" | "127.0.0.1" | "[::1]") || known(name))
            }
            Reach::Network(at) => {
                port.unwrap_or(443) == at.port() && (known(name) || is_address(name, at.ip()))
            }
            Reach::Socket => name == "localhost" || known(name),
        }
    }

    /// Is an Origin header our own page?
    pub fn is_own_page(&self, origin: &str) -> bool {
        let (plain, tls) = (
            origin.strip_prefix("http://"),
            origin.strip_prefix("https://"),
        );
        let host = match self.reach {
            Reach::Loopback(_) => plain,
            Reach::Network(_) => tls,
            Reach::Socket => tls.or(plain),
        };
        host.is_some_and(|host| self.is_called(host))
    }
}

/// An address cannot be bent; where we listen on every interface, each may be ours.
fn is_address(name: &str, at: IpAddr) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let named = bare.parse::<IpAddr>();
    named.is_ok_and(|named| named == at || (at.is_unspecified() && !named.is_unspecified()))
}

/// Name and port; an unreadable port is one that fits nothing.
fn split(host: &str) -> (&str, Option<u16>) {
    let at = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    match at {
        Some(at) => (&host[..at], Some(host[at + 1..].parse().unwrap_or(0))),
        None => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_only_loopback_names_with_our_port_are_ours() {
        let door = Door::loopback(9112);
        for ours in ["localhost:9112", "127.0.0.1:9112", "[::1]:9112"] {
            assert!(door.is_called(ours), "{ours}");
            assert!(
                door.is_own_page(&format!("http://{ours}"))
                    && !door.is_own_page(&format!("https://{ours}"))
            );
        }
        for foreign in [
            "",
            "localhost",
            "localhost:9113",
            "evil.example:9112",
            "127.0.0.1.evil:9112",
            "::1",
            "0.0.0.0:9112",
            "localhost:x",
        ] {
            assert!(!door.is_called(foreign), "{foreign}");
        }
    }

    #[test]
    fn on_the_network_only_our_address_and_given_names_are_ours() {
        let of = |at: &str| Door {
            reach: Reach::Network(at.parse().unwrap()),
            hosts: vec!["box.example".into()],
        };
        let door = of("192.0.2.7:443");
        for ours in [
            "box.example",
            "BOX.example:443",
            "192.0.2.7",
            "192.0.2.7:443",
        ] {
            assert!(door.is_called(ours), "{ours}");
            assert!(
                door.is_own_page(&format!("https://{ours}"))
                    && !door.is_own_page(&format!("http://{ours}"))
            );
        }
        for foreign in [
            "evil.example",
            "192.0.2.8",
            "box.example:444",
            "localhost:443",
            "box.example.evil",
        ] {
            assert!(!door.is_called(foreign), "{foreign}");
        }
        let all = of("[::]:9443");
        assert!(all.is_called("192.0.2.8:9443") && all.is_called("[2001:db8::1]:9443"));
        assert!(!all.is_called("evil.example:9443") && !all.is_called("0.0.0.0:9443"));
    }

    #[test]
    fn behind_a_socket_only_given_names_are_ours() {
        let door = Door {
            reach: Reach::Socket,
            hosts: vec!["box.example".into()],
        };
        assert!(
            door.is_called("localhost")
                && door.is_called("box.example")
                && door.is_own_page("https://box.example")
        );
        assert!(
            !door.is_called("evil.example")
                && !door.is_own_page("https://evil.example")
                && !door.is_called("")
        );
    }
}
