//! A local network of one test: programs that hear each other's beacons, and nobody else's.

use crate::common::{Node, until};
use serde_json::Value;
use std::net::UdpSocket;

/// A port for beacons that nobody else uses.
pub struct Lan(String);

impl Lan {
    /// One of its own.
    pub fn new() -> Self {
        let free = UdpSocket::bind("0.0.0.0:0").unwrap();
        Self(free.local_addr().unwrap().port().to_string())
    }

    /// That port.
    pub fn port(&self) -> u16 {
        self.0.parse().unwrap()
    }

    /// A hub, started.
    pub fn hub(&self, more: &[&str]) -> Node {
        let words = [
            "hub",
            "--name",
            "new-hub",
            "--port",
            "0",
            "--lan-port",
            &self.0,
        ];
        let mut node = Node::new().with(&[&words[..], more].concat());
        node.start();
        node
    }

    /// Somebody's program, started.
    pub fn person(&self, name: &str) -> Node {
        let mut node = Node::new().with(&["up", "--port", "0", "--lan-port", &self.0]);
        node.start();
        node.json(&["name", name]);
        node
    }
}

/// Waits until a device is seen on the local network.
pub fn wait_for_beacon(node: &Node, hub: &Node) -> Value {
    let key = hub.ready()["publicKey"].clone();
    until("the device is seen", || {
        let seen = node.json(&["device", "list"])["seen"].clone();
        let found = seen
            .as_array()
            .unwrap()
            .iter()
            .find(|d| d["publicKey"] == key);
        found.cloned().ok_or(seen.to_string())
    })
}

/// Waits until no device is seen any more.
pub fn wait_for_silence(node: &Node) {
    until("no device announces itself", || {
        let seen = node.json(&["device", "list"])["seen"].clone();
        match seen.as_array().unwrap().is_empty() {
            true => Ok(()),
            false => Err(seen.to_string()),
        }
    });
}

/// `who` claims the hub.
pub fn set_up(who: &Node, hub: &Node, name: &str) -> Value {
    let seen = wait_for_beacon(who, hub);
    let key = seen["publicKey"].as_str().unwrap();
    who.json(&["device", "setup", key, "--name", name])
}

/// One command to a device, which must be answered as done.
pub fn tell(who: &Node, words: &[&str]) -> Value {
    let said = who.json(&[&["device"], words].concat());
    if said["state"] == "done" {
        return said;
    }
    wait_for_answer(who, words[1], &said)
}

/// Waits until a command that was given is answered as done.
pub fn wait_for_answer(who: &Node, device: &str, said: &Value) -> Value {
    until("the device answers", || {
        let log = who.json(&["device", "log", device]);
        let log = log.as_array().unwrap();
        let found = log.iter().find(|one| one["id"] == said["id"]);
        match found {
            Some(one) if one["state"] == "done" => Ok(one.clone()),
            other => Err(format!("{other:?}")),
        }
    })
}

/// What a device says of one space, once it has all of it.
pub fn wait_for_copy(who: &Node, device: &str, address: &str) -> Value {
    until("the device has all of it", || {
        let detail = who.json(&["device", "status", device]);
        let all = detail["replicates"].as_array().unwrap().clone();
        let found = all.into_iter().find(|one| one["address"] == address);
        let far = found.as_ref().map(|one| &one["progress"]);
        match far {
            Some(far) if far["have"] == far["known"] && far["known"] != 0 && far["size"] != 0 => {
                Ok(detail)
            }
            far => Err(format!("{far:?}")),
        }
    })
}
