//! A device from its first start to its last command: real programs, real sockets, its own beacon.

mod common;

use common::compare::assert_equal;
use common::lan::{
    Lan, set_up, tell, wait_for_answer, wait_for_beacon, wait_for_copy, wait_for_silence,
};
use common::random::Random;
use common::{Node, until};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn create(node: &Node, name: &str) -> String {
    let created = node.json(&["space", "create", name]);
    created["address"].as_str().unwrap().to_owned()
}

/// A space with something in it; its address, and where that came from.
fn space_with_files(node: &Node, name: &str) -> (String, PathBuf) {
    let address = create(node, name);
    let source = node.scratch("source");
    fs::create_dir_all(source.join("deep")).unwrap();
    fs::write(source.join("deep/noise.bin"), Random::new(3).bytes(6 << 20)).unwrap();
    fs::write(source.join("notes.txt"), "sow in march").unwrap();
    let words = ["import", name].map(PathBuf::from);
    let done = node.json(&[&words[..], std::slice::from_ref(&source)].concat());
    assert_eq!(done["problems"], Value::Array(Vec::new()));
    (address, source)
}

/// Bytes below a folder.
fn on_disk(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => on_disk(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0, // gone meanwhile
    };
    entries.map(size).sum()
}

#[test]
fn claimed_on_the_lan_it_backs_up_a_space_that_comes_back_from_it_alone() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let (mut ann, eve) = (lan.person("Ann"), lan.person("Eve"));
    assert_eq!(hub.ready()["claimed"], false);
    let seen = wait_for_beacon(&eve, &hub);
    assert_eq!(
        (&seen["name"], &seen["claimed"]),
        (&"new-hub".into(), &false.into())
    );
    let device = set_up(&ann, &hub, "attic");
    assert_eq!(
        (&device["name"], &device["admin"]),
        (&"attic".into(), &true.into())
    );

    // A stranger who still remembers the announcement is too late.
    let key = seen["publicKey"].as_str().unwrap();
    let late = eve.fails(&["device", "setup", key, "--name", "mine"]);
    // Which of the two depends on whether the announcement is over yet.
    let refused = late.contains("admin already") || late.contains("used already");
    assert!(refused, "{late}");
    wait_for_silence(&eve);
    let unseen = eve.fails(&["device", "setup", key, "--name", "mine"]);
    assert!(unseen.contains("announces itself"), "{unseen}");
    assert_eq!(
        ann.json(&["space", "list"]),
        Value::Array(Vec::new()),
        "a device is no space"
    );

    let (address, source) = space_with_files(&ann, "garden");
    let said = tell(
        &ann,
        &["replicate", "attic", &address, "--name", "Ann's garden"],
    );
    assert_eq!(
        (&said["authorName"], &said["command"]),
        (&"Ann".into(), &"replicate".into())
    );
    // Its friend is invited before Ann goes away.
    let bob = Node::named("Bob");
    let invited = ann.json(&["invite", "garden", &bob.public_key()]);
    let status = wait_for_copy(&ann, "attic", &address);
    assert_eq!(status["replicates"][0]["name"], "Ann's garden");
    assert_eq!(
        status["replicates"][0]["addedBy"],
        ann.public_key().as_str()
    );
    assert!(
        status["status"]["used"].as_u64() > Some(6 << 20),
        "{status}"
    );
    assert!(
        status["status"]["free"].as_u64() > Some(0) && status["online"] == true,
        "{status}"
    );
    ann.stop();
    bob.json(&[
        "join",
        invited["code"].as_str().unwrap(),
        "--peer",
        &hub.hint(),
    ]);
    let dir = bob.scratch("restored");
    bob.json(&[Path::new("export"), Path::new("garden"), &dir]);
    assert_equal(&source, &dir.join("source"));

    ann.start();
    let before = on_disk(&hub.home().join("store"));
    assert!(before > 6 << 20, "{before}");
    tell(&ann, &["unreplicate", "attic", &address]);
    assert_eq!(hub.json(&["replicas"]), Value::Array(Vec::new()));
    until("its disk is free", || {
        let after = on_disk(&hub.home().join("store"));
        if after < 2 << 20 {
            Ok(())
        } else {
            Err(after.to_string())
        }
    });
    let log = ann.json(&["device", "log", "attic"]);
    let words: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["command"])
        .collect();
    assert!(words.contains(&&"replicate".into()) && words.contains(&&"unreplicate".into()));
}

