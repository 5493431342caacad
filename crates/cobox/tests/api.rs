//! What the API refuses: strangers, web pages of others, nonsense. Each with its own status and code, and nothing is stored.

mod common;

use common::Node;
use common::node::url_bytes;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

struct Bench {
    node: Node,
    before: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        let node = Node::named("Alice");
        node.json(&["space", "create", "box"]);
        node.bytes(&["put", "box:kept.txt"], b"kept");
        let before = node.listing("box");
        Self { node, before }
    }

    fn host(&self) -> String {
        format!("Host: 127.0.0.1:{}\r\n", self.node.port())
    }

    fn token(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.node.token())
    }

    /// A call must be refused so, with words, and must change nothing.
    fn refused(&self, answer: (u16, Value), status: u16, code: &str) {
        let (given, body) = answer;
        let error = &body["errors"][0];
        assert_eq!(
            (given, error["code"].as_str()),
            (status, Some(code)),
            "{body}"
        );
        assert!(
            error["msg"].as_str().is_some_and(|msg| msg.len() > 8),
            "{body}"
        );
        assert_eq!(self.node.listing("box"), self.before, "nothing is stored");
        let spaces = self.node.get("/spaces");
        assert_eq!(spaces.as_array().unwrap().len(), 1, "{spaces}");
    }

    /// The same for a well-formed call.
    fn call_refused(&self, call: (&str, &str), body: Value, status: u16, code: &str) {
        let answer = self.node.call(call.0, call.1, Some(&body));
        self.refused(answer, status, code);
    }
}

const NEW_SPACE: &[u8] = br#"{"name":"stolen"}"#;

#[test]
fn only_the_holder_of_the_token_may_call() {
    let bench = Bench::new();
    let node = &bench.node;
    bench.refused(
        node.raw_call("POST", "/spaces", &bench.host(), NEW_SPACE),
        401,
        "wrong_token",
    );
    let right = node.token();
    for wrong in [
        "",
        "x",
        &right[1..],
        &right.to_uppercase(),
        &format!("{right}0"),
        &"0".repeat(64),
    ] {
        let headers = format!("{}Authorization: Bearer {wrong}\r\n", bench.host());
        bench.refused(
            node.raw_call("POST", "/spaces", &headers, NEW_SPACE),
            401,
            "wrong_token",
        );
    }
    let basic = format!("{}Authorization: Basic {right}\r\n", bench.host());
    bench.refused(
        node.raw_call("POST", "/spaces", &basic, NEW_SPACE),
        401,
        "wrong_token",
    );
    let in_url = format!("/spaces?token={right}");
    bench.refused(
        node.raw_call("POST", &in_url, &bench.host(), NEW_SPACE),
        401,
        "wrong_token",
    );
    for call in ["/status", "/identities/current", "/nowhere", "/events"] {
        bench.refused(
            node.raw_call("GET", call, &bench.host(), b""),
            401,
            "wrong_token",
        );
    }
}

#[test]
fn web_pages_of_others_are_refused_even_with_the_token() {
    let bench = Bench::new();
    let port = bench.node.port();
    for origin in [
        "http://evil.example",
        "null",
        "https://localhost",
        &format!("http://evil.example:{port}"),
        &format!("https://127.0.0.1:{port}"),
        "http://localhost:1",
    ] {
        let headers = format!("{}{}Origin: {origin}\r\n", bench.host(), bench.token());
        bench.refused(
            bench.node.raw_call("POST", "/spaces", &headers, NEW_SPACE),
            403,
            "foreign_origin",
        );
    }
    let own = format!(
        "{}{}Origin: http://localhost:{port}\r\n",
        bench.host(),
        bench.token()
    );
    assert_eq!(bench.node.raw_call("GET", "/status", &own, b"").0, 200);
}

