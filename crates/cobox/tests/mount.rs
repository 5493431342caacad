//! Spaces as folders: real programs mount them, other programs use them, power goes, people say nonsense.

mod common;

use common::mounts::{can_mount, mounted_below};
use common::{Node, until};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn node_with(spaces: &[&str]) -> Node {
    let node = Node::named("Alice");
    for space in spaces {
        node.json(&["space", "create", space]);
    }
    node
}

fn read(path: impl AsRef<Path>) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// Paths as words of a command.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_is_written_is_there_after_a_restart_and_so_is_the_folder() {
    if !can_mount() {
        return;
    }
    let mut node = node_with(&["box"]);
    let at = node.usual("box");
    let mounted = node.json(&["mount", "box"]);
    assert_eq!(
        mounted,
        json!({ "at": at, "webdav": false, "readOnly": false })
    );
    fs::create_dir(at.join("folder")).unwrap();
    fs::write(at.join("folder/file"), "written").unwrap();
    // Not waited for: stopping commits it.
    node.stop();
    assert!(
        !at.exists(),
        "the folder was made by the program and goes with it"
    );
    node.start();
    assert_eq!(node.mount_of("box"), mounted);
    assert_eq!(read(at.join("folder/file")).unwrap(), "written");
    assert_eq!(node.ok(&["cat", "box:folder/file"]), "written");

    fs::write(at.join("late"), "just now").unwrap();
    let said = node.json(&["unmount", "box"]);
    assert_eq!(said, json!({ "at": at, "busy": false }));
    assert!(!at.exists() && node.mount_of("box").is_null());
    assert_eq!(node.ok(&["cat", "box:late"]), "just now");
    node.stop();
    node.start();
    assert!(
        node.mount_of("box").is_null(),
        "what was unmounted stays so"
    );
}

#[test]
fn a_signal_unmounts_in_order() {
    if !can_mount() {
        return;
    }
    let mut node = node_with(&["box"]);
    node.json(&["mount", "box"]);
    fs::write(node.usual("box").join("file"), "before Ctrl-C").unwrap();
    node.interrupt();
    assert!(!node.usual("box").exists());
    node.start();
    assert_eq!(
        read(node.usual("box").join("file")).unwrap(),
        "before Ctrl-C"
    );
}

