//! Every command once, on one machine: what it does, what it prints for people, its JSON fields.

mod common;

use common::node::finish;
use common::{Node, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};

fn node_with_space() -> Node {
    let node = Node::named("Alice");
    node.json(&["space", "create", "box"]);
    node
}

fn fields(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

fn assert_fields(value: &Value, expected: &str) {
    assert_eq!(fields(value), expected.split(' ').collect(), "{value}");
}

fn names(node: &Node, place: &str) -> Vec<String> {
    node.ok(&["ls", place]).lines().map(str::to_owned).collect()
}

#[test]
fn files_are_written_read_moved_and_removed() {
    let node = node_with_space();
    node.ok(&["mkdir", "-p", "box:a/b/c"]);
    assert!(
        node.fails(&["mkdir", "box:x/y"]).contains('x'),
        "without -p the parent must be there"
    );
    assert_eq!(
        node.bytes(&["put", "box:a/one.txt"], b"first"),
        b"Wrote one.txt (5 B).\n"
    );
    let local = node.scratch("local");
    fs::write(&local, [0, 255, 10, 13]).unwrap();
    node.ok(&[Path::new("put"), Path::new("box:a/b/binary"), &local]);
    assert_eq!(
        node.bytes(&["cat", "box:a/b/binary"], b""),
        [0, 255, 10, 13]
    );
    assert_eq!(names(&node, "box"), ["a/"]);
    assert_eq!(names(&node, "box:a"), ["b/", "one.txt"]);
    let long = node.ok(&["ls", "-l", "box:a"]);
    assert!(long.contains("d0755") && long.contains("-0644"), "{long}");

    node.ok(&["mv", "box:a/one.txt", "box:a/b/uno.txt"]);
    node.bytes(&["put", "box:a/b/uno.txt", "-"], b"second");
    let out = node.scratch("out");
    node.ok(&[Path::new("get"), Path::new("box:a/b/uno.txt"), &out]);
    assert_eq!(fs::read(&out).unwrap(), b"second");
    assert!(node.fails(&["rm", "box:a"]).contains("not empty"));
    node.ok(&["rm", "box:a/b/binary"]);
    node.ok(&["rm", "-r", "box:a"]);
    assert_eq!(node.ok(&["ls", "box"]).trim(), "");
    let history = node.json(&["history", "box:a/b/uno.txt"]);
    assert!(history.as_array().unwrap().len() >= 2, "{history}");
}

#[test]
fn a_local_file_is_put_whether_or_not_the_program_sees_the_same_one() {
    let node = node_with_space();
    let local = node.scratch("large");
    let data: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&local, &data).unwrap();
    node.ok(&[Path::new("put"), Path::new("box:seen"), &local]);
    assert_eq!(node.bytes(&["cat", "box:seen"], b""), data);
    // Bytes that are no file of the machine are sent.
    node.bytes(&["put", "box:sent", "/dev/stdin"], &data);
    assert_eq!(node.bytes(&["cat", "box:sent"], b""), data);
    // With another root the same path may name another file: that one must not be taken.
    let name = json!({ "name": local.to_str().unwrap() });
    let other = json!({ "file": name, "device": 1, "inode": 1 });
    let (status, body) = node.call("POST", "/spaces/box/put?path=other", Some(&other));
    assert_eq!(
        (status, body["errors"][0]["code"].as_str()),
        (409, Some("not_seen")),
        "{body}"
    );
    assert_eq!(names(&node, "box"), ["seen", "sent"]);
}

#[test]
fn history_says_which_version_is_shown() {
    let node = node_with_space();
    node.bytes(&["put", "box:twice"], b"1");
    node.bytes(&["put", "box:twice"], b"22");
    let twice = node.json(&["history", "box:twice"]);
    let current = |at: usize| (&twice[at]["size"], &twice[at]["current"]);
    assert_eq!(
        (current(0), current(1)),
        ((&2.into(), &true.into()), (&1.into(), &false.into())),
        "{twice}"
    );
    node.ok(&["rm", "box:twice"]);
    let gone = node.fails(&["restore", "box:twice", "--at", "1d ago"]);
    assert!(gone.contains("at that time"), "{gone}");
}