#[test]
fn with_a_code_only_who_reads_it_can_claim() {
    let lan = Lan::new();
    let hub = lan.hub(&["--code"]);
    let code = hub.ready()["code"].as_str().unwrap().to_owned();
    assert!(
        code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()),
        "{code}"
    );
    let ann = lan.person("Ann");
    let seen = wait_for_beacon(&ann, &hub);
    assert_eq!(seen["needsCode"], true);
    let key = seen["publicKey"].as_str().unwrap();
    let setup = |more: &[&'static str]| -> Vec<String> {
        let words = [&["device", "setup", key, "--name", "attic"], more].concat();
        words.into_iter().map(String::from).collect()
    };
    assert!(ann.fails(&setup(&[])).contains("--code"));
    let wrong = if code == "11111111" {
        "22222222"
    } else {
        "11111111"
    };
    // Each try needs a fresh announcement, which comes within two seconds.
    let refusal = until("a wrong code is called wrong", || {
        let said = ann.fails(&[setup(&["--code"]), vec![wrong.to_owned()]].concat());
        if said.contains("not the code") {
            Ok(said)
        } else {
            Err(said)
        }
    });
    assert!(!refusal.contains(&code));
    until("the right code opens", || {
        let done = ann.run(&[setup(&["--code"]), vec![code.clone()]].concat());
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains("announcement is over"), "{said}");
        Err(said)
    });
}