#[test]
fn members_see_each_others_changes_on_their_mounts_within_a_second() {
    if !can_mount() {
        return;
    }
    let (alice, bob) = (node_with(&["box"]), Node::named("Bob"));
    let code = alice.json(&["invite", "box", &bob.public_key()])["code"].clone();
    bob.json(&["join", code.as_str().unwrap(), "--peer", &alice.hint()]);
    // While it is still arriving, mounting is fine.
    bob.json(&["mount", "box"]);
    alice.json(&["mount", "box"]);
    let (ours, theirs) = (alice.usual("box"), bob.usual("box"));
    bob.converge(&alice, "box");
    let mut fastest = Duration::MAX;
    for round in 0..5 {
        let word = format!("round {round}");
        fs::write(ours.join("news"), &word).unwrap();
        let written = Instant::now();
        until("the other member sees it", || {
            match read(theirs.join("news")) {
                Ok(seen) if seen == word => Ok(()),
                seen => Err(format!("{seen:?}")),
            }
        });
        fastest = fastest.min(written.elapsed());
        fs::write(theirs.join(format!("answer {round}")), &word).unwrap();
        until("the first member sees the answer", || {
            let seen = read(ours.join(format!("answer {round}")))?;
            if seen == word { Ok(()) } else { Err(seen) }
        });
    }
    // One slow round is a busy machine.
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

#[test]
fn the_power_goes_and_the_folder_comes_back() {
    if !can_mount() {
        return;
    }
    let mut node = node_with(&["box"]);
    let at = node.usual("box");
    node.json(&["mount", "box"]);
    let mut file = File::create(at.join("synced")).unwrap();
    file.write_all(b"safe").unwrap();
    file.sync_all().unwrap();
    node.kill9();
    drop(file);
    let dead = fs::read_dir(&at).unwrap_err();
    assert_eq!(dead.raw_os_error(), Some(libc::ENOTCONN), "{dead}");
    node.start();
    assert_eq!(read(at.join("synced")).unwrap(), "safe");
    node.json(&["unmount", "box"]);
    assert!(!at.exists(), "it still knows that it made the folder");
    assert!(mounted_below(&node.scratch("cobox")).is_empty());

    // A dead folder of another home in the way.
    let (mut other, at) = (node_with(&["box"]), node.scratch("shared"));
    other.json(&["mount", "box", "--at", text(&at)]);
    other.kill9();
    node.json(&["mount", "box", "--at", text(&at)]);
    assert_eq!(read(at.join("synced")).unwrap(), "safe");
}

#[test]
fn a_folder_in_use_goes_away_and_what_was_written_is_safe() {
    if !can_mount() {
        return;
    }
    let node = node_with(&["box"]);
    let at = node.usual("box");
    node.json(&["mount", "box"]);
    let mut open = File::create(at.join("open")).unwrap();
    open.write_all(b"before").unwrap();
    let said = node.json(&["unmount", "box"]);
    assert_eq!(said["busy"], true, "{said}");
    assert!(!at.exists());
    assert_eq!(node.ok(&["cat", "box:open"]), "before");
    node.json(&["mount", "box"]);
    open.write_all(b", after").unwrap();
    drop(open);
    until("what was written late is seen on the new mount", || {
        let seen = read(at.join("open"))?;
        if seen == "before, after" {
            Ok(())
        } else {
            Err(seen)
        }
    });
    let mut open = File::create(at.join("open")).unwrap();
    open.write_all(b"at the end").unwrap();
    let mut node = node;
    node.stop();
    drop(open);
    node.start();
    assert_eq!(node.ok(&["cat", "box:open"]), "at the end");
}

#[test]
fn what_somebody_else_unmounts_is_known_to_be() {
    if !can_mount() {
        return;
    }
    let node = node_with(&["box"]);
    node.json(&["mount", "box"]);
    let at = node.usual("box");
    fs::write(at.join("file"), "kept").unwrap();
    let unmounted = std::process::Command::new("fusermount3")
        .arg("-u")
        .arg(&at)
        .status();
    assert!(unmounted.unwrap().success());
    until("it is known", || match node.mount_of("box") {
        Value::Null => Ok(()),
        mount => Err(mount.to_string()),
    });
    assert_eq!(node.ok(&["cat", "box:file"]), "kept");
    until("the folder is gone", || match at.exists() {
        true => Err(at.display().to_string()),
        false => Ok(()),
    });
}

#[test]
fn several_spaces_are_mounted_renamed_and_deleted() {
    if !can_mount() {
        return;
    }
    let mut node = node_with(&["one", "two", "three"]);
    let elsewhere = node.scratch("else where");
    fs::create_dir(&elsewhere).unwrap();
    node.json(&["mount", "one"]);
    node.json(&["mount", "two"]);
    node.json(&["mount", "three", "--at", text(&elsewhere)]);
    for (space, at) in [
        ("one", node.usual("one")),
        ("two", node.usual("two")),
        ("three", elsewhere.clone()),
    ] {
        fs::write(at.join("name"), space).unwrap();
    }
    node.json(&["space", "rename", "one", "first"]);
    assert_eq!(node.mount_of("first")["at"], text(&node.usual("one")));
    node.json(&["space", "delete", "two", "--yes"]);
    assert!(!node.usual("two").exists());
    node.stop();
    assert!(elsewhere.is_dir(), "a folder that was there before stays");
    node.start();
    assert_eq!(read(node.usual("one").join("name")).unwrap(), "one");
    assert_eq!(read(elsewhere.join("name")).unwrap(), "three");
    assert_eq!(mounted_below(node.scratch("x").parent().unwrap()).len(), 2);
    node.json(&["unmount", "first"]);
    assert_eq!(
        node.json(&["mount", "first"])["at"],
        text(&node.usual("first"))
    );
}

#[test]
fn the_past_and_read_only_mounts_cannot_be_changed() {
    if !can_mount() {
        return;
    }
    let mut node = node_with(&["box"]);
    node.bytes(&["put", "box:file"], b"then");
    std::thread::sleep(Duration::from_millis(20)); // times are kept in milliseconds
    let then = jiff::Timestamp::now().to_string();
    std::thread::sleep(Duration::from_millis(20));
    node.bytes(&["put", "box:file"], b"now");
    let at = node.usual("box");
    for (words, content) in [
        (["--read-only", "--read-only"], "now"),
        (["--as-of", &then], "then"),
    ] {
        let words = if words[0] == words[1] {
            &words[..1]
        } else {
            &words[..]
        };
        node.json(&[&["mount", "box"][..], words].concat());
        node.stop();
        node.start();
        let mount = node.mount_of("box");
        assert_eq!(mount["readOnly"], true, "{mount}");
        assert_eq!(mount.get("asOf").is_some(), content == "then", "{mount}");
        assert_eq!(read(at.join("file")).unwrap(), content);
        let refused = fs::write(at.join("file"), "other").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EROFS), "{refused}");
        node.json(&["unmount", "box"]);
    }
}

