//! A space over WebDAV: the protocol's own test programs, guards, what is stored and what comes back.

mod common;

use common::{Node, until};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// A node whose space `box` is mounted over WebDAV, and the path of its top folder.
struct Bench {
    node: Node,
    path: String,
}

impl Bench {
    fn new(more: &[&str]) -> Self {
        let node = Node::named("Alice");
        node.json(&["space", "create", "our box"]);
        node.bytes(&["put", "our box:first"], b"before");
        let mounted = node.json(&[&["mount", "our box", "--webdav"], more].concat());
        let path = Self::path(&node, &mounted);
        Self { node, path }
    }

    fn path(node: &Node, mount: &Value) -> String {
        assert_eq!(mount["webdav"], true, "{mount}");
        let url = mount["at"].as_str().unwrap();
        let path = url.strip_prefix(&format!("http://127.0.0.1:{}", node.port()));
        let path = path.unwrap_or_else(|| panic!("{url}")).to_owned();
        assert!(
            path.starts_with("/dav/") && path.ends_with("/our%20box/"),
            "{path}"
        );
        path
    }

    /// Status and body of a request to a path below the top folder.
    fn ask(&self, method: &str, below: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let host = format!("Host: 127.0.0.1:{}\r\n{headers}", self.node.port());
        self.raw(method, &format!("{}{below}", self.path), &host, body)
    }

    fn raw(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.node.port())).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

#[test]
fn litmus_passes() {
    if Command::new("litmus").arg("--help").output().is_err() {
        eprintln!("skipped: litmus is not installed");
        return;
    }
    let bench = Bench::new(&[]);
    let url = format!("http://127.0.0.1:{}{}", bench.node.port(), bench.path);
    let scratch = bench.node.scratch("litmus");
    std::fs::create_dir(&scratch).unwrap();
    let run = Command::new("litmus")
        .arg(&url)
        .current_dir(&scratch)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let failed: Vec<_> = said.lines().filter(|line| line.contains("FAIL")).collect();
    assert!(failed.is_empty() && run.status.success(), "{said}");
    let whole = said.lines().filter(|line| line.contains("100.0%")).count();
    assert_eq!(whole, 5, "basic, copymove, props, locks, http: {said}");
}

