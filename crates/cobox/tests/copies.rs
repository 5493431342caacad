//! A home folder that is copied, moved, or runs twice; and a person who moves to a new machine on purpose.

mod common;

use common::{Node, until};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PASSPHRASE: &[u8] = b"all my keys in one file\n";

/// A copy of a whole folder, times and modes included.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

fn with_a_space(name: &str) -> Node {
    let node = Node::named(name);
    node.json(&["space", "create", "garden"]);
    node.bytes(&["put", "garden:first.txt"], b"from the beginning");
    node
}

fn join(node: &Node, host: &Node) {
    let code = host.json(&["invite", "garden", &node.public_key()]);
    node.json(&[
        "join",
        code["code"].as_str().unwrap(),
        "--peer",
        &host.hint(),
    ]);
    node.converge(host, "garden");
}

fn device(node: &Node) -> String {
    node.hint().split('@').next().unwrap().to_owned()
}

#[test]
fn a_copied_home_is_refused_until_it_is_said_to_be_one_and_then_nothing_forks() {
    let mut alice = with_a_space("Alice");
    let bob = Node::named("Bob");
    join(&bob, &alice);
    alice.stop();
    let copied = Node::new();
    copy(alice.home(), copied.home());
    alice.start();

    let up = ["up", "--port", "0", "--no-lan", "--bind", "127.0.0.1:0"];
    let said = copied.fails(&up);
    for words in ["is a copy, or was moved", "--moved", "nothing was started"] {
        assert!(said.contains(words), "{said}");
    }
    let mut copied = copied.with_flags(["--moved"]);
    copied.start();
    assert_eq!(copied.public_key(), alice.public_key());
    assert_ne!(device(&copied), device(&alice));
    alice.bytes(&["put", "garden:alice.txt"], b"by the original");
    copied.bytes(&["put", "garden:copy.txt"], b"by the copy");
    for other in [&alice, &copied] {
        bob.converge(other, "garden");
    }
    for name in ["first.txt", "alice.txt", "copy.txt"] {
        bob.ok(&["cat", &format!("garden:{name}")]);
    }
    for node in [&alice, &bob, &copied] {
        assert_eq!(
            node.space("garden")["refusals"],
            json!([]),
            "{}",
            node.space("garden")
        );
    }
    // Once it was said, it is a home like any other.
    copied.stop();
    let mut again = Node::new().at_home(copied.home().to_owned());
    again.start();
    assert_ne!(device(&again), device(&alice));
    again.stop();
}

/// A clone of a whole disk looks the same from inside: only the network tells.
#[test]
fn of_two_homes_with_the_same_keys_the_one_that_came_later_gives_way() {
    let mut alice = with_a_space("Alice");
    let bob = Node::named("Bob");
    join(&bob, &alice);
    alice.stop();
    let mut clone = clone_of(&alice);
    alice.start();
    bob.converge(&alice, "garden");
    clone.start();
    assert_eq!(device(&clone), device(&alice));
    let said = until("the clone ends", || match clone.ended() {
        Some(status) if !status.success() => Ok(clone.log()),
        Some(status) => Err(format!("{status}: {}", clone.log())),
        None => Err("it runs".into()),
    });
    assert!(said.contains("runs already, at 127.0.0.1:"), "{said}");
    assert!(said.contains("--moved"), "{said}");

    // The original goes on, and nothing was forked.
    // (Bob may have heard of a last word of the clone that never came.)
    alice.bytes(&["put", "garden:after.txt"], b"by the original");
    until("Bob has it", || {
        match bob.listing("garden") == alice.listing("garden") {
            true => Ok(()),
            false => Err(bob.space("garden").to_string()),
        }
    });
    assert_eq!(bob.space("garden")["refusals"], json!([]));
    let refused = clone.fails(&["up", "--port", "0", "--no-lan", "--bind", "127.0.0.1:0"]);
    assert!(refused.contains("--moved"), "{refused}");
    let mut clone = Node::new()
        .at_home(clone.home().to_owned())
        .with_flags(["--moved"]);
    clone.start();
    assert_ne!(device(&clone), device(&alice));
    clone.bytes(&["put", "garden:clone.txt"], b"by the clone");
    bob.converge(&clone, "garden");
    assert!(alice.space("garden")["refusals"] == json!([]));
}

