//! What people and disks do wrong: a clear message, exit status not 0, nothing lost, and the same works once the cause is gone.

mod common;

use common::compare::assert_equal;
use common::node::{finish, wait};
use common::random::Random;
use common::{Node, tree};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn node_with_space() -> Node {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    node
}

fn import_words(space: &str, paths: &[&Path]) -> Vec<PathBuf> {
    ["--json", "import", space]
        .iter()
        .map(PathBuf::from)
        .chain(paths.iter().map(|path| path.to_path_buf()))
        .collect()
}

/// Imports what has problems: exit status 3, the rest done, each problem with path and reason.
fn import_with_problems(node: &Node, paths: &[&Path]) -> Value {
    let output = node.run(&import_words("box", paths));
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_cannot_be_imported_is_listed_and_the_rest_is_done() {
    let node = node_with_space();
    let source = node.scratch("source");
    fs::create_dir(&source).unwrap();
    for name in ["a-good", "z-good"] {
        fs::write(source.join(name), name).unwrap();
    }
    assert!(
        Command::new("mkfifo")
            .arg(source.join("fifo"))
            .status()
            .unwrap()
            .success()
    );
    let socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let mut bad = vec!["fifo", "socket"];
    let locked = source.join("locked");
    fs::write(&locked, "secret").unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&locked).is_err() {
        bad.push("locked");
    } else {
        eprintln!("left out, because this user may read everything: an unreadable file");
        let made = Command::new("mknod")
            .arg(source.join("device"))
            .args(["c", "1", "3"])
            .status();
        if made.is_ok_and(|status| status.success()) {
            bad.push("device");
        }
    }
    let done = import_with_problems(&node, &[&source]);
    let problems = done["problems"].as_array().unwrap();
    assert_eq!(problems.len(), bad.len(), "{done}");
    for name in bad {
        let listed = problems.iter().find(|p| {
            p["path"]["name"]
                .as_str()
                .is_some_and(|path| path.ends_with(name))
        });
        assert!(
            listed.is_some_and(|p| p["reason"].as_str().is_some_and(|r| r.len() > 5)),
            "{name} in {done}"
        );
    }
    for name in ["a-good", "z-good"] {
        assert_eq!(node.ok(&["cat", &format!("box:source/{name}")]), name);
    }
    drop(socket);
    let people = node.run(&[OsStr::new("import"), OsStr::new("box"), source.as_os_str()]);
    let told = String::from_utf8(people.stderr).unwrap();
    assert!(
        told.contains("fifo") && told.lines().all(|line| line.starts_with("cobox: ")),
        "{told}"
    );
}

#[test]
fn sources_and_targets_that_do_not_fit_are_refused() {
    let node = node_with_space();
    let (good, missing) = (node.scratch("good"), node.scratch("missing"));
    fs::write(&good, "good").unwrap();
    let said = node.fails(&[
        OsStr::new("import"),
        OsStr::new("box"),
        good.as_os_str(),
        missing.as_os_str(),
    ]);
    assert!(said.contains("missing"), "{said}");
    assert_eq!(
        node.listing("box"),
        Vec::<String>::new(),
        "refused before anything was written"
    );
    node.bytes(&["put", "box:file"], b"ours");
    let said = node.fails(&[
        OsStr::new("import"),
        OsStr::new("box"),
        good.as_os_str(),
        OsStr::new("--to"),
        OsStr::new("file"),
    ]);
    assert!(said.contains("not a folder"), "{said}");

    let dir = node.scratch("dir");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("file"), "theirs").unwrap();
    let output = node.run(&[
        OsStr::new("--json"),
        OsStr::new("export"),
        OsStr::new("box"),
        dir.as_os_str(),
    ]);
    assert_eq!(
        output.status.code(),
        Some(3),
        "a different file is in the way"
    );
    assert_eq!(
        fs::read(dir.join("file")).unwrap(),
        b"theirs",
        "it is not overwritten"
    );
    let in_file = node.fails(&[OsStr::new("export"), OsStr::new("box"), good.as_os_str()]);
    assert!(in_file.contains("good"), "{in_file}");
    assert!(
        node.fails(&["export", "box:nothing", dir.to_str().unwrap()])
            .contains("nothing")
    );
    assert!(
        node.fails(&["export", "box", dir.to_str().unwrap(), "--at", "soon"])
            .contains("not a time")
    );
}

