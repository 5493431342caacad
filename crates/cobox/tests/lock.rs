//! A password: nothing secret on the disk, a locked program that keeps copies and shows nothing, and nothing of before in
//! its memory after it was locked again.

mod common;

use common::secrets::{
    Wanted, files_below, forms, found_in_memory, found_on_disk, printed, root_on, thief, words_on,
};
use common::{Node, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const PASSWORD: &str = "correct horse battery";

/// The running program of a home.
fn pid(node: &Node) -> u32 {
    let run = fs::read(node.home().join("run")).unwrap();
    let run: Value = serde_json::from_slice(&run).unwrap();
    run["pid"].as_u64().unwrap().try_into().unwrap()
}

fn is_locked(node: &Node) -> bool {
    node.get("/system")["locked"].as_bool().unwrap()
}

fn unlock(node: &Node, password: &str) -> (u16, Value) {
    node.call("POST", "/unlock", Some(&json!({ "password": password })))
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    let code = answer.1["errors"][0]["code"].as_str();
    (answer.0, code.unwrap_or_default())
}

/// A person with a space that has a file.
fn with_a_space() -> Node {
    let node = Node::named("Alice");
    node.json(&["space", "create", "garden"]);
    node.bytes(
        &["put", "garden:roses.txt"],
        b"red roses are in the greenhouse",
    );
    node
}

#[test]
fn a_password_takes_every_secret_off_the_disk_and_locking_out_of_memory() {
    let mut node = with_a_space();
    let loot = thief(node.home());
    assert_eq!(loot.len(), 7, "{:?}", loot.keys());
    // What went through it on the way to paper and back, too.
    let paper = printed(&node);
    let mut secrets = loot.clone();
    secrets.insert("root".into(), root_on(&paper));
    let typed = json!({ "text": paper });
    assert_eq!(node.call("POST", "/keys/check", Some(&typed)).0, 200);
    let wanted = Wanted::of(&secrets);

    // The search finds what is there: on the disk without a password, and in the memory of an open program.
    let without = found_on_disk(node.home(), &wanted);
    assert!(
        without
            .iter()
            .any(|found| found.starts_with("identity in ")),
        "{without:?}"
    );
    let planted = node.home().join("planted");
    for form in forms(&secrets["parent key"]) {
        fs::write(&planted, [b"some ".as_slice(), &form, b" text"].concat()).unwrap();
        let found = found_on_disk(node.home(), &wanted);
        assert!(
            found.iter().any(|found| found.contains("planted")),
            "{found:?}"
        );
    }
    fs::remove_file(&planted).unwrap();
    node.bytes(&["password", "set"], format!("{PASSWORD}\n").as_bytes());
    assert!(thief(node.home()).is_empty());
    let texts = ["red roses are in the greenhouse", PASSWORD, "roses.txt"];
    let texts = texts.map(|text| (text.to_owned(), vec![text.as_bytes().to_vec()]));
    let mut all = Wanted::of(&secrets);
    all.0.extend(texts);
    all.0.insert("words on paper".into(), words_on(&paper));
    let process = pid(&node);
    let (read, open) = found_in_memory(process, &all);
    assert!(read > 1 << 20);
    for name in ["identity", "encryption key of garden", "parent key"] {
        assert!(
            open.iter().any(|found| found.starts_with(name)),
            "{name}: {open:?}"
        );
    }

    node.json(&["lock"]);
    assert_eq!(pid(&node), process, "it is the same process");
    assert!(is_locked(&node));
    let (read, locked) = found_in_memory(process, &all);
    assert!(read > 1 << 20);
    assert_eq!(locked, Vec::<String>::new());
    assert_eq!(found_on_disk(node.home(), &all), Vec::<String>::new());
    // Nor where a process shows how it was started, nor in what it logged.
    for shown in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{process}/{shown}")).unwrap();
        assert!(all.found_in(&shown).is_empty());
    }
    assert!(all.found_in(node.log().as_bytes()).is_empty());
    // It writes no core file, and nobody but root looks into it.
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    assert!(
        core.unwrap().split_whitespace().nth(4) == Some("0"),
        "{core:?}"
    );

    node.kill9();
    assert_eq!(found_on_disk(node.home(), &all), Vec::<String>::new());
    node.start();
    assert_eq!(node.ready()["locked"], true);
    assert_eq!(unlock(&node, PASSWORD).0, 204);
    assert_eq!(
        node.ok(&["cat", "garden:roses.txt"]),
        "red roses are in the greenhouse"
    );
    assert_eq!(
        found_on_disk(node.home(), &all),
        Vec::<String>::new(),
        "open, too"
    );
    node.bytes(&["password", "remove"], format!("{PASSWORD}\n").as_bytes());
    assert_eq!(thief(node.home()), loot, "the control once more");
    node.stop();
}