#[test]
fn what_is_stored_is_in_the_space_and_what_others_change_is_seen() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.ask("GET", "first", "", b""), (200, "before".into()));
    assert_eq!(bench.ask("PUT", "a%20file", "", b"stored").0, 201);
    // Stored means durable.
    bench.node.kill9();
    bench.node.start();
    let mount = bench.node.mount_of("our%20box");
    let same = Bench::path(&bench.node, &mount);
    assert_eq!(same, bench.path, "the address lasts as long as the mount");
    assert_eq!(
        bench.ask("GET", "a%20file", "", b""),
        (200, "stored".into())
    );
    assert_eq!(bench.node.ok(&["cat", "our box:a file"]), "stored");
    bench.node.bytes(&["put", "our box:first"], b"after");
    until("the change is seen", || {
        match bench.ask("GET", "first", "", b"") {
            (200, seen) if seen == "after" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(bench.ask("MKCOL", "folder", "", b"").0, 201);
    let to = format!("Destination: {}folder/file\r\n", bench.path);
    assert_eq!(bench.ask("MOVE", "a%20file", &to, b"").0, 201);
    let (status, list) = bench.ask("PROPFIND", "folder", "Depth: 1\r\n", b"");
    assert!(
        status == 207 && list.contains("/our%20box/folder/file"),
        "{list}"
    );
    let bare = bench.path.trim_end_matches('/').to_owned();
    let host = format!("Host: 127.0.0.1:{}\r\nDepth: 0\r\n", bench.node.port());
    assert_eq!(bench.raw("PROPFIND", &bare, &host, b"").0, 207);
    bench.node.json(&["unmount", "our box"]);
    assert_eq!(bench.node.ok(&["cat", "our box:folder/file"]), "stored");
    assert_eq!(bench.ask("GET", "first", "", b"").0, 404);
    let again = bench.node.json(&["mount", "our box", "--webdav"]);
    assert_ne!(
        Bench::path(&bench.node, &again),
        bench.path,
        "a new address for each mount"
    );
}

#[test]
fn properties_stay_with_their_file() {
    let mut bench = Bench::new(&[]);
    let set = r#"<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:" xmlns:x="http://example.org/"><D:set><D:prop><x:colour>deep <x:b>blue</x:b></x:colour></D:prop></D:set></D:propertyupdate>"#;
    let (status, said) = bench.ask("PROPPATCH", "first", "", set.as_bytes());
    assert!(status == 207 && said.contains("200 OK"), "{said}");
    let to = format!("Destination: {}second\r\n", bench.path);
    assert_eq!(bench.ask("MOVE", "first", &to, b"").0, 201);
    bench.node.stop();
    bench.node.start();
    let ask = r#"<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><x:colour xmlns:x="http://example.org/"/></D:prop></D:propfind>"#;
    let (_, said) = bench.ask("PROPFIND", "second", "Depth: 0\r\n", ask.as_bytes());
    assert!(said.contains("blue"), "{said}");
    // More than a record holds: refused, and nothing of it is kept.
    let much = set.replace("deep ", &"x".repeat(60_000));
    let (status, said) = bench.ask("PROPPATCH", "second", "", much.as_bytes());
    assert!(status == 207 && said.contains("507"), "{status} {said}");
}

#[test]
fn read_only_and_the_name_of_the_hidden_folder_are_respected() {
    let bench = Bench::new(&["--read-only"]);
    assert_eq!(bench.ask("GET", "first", "", b"").0, 200);
    for (method, below) in [
        ("PUT", "first"),
        ("PUT", "new"),
        ("DELETE", "first"),
        ("MKCOL", "f"),
        ("PROPPATCH", "first"),
    ] {
        let (status, _) = bench.ask(method, below, "", b"");
        assert!((400..500).contains(&status), "{method} {below}: {status}");
    }
    assert_eq!(bench.node.ok(&["ls", "our box"]), "first\n");
    let bench = Bench::new(&[]);
    assert_eq!(bench.ask("MKCOL", ".cobox", "", b"").0, 403);
}

#[test]
fn strangers_and_pages_are_refused() {
    let bench = Bench::new(&[]);
    let host = format!("Host: 127.0.0.1:{}\r\n", bench.node.port());
    let file = format!("{}first", bench.path);
    assert_eq!(bench.raw("GET", &file, &host, b"").0, 200);
    assert_eq!(
        bench.raw("GET", &file, "Host: evil.example\r\n", b"").0,
        403
    );
    let ours = format!("{host}Origin: http://localhost:{}\r\n", bench.node.port());
    for origin in [
        &ours,
        &format!("{host}Origin: null\r\n"),
        &format!("{host}Origin: http://evil.example\r\n"),
    ] {
        assert_eq!(bench.raw("GET", &file, origin, b"").0, 403, "{origin}");
    }
    let secret = bench.path.split('/').nth(2).unwrap();
    let wrong = file.replace(secret, &"0".repeat(secret.len()));
    let cases = [
        &wrong,
        "/dav/",
        "/dav",
        "/dav//first",
        &file.replace("our%20box", "other"),
        &format!("/dav/{secret}/../x"),
    ];
    for path in cases {
        let (status, said) = bench.raw("GET", path, &host, b"");
        assert!([401, 404].contains(&status), "{path}: {status} {said}");
    }
    let (status, said) = bench.raw(
        "GET",
        &format!("{}../../../api/status", bench.path),
        &host,
        b"",
    );
    assert!(
        status >= 400 && !said.contains("publicKey"),
        "{status} {said}"
    );
    assert!(bench.node.fails(&["mount", "our box"]).contains("already"));
    let wrong = bench
        .node
        .run(&["mount", "our box", "--webdav", "--at", "/x"]);
    assert_eq!(wrong.status.code(), Some(2));
    let past = serde_json::json!({ "webdav": true, "asOf": "1m ago" });
    bench.node.json(&["unmount", "our box"]);
    let (status, said) = bench
        .node
        .call("POST", "/spaces/our%20box/mount", Some(&past));
    assert_eq!(status, 400, "{said}");
}
