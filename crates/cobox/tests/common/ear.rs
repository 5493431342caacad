//! Live events, read by hand.

use crate::common::{Node, PATIENCE};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// A stream of events.
pub struct Ear {
    /// what comes, unread
    pub stream: BufReader<TcpStream>,
    seen: Vec<Value>,
}

impl Ear {
    /// Any call by the token whose answer goes on; its head.
    pub fn ask(node: &Node, path: &str, headers: &str) -> (Self, String) {
        Self::ask_by(node, path, &format!("{}{headers}", node.bearer()))
    }

    /// The same with just these headers.
    pub fn ask_by(node: &Node, path: &str, headers: &str) -> (Self, String) {
        let stream = TcpStream::connect(("127.0.0.1", node.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut ear = Self {
            stream: BufReader::new(stream),
            seen: Vec::new(),
        };
        let request = format!(
            "GET /api{path} HTTP/1.1\r\nHost: localhost:{}\r\n{headers}\r\n",
            node.port()
        );
        ear.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(ear.stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        (ear, head)
    }

    /// Server-sent events.
    pub fn sse(node: &Node, path: &str) -> Self {
        let (ear, head) = Self::ask(node, path, "");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        ear
    }

    /// The next event.
    pub fn next_sse(&mut self) -> Value {
        let begun = Instant::now();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.stream.read_line(&mut line).unwrap(),
                0,
                "the stream ended"
            );
            if let Some(data) = line.strip_prefix("data:") {
                return serde_json::from_str(data.trim()).unwrap();
            }
            // Signs of life come for ever.
            assert!(
                begun.elapsed() < PATIENCE,
                "no event; seen: {:?}",
                self.seen
            );
        }
    }

    /// The first event of this type since the beginning whose data `is_it` accepts; waits for it.
    pub fn until(&mut self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let is_it = |event: &&Value| event["type"] == kind && is_it(&event["data"]);
        let (begun, mut known) = (Instant::now(), 0);
        loop {
            if let Some(found) = self.seen[known..].iter().find(is_it) {
                return found.clone();
            }
            known = self.seen.len();
            assert!(
                begun.elapsed() < 2 * PATIENCE,
                "no such {kind}: {:?}",
                self.seen
            );
            let next = self.next_sse();
            self.seen.push(next);
        }
    }

    /// A web socket.
    pub fn socket(node: &Node) -> Self {
        Self::socket_by(node, &node.bearer())
    }

    /// The same with just these headers.
    pub fn socket_by(node: &Node, headers: &str) -> Self {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let (ear, head) = Self::ask_by(node, "", &format!("{upgrade}{headers}"));
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        // The answer that RFC 6455 gives for this very key.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        ear
    }

    /// Waits for the end of a stream of server-sent events: true if nothing was told but signs of life.
    pub fn ends(&mut self) -> bool {
        let (begun, mut quiet) = (Instant::now(), true);
        loop {
            let mut line = String::new();
            // The last piece has no length.
            let read = self.stream.read_line(&mut line).unwrap();
            if read == 0 || line.trim_end() == "0" {
                return quiet;
            }
            quiet &= !line.starts_with("data:");
            assert!(begun.elapsed() < PATIENCE, "it goes on: {line}");
        }
    }

    /// Waits for the end of a web socket.
    pub fn closes(&mut self) {
        let begun = Instant::now();
        while self.frame().0 != 8 {
            assert!(begun.elapsed() < PATIENCE, "it goes on");
        }
    }

    /// The next frame: what kind, and what is in it.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.stream.read_exact(&mut long).unwrap();
                u16::from_be_bytes(long) as usize
            }
            short => short as usize,
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).unwrap();
        (head[0] & 15, payload)
    }

    /// The next event over the web socket.
    pub fn next_message(&mut self) -> Value {
        loop {
            match self.frame() {
                (1, text) => return serde_json::from_slice(&text).unwrap(),
                (9, _) => {} // are you there
                (kind, text) => panic!("{kind} {}", text.escape_ascii()),
            }
        }
    }
}

/// Reads until an event of this type comes.
pub fn wait_for(mut next: impl FnMut() -> Value, kind: &str) -> Value {
    loop {
        let event = next();
        if event["type"] == kind {
            return event;
        }
    }
}
