//! Long work: it is listed, followed, stopped by its id or with its caller, and never leaves anything half.

mod common;

use common::node::url_bytes;
use common::random::Random;
use common::{Node, until};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

const FILES: usize = 400;
const SIZE: usize = 256 << 10;

/// Enough to be stopped in the middle.
fn tree(node: &Node) -> PathBuf {
    let folder = node.scratch("much");
    fs::create_dir(&folder).unwrap();
    for n in 0..FILES {
        fs::write(
            folder.join(n.to_string()),
            Random::new(n as u64).bytes(SIZE),
        )
        .unwrap();
    }
    folder
}

fn begin(node: &Node, call: &str, body: &Value) -> String {
    let (status, job) = node.call(
        "POST",
        &format!("/spaces/box/{call}detach=true"),
        Some(body),
    );
    assert_eq!(status, 202, "{job}");
    job["id"].as_str().unwrap().to_owned()
}

fn import_of(folder: &Path) -> Value {
    json!({ "paths": [{ "name": folder }], "to": { "name": "" } })
}

fn when(node: &Node, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    until(what, || match node.get(&format!("/jobs/{id}")) {
        job if is_so(&job) => Ok(job),
        job => Err(job.to_string()),
    })
}

fn ended(node: &Node, id: &str) -> Value {
    when(node, id, "the job ends", |job| job["endedAt"].is_string())
}

/// Every file that is there is whole.
fn whole(folder: &Path, of: &Path) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let right = of.join(entry.file_name());
        assert!(right.exists(), "{:?} was left behind", entry.path());
        assert!(
            fs::read(entry.path()).unwrap() == fs::read(right).unwrap(),
            "{:?} is half",
            entry.path()
        );
        found += 1;
    }
    found
}

#[test]
fn an_import_that_is_stopped_leaves_whole_files_and_ends() {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    let folder = tree(&node);
    let id = begin(&node, "import?", &import_of(&folder));
    when(&node, &id, "it goes on", |job| {
        job["progress"]["bytes"].as_u64().unwrap() > 0
    });
    let (status, told) = node.call("DELETE", &format!("/jobs/{id}"), None);
    assert!(status == 202 && told["state"] != "running", "{told}");
    let job = ended(&node, &id);
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("stopped"), &json!("stopped"))
    );
    let here = node.space("box")["files"].as_u64().unwrap();
    assert!(here < FILES as u64, "it was stopped in the middle");
    let out = node.scratch("out");
    node.ok(&[OsStr::new("export"), OsStr::new("box"), out.as_os_str()]);
    assert_eq!(whole(&out.join("much"), &folder) as u64, here);
    assert_eq!(
        node.space("box")["files"].as_u64().unwrap(),
        here,
        "nothing comes later"
    );

    let listed = node.json(&["jobs"]);
    assert_eq!(listed[0]["state"], "stopped");
    assert!(node.ok(&["jobs", "stop", &id]).contains("forgotten"));
    assert_eq!(
        node.call("GET", &format!("/jobs/{id}"), None).1["errors"][0]["code"],
        "no_such_job"
    );

    // The rest comes with the next one, which does not begin again.
    let again = begin(&node, "import?", &import_of(&folder));
    assert_eq!(ended(&node, &again)["state"], "done");
    assert_eq!(node.space("box")["files"].as_u64().unwrap(), FILES as u64);
}

#[test]
fn an_export_that_is_stopped_leaves_no_half_file() {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    let folder = tree(&node);
    let import = node.json(&[
        OsStr::new("import"),
        OsStr::new("--detach"),
        OsStr::new("box"),
        folder.as_os_str(),
    ]);
    assert_eq!(
        ended(&node, import["id"].as_str().unwrap())["state"],
        "done"
    );
    let out = node.scratch("out");
    let request = json!({ "path": { "name": "" }, "dir": { "name": out } });
    let id = begin(&node, "export?", &request);
    when(&node, &id, "it goes on", |job| {
        job["progress"]["bytes"].as_u64().unwrap() > 0
    });
    node.ok(&["jobs", "stop", &id]);
    assert_eq!(ended(&node, &id)["state"], "stopped");
    assert!(
        whole(&out.join("much"), &folder) < FILES,
        "it was stopped in the middle"
    );
    let again = begin(&node, "export?", &request);
    assert_eq!(ended(&node, &again)["state"], "done");
    assert_eq!(whole(&out.join("much"), &folder), FILES);
}

#[test]
fn a_job_ends_with_its_caller_unless_it_was_detached() {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    let body = import_of(&tree(&node)).to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", node.port())).unwrap();
    let head = format!(
        "POST /api/spaces/box/import HTTP/1.1\r\nHost: localhost:{}\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        node.port(),
        node.bearer(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut some = [0; 16];
    stream.read_exact(&mut some).unwrap();
    let id = node.get("/jobs")[0]["id"].as_str().unwrap().to_owned();
    when(&node, &id, "it goes on", |job| {
        job["progress"]["bytes"].as_u64().unwrap() > 0
    });
    drop(stream);
    assert_eq!(ended(&node, &id)["state"], "stopped");
}

#[test]
fn a_restore_is_done_as_a_whole() {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    for n in 0..5 {
        node.bytes(&["put", &format!("box:{n}")], b"here");
    }
    let before = node.listing("box").len();
    let then = node.get("/jobs"); // any call: time passes
    assert_eq!(then, json!([]));
    let at = node.get(&format!("/spaces/box/history?path={}", url_bytes(b"4")))[0]["time"].clone();
    for n in 0..5 {
        node.ok(&["rm", &format!("box:{n}")]);
    }
    let id = begin(&node, "restore?path=&", &json!({ "at": at }));
    let job = ended(&node, &id);
    assert_eq!(
        (&job["state"], &job["done"]["entries"], &job["kind"]),
        (&json!("done"), &json!(5), &json!("restore"))
    );
    assert_eq!(node.listing("box").len(), before);
}