#[test]
fn a_part_of_a_space_is_imported_and_exported() {
    let node = node_with_space();
    let source = node.scratch("source");
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("sub/file"), "content").unwrap();
    node.json(&[
        Path::new("import"),
        Path::new("box"),
        &source,
        Path::new("--to"),
        Path::new("in/here"),
    ]);
    assert_eq!(node.ok(&["cat", "box:in/here/source/sub/file"]), "content");
    let again = node.json(&[
        Path::new("import"),
        Path::new("box"),
        &source,
        Path::new("--to"),
        Path::new("in/here"),
    ]);
    assert_eq!(again["problems"], Value::Array(Vec::new()));
    let history = node.json(&["history", "box:in/here/source/sub/file"]);
    assert_eq!(
        history.as_array().unwrap().len(),
        1,
        "unchanged files are not written again: {history}"
    );
    let target = node.scratch("target");
    node.json(&[
        Path::new("export"),
        Path::new("box:in/here/source"),
        &target,
    ]);
    common::compare::assert_equal(&source.join("sub"), &target.join("sub"));
    node.json(&[
        Path::new("export"),
        Path::new("box:in/here/source"),
        &target,
    ]);
}

#[test]
fn json_has_the_documented_fields() {
    let node = Node::started();
    assert_fields(&node.json(&["name"]), "name publicKey");
    assert_fields(&node.json(&["name", "Alice"]), "name publicKey");
    assert_fields(&node.json(&["space", "create", "box"]), "address name");
    node.bytes(&["put", "box:f"], b"1234");
    let list = node.json(&["space", "list"]);
    let space = "address conflicts diskSize files folders indexed lastSyncAt mount name progress size threshold tolerance waiting writable";
    assert_fields(&list[0], space);
    assert_fields(&list[0]["progress"], "bytesHeld bytesKnown held known");
    assert_eq!(
        (&list[0]["size"], &list[0]["files"], &list[0]["folders"]),
        (&4.into(), &1.into(), &0.into())
    );
    let show = node.json(&["space", "show", "box"]);
    assert_fields(&show, &format!("{space} members receipts refusals"));
    assert_fields(
        &show["members"][0],
        "access devices lastSeenAt me name online publicKey standing",
    );
    let status = node.json(&["status"]);
    assert_fields(
        &status,
        "failed hint home kept locked name peers publicKey replicas spaces version",
    );
    assert_fields(
        &node.json(&["ls", "box"])[0],
        "conflict held kind mode mtime name size version",
    );
    assert_fields(
        &node.json(&["history", "box:f"])[0],
        "author current id name publicKey size time what",
    );
    let other = Node::named("Bob");
    assert_fields(&node.json(&["invite", "box", &other.public_key()]), "code");
    let replica = other.json(&[
        "replicate",
        show["address"].as_str().unwrap(),
        "--name",
        "copy",
    ]);
    assert_fields(&replica, "address name progress size");
    assert_eq!(other.json(&["replicas"]).as_array().unwrap().len(), 1);
    other.json(&["unreplicate", show["address"].as_str().unwrap()]);
    assert_eq!(other.json(&["replicas"]), Value::Array(Vec::new()));
}