#[test]
fn a_locked_program_says_that_it_is_locked_and_nothing_else() {
    let mut node = with_a_space();
    let key = node.public_key();
    let address = node.space("garden")["address"].as_str().unwrap().to_owned();
    let calls = calls(&node);
    node.bytes(&["password"], format!("{PASSWORD}\n").as_bytes());
    node.stop();
    node.start();
    assert_eq!(
        (&node.ready()["locked"], &node.ready()["kept"]),
        (&json!(true), &json!(1))
    );
    let status = node.get("/status");
    assert_eq!(
        (&status["locked"], &status["kept"]),
        (&json!(true), &json!(1))
    );
    let shown = format!("{status}{}", node.ready());
    for secret in ["Alice", "garden", &key, &address] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let answered = [
        "GET /api/auth",
        "GET /api/docs",
        "GET /api/openapi.json",
        "GET /api/status",
        "GET /api/system",
        "POST /api/auth",
        "POST /api/stop",
        "POST /api/unlock",
    ];
    for (method, path) in calls
        .iter()
        .filter(|(method, path)| !answered.contains(&format!("{method} /api{path}").as_str()))
    {
        let filled = path.replace("{space}", "garden");
        let filled = filled.replace(['{', '}'], "");
        let answer = node.call(method, &filled, Some(&json!({})));
        assert_eq!(
            code(&answer),
            (423, "locked"),
            "{method} {path}: {answer:?}"
        );
    }
    for words in [
        &["space", "list"][..],
        &["ls", "garden"],
        &["name"],
        &["members", "garden"],
    ] {
        let said = node.fails(words);
        assert!(said.contains("cobox unlock"), "{said}");
    }
    assert!(node.ok(&["status"]).contains("locked"));
    // Whoever holds no token hears nothing at all.
    let stranger = node.raw_call("GET", "/status", &host(&node), b"");
    assert_eq!(code(&stranger), (401, "wrong_token"));

    // Wrong ones slow down, the right one opens, by the page too.
    assert_eq!(code(&unlock(&node, "wrong horse")), (401, "wrong_password"));
    let slowed = until("guessing is slowed down", || {
        match unlock(&node, "a guess") {
            answer if answer.0 == 429 => Ok(answer),
            answer => Err(format!("{answer:?}")),
        }
    });
    assert_eq!(code(&slowed), (429, "too_many_tries"));
    assert!(is_locked(&node));
    until("the right one is taken after the wait", || {
        let body = json!({ "password": PASSWORD }).to_string();
        let headers = format!("{}Content-Type: application/json\r\n", host(&node));
        match node.raw_call("POST", "/auth", &headers, body.as_bytes()).0 {
            204 => Ok(()),
            other => Err(other.to_string()),
        }
    });
    assert!(!is_locked(&node));
    assert_eq!(node.get("/identities/current")["publicKey"], key.as_str());
    assert_eq!(
        node.ok(&["cat", "garden:roses.txt"]),
        "red roses are in the greenhouse"
    );
    node.stop();
}

fn host(node: &Node) -> String {
    format!("Host: localhost:{}\r\n", node.port())
}

/// Method and path below `/api` of every call.
fn calls(node: &Node) -> Vec<(String, String)> {
    let document = node.get("/openapi.json");
    let paths = document["paths"].as_object().unwrap().clone();
    let of_path = |(path, methods): (String, Value)| {
        let path = path.strip_prefix("/api").unwrap().to_owned();
        let methods = methods
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>();
        methods
            .into_iter()
            .map(move |method| (method.to_uppercase(), path.clone()))
    };
    paths.into_iter().flat_map(of_path).collect()
}

