//! Live events: the same over server-sent events and a web socket, each of them after the fact.

mod common;

use common::Node;
use common::ear::{Ear, wait_for};
use serde_json::Value;
use std::io::{Read, Write};

#[test]
fn both_ways_tell_the_same() {
    let node = Node::named("Alice");
    let address = node.json(&["space", "create", "box"])["address"].clone();
    let other = node.json(&["space", "create", "other"]);
    let (mut all, mut of_box, mut socket) = (
        Ear::sse(&node, "/events"),
        Ear::sse(&node, "/spaces/box/events"),
        Ear::socket(&node),
    );
    node.bytes(&["put", "other:b"], b"b");
    node.bytes(&["put", "box:a"], b"a");
    let first = wait_for(|| all.next_sse(), "drive/changed");
    assert_eq!(first["address"], other["address"]);
    let seen = |event: &Value| (event["address"].clone(), event["data"]["path"].clone());
    let mut over_socket = wait_for(|| socket.next_message(), "drive/changed");
    assert_eq!(seen(&over_socket), seen(&first));
    let only = wait_for(|| of_box.next_sse(), "drive/changed");
    assert_eq!(only["address"], address, "nothing of another space");
    while over_socket["address"] != address {
        over_socket = wait_for(|| socket.next_message(), "drive/changed");
    }
    assert_eq!(seen(&over_socket), seen(&only));
    assert_eq!(
        node.bytes(&["cat", "box:a"], b""),
        b"a",
        "it was told after it was so"
    );
}

#[test]
fn the_originals_page_sees_who_comes_and_goes() {
    let (alice, mut bob) = (Node::named("Alice"), Node::named("Bob"));
    alice.json(&["space", "create", "box"]);
    let code = alice.json(&["invite", "box", &bob.public_key()])["code"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut socket = Ear::socket(&alice);
    bob.json(&["join", &code, "--peer", &alice.hint()]);
    let about = loop {
        let event = wait_for(|| socket.next_message(), "peer/about");
        if event["data"]["author"] == bob.public_key() {
            break event;
        }
    };
    assert_eq!(about["data"]["type"], "peer/about");
    let synced = wait_for(|| socket.next_message(), "space/last-sync");
    assert!(
        synced["data"]["peerId"].is_string() && synced["data"]["lastSyncAt"].is_string(),
        "{synced}"
    );
    bob.stop();
    let gone = loop {
        let event = wait_for(|| socket.next_message(), "peer/connection");
        if event["peerId"] == bob.public_key() && event["online"] == false {
            break event;
        }
    };
    assert_eq!(
        (&gone["online"], &gone["data"]["online"]),
        (&false.into(), &false.into()),
        "{gone}"
    );
    assert!(gone["lastSeenAt"].is_string());
}

#[test]
fn a_socket_ends_with_the_program_and_minds_no_chatter() {
    let mut node = Node::named("Alice");
    let mut socket = Ear::socket(&node);
    // A masked text frame, as a page would send it.
    socket
        .stream
        .get_mut()
        .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'])
        .unwrap();
    node.json(&["space", "create", "box"]);
    node.bytes(&["put", "box:a"], b"a");
    wait_for(|| socket.next_message(), "drive/changed");
    // Larger than is read: the socket is closed, the program goes on.
    let mut rude = Ear::socket(&node);
    let head = [&[0x81, 0xff][..], &(1u64 << 40).to_be_bytes(), &[0; 4]].concat();
    rude.stream.get_mut().write_all(&head).unwrap();
    let mut rest = Vec::new();
    let _ = rude.stream.read_to_end(&mut rest);
    node.stop();
    let mut rest = Vec::new();
    let _ = socket.stream.read_to_end(&mut rest);
}

/// A session, as a header.
fn session(node: &Node) -> String {
    let json = "Content-Type: application/json\r\n";
    let password = br#"{"password":"correct horse"}"#;
    let (status, head, _) = node.whole_call("POST", "/auth", json, password);
    assert_eq!(status, 204, "{head}");
    let set = head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    format!("Cookie: {}\r\n", set.unwrap().split(';').next().unwrap())
}

/// Everything that goes on after its call is answered, opened by these headers.
fn streams(node: &Node, by: &str) -> (Vec<Ear>, Ear) {
    let live = "/spaces/box/query/live?query=%7B%7D";
    let paths = ["/events", "/spaces/box/events", live];
    let open = |path| {
        let (ear, head) = Ear::ask_by(node, path, by);
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        ear
    };
    (paths.map(open).into(), Ear::socket_by(node, by))
}

fn all_end((mut streams, mut socket): (Vec<Ear>, Ear)) {
    for stream in &mut streams {
        stream.ends();
    }
    socket.closes();
}

#[test]
fn streams_end_with_the_session_that_opened_them_and_no_others_do() {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    node.bytes(&["password", "set"], b"correct horse\n");
    let (mut by_token, other) = (streams(&node, &node.bearer()), session(&node));
    let mut of_other = Ear::socket_by(&node, &other);
    let mine = session(&node);
    let of_mine = streams(&node, &mine);
    let (status, _, _) = node.whole_call("DELETE", "/auth", &mine, b"");
    assert_eq!(status, 204);
    all_end(of_mine);
    node.bytes(&["put", "box:a"], b"a");
    wait_for(|| of_other.next_message(), "drive/changed");

    let (again, everywhere) = (streams(&node, &other), session(&node));
    let (status, _, _) = node.whole_call("DELETE", "/auth/sessions", &everywhere, b"");
    assert_eq!(status, 204);
    of_other.closes();
    all_end(again);

    let again = streams(&node, &session(&node));
    node.bytes(&["password", "change"], b"correct horse\ncorrect battery\n");
    all_end(again);
    // Whoever holds the token is none of these.
    node.bytes(&["put", "box:b"], b"b");
    let is_b = |event: &Value| {
        event["data"]["path"]
            .as_str()
            .is_some_and(|at| at.ends_with('b'))
    };
    while !is_b(&wait_for(|| by_token.0[0].next_sse(), "drive/changed")) {}
    while !is_b(&wait_for(|| by_token.1.next_message(), "drive/changed")) {}
}

#[test]
fn locking_ends_every_stream() {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    node.bytes(&["password", "set"], b"correct horse\n");
    let open = [
        streams(&node, &node.bearer()),
        streams(&node, &session(&node)),
    ];
    node.ok(&["lock"]);
    open.into_iter().for_each(all_end);
    assert_eq!(node.get("/system")["locked"], true);
}

#[test]
fn a_plain_call_and_a_foreign_page_get_no_socket() {
    let node = Node::started();
    let (status, body) = node.call("GET", "", None);
    assert_eq!(
        (status, body["errors"][0]["code"].as_str()),
        (426, Some("no_socket"))
    );
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://evil.example\r\n";
    let (_, head) = Ear::ask(&node, "", upgrade);
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
}