#[test]
fn names_that_were_bent_to_this_machine_are_refused() {
    let bench = Bench::new();
    let port = bench.node.port();
    for host in [
        format!("evil.example:{port}"),
        "localhost".into(),
        format!("localhost:{}", port ^ 1),
        format!("127.0.0.1.evil.example:{port}"),
        format!("0.0.0.0:{port}"),
        String::new(),
    ] {
        let headers = format!("Host: {host}\r\n{}", bench.token());
        bench.refused(
            bench.node.raw_call("POST", "/spaces", &headers, NEW_SPACE),
            403,
            "foreign_host",
        );
    }
    bench.refused(
        bench
            .node
            .raw_call("POST", "/spaces", &bench.token(), NEW_SPACE),
        403,
        "foreign_host",
    );
}

#[test]
fn nonsense_is_refused_as_such() {
    let bench = Bench::new();
    let node = &bench.node;
    let headers = bench.host() + &bench.token();
    for nonsense in [
        "",
        "{",
        "[]",
        "nonsense",
        r#"{"name":7}"#,
        r#"{"title":"x"}"#,
        "{\"name\":\"x\"",
        "\u{0}",
    ] {
        let (status, body) = node.raw_call("POST", "/spaces", &headers, nonsense.as_bytes());
        assert!([400, 422].contains(&status), "{status} for {nonsense:?}");
        bench.refused((status, body), status, "bad_request");
    }
    let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(2 << 20));
    bench.refused(
        node.raw_call("POST", "/spaces", &headers, huge.as_bytes()),
        413,
        "too_large",
    );
    let deep = "[".repeat(100_000);
    let (status, body) = node.raw_call("POST", "/spaces", &headers, deep.as_bytes());
    bench.refused((status, body), 422, "bad_request");
    for name in ["", ".", "..", "a/b", "a\nb", &"x".repeat(101)] {
        bench.call_refused(
            ("POST", "/spaces"),
            json!({ "name": name }),
            400,
            "bad_name",
        );
    }
    bench.call_refused(
        ("POST", "/spaces"),
        json!({ "name": "box" }),
        409,
        "name_taken",
    );
    bench.call_refused(
        ("POST", "/spaces/box/invites"),
        json!({ "publicKey": "12" }),
        400,
        "bad_request",
    );
    bench.call_refused(
        ("POST", "/replicas"),
        json!({ "address": "xyz" }),
        400,
        "bad_request",
    );
    bench.call_refused(
        ("POST", "/replicas"),
        json!({ "address": "00".repeat(32), "peers": ["nobody"] }),
        400,
        "bad_request",
    );
    bench.call_refused(
        ("POST", "/spaces/box/restore?path=kept.txt"),
        json!({}),
        400,
        "bad_request",
    );
    bench.call_refused(
        ("POST", "/spaces/box/restore?path=kept.txt"),
        json!({ "at": "soon" }),
        400,
        "bad_request",
    );
    bench.call_refused(
        ("POST", "/spaces/box/resolve?path=kept.txt"),
        json!({ "keep": "last" }),
        400,
        "bad_request",
    );
    bench.call_refused(
        ("POST", "/spaces/box/import"),
        json!({ "paths": [{ "name": "relative" }], "to": { "name": "" } }),
        400,
        "bad_request",
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    let bench = Bench::new();
    let node = &bench.node;
    bench.refused(node.call("GET", "/nowhere", None), 404, "no_such_call");
    bench.refused(
        node.call("GET", "/../etc/passwd", None),
        404,
        "no_such_call",
    );
    bench.refused(node.call("PATCH", "/replicas", None), 405, "wrong_method");
    for space in [
        "missing",
        &"00".repeat(32),
        "..",
        "%2e%2e",
        "box%2f..",
        "%ff",
    ] {
        let (status, body) = node.call("GET", &format!("/spaces/{space}/drive?path="), None);
        assert!([400, 404].contains(&status), "{space}: {status} {body}");
        assert!(body["errors"][0]["msg"].is_string(), "{space}: {body}");
    }
    bench.refused(
        node.call("GET", "/spaces/missing", None),
        404,
        "no_such_space",
    );
    bench.refused(
        node.call("GET", "/spaces/box/files?path=missing", None),
        404,
        "not_found",
    );
    bench.refused(
        node.call(
            "GET",
            "/spaces/box/files?path=kept.txt&version=0000000000000000-9",
            None,
        ),
        404,
        "no_such_version",
    );
    bench.call_refused(
        ("DELETE", "/spaces/missing"),
        Value::Null,
        404,
        "no_such_space",
    );
    bench.call_refused(
        ("DELETE", "/spaces/box/files?path=missing"),
        Value::Null,
        404,
        "not_found",
    );
    bench.call_refused(
        ("DELETE", "/spaces/box/files?path="),
        Value::Null,
        409,
        "top_folder",
    );
}