#[test]
fn a_locked_program_carries_over_what_members_write_who_never_meet() {
    let mut alice = with_a_space();
    let join = |name: &str| {
        let node = Node::named(name);
        let code = alice.json(&["invite", "garden", &node.public_key()]);
        node.json(&[
            "join",
            code["code"].as_str().unwrap(),
            "--peer",
            &alice.hint(),
        ]);
        node.converge(&alice, "garden");
        node
    };
    let (bob, mut carol) = (join("Bob"), join("Carol"));
    alice.bytes(&["password"], format!("{PASSWORD}\n").as_bytes());
    carol.stop();
    alice.json(&["lock"]);
    bob.bytes(
        &["put", "garden:by-bob.txt"],
        b"written while Alice was locked",
    );
    let written = bob.json(&["history", "garden:by-bob.txt"])[0]["time"]
        .as_str()
        .unwrap()
        .to_owned();
    let hint = alice.hint();
    let device = hint.split('@').next().unwrap();
    until("the locked program has it all", || {
        let space = bob.space("garden");
        let receipts = space["receipts"].as_array().cloned().unwrap_or_default();
        let is_new = |receipt: &Value| {
            receipt["peerId"] == device
                && receipt["replicator"] == true
                && receipt["complete"] == true
                && receipt["lastSyncAt"].as_str() > Some(&written)
        };
        match receipts.iter().any(is_new) {
            true => Ok(()),
            false => Err(space.to_string()),
        }
    });
    let mut bob = bob;
    bob.stop();
    carol.start();
    until("Carol has it from the locked program", || {
        let output = carol.run(&["cat", "garden:by-bob.txt"]);
        match output.status.success() && output.stdout == b"written while Alice was locked" {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    });
    alice.bytes(&["unlock"], format!("{PASSWORD}\n").as_bytes());
    alice.converge(&carol, "garden");
    alice.stop();
}

#[test]
fn the_password_can_be_at_hand_in_a_file_or_as_a_credential() {
    let mut node = with_a_space();
    node.bytes(&["password"], format!("{PASSWORD}\n").as_bytes());
    node.stop();
    let credentials = node.scratch("credentials");
    fs::create_dir(&credentials).unwrap();
    let file = credentials.join("cobox-password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let mut node = node.with_flags(["--password-file", file.to_str().unwrap()]);
    node.start();
    assert!(!is_locked(&node) && node.space("garden")["files"] == 1);
    // Locking stays locked, though the password is at hand.
    node.json(&["lock"]);
    assert!(is_locked(&node));
    node.bytes(&["unlock"], format!("{PASSWORD}\n").as_bytes());
    node.stop();

    fs::write(&file, "another one\n").unwrap();
    node.start();
    assert!(is_locked(&node));
    assert!(
        node.log().contains("is not the password of this home"),
        "{}",
        node.log()
    );
    assert!(!node.log().contains("another one"));
    node.stop();
    fs::remove_file(&file).unwrap();
    let up = [
        "up",
        "--port",
        "0",
        "--no-lan",
        "--password-file",
        file.to_str().unwrap(),
    ];
    let said = node.fails(&up);
    assert!(said.contains("nothing was started"), "{said}");
}

#[test]
fn changing_wraps_one_small_file_anew_and_a_mounted_space_is_unmounted() {
    let node = with_a_space();
    node.bytes(&["password", "set"], b"first password\n");
    let sizes = |node: &Node| -> BTreeMap<PathBuf, Vec<u8>> {
        let small = files_below(node.home()).into_iter();
        let small =
            small.filter(|path| path.parent() == Some(node.home()) && !path.ends_with("peers"));
        small
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    let before = sizes(&node);
    let wrong = node.command(&["password", "change"]);
    let wrong = common::node::finish(wrong, b"not it at all\nsecond password\n");
    assert!(!wrong.status.success());
    assert_eq!(sizes(&node), before);
    node.bytes(
        &["password", "change"],
        b"first password\nsecond password\n",
    );
    let after = sizes(&node);
    let changed: Vec<_> = after
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(*bytes))
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].0.ends_with("identity") && changed[0].1.len() < 200);

    let at = node.scratch("mounted");
    node.json(&["mount", "garden", "--at", at.to_str().unwrap()]);
    assert_eq!(
        fs::read(at.join("roses.txt")).unwrap(),
        b"red roses are in the greenhouse"
    );
    fs::write(at.join("tulips.txt"), b"yellow").unwrap();
    node.json(&["lock"]);
    assert!(
        !at.join("roses.txt").exists(),
        "nothing is mounted any more"
    );
    assert_eq!(
        code(&unlock(&node, "first password")),
        (401, "wrong_password")
    );
    assert_eq!(unlock(&node, "second password").0, 204);
    assert_eq!(
        node.ok(&["cat", "garden:tulips.txt"]),
        "yellow",
        "it was committed"
    );
    until("it is mounted again", || {
        fs::read(at.join("tulips.txt"))
            .map(drop)
            .map_err(|error| error.to_string())
    });
}