/// The same files in another folder whose marker fits, as it would on a cloned disk.
fn clone_of(node: &Node) -> Node {
    let clone = Node::new();
    let shell = Node::new().at_home(clone.home().to_owned());
    let mut shell = shell;
    shell.start();
    shell.stop();
    let marked = clone.home().join("store/lock");
    for file in files_below(clone.home()) {
        if file != marked {
            fs::remove_file(file).unwrap();
        }
    }
    for file in files_below(node.home()) {
        let target = clone.home().join(file.strip_prefix(node.home()).unwrap());
        if target != marked {
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&file, &target).unwrap();
        }
    }
    clone
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let below = |path: PathBuf| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(below).collect()
}

/// Started anew, at another port, twice: nobody takes that for a twin.
#[test]
fn a_program_that_starts_anew_elsewhere_is_no_twin() {
    let alice = with_a_space("Alice");
    let mut bob = Node::named("Bob");
    join(&bob, &alice);
    for _ in 0..2 {
        bob.kill9();
        let home = bob.home().to_owned();
        let mut next = Node::new().at_home(home);
        next.start();
        next.json(&["replicas"]);
        alice.bytes(&["put", "garden:more.txt"], b"more");
        next.converge(&alice, "garden");
        assert!(next.ended().is_none());
        next.stop();
        bob.start();
    }
}

#[test]
fn a_person_moves_to_a_new_machine_with_one_file() {
    let alice = with_a_space("Alice");
    let bob = Node::named("Bob");
    join(&bob, &alice);
    alice.json(&["config", "set", "log", "info"]);
    let address = "ab".repeat(32);
    alice.json(&["replicate", &address, "--name", "a friend's"]);
    let file = alice.scratch("keys.age");
    let name = file.to_str().unwrap();
    alice.bytes(&["export-keys", name], PASSPHRASE);
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1"));
    assert!(!bytes.windows(6).any(|part| part == b"garden"));
    let again = common::node::finish(alice.command(&["export-keys", name]), PASSPHRASE);
    assert!(!again.status.success(), "no file is overwritten");
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let stranger = common::node::finish(bob.command(&["import-keys", name]), PASSPHRASE);
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(
        !stranger.status.success() && said.contains("somebody lives in this home"),
        "{said}"
    );

    // Into a home where nothing runs, and by a program that was just started.
    let mut offline = Node::new();
    let wrong = common::node::finish(
        offline.command(&["import-keys", name]),
        b"not the passphrase\n",
    );
    assert!(!wrong.status.success());
    assert!(!offline.home().join("identity").exists());
    let moved = offline.bytes(&["--json", "import-keys", name], PASSPHRASE);
    let moved: Value = serde_json::from_slice(&moved).unwrap();
    assert_eq!(
        (&moved["name"], &moved["spaces"], &moved["replicas"]),
        (&json!("Alice"), &json!(1), &json!(1))
    );
    offline.start();
    let running = Node::started();
    let before = running.public_key();
    running.bytes(&["import-keys", name], PASSPHRASE);
    until("it began anew as Alice", || {
        let output = running.run(&["--json", "name"]);
        let who: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        match who["publicKey"].as_str() {
            Some(key) if key != before => Ok(()),
            _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    });
    for new in [&offline, &running] {
        let who = new.json(&["name"]);
        assert_eq!(
            (who["publicKey"].as_str(), who["name"].as_str()),
            (Some(&*alice.public_key()), Some("Alice"))
        );
        assert_eq!(new.json(&["replicas"])[0]["address"], address.as_str());
        let settings = fs::read_to_string(new.home().join("config.yaml")).unwrap();
        assert!(settings.contains("\nlog: "), "{settings}");
        new.converge(&alice, "garden");
        new.bytes(
            &["put", "garden:by-a-further-device.txt"],
            device_of(new).as_bytes(),
        );
        bob.converge(new, "garden");
    }
    let members = bob.json(&["members", "garden"]);
    assert_eq!(members.as_array().unwrap().len(), 2, "{members}");
    assert_eq!(bob.space("garden")["refusals"], json!([]));
    let refused = common::node::finish(running.command(&["import-keys", name]), PASSPHRASE);
    assert!(!refused.status.success(), "nobody moves in twice");
}

fn device_of(node: &Node) -> String {
    let hint = node.get("/status")["hint"].as_str().unwrap().to_owned();
    hint.split('@').next().unwrap().to_owned()
}