#[test]
fn what_cannot_be_brought_back_is_shown_with_the_reason() {
    if !can_mount() {
        return;
    }
    let mut node = node_with(&["box"]);
    let at = node.scratch("at");
    fs::create_dir(&at).unwrap();
    node.json(&["mount", "box", "--at", text(&at)]);
    node.stop();
    fs::write(at.join("mine"), "not in the space").unwrap();
    node.start();
    let problem = node.mount_of("box")["problem"].clone();
    assert!(problem.as_str().unwrap().contains("not empty"), "{problem}");
    assert!(node.ok(&["status"]).contains("not mounted at"));
    fs::remove_file(at.join("mine")).unwrap();
    node.stop();
    node.start();
    assert!(node.mount_of("box").get("problem").is_none());
    node.stop();
    fs::write(at.join("mine"), "again").unwrap();
    node.start();
    node.json(&["mount", "box"]);
    assert_eq!(node.mount_of("box")["at"], text(&node.usual("box")));
}

#[test]
fn people_and_programs_are_told() {
    if !can_mount() {
        return;
    }
    let node = node_with(&["box"]);
    let (events, lines) = mpsc::channel();
    let mut watch = node.command(&["--json", "watch", "box"]).spawn().unwrap();
    let stdout = BufReader::new(watch.stdout.take().unwrap());
    std::thread::spawn(move || {
        stdout
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| events.send(line))
    });
    let next = |what: &str| -> Value {
        until(what, || {
            let line = lines.try_recv().map_err(|e| e.to_string())?;
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["type"] == "space/mount" {
                Ok(event["data"].clone())
            } else {
                Err(line)
            }
        })
    };
    // Until somebody watches.
    until("the watcher is there", || {
        node.json(&["mount", "box"]);
        node.json(&["unmount", "box"]);
        lines
            .recv_timeout(Duration::from_millis(200))
            .map_err(|e| e.to_string())
    });
    let at = node.usual("box");
    while lines.recv_timeout(Duration::from_millis(500)).is_ok() {}
    let mount = node.json(&["mount", "box"]);
    assert_eq!(next("mounted"), mount);
    assert_eq!(node.get("/spaces")[0]["mount"], mount);
    assert_eq!(node.get("/status")["spaces"][0]["mount"], mount);
    assert_eq!(node.space("box")["mount"], mount);
    let shown = format!("mounted at {}", at.display());
    assert!(node.ok(&["status"]).contains(&shown));
    assert!(node.ok(&["space", "list"]).contains(&shown));
    assert!(node.ok(&["space", "show", "box"]).contains(text(&at)));
    assert!(
        node.ok(&["unmount", "box"])
            .contains("is safe in the space")
    );
    assert!(next("unmounted").is_null());
    assert!(node.ok(&["mount", "box"]).contains(text(&at)));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn nonsense_is_refused_and_mounts_nothing() {
    if !can_mount() {
        return;
    }
    let node = node_with(&["box", "other"]);
    let (full, file) = (node.scratch("full"), node.scratch("full/file"));
    fs::create_dir(&full).unwrap();
    fs::write(&file, "mine").unwrap();
    let fails = |at: &Path| node.fails(&["mount", "box", "--at", text(at)]);
    assert!(fails(&full).contains("not empty"));
    assert!(fails(&file).contains("not a folder"));
    assert!(fails(&file.join("below")).contains("cannot"));
    assert!(fails(&PathBuf::from("/proc/none")).contains("cannot"));
    assert!(
        node.fails(&["mount", "box", "--as-of", "yesterday"])
            .contains("not a time")
    );
    assert!(node.fails(&["mount", "nowhere"]).contains("nowhere"));
    assert!(node.fails(&["unmount", "box"]).contains("not mounted"));
    let post = |body: Value| node.call("POST", "/spaces/box/mount", Some(&body));
    for nonsense in [
        json!({ "at": "here" }),
        json!({ "at": 7 }),
        json!({ "where": "/x" }),
        json!({ "webdav": true, "at": "/x" }),
        json!(7),
    ] {
        let (status, answer) = post(nonsense.clone());
        assert!(
            [400, 422].contains(&status),
            "{nonsense}: {status} {answer}"
        );
    }
    assert_eq!(node.call("DELETE", "/spaces/box/mount", None).0, 409);
    assert!(mounted_below(node.scratch("x").parent().unwrap()).is_empty());
    assert_eq!(read(&file).unwrap(), "mine");

    node.json(&["mount", "box"]);
    let at = node.usual("box");
    assert!(node.fails(&["mount", "box"]).contains("already"));
    assert!(fails(&node.scratch("new")).contains("already"));
    assert!(!node.scratch("new").exists());
    let inside = at.join("inside");
    let said = node.fails(&["mount", "other", "--at", text(&inside)]);
    assert!(said.contains("inside the mounted space"), "{said}");
    let said = node.fails(&["mount", "other", "--at", text(&at)]);
    assert!(said.contains("mounted"), "{said}");
    assert!(!inside.exists());
}
