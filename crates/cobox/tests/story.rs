//! Three people's worth of machines, real processes, real sockets: what CoBox is for, from end to end.

mod common;

use common::compare::{assert_equal, differences};
use common::random::Random;
use common::{Node, tree, until};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of the one big file.
const BIG: usize = 64 << 20;

/// A new space; its address.
fn create(node: &Node, name: &str) -> String {
    let created = node.json(&["space", "create", name]);
    assert_eq!(created["name"], name);
    let address = created["address"].as_str().unwrap().to_owned();
    assert!(
        address.len() == 64 && address.bytes().all(|b| b.is_ascii_hexdigit()),
        "{address}"
    );
    address
}

/// Bob joins Alice's space, introduced to `via`.
fn join(inviter: &Node, guest: &Node, space: &str, via: &Node) {
    let code = code_for(inviter, guest, space);
    let joined = guest.json(&["join", &code, "--peer", &via.hint()]);
    assert_eq!(joined["address"], inviter.space(space)["address"]);
}

fn code_for(inviter: &Node, guest: &Node, space: &str) -> String {
    inviter.json(&["invite", space, &guest.public_key()])["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Alice and Bob in one space, in sync.
fn pair(space: &str) -> (Node, Node) {
    let (alice, bob) = (Node::named("Alice"), Node::named("Bob"));
    create(&alice, space);
    alice.bytes(&["put", &format!("{space}:hello.txt")], b"hello");
    join(&alice, &bob, space, &alice);
    alice.converge(&bob, space);
    (alice, bob)
}

fn put(node: &Node, place: &str, text: &str) {
    node.bytes(&["put", place], text.as_bytes());
}

fn cat(node: &Node, place: &str) -> String {
    node.ok(&["cat", place])
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Waits until the replicator has proven, since `after`, that it holds everything.
fn wait_for_receipt(member: &Node, space: &str, after: jiff::Timestamp) {
    until("a receipt for everything", || {
        let receipts = member.space(space)["receipts"].clone();
        let proves = |receipt: &Value| {
            let at: jiff::Timestamp = receipt["lastSyncAt"].as_str().unwrap().parse().unwrap();
            receipt["replicator"] == true && receipt["complete"] == true && at >= after
        };
        if receipts.as_array().unwrap().iter().any(proves) {
            Ok(())
        } else {
            Err(receipts.to_string())
        }
    });
}

/// Real trees of this machine, a made one, and one big file.
fn sources(node: &Node) -> Vec<PathBuf> {
    let (odd, big) = (node.scratch("odd"), node.scratch("big.bin"));
    tree::make_odd(&odd);
    fs::write(&big, Random::new(9).bytes(BIG)).unwrap();
    let real = ["/usr/include", "/usr/share/doc"].map(PathBuf::from);
    let (present, absent): (Vec<_>, Vec<_>) = real.into_iter().partition(|path| path.is_dir());
    for path in absent {
        eprintln!(
            "left out, because it is not on this machine: {}",
            path.display()
        );
    }
    [vec![odd, big], present].concat()
}

fn import(node: &Node, space: &str, sources: &[PathBuf]) {
    let words = ["import", space].map(PathBuf::from);
    let done = node.json(&[&words[..], sources].concat());
    assert_eq!(
        done["problems"],
        Value::Array(Vec::new()),
        "nothing is left out"
    );
    assert!(
        done["entries"].as_u64() > Some(100) && done["bytes"].as_u64() > Some(BIG as u64),
        "{done}"
    );
}

fn export_and_compare(node: &Node, space: &str, sources: &[PathBuf]) {
    let dir = node.scratch("exported");
    let done = node.json(&[Path::new("export"), Path::new(space), &dir]);
    assert_eq!(done["problems"], Value::Array(Vec::new()));
    for source in sources {
        assert_equal(source, &dir.join(source.file_name().unwrap()));
    }
}

#[test]
fn an_export_right_after_joining_has_everything() {
    let (alice, bob) = (Node::named("Alice"), Node::named("Bob"));
    create(&alice, "photos");
    let sources = [alice.scratch("big.bin"), alice.scratch("odd")];
    fs::write(&sources[0], Random::new(9).bytes(BIG)).unwrap();
    tree::make_odd(&sources[1]);
    import(&alice, "photos", &sources);
    join(&alice, &bob, "photos", &alice);
    export_and_compare(&bob, "photos", &sources);
}

#[test]
fn everything_reaches_bob_through_a_replicator_while_alice_is_away() {
    let (mut alice, hub, mut bob) = (Node::named("Alice"), Node::started(), Node::named("Bob"));
    let sources = sources(&alice);
    let address = create(&alice, "family");
    hub.json(&[
        "replicate",
        &address,
        "--name",
        "for Alice",
        "--peer",
        &alice.hint(),
    ]);
    import(&alice, "family", &sources);
    let asked = now();
    let code = code_for(&alice, &bob, "family");
    wait_for_receipt(&alice, "family", asked);
    let (before, listing) = (alice.space("family"), alice.listing("family"));
    alice.stop();

    let joined = bob.json(&["join", &code, "--peer", &hub.hint()]);
    assert_eq!(
        (&joined["address"], &joined["name"]),
        (&Value::from(address), &Value::from("family"))
    );
    bob.wait_for_totals("family", &before);
    assert_eq!(bob.listing("family"), listing);
    export_and_compare(&bob, "family", &sources);

    let changed = now();
    put(
        &bob,
        "family:odd/names/Readme.bob",
        "by Bob, while Alice was away",
    );
    bob.ok(&["rm", "-r", "family:odd/modes"]);
    wait_for_receipt(&bob, "family", changed);
    let (after, listing) = (bob.space("family"), bob.listing("family"));
    bob.stop();
    alice.start();
    alice.wait_for_totals("family", &after);
    assert_eq!(
        alice.listing("family"),
        listing,
        "they were never here together"
    );
    assert_eq!(
        cat(&alice, "family:odd/names/Readme.bob"),
        "by Bob, while Alice was away"
    );
}

#[test]
fn changes_made_apart_meet() {
    let (mut alice, mut bob) = pair("notes");
    alice.stop();
    put(&bob, "notes:from-bob.txt", "b");
    bob.ok(&["mkdir", "-p", "notes:plans/2027"]);
    bob.ok(&["mv", "notes:hello.txt", "notes:plans/greeting.txt"]);
    bob.stop();
    alice.start();
    put(&alice, "notes:hello.txt", "hello again");
    put(&alice, "notes:from-alice.txt", "a");
    bob.start();
    alice.converge(&bob, "notes");
    for node in [&alice, &bob] {
        assert_eq!(
            cat(node, "notes:plans/greeting.txt"),
            "hello again",
            "an edit and a move do not fight"
        );
        assert_eq!(
            cat(node, "notes:from-alice.txt") + &cat(node, "notes:from-bob.txt"),
            "ab"
        );
        assert_eq!(node.json(&["conflicts", "notes"]), Value::Array(Vec::new()));
    }
}

#[test]
fn both_write_one_file_and_nothing_is_lost() {
    let (mut alice, mut bob) = pair("work");
    alice.stop();
    put(&bob, "work:hello.txt", "Bob's version");
    bob.stop();
    alice.start();
    put(&alice, "work:hello.txt", "Alice's version");
    bob.start();
    alice.converge(&bob, "work");

    let shown = cat(&alice, "work:hello.txt");
    assert_eq!(
        cat(&bob, "work:hello.txt"),
        shown,
        "both show the same winner"
    );
    let conflicts = alice.json(&["conflicts", "work"]);
    assert_eq!(bob.json(&["conflicts", "work"]), conflicts);
    assert_eq!(conflicts.as_array().unwrap().len(), 1, "{conflicts}");
    assert_eq!(
        (&conflicts[0]["path"]["name"], &conflicts[0]["cause"]),
        (&"hello.txt".into(), &"content".into())
    );
    let id = |number: usize| {
        conflicts[0]["versions"][number]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let version = |node: &Node, id: &str| node.ok(&["get", "work:hello.txt", "--version", id]);
    let loser = if shown == "Bob's version" {
        "Alice's version"
    } else {
        "Bob's version"
    };
    for node in [&alice, &bob] {
        assert_eq!(version(node, &id(0)), shown);
        assert_eq!(version(node, &id(1)), loser);
        assert!(
            node.ok(&["ls", "work"]).contains("hello (conflict, "),
            "the other is listed beside it"
        );
    }

    bob.ok(&["resolve", "work:hello.txt", "--keep", &id(1)]);
    alice.converge(&bob, "work");
    for node in [&alice, &bob] {
        assert_eq!(cat(node, "work:hello.txt"), loser, "the one that Bob kept");
        assert_eq!(node.json(&["conflicts", "work"]), Value::Array(Vec::new()));
        assert_eq!(
            version(node, &id(0)),
            shown,
            "the other stays in the history"
        );
    }
}

#[test]
fn what_was_deleted_comes_back_on_another_machine() {
    let (alice, bob) = pair("photos");
    put(&alice, "photos:hello.txt", "second");
    alice.ok(&["mkdir", "photos:album"]);
    put(&alice, "photos:album/one", "1");
    put(&alice, "photos:album/two", "2");
    std::thread::sleep(std::time::Duration::from_millis(5));
    let good = now().to_string();
    std::thread::sleep(std::time::Duration::from_millis(5));
    alice.ok(&["rm", "photos:hello.txt"]);
    alice.ok(&["rm", "-r", "photos:album"]);
    alice.converge(&bob, "photos");

    let history = bob.json(&["history", "photos:hello.txt"]);
    let versions = history.as_array().unwrap();
    assert_eq!(versions[0]["what"], "deleted", "{history}");
    assert!(
        versions.iter().all(|version| version["author"] == "Alice"),
        "{history}"
    );
    let oldest = versions.last().unwrap();
    bob.ok(&[
        "restore",
        "photos:hello.txt",
        "--version",
        oldest["id"].as_str().unwrap(),
    ]);
    assert_eq!(cat(&bob, "photos:hello.txt"), "hello");
    assert!(bob.fails(&["ls", "photos:album"]).contains("album"));
    bob.ok(&["restore", "photos:album", "--at", &good]);
    bob.converge(&alice, "photos");
    assert_eq!(
        cat(&alice, "photos:album/one") + &cat(&alice, "photos:album/two"),
        "12"
    );
    assert_eq!(cat(&alice, "photos:hello.txt"), "hello");

    let dir = bob.scratch("then");
    bob.ok(&[
        Path::new("export"),
        Path::new("photos"),
        &dir,
        Path::new("--at"),
        Path::new(&good),
    ]);
    assert_eq!(
        fs::read_to_string(dir.join("hello.txt")).unwrap(),
        "second",
        "as it was then"
    );
}

#[test]
fn names_of_people_and_spaces_are_told_to_all() {
    let (alice, bob) = pair("plans");
    alice.ok(&["space", "rename", "plans", "great plans"]);
    bob.ok(&["name", "Robert"]);
    let address = alice.json(&["space", "list"])[0]["address"]
        .as_str()
        .unwrap()
        .to_owned();
    until("Bob sees the space's new name", || {
        let name = bob.space(&address)["name"].clone();
        if name == "great plans" {
            Ok(())
        } else {
            Err(name.to_string())
        }
    });
    until("Alice sees Bob's new name, and that he is here", || {
        let members = alice.space(&address)["members"].clone();
        let robert = members
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["name"] == "Robert" && m["online"] == true && m["me"] == false);
        if robert {
            Ok(())
        } else {
            Err(members.to_string())
        }
    });
}

/// Something that a person may do, at random; what cannot be done is refused and changes nothing.
fn anything(node: &Node, random: &mut Random) {
    let mut name = || {
        format!(
            "team:{}/{}",
            ["a", "b", "a/c"][random.below(3) as usize],
            random.below(4)
        )
    };
    let (one, other) = (name(), name());
    let folder = ["team:a", "team:b", "team:a/c", "team:b/d"][random.below(4) as usize];
    let text = random.next().to_string();
    let words: Vec<&str> = match random.below(10) {
        0..4 => {
            let _ = common::node::finish(node.command(&["put", &one]), text.as_bytes());
            return;
        }
        4 | 5 => vec!["mv", &one, &other],
        6 => vec!["rm", &one],
        7 => vec!["mkdir", "-p", folder],
        8 => vec!["mv", folder, "team:b/d"],
        _ => vec!["rm", "-r", folder],
    };
    let output = node.run(&words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        [Some(0), Some(1)].contains(&output.status.code()) && !said.contains("panicked"),
        "{words:?}: {said}"
    );
}

#[test]
fn whatever_three_do_apart_and_together_ends_equal() {
    let seed = std::env::var("COBOX_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(5);
    eprintln!("COBOX_SEED={seed}");
    let mut random = Random::new(seed);
    let mut people = [
        Node::named("Alice"),
        Node::named("Bob"),
        Node::named("Carol"),
    ];
    create(&people[0], "team");
    people[0].ok(&["mkdir", "-p", "team:a/c"]);
    people[0].ok(&["mkdir", "-p", "team:b"]);
    join(&people[0], &people[1], "team", &people[0]);
    join(&people[0], &people[2], "team", &people[1]);
    for _ in 0..4 {
        // One or two are away while the others work.
        let away = random.below(3) as usize;
        people[away].stop();
        for _ in 0..8 {
            let busy = (away + 1 + random.below(2) as usize) % 3;
            anything(&people[busy], &mut random);
        }
        let alone = (away + 1) % 3;
        people[alone].stop();
        (0..3).for_each(|_| anything(&people[(away + 2) % 3], &mut random));
        people[away].start();
        (0..3).for_each(|_| anything(&people[away], &mut random));
        people[alone].start();
    }
    let [alice, bob, carol] = &people;
    alice.converge(bob, "team");
    alice.converge(carol, "team");
    let conflicts = alice.json(&["conflicts", "team"]);
    assert_eq!(bob.json(&["conflicts", "team"]), conflicts);
    assert_eq!(carol.json(&["conflicts", "team"]), conflicts);
    for node in &people {
        let dir = node.scratch("out");
        node.run(&[Path::new("export"), Path::new("team"), &dir]);
        let differences = differences(&alice.scratch("out"), &dir);
        // The top folder is the exporter's own.
        let inside: Vec<_> = differences
            .iter()
            .filter(|d| !d.starts_with("\"\": "))
            .collect();
        assert!(inside.is_empty(), "{inside:?}");
    }
}
