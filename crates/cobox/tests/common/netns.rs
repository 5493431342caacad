//! Two networks in network namespaces: a home with a router, and a place elsewhere.
//!
//! ```text
//! far 198.51.100.9 ---- router 198.51.100.1 | 192.168.77.1 ---- wire ---- hub .2, ann .3, eve .4
//! ```
//! No namespace has a route to anything outside this drawing.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(0);
const HOSTS: [&str; 6] = ["wire", "router", "hub", "ann", "eve", "far"];

/// The drawing, standing until dropped.
pub struct Networks {
    prefix: String,
}

impl Networks {
    /// Puts it up; why not, where that is not allowed.
    pub fn up() -> Result<Self, String> {
        let networks = Self {
            // Several tests of one program may put theirs up at once.
            prefix: format!(
                "cbx{}-{}",
                std::process::id(),
                NUMBER.fetch_add(1, Ordering::Relaxed)
            ),
        };
        networks.build()?;
        Ok(networks)
    }

    /// The namespace of a host.
    pub fn host(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// From now on a host reaches only its neighbours.
    pub fn shut_in(&self, name: &str) {
        self.inside(name, &["route", "del", "default"]).unwrap();
    }

    fn build(&self) -> Result<(), String> {
        for name in HOSTS {
            ip(&["netns", "add", &self.host(name)])?;
            self.inside(name, &["link", "set", "lo", "up"])?;
        }
        self.inside("wire", &["link", "add", "br0", "type", "bridge"])?;
        self.inside("wire", &["link", "set", "br0", "up"])?;
        for (name, last) in [("router", 1), ("hub", 2), ("ann", 3), ("eve", 4)] {
            self.cable(name, "lan", "wire", name)?;
            self.inside("wire", &["link", "set", name, "master", "br0"])?;
            self.address(name, "lan", &format!("192.168.77.{last}/24"))?;
        }
        self.cable("far", "eth", "router", "wan")?;
        self.address("far", "eth", "198.51.100.9/24")?;
        self.address("router", "wan", "198.51.100.1/24")?;
        for name in ["hub", "ann", "eve"] {
            self.inside(name, &["route", "add", "default", "via", "192.168.77.1"])?;
        }
        self.inside("far", &["route", "add", "default", "via", "198.51.100.1"])?;
        let forward = "/proc/sys/net/ipv4/ip_forward";
        let words = ["netns", "exec", &self.host("router"), "sh", "-c"];
        ip(&[&words[..], &[&format!("echo 1 > {forward}")]].concat())
    }

    fn cable(&self, one: &str, as_one: &str, other: &str, as_other: &str) -> Result<(), String> {
        let (here, there) = (self.host(one), self.host(other));
        ip(&[
            "link", "add", as_one, "netns", &here, "type", "veth", "peer", "name", as_other,
            "netns", &there,
        ])?;
        self.inside(other, &["link", "set", as_other, "up"])
    }

    fn address(&self, host: &str, interface: &str, address: &str) -> Result<(), String> {
        self.inside(host, &["addr", "add", address, "dev", interface])?;
        self.inside(host, &["link", "set", interface, "up"])
    }

    fn inside(&self, host: &str, words: &[&str]) -> Result<(), String> {
        ip(&[&["-n", &self.host(host)], words].concat())
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in HOSTS {
            let _ = ip(&["netns", "del", &self.host(name)]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(words).stdin(Stdio::null()).output();
    let done = done.map_err(|error| format!("ip: {error}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!(
            "ip {words:?}: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        )),
    }
}
