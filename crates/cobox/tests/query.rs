//! Queries over messages: by command, by API, live; and what is refused.

mod common;

use common::{Node, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn node_with_space() -> Node {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    node
}

#[test]
fn a_question_is_answered_for_people_and_for_programs() {
    let node = node_with_space();
    let names = r#"{"type": "peer/about"}"#;
    let line = node.ok(&["query", "box", names]);
    assert!(
        line.contains("Alice  peer/about  {\"name\":\"Alice\"}"),
        "{line}"
    );
    let answer = node.json(&["query", "box", names]);
    assert_eq!(answer["more"], false);
    let row = &answer["result"][0];
    assert_eq!(row["author"], json!(node.public_key()));
    assert_eq!(row["content"], json!({ "name": "Alice" }));
    let counted = r#"[{"$reduce": {"what": "type", "n": {"$count": true}}}]"#;
    let counted = node.json(&["query", "box", counted]);
    let about = json!({ "what": "space/about", "n": 1 });
    assert!(
        counted["result"].as_array().unwrap().contains(&about),
        "{counted}"
    );
    let asked = node.bytes(
        &["query", "box", "-"],
        br#"{"$reduce": {"$distinct": "author"}}"#,
    );
    let asked = String::from_utf8(asked).unwrap();
    assert_eq!(asked.trim(), node.public_key(), "one value a line");
}

#[test]
fn it_explains_itself() {
    let node = node_with_space();
    let explained = node.ok(&["query", "box", r#"{"type": "peer/about"}"#, "--explain"]);
    let told = "-- index type, type = \"peer/about\"; messages read: 1";
    assert!(explained.contains(told), "{explained}");
    let scanned = node.json(&["query", "box", r#"{"content.name": "Alice"}"#, "--explain"]);
    assert_eq!(scanned["explain"]["plan"]["scan"], true, "{scanned}");
}

#[test]
fn broken_questions_are_refused_with_the_place() {
    let node = node_with_space();
    let told = node.fails(&["query", "box", r#"{"type": {"$gt": []}}"#]);
    assert!(told.contains("type.$gt"), "{told}");
    let told = node.fails(&["query", "box", "{\"type\":\n }"]);
    assert!(told.contains("line 2, column 2"), "{told}");
    assert!(node.fails(&["query", "nobox", "{}"]).contains("nobox"));
    let reduced = [r#"{"$reduce": {"$count": true}}"#, "--live"];
    let told = node.fails(&["query", "box", reduced[0], reduced[1]]);
    assert!(told.contains("$reduce"), "{told}");
    for (path, body, status, code) in [
        (
            "/spaces/box/query",
            json!({ "$filter": 1 }),
            400,
            "bad_query",
        ),
        (
            "/spaces/box/query",
            json!("x".repeat(70_000)),
            400,
            "bad_query",
        ),
        (
            "/spaces/box/query",
            json!("x".repeat(1 << 20)),
            413,
            "too_large",
        ),
        (
            "/spaces/box/query?explain=perhaps",
            json!({}),
            400,
            "bad_request",
        ),
        (
            "/spaces/box/query/live",
            json!({ "$map": 1 }),
            400,
            "bad_query",
        ),
        ("/spaces/none/query", json!({}), 404, "no_such_space"),
        ("/spaces/none/query/live", json!({}), 404, "no_such_space"),
    ] {
        let (given, answer) = node.call("POST", path, Some(&body));
        let error = &answer["errors"][0];
        assert_eq!(
            (given, error["code"].as_str()),
            (status, Some(code)),
            "{answer}"
        );
    }
    let (status, answer) = node.call("GET", "/spaces/box/query/live", None);
    assert_eq!(
        (status, answer["errors"][0]["param"].as_str()),
        (400, Some("query"))
    );
    let headers = format!("Host: localhost:{}\r\n", node.port());
    let (status, _) = node.raw_call("POST", "/spaces/box/query", &headers, b"{}");
    assert_eq!(status, 401);
}

/// A live query by command, and the lines that it has printed.
fn follow(node: &Node, query: &str) -> (Child, Arc<Mutex<Vec<Value>>>) {
    let mut command = node.command(&["--json", "query", "box", query, "--live"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (stdout, heard) = (child.stdout.take().unwrap(), lines.clone());
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            heard
                .lock()
                .unwrap()
                .push(serde_json::from_str(&line).unwrap());
        }
    });
    (child, lines)
}

#[test]
fn what_is_new_is_told_once_until_the_program_stops() {
    let mut node = node_with_space();
    let query = r#"{"$filter": {"type": "peer/about"}, "$map": "content.name"}"#;
    let (mut child, lines) = follow(&node, query);
    let told = |expected: Value| {
        until("the names are told", || {
            let lines = Value::from(lines.lock().unwrap().clone());
            match lines == expected {
                true => Ok(()),
                false => Err(lines.to_string()),
            }
        });
    };
    told(json!(["Alice"]));
    node.json(&["name", "Alice B."]);
    node.json(&["name", "Alice C."]);
    told(json!(["Alice", "Alice B.", "Alice C."]));
    node.stop();
    let status = common::node::wait(&mut child, "query");
    assert!(status.success());
    told(json!(["Alice", "Alice B.", "Alice C."]));
}

#[test]
fn a_page_follows_by_a_plain_get() {
    let node = node_with_space();
    let query = common::node::url_bytes(br#"{"type": "peer/about"}"#);
    let mut stream = TcpStream::connect(("127.0.0.1", node.port())).unwrap();
    let head = format!(
        "GET /api/spaces/box/query/live?query={query} HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {}\r\n\r\n",
        node.port(),
        node.token()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    while !heard.contains("{\"more\":false}") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "ended: {heard}");
        heard += &String::from_utf8_lossy(&buffer[..count]);
    }
    assert!(
        heard.contains("text/event-stream") && heard.contains("event: ready"),
        "{heard}"
    );
    assert!(
        heard.contains("\"content\":{\"name\":\"Alice\"}"),
        "{heard}"
    );
}