#[test]
fn a_person_reads_what_happened() {
    let node = Node::started();
    assert!(node.ok(&["name"]).contains("no name yet"));
    assert!(
        node.ok(&["space", "list"])
            .contains("cobox space create NAME")
    );
    assert!(node.ok(&["replicas"]).contains("cobox replicate ADDRESS"));
    node.ok(&["name", "Alice"]);
    assert!(
        node.ok(&["space", "create", "box"])
            .starts_with("Created box\n")
    );
    node.bytes(&["put", "box:f"], &[0; 2048]);
    let show = node.ok(&["space", "show", "box"]);
    for expected in ["1 file", "2.00 KiB", "Alice", "you", "complete"] {
        assert!(show.contains(expected), "{expected} in {show}");
    }
    assert!(node.ok(&["status"]).contains("0 peers connected"));
    assert!(node.ok(&["conflicts", "box"]).contains("No conflicts"));
    assert!(!show.contains('\x1b'), "no colours where nobody looks");
    let deleting = finish(node.command(&["space", "delete", "box"]), b"");
    assert!(
        !deleting.status.success() && String::from_utf8_lossy(&deleting.stderr).contains("--yes")
    );
    node.ok(&["space", "delete", "box", "--yes"]);
    assert_eq!(node.json(&["space", "list"]), Value::Array(Vec::new()));
}

#[test]
fn watch_tells_each_change_as_it_happens() {
    let node = node_with_space();
    let mut watch = node.command(&["--json", "watch", "box"]).spawn().unwrap();
    let lines = Arc::new(Mutex::new(Vec::<Value>::new()));
    let (stdout, heard) = (watch.stdout.take().unwrap(), lines.clone());
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            heard
                .lock()
                .unwrap()
                .push(serde_json::from_str(&line).unwrap());
        }
    });
    let mut number = 0;
    until("a line about a change", || {
        number += 1;
        node.bytes(&["put", &format!("box:watched-{number}")], b"x");
        let lines = lines.lock().unwrap();
        let told = lines.iter().any(|line| {
            line["type"] == "drive/changed"
                && line["data"]["path"]
                    .as_str()
                    .is_some_and(|p| p.contains("watched-"))
        });
        if told {
            Ok(())
        } else {
            Err(format!("{lines:?}"))
        }
    });
    assert_fields(&lines.lock().unwrap()[0], "address data time type");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn stopping_ends_watchers_and_a_new_start_finds_everything() {
    let mut node = node_with_space();
    node.bytes(&["put", "box:f"], b"kept");
    let mut watch = node.command(&["watch", "box"]).spawn().unwrap();
    let asked = std::time::Instant::now();
    node.stop();
    common::node::wait(&mut watch, "watch");
    assert!(asked.elapsed().as_secs() < 5, "watchers do not hold it up");
    assert!(!node.home().join("run").exists() && !node.home().join("token").exists());
    node.start();
    assert_eq!(node.ok(&["cat", "box:f"]), "kept");
    assert_eq!(node.json(&["name"])["name"], "Alice");
}

#[test]
fn once_it_says_that_it_has_stopped_it_can_be_started() {
    let mut node = node_with_space();
    for round in 0..5 {
        node.bytes(&["put", &format!("box:{round}")], b"x");
        node.json(&["stop"]);
        // The old process may still be on its way out; the home is free.
        node.start_beside();
    }
    assert_eq!(names(&node, "box").len(), 5);
}

#[test]
fn stopping_does_not_wait_for_peers_that_are_gone() {
    let mut node = node_with_space();
    let mut gone = Node::started();
    let hint = gone.hint();
    gone.stop();
    node.json(&["replicate", &"11".repeat(32), "--peer", &hint]);
    let asked = std::time::Instant::now();
    node.stop();
    assert!(asked.elapsed().as_millis() < 2500, "{:?}", asked.elapsed());
    assert_eq!(node.log(), "", "nor is it worth a word");
}

#[test]
fn help_is_there_for_every_command() {
    let node = Node::new();
    let help = finish(node.command(&["--help"]), b"");
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    let commands = text
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   ")); // what a long line goes on in
    let words: Vec<_> = commands
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(words.len() > 20, "{text}");
    for word in words {
        let help = finish(node.command(&[word, "--help"]), b"");
        assert!(word == "help" || help.status.success(), "{word}");
    }
    let alone = std::process::Command::new(env!("CARGO_BIN_EXE_cobox"))
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&alone.stderr).contains("cobox up"),
        "alone it tells how to begin"
    );
}
