//! The web page: it is in the program, strict about what it loads, and lets in whom it should and nobody else.

mod common;

use common::Node;
use common::http::split;
use common::lan::Lan;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a browser sends along with a call of our own page.
const OWN: &str = "Sec-Fetch-Site: same-origin\r\n";
/// A user who is not us.
const STRANGER: u32 = 54_321;

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_default()
    }

    /// The session that it opens, as a header.
    fn cookie(&self) -> String {
        let set = self.header("set-cookie");
        format!("Cookie: {}\r\n", set.split(';').next().unwrap())
    }
}

/// Any request, as it is.
fn ask(node: &Node, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let port = node.port();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let (status, head, body) = split(&answer);
    Answer { status, head, body }
}

fn get(node: &Node, path: &str, headers: &str) -> Answer {
    ask(node, "GET", path, headers, &Value::Null)
}

#[test]
fn the_page_is_in_the_program_and_every_place_of_it_leads_there() {
    let node = Node::started();
    let page = get(&node, "/", "");
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{}",
        page.head
    );
    for place in [
        "/spaces/0f",
        "/devices",
        "/no/such/place",
        "/spaces/0f/members?x=1",
    ] {
        assert_eq!(get(&node, place, "").body, page.body, "{place}");
    }
    let text = String::from_utf8(page.body).unwrap();
    let loaded: Vec<&str> = text
        .split('"')
        .filter(|part| part.starts_with('/') && part.contains('.'))
        .collect();
    assert!(loaded.len() >= 3, "{text}");
    for path in loaded {
        let file = get(&node, path, "");
        assert_eq!(file.status, 200, "{path}");
        let hashed = path.starts_with("/assets/");
        assert_eq!(
            file.header("cache-control").contains("immutable"),
            hashed,
            "{path}: {}",
            file.head
        );
    }
    assert_eq!(
        get(&node, "/assets/of-another-build.js", "").code(),
        "no_such_call"
    );
    assert_eq!(
        get(&node, "/api/no/such/call", &node.bearer()).code(),
        "no_such_call"
    );
    assert_eq!(
        ask(&node, "POST", "/spaces", "", &json!({})).code(),
        "wrong_method"
    );
}

#[test]
fn the_page_is_strict_about_what_runs_and_who_frames_it() {
    let node = Node::started();
    let page = get(&node, "/", "");
    let policy = page.header("content-security-policy");
    for rule in [
        "default-src 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
        "{policy}"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(
            page.header(name).to_lowercase(),
            value.to_lowercase(),
            "{name}"
        );
    }
    let again = get(
        &node,
        "/",
        &format!("If-None-Match: {}\r\n", page.header("etag")),
    );
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = ask(&node, "HEAD", "/", "", &Value::Null);
    assert_eq!((head.status, head.body.len()), (200, 0));
    let foreign = node.raw_call(
        "GET",
        "/../",
        &format!("Host: evil.example:{}\r\n", node.port()),
        b"",
    );
    assert_eq!(foreign.0, 403, "a bent name does not even get the page");
}

#[test]
fn our_own_page_comes_in_by_itself_only_while_no_password_is_set() {
    let node = Node::named("Alice");
    let here = |headers: &str| ask(&node, "POST", "/api/auth/here", headers, &Value::Null);
    for (headers, code) in [
        ("", "not_you"),
        ("Sec-Fetch-Site: cross-site\r\n", "not_you"),
        ("Sec-Fetch-Site: same-site\r\n", "not_you"),
        (
            "Sec-Fetch-Site: same-origin\r\nOrigin: http://evil.example\r\n",
            "foreign_origin",
        ),
    ] {
        let refused = here(headers);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (403, code),
            "{headers}"
        );
        assert_eq!(refused.header("set-cookie"), "");
    }
    let own = format!("{OWN}Origin: http://localhost:{}\r\n", node.port());
    let entered = here(&own);
    assert_eq!(entered.status, 204, "{}", entered.code());
    assert!(
        entered
            .header("set-cookie")
            .contains("httponly; samesite=strict")
    );
    assert_eq!(get(&node, "/api/spaces", &entered.cookie()).status, 200);
    // Whoever came in that way may choose the password. From then on it is asked for.
    let password = json!({ "password": "correct horse" });
    assert_eq!(
        ask(&node, "POST", "/api/register", &entered.cookie(), &password).status,
        201
    );
    let late = here(&own);
    assert_eq!((late.status, late.code().as_str()), (409, "has_password"));
}

