//! Strangers who dawdle: they are cut in time, and meanwhile everybody else is served.

mod common;

use common::{Node, PATIENCE};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Connections that a door has room for.
const ROOM: usize = 512;

fn dawdler(node: &Node, begun: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", node.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(begun).unwrap();
    stream
}

/// Waits until the other side ends it, without an answer to what was never asked.
fn is_cut(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(
        !rest.starts_with(b"HTTP/1.1 200"),
        "{}",
        rest.escape_ascii()
    );
}

#[test]
fn a_slow_head_is_cut_and_others_are_served_meanwhile() {
    let node = Node::started();
    let begun = Instant::now();
    let begins: [&[u8]; 3] = [b"", b"GET /api/system HTTP/1.1\r\nHost: local", b"\x16\x03"];
    let dawdlers: Vec<_> = (0..100)
        .map(|number| dawdler(&node, begins[number % begins.len()]))
        .collect();
    // This one says a little now and again, for as long as anybody listens.
    let mut dripping = dawdler(&node, b"GET /api/system HTTP/1.1\r\n");
    dripping
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let drip = std::thread::spawn(move || {
        loop {
            let said = dripping.write_all(b"x: y\r\n");
            match (said, dripping.read(&mut [0; 64])) {
                (Ok(()), Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                _ => return,
            }
            assert!(begun.elapsed() < PATIENCE, "nobody minds");
        }
    });
    let served = Instant::now();
    node.get("/status");
    assert!(
        served.elapsed() < Duration::from_secs(8),
        "{:?}",
        served.elapsed()
    );
    dawdlers.into_iter().for_each(is_cut);
    drip.join().unwrap();
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    node.get("/status");
}

#[test]
fn more_connections_than_there_is_room_for_wait_and_are_served_then() {
    let node = Node::started();
    let mut crowd: Vec<_> = (0..ROOM).map(|_| dawdler(&node, b"")).collect();
    // Nobody is lost: whoever comes now is served when one of them is cut.
    assert_eq!(node.call("GET", "/system", None).0, 200);
    for stream in crowd.drain(..) {
        is_cut(stream);
    }
}

/// A connection with a call that goes on is not one that dawdles.
#[test]
fn who_listens_to_events_is_not_cut() {
    let node = Node::named("Ann");
    let mut heard = common::ear::Ear::sse(&node, "/events");
    let dawdling = dawdler(&node, b"");
    is_cut(dawdling);
    node.json(&["name", "Anna"]);
    heard.until("identity/changed", |data| data["name"] == "Anna");
}