#[test]
fn paths_do_not_climb() {
    let bench = Bench::new();
    for path in ["..", "../x", "a/../../x", ".", "./x"] {
        for form in [path.to_owned(), url_bytes(path.as_bytes())] {
            let call = format!("/spaces/box/files?path={form}");
            bench.call_refused(("PUT", &call), json!("data"), 400, "bad_path");
            bench.refused(
                bench
                    .node
                    .call("GET", &format!("/spaces/box/drive?path={form}"), None),
                400,
                "bad_path",
            );
            bench.refused(
                bench.node.call(
                    "POST",
                    &format!("/spaces/box/folders?path={form}&parents=true"),
                    None,
                ),
                400,
                "bad_path",
            );
        }
        let target = json!({ "from": { "name": "kept.txt" }, "to": { "name": path } });
        bench.call_refused(("POST", "/spaces/box/move"), target, 400, "bad_path");
        let into = json!({ "paths": [{ "name": "/etc/hostname" }], "to": { "name": path } });
        bench.call_refused(("POST", "/spaces/box/import"), into, 400, "bad_path");
    }
    for path in ["a%00b", &"x".repeat(256)] {
        bench.call_refused(
            ("PUT", &format!("/spaces/box/files?path={path}")),
            json!("data"),
            400,
            "bad_path",
        );
    }
}

#[test]
fn parts_of_a_file_are_answered() {
    let bench = Bench::new();
    let part = |range: &str| {
        let headers = format!("{}{}Range: {range}\r\n", bench.host(), bench.token());
        bench
            .node
            .raw_call("GET", "/spaces/box/files?path=kept.txt", &headers, b"")
            .0
    };
    assert_eq!(
        (
            part("bytes=1-2"),
            part("bytes=-1"),
            part("bytes=9-"),
            part("lines=1-2")
        ),
        (206, 206, 416, 200)
    );
}

#[test]
fn a_broken_upload_stores_nothing() {
    let bench = Bench::new();
    let head = format!(
        "PUT /api/spaces/box/files?path=half HTTP/1.1\r\n{}{}Content-Length: 1000000\r\n\r\n",
        bench.host(),
        bench.token()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", bench.node.port())).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[7; 300_000]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(
        bench.node.listing("box"),
        bench.before,
        "half a file is no file"
    );
}

#[test]
fn each_bad_invite_code_has_its_own_error() {
    let (alice, bob, carol) = (
        Node::named("Alice"),
        Node::named("Bob"),
        Node::named("Carol"),
    );
    alice.json(&["space", "create", "box"]);
    let invite = alice.json(&["invite", "box", &bob.public_key()]);
    let code = invite["code"].as_str().unwrap();
    let middle = code.len() / 2;
    let other = if code.as_bytes()[middle] == b'a' {
        "b"
    } else {
        "a"
    };
    let tampered = format!("{}{other}{}", &code[..middle], &code[middle + 1..]);
    let said = [
        (carol.fails(&["join", code]), "somebody else"),
        (bob.fails(&["join", &tampered]), "altered"),
        (bob.fails(&["join", &code[..code.len() - 30]]), "incomplete"),
        (bob.fails(&["join", "hello"]), "not an invite code"),
        (bob.fails(&["join", ""]), "not an invite code"),
    ];
    for (text, expected) in said {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for node in [&bob, &carol] {
        assert_eq!(
            node.json(&["space", "list"]),
            json!([]),
            "nothing is stored"
        );
    }
    let joined = bob.bytes(
        &["--json", "join", "-"],
        format!("  {}\n{}\n", &code[..middle], &code[middle..]).as_bytes(),
    );
    assert!(
        String::from_utf8_lossy(&joined).contains("box"),
        "a code wrapped over two lines is still good"
    );
    assert!(bob.fails(&["join", code]).contains("already here"));
}