#[test]
fn further_admins_come_over_the_lan_while_it_is_announced_or_by_a_code() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let (ann, bob, carol) = (lan.person("Ann"), lan.person("Bob"), Node::named("Carol"));
    set_up(&ann, &hub, "attic");
    wait_for_silence(&bob);
    tell(&ann, &["announce", "attic"]);
    let seen = wait_for_beacon(&bob, &hub);
    assert_eq!(seen["claimed"], true);
    let device = set_up(&bob, &hub, "something else");
    assert_eq!(device["name"], "attic");
    // It was for one; then the beacon stops by itself.
    wait_for_silence(&ann);
    tell(&bob, &["announce", "attic"]);
    tell(&ann, &["hide", "attic"]);
    wait_for_silence(&bob);

    let code = ann.json(&["device", "add-admin", "attic", &carol.public_key()]);
    carol.json(&[
        "join",
        code["code"].as_str().unwrap(),
        "--peer",
        &hub.hint(),
    ]);
    until("Carol may command it", || {
        let mine = carol.json(&["device", "list"])["mine"].clone();
        if mine[0]["admin"] == true {
            Ok(())
        } else {
            Err(mine.to_string())
        }
    });
    tell(&carol, &["rename", "attic", "cellar"]);
    until("everybody sees the name and who gave it", || {
        let log = bob.json(&["device", "log", "cellar"]);
        let log = log.as_array().unwrap().clone();
        let found = log.iter().find(|one| one["command"] == "rename");
        match found {
            Some(one) if one["authorName"] == "Carol" && one["state"] == "done" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let admins = bob.json(&["device", "admins", "cellar"]);
    let by: Vec<_> = admins
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["by"].clone())
        .collect();
    for way in ["claimed", "announced", "added"] {
        assert!(by.contains(&way.into()), "{admins}");
    }
    tell(&ann, &["remove-admin", "cellar", &carol.public_key()]);
    until("Carol is told that she may not", || {
        let said = carol.run(&["device", "hide", "cellar", "--no-wait"]);
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        if words.contains("not an admin") {
            Ok(())
        } else {
            Err(words)
        }
    });
}

#[test]
fn killed_in_the_middle_of_every_command_it_does_each_once() {
    let lan = Lan::new();
    let mut hub = lan.hub(&[]);
    let ann = lan.person("Ann");
    set_up(&ann, &hub, "attic");
    let (address, _) = space_with_files(&ann, "garden");
    let carol = Node::named("Carol").public_key();
    let mut device = "attic";
    let mut given = Vec::new();
    let quota = "1GiB";
    let commands: [&[&str]; 10] = [
        &["replicate", "DEVICE", &address, "--name", "garden"],
        &["quota", "DEVICE", &address, quota],
        &["status", "DEVICE"],
        &["announce", "DEVICE"],
        &["hide", "DEVICE"],
        &["unreplicate", "DEVICE", &address],
        &["rename", "DEVICE", "cellar"],
        &["replicate", "DEVICE", &address, "--name", "again"],
        &["add-admin", "DEVICE", &carol],
        &["remove-admin", "DEVICE", &carol],
    ];
    let mut random = Random::new(11);
    for command in commands {
        let mut words: Vec<_> = command
            .iter()
            .map(|word| if *word == "DEVICE" { device } else { word })
            .collect();
        if command[0] != "add-admin" {
            words.push("--no-wait");
        }
        let said = ann.json(&[&["device"], &words[..]].concat());
        // Anywhere between hearing of it and having answered.
        std::thread::sleep(Duration::from_millis(random.next() % 40));
        hub.kill9();
        hub.start();
        given.push(said);
        if command[0] == "rename" {
            until("the name is known", || {
                let mine = ann.json(&["device", "list"])["mine"][0]["name"].clone();
                if mine == "cellar" {
                    Ok(())
                } else {
                    Err(mine.to_string())
                }
            });
            device = "cellar";
        }
    }
    let log = until("all are answered", || {
        let log = ann.json(&["device", "log", device]);
        // A command that is heard late may be superseded by then: what was announced is hidden again.
        let answered = |one: &Value| one["state"] == "done" || one["state"] == "superseded";
        match log.as_array().unwrap().iter().all(answered) {
            true => Ok(log),
            false => Err(log.to_string()),
        }
    });
    assert_eq!(log.as_array().unwrap().len(), commands.len());
    // As the device said it, message by message: one answer to each, however often it was killed.
    let question =
        r#"{"$filter":{"type":"device/answer","content.kind":0},"$map":"content.command"}"#;
    let answers = ann.json(&["query", device, question])["result"].clone();
    let answered: Vec<_> = answers.as_array().unwrap().iter().collect();
    for one in log.as_array().unwrap() {
        let times = answered.iter().filter(|id| ***id == one["id"]).count();
        assert_eq!(times, 1, "{one}");
    }
    for (one, command) in log.as_array().unwrap().iter().zip(commands) {
        assert_eq!(
            one["command"], command[0],
            "in the order in which they were given"
        );
    }
    let status = wait_for_copy(&ann, device, &address);
    assert_eq!(status["replicates"].as_array().unwrap().len(), 1);
    assert_eq!(status["replicates"][0]["name"], "again");
    assert_eq!(
        status["replicates"][0].get("quota"),
        None,
        "that was before"
    );
    assert_eq!(status["admins"].as_array().unwrap().len(), 1);
    let said = ann.json(&["device", "hide", device, "--no-wait"]);
    wait_for_answer(&ann, device, &said);
}

#[test]
fn a_quota_is_kept_and_can_be_raised() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let ann = lan.person("Ann");
    set_up(&ann, &hub, "attic");
    let (address, _) = space_with_files(&ann, "garden");
    tell(&ann, &["replicate", "attic", &address, "--quota", "1MB"]);
    until("it stops at its quota", || {
        let detail = ann.json(&["device", "status", "attic"]);
        let far = detail["replicates"][0]["progress"].clone();
        if far["overQuota"] == true {
            Ok(())
        } else {
            Err(detail.to_string())
        }
    });
    assert!(on_disk(&hub.home().join("store")) < 3 << 20);
    tell(&ann, &["quota", "attic", &address, "none"]);
    let detail = wait_for_copy(&ann, "attic", &address);
    assert_eq!(detail["replicates"][0]["progress"]["overQuota"], false);
    assert!(detail["status"]["used"].as_u64() > Some(6 << 20));
}

#[test]
fn a_home_is_a_persons_or_a_devices() {
    let lan = Lan::new();
    let mut hub = lan.hub(&[]);
    assert!(
        hub.fails(&["space", "create", "x"])
            .contains("no such call")
    );
    hub.stop();
    let said = hub.fails(&["up", "--port", "0", "--no-lan"]);
    assert!(said.contains("cobox hub"), "{said}");
    let mut ann = Node::named("Ann");
    create(&ann, "photos");
    ann.stop();
    let said = ann.fails(&["hub", "--port", "0"]);
    assert!(said.contains("--home"), "{said}");
    ann.start();
    assert_eq!(ann.json(&["space", "list"])[0]["name"], "photos");
}
