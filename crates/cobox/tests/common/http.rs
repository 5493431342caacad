//! Calls to a node's API: well-formed ones, and ones that no honest program would make.

use crate::common::node::url_bytes;
use crate::common::{Node, PATIENCE};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

impl Node {
    /// `GET` that must succeed.
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Any call as an honest program makes it.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = format!(
            "Host: localhost:{}\r\nAuthorization: Bearer {}\r\n",
            self.port(),
            self.token()
        );
        self.raw_call(method, path, &headers, body.as_bytes())
    }

    /// A call with exactly these headers (each with its line end).
    pub fn raw_call(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Value) {
        let head = format!(
            "{method} /api{path} HTTP/1.1\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A refused body may not be read to its end.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse(&answer)
    }

    /// The same call, answered with the head (in lower case) and the body as they are.
    pub fn whole_call(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> (u16, String, Vec<u8>) {
        let head = format!(
            "{method} /api{path} HTTP/1.1\r\nHost: localhost:{}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.port(),
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        split(&answer)
    }

    /// The header that an honest program sends.
    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token())
    }

    /// All entries of a space as lines that say everything about each, sorted: equal on two nodes
    /// when they show the same.
    pub fn listing(&self, space: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut open = vec![Vec::new()];
        while let Some(folder) = open.pop() {
            let call = format!("/spaces/{space}/drive?path={}", url_bytes(&folder));
            let (status, listing) = self.call("GET", &call, None);
            // Gone while we were looking: the next look tells.
            let children = listing["children"].as_array().filter(|_| status == 200);
            for entry in children.into_iter().flatten() {
                let path = [&folder[..], b"/", &name_of(entry)].concat();
                let Value::Object(mut fields) = entry.clone() else {
                    panic!("an entry is an object: {entry}")
                };
                fields.remove("name");
                fields.remove("nameBytes");
                lines.push(format!("{} {}", path.escape_ascii(), Value::Object(fields)));
                if entry["kind"] == "folder" {
                    open.push(path);
                }
            }
        }
        lines.sort();
        lines
    }
}

/// The exact bytes of a name in JSON.
pub fn name_of(entry: &Value) -> Vec<u8> {
    match entry["nameBytes"].as_str() {
        Some(text) => data_encoding::BASE64.decode(text.as_bytes()).unwrap(),
        None => entry["name"]
            .as_str()
            .expect("an entry has a name")
            .as_bytes()
            .to_vec(),
    }
}

fn parse(answer: &[u8]) -> (u16, Value) {
    let (status, _, body) = split(answer);
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Status, head and body of an answer.
pub fn split(answer: &[u8]) -> (u16, String, Vec<u8>) {
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {:?}", answer.escape_ascii().to_string()));
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("{head}"));
    let body = if head.contains("transfer-encoding: chunked") {
        unchunked(&answer[end + 4..])
    } else {
        answer[end + 4..].to_vec()
    };
    (status, head, body)
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|w| w == b"\r\n") {
        let length = std::str::from_utf8(&body[..end])
            .ok()
            .and_then(|hex| usize::from_str_radix(hex, 16).ok())
            .unwrap_or(0);
        if length == 0 || end + 2 + length > body.len() {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[(end + 4 + length).min(body.len())..];
    }
    whole
}