#[test]
fn other_users_of_this_machine_do_not_come_in() {
    // Only root may become somebody else.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let node = Node::named("Alice");
    let url = node.json(&["open", "--print"])["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let ticket = url.split_once("/#ticket=").unwrap().1.to_owned();
    let as_stranger = |call: &str, body: &str| {
        let request = format!(
            "{call} HTTP/1.1\r\nHost: localhost:{0}\r\nOrigin: http://localhost:{0}\r\n{OWN}Content-Type: application/json\r\nContent-Length: {1}\r\nConnection: close\r\n\r\n{body}",
            node.port(),
            body.len()
        );
        let script = "exec 3<>/dev/tcp/127.0.0.1/$0; printf %s \"$1\" >&3; cat <&3";
        let answer = Command::new("bash")
            .args(["-c", script, &node.port().to_string(), &request])
            .current_dir("/")
            .uid(STRANGER)
            .output()
            .unwrap();
        String::from_utf8(answer.stdout).unwrap()
    };
    for (call, body) in [
        ("POST /api/auth/here", String::new()),
        (
            "PUT /api/auth/tickets",
            json!({ "ticket": ticket }).to_string(),
        ),
    ] {
        let answer = as_stranger(call, &body);
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains("not_you"),
            "{call}: {answer}"
        );
        assert!(!answer.contains("set-cookie"), "{call}: {answer}");
    }
    let own = json!({ "ticket": ticket });
    assert_eq!(
        ask(&node, "PUT", "/api/auth/tickets", OWN, &own).status,
        204,
        "it is still good for us"
    );
}

#[test]
fn a_ticket_lets_one_browser_in_also_past_a_password() {
    let node = Node::named("Alice");
    let password = json!({ "password": "correct horse" });
    assert_eq!(
        ask(&node, "POST", "/api/register", &node.bearer(), &password).status,
        201
    );
    let session = ask(&node, "POST", "/api/auth", "", &password).cookie();
    let denied = ask(&node, "POST", "/api/auth/tickets", &session, &Value::Null);
    assert_eq!(denied.code(), "not_you", "a session makes no tickets");

    let opened = node.json(&["open", "--print"]);
    let url = opened["url"].as_str().unwrap();
    let (page, ticket) = url.split_once("/#ticket=").unwrap();
    assert_eq!(page, format!("http://127.0.0.1:{}", node.port()));
    let take = |ticket: &str| {
        ask(
            &node,
            "PUT",
            "/api/auth/tickets",
            OWN,
            &json!({ "ticket": ticket }),
        )
    };
    assert_eq!(take(&"0".repeat(64)).code(), "bad_ticket");
    let entered = take(ticket);
    assert_eq!(entered.status, 204, "{}", entered.code());
    assert_eq!(get(&node, "/api/spaces", &entered.cookie()).status, 200);
    assert_eq!(take(ticket).code(), "bad_ticket", "it was used");
    assert!(!node.log().contains(ticket));
}

#[test]
fn a_key_becomes_a_picture_for_those_who_may_call() {
    let node = Node::named("Alice");
    assert_eq!(get(&node, "/api/qr?text=0f", "").status, 401);
    let picture = get(&node, "/api/qr?text=0f", &node.bearer());
    assert_eq!(
        (picture.status, picture.header("content-type")),
        (200, "image/svg+xml")
    );
    assert!(picture.body.starts_with(b"<?xml") || picture.body.starts_with(b"<svg"));
    let long = get(
        &node,
        &format!("/api/qr?text={}", "F".repeat(2801)),
        &node.bearer(),
    );
    assert_eq!((long.status, long.code().as_str()), (413, "too_large"));
    assert_eq!(get(&node, "/api/qr", &node.bearer()).code(), "bad_request");
}

#[test]
fn who_opens_a_device_reads_what_it_is_and_nothing_about_anybody() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let page = get(&hub, "/", "");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("This is a CoBox device") && text.contains("localhost:9112"));
    for secret in ["new-hub", &hub.public_key()] {
        assert!(!text.contains(secret), "{secret}");
    }
    for path in ["/spaces/0f", "/favicon.svg", "/api/status"] {
        assert_eq!(get(&hub, path, "").status, 401, "{path}");
    }
}

#[test]
fn what_is_on_paper_or_in_a_file_is_remembered_and_what_came_later_is_named() {
    let mut node = Node::named("Ann");
    let backup = |node: &Node| node.get("/keys/backup");
    let create = |node: &Node, name: &str| drop(node.json(&["space", "create", name]));
    create(&node, "photos");
    let never = backup(&node);
    assert_eq!(
        (&never["madeAt"], &never["missing"]),
        (&Value::Null, &json!(["photos"]))
    );

    let pdf = node.scratch("paper.pdf");
    let words = ["backup", "identity", "--pdf"].map(std::path::PathBuf::from);
    node.ok(&[&words[..], std::slice::from_ref(&pdf)].concat());
    let printed = backup(&node);
    assert!(
        printed["madeAt"].is_string() && printed["missing"] == json!([]),
        "{printed}"
    );

    create(&node, "band");
    assert_eq!(backup(&node)["missing"], json!(["band"]));
    node.stop();
    node.start();
    assert_eq!(
        backup(&node),
        json!({ "madeAt": printed["madeAt"], "missing": ["band"] })
    );

    let export = |phrase: &str| {
        let body = json!({ "passphrase": phrase });
        ask(&node, "POST", "/api/keys/export", &node.bearer(), &body).status
    };
    assert_eq!(export("short"), 400);
    assert_eq!(backup(&node)["missing"], json!(["band"]));
    assert_eq!(export("correct horse"), 200);
    assert_eq!(backup(&node)["missing"], json!([]));
}