#[test]
fn names_and_paths_that_do_not_fit_are_refused() {
    let node = node_with_space();
    let put = |place: &[u8]| {
        let output = finish(
            node.command(&[OsStr::new("put"), OsStr::from_bytes(place)]),
            b"x",
        );
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(put(&[b"box:", [b'x'; 256].as_slice()].concat()).contains("255"));
    assert!(put(&[b"box:".as_slice(), &b"a/".repeat(600)].concat()).contains("too long"));
    assert!(put(&[b"box:".as_slice(), &b"abcdefgh/".repeat(10_000)].concat()).contains("too long"));
    assert!(put(b"box:").contains("top folder"));
    assert!(put(b"box:../up").contains(".."));
    assert!(put(b"\xff\xfe:file").contains("name of a space"));
    assert!(put(b"nowhere:file").contains("nowhere"));
    assert_eq!(node.listing("box"), Vec::<String>::new());
    for name in [b"caf\xe9".as_slice(), b"\xff", &[0xfe; 255]] {
        let place = [b"box:", name].concat();
        finish(
            node.command(&[OsStr::new("put"), OsStr::from_bytes(&place)]),
            b"odd",
        );
        assert_eq!(
            node.bytes(&[OsStr::new("cat"), OsStr::from_bytes(&place)], b""),
            b"odd"
        );
        node.ok(&[OsStr::new("rm"), OsStr::from_bytes(&place)]);
    }
    assert!(
        node.fails(&["space", "create", "box"])
            .contains("exists already")
    );
    assert!(node.fails(&["space", "create", "a/b"]).contains("a/b"));
    assert!(
        node.fails(&["mv", "box:a", "other:a"])
            .contains("same space")
    );
    assert!(
        node.fails(&["invite", "box", "1234"])
            .contains("64 hex digits")
    );
    let own = node.fails(&["invite", "box", &node.public_key()]);
    assert!(own.contains("your own public key"), "{own}");
    assert!(node.fails(&["replicate", "1234"]).contains("64 hex digits"));
    assert!(node.fails(&["unreplicate", &"00".repeat(32)]).len() > 20);
    assert!(
        node.fails(&["get", "box:x", "--version", "1"])
            .contains("cobox history")
    );
    assert!(
        node.fails(&["put", "box:x", "/nonexistent/file"])
            .contains("/nonexistent/file")
    );
}

#[test]
fn without_a_name_a_person_is_asked_for_one() {
    let node = Node::started();
    assert!(
        node.fails(&["space", "create", "box"])
            .contains("cobox name")
    );
    node.ok(&["name", "Alice"]);
    node.ok(&["space", "create", "box"]);
}

#[test]
fn commands_say_when_nothing_runs() {
    let mut node = Node::new();
    assert!(
        node.fails(&["status"]).contains("cobox up"),
        "never started"
    );
    node.start();
    node.kill9();
    assert!(
        node.fails(&["status"]).contains("cobox up"),
        "killed, its marks still there"
    );
    node.start();
    node.stop();
    assert!(node.fails(&["stop"]).contains("cobox up"));
    node.start();
    let usage = node.run(&["frobnicate"]);
    assert_eq!(usage.status.code(), Some(2));
}

/// A second `up` that must fail; what it said.
fn up_fails(node: &Node, words: &[&str]) -> String {
    let mut up = node
        .command(&[&["up", "--no-lan", "--bind", "127.0.0.1:0"], words].concat())
        .spawn()
        .unwrap();
    let status = wait(&mut up, "a second up");
    let mut said = String::new();
    up.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_taken_port_or_home_is_told_and_harms_nobody() {
    let node = node_with_space();
    node.bytes(&["put", "box:f"], b"kept");
    let other = Node::new();
    let said = up_fails(&other, &["--port", &node.port().to_string()]);
    assert!(
        said.contains(&format!("port {}", node.port())) && said.contains("--port"),
        "{said}"
    );
    let said = up_fails(&node, &["--port", "0"]);
    assert!(
        said.contains("in use") && said.contains("cobox stop"),
        "{said}"
    );
    assert_eq!(
        node.ok(&["cat", "box:f"]),
        "kept",
        "the first one goes on, and is still found"
    );
    let file = node.scratch("file");
    fs::write(&file, "x").unwrap();
    let nowhere = Node::new().at_home(file.join("home"));
    assert!(up_fails(&nowhere, &["--port", "0"]).contains("file"));
}

#[test]
fn a_damaged_home_is_named_and_left_alone() {
    let mut node = node_with_space();
    node.stop();
    let identity = node.home().join("identity");
    let good = fs::read(&identity).unwrap();
    let mut bad = good.clone();
    bad[10] ^= 1;
    fs::write(&identity, &bad).unwrap();
    let said = up_fails(&node, &["--port", "0"]);
    assert!(
        said.contains("identity") && said.contains("damaged"),
        "{said}"
    );
    assert_eq!(fs::read(&identity).unwrap(), bad, "nothing is overwritten");
    fs::write(&identity, &good).unwrap();
    node.start();
    assert_eq!(node.space("box")["name"], "box");
}

#[test]
fn a_space_that_cannot_be_opened_is_told_with_what_to_do_and_the_others_go_on() {
    let mut node = node_with_space();
    let broken = node.json(&["space", "create", "broken"])["address"].clone();
    let broken = broken.as_str().unwrap().to_owned();
    node.stop();
    // Something lies where its views belong.
    let views = node.home().join(format!("views/{broken}.redb"));
    let good = fs::read(&views).unwrap();
    fs::remove_file(&views).unwrap();
    fs::create_dir(&views).unwrap();
    node.start();
    let failed = node.get("/status")["failed"].clone();
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    let one = &failed[0];
    assert_eq!(
        (&one["address"], &one["name"], &one["replica"]),
        (&json!(broken), &json!("broken"), &json!(false))
    );
    assert!(one["reason"].as_str().is_some_and(|why| why.len() > 10));
    assert!(
        one["next"]
            .as_str()
            .unwrap()
            .contains("start the program again")
    );
    for words in [&["status"][..], &["space", "list"]] {
        let shown = node.ok(words);
        assert!(
            shown.contains("broken cannot be opened") && shown.contains("box"),
            "{shown}"
        );
    }
    assert!(node.fails(&["ls", "broken"]).contains("no space"));
    node.bytes(&["put", "box:f"], b"as ever");
    assert_eq!(node.ok(&["cat", "box:f"]), "as ever");

    // Once the cause is gone it is there again.
    node.stop();
    fs::remove_dir(&views).unwrap();
    fs::write(&views, good).unwrap();
    node.start();
    assert_eq!(node.get("/status")["failed"], json!([]));
    assert_eq!(node.space("broken")["name"], "broken");
    // And one that cannot be mended can be taken away.
    node.stop();
    fs::remove_file(&views).unwrap();
    fs::create_dir(&views).unwrap();
    node.start();
    fs::remove_dir(&views).unwrap();
    node.ok(&["space", "delete", &broken, "--yes"]);
    assert_eq!(node.get("/status")["failed"], json!([]));
    assert_eq!(node.get("/spaces").as_array().unwrap().len(), 1);
}

/// A small disk of its own, taken away at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not make one.
    fn new(dir: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&dir).unwrap();
        let mount = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=700"),
                "cobox-test",
            ])
            .arg(&dir)
            .output();
        mount
            .is_ok_and(|done| done.status.success())
            .then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_afterwards_all_goes_on() {
    let outside = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::new(outside.path().join("disk"), "96m") else {
        eprintln!("left out, because this user may not mount a small disk: the full disk");
        return;
    };
    let mut node = Node::new().at_home(disk.0.join("home"));
    node.start();
    node.json(&["name", "Alice"]);
    node.json(&["space", "create", "box"]);
    let (small, large) = (outside.path().join("small"), outside.path().join("large"));
    tree::make_odd(&small.join("odd"));
    fs::create_dir(&large).unwrap();
    fs::write(large.join("noise"), Random::new(5).bytes(30 << 20)).unwrap();
    node.json(&import_words("box", &[&small])[1..]);
    fs::write(disk.0.join("ballast"), Random::new(6).bytes(60 << 20)).unwrap();

    let said = node.run(&import_words("box", &[&large]));
    assert_eq!(
        said.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&said.stdout)
    );
    let error: Value = serde_json::from_slice(&said.stderr).unwrap();
    assert_eq!(error["errors"][0]["code"], "disk_full", "{error}");
    assert!(
        error["errors"][0]["msg"]
            .as_str()
            .is_some_and(|msg| msg.contains("free some space")),
        "{error}"
    );
    let whole = |node: &Node, name: &str| {
        let dir = outside.path().join(name);
        node.json(&[Path::new("export"), Path::new("box:small"), &dir]);
        assert_equal(&small.join("odd"), &dir.join("odd"));
    };
    whole(&node, "while-full");
    fs::remove_file(disk.0.join("ballast")).unwrap();
    let done = node.json(&import_words("box", &[&large])[1..]);
    assert_eq!(
        done["problems"],
        json!([]),
        "the same works now, without a restart"
    );
    node.kill9();
    node.start();
    whole(&node, "after");
    let noise = node.bytes(&["cat", "box:large/noise"], b"");
    assert!(noise == fs::read(large.join("noise")).unwrap());
}
