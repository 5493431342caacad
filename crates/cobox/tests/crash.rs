//! The power goes, again and again, at moments from a seed: while importing, and while receiving.
//! What was acknowledged is there afterwards, bit for bit; what was not is there as a whole or not
//! at all; nobody repairs anything by hand.

mod common;

use common::random::Random;
use common::{Node, until};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 50;
const SPACE: &str = "safe";

/// What must be in the space, and what may be, by path.
#[derive(Default)]
struct Expected {
    /// How long an import takes on this machine: cuts fall before and after its end.
    import_ms: u64,
    acknowledged: BTreeMap<String, Vec<u8>>,
    /// Offered for writing, but the power went before the answer.
    offered: BTreeMap<String, Vec<u8>>,
}

impl Expected {
    /// Imports once in peace, to know how long it takes.
    fn measure(&mut self, node: &Node, random: &mut Random) {
        let (round, started) = (ROUNDS, Instant::now());
        let files = files(round, random);
        let mut import = begin_import(node, round, &files);
        assert!(common::node::wait(&mut import, "import").success());
        self.acknowledged.extend(files);
        self.import_ms = u64::try_from(started.elapsed().as_millis()).unwrap();
    }

    /// When the power goes, from now.
    fn moment(&self, random: &mut Random) -> Duration {
        Duration::from_millis(random.below(self.import_ms * 5 / 4))
    }

    /// The right content of a file that is shown.
    fn content(&self, path: &str) -> &[u8] {
        let known = self
            .acknowledged
            .get(path)
            .or_else(|| self.offered.get(path));
        known.unwrap_or_else(|| panic!("{path} was never written"))
    }
}

/// The files of one round: small ones, and one or two that span many blocks.
fn files(round: u64, random: &mut Random) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for number in 0..4 + random.below(20) {
        let most = if number < 2 { 3_000_000 } else { 20_000 };
        let size = random.below(most) as usize;
        files.insert(format!("/round-{round}/file-{number}"), random.bytes(size));
    }
    files
}

fn begin_import(node: &Node, round: u64, files: &BTreeMap<String, Vec<u8>>) -> Child {
    let top = node.scratch("in");
    let dir = top.join(format!("round-{round}"));
    fs::create_dir_all(&dir).unwrap();
    for (path, content) in files {
        fs::write(top.join(&path[1..]), content).unwrap();
    }
    let words = ["--json", "import", SPACE].map(PathBuf::from);
    node.command(&[&words[..], &[dir]].concat())
        .spawn()
        .unwrap()
}

/// The files shown, by path, with their sizes.
fn shown(node: &Node) -> BTreeMap<String, u64> {
    let mut shown = BTreeMap::new();
    for line in node.listing(SPACE) {
        let (path, rest) = line.split_once(' ').unwrap();
        let entry: serde_json::Value = serde_json::from_str(rest).unwrap();
        if entry["kind"] == "file" {
            shown.insert(path.to_owned(), entry["size"].as_u64().unwrap());
        }
    }
    shown
}

/// Everything acknowledged is shown, and nothing is shown that is not whole. `deep` reads the bytes.
fn check(node: &Node, expected: &Expected, deep: impl Fn(&str) -> bool) {
    let shown = shown(node);
    for path in expected.acknowledged.keys() {
        assert!(
            shown.contains_key(path),
            "{path} was acknowledged and is gone"
        );
    }
    for (path, size) in &shown {
        let content = expected.content(path);
        assert_eq!(*size, content.len() as u64, "{path} is half there");
        if deep(path) {
            assert!(
                node.bytes(&["cat", &format!("{SPACE}:{path}")], b"") == content,
                "{path} has other bytes"
            );
        }
    }
}

fn kill_after(node: &mut Node, delay: Duration) {
    std::thread::sleep(delay);
    node.kill9();
}

/// Alice's power goes while she imports and writes.
fn round_of_writing(round: u64, alice: &mut Node, expected: &mut Expected, random: &mut Random) {
    let files = files(round, random);
    let mut import = begin_import(alice, round, &files);
    let note = (format!("/note-{round}"), random.bytes(5_000));
    let put = alice.command(&["put", &format!("{SPACE}:{}", note.0)]);
    let content = note.1.clone();
    let putting = std::thread::spawn(move || common::node::finish(put, &content).status.success());
    kill_after(alice, expected.moment(random));
    let imported = common::node::wait(&mut import, "import").success();
    let target = if imported {
        &mut expected.acknowledged
    } else {
        &mut expected.offered
    };
    target.extend(files);
    let written = putting.join().unwrap();
    let target = if written {
        &mut expected.acknowledged
    } else {
        &mut expected.offered
    };
    target.extend([note]);
    alice.start();
    let own = format!("round-{round}/");
    check(alice, expected, |path| {
        path.contains(&own) || path.starts_with("/note-")
    });
}

/// Bob's power goes while he receives what Alice writes.
fn round_of_receiving(
    round: u64,
    alice: &Node,
    bob: &mut Node,
    expected: &mut Expected,
    random: &mut Random,
) {
    let files = files(round, random);
    let mut import = begin_import(alice, round, &files);
    kill_after(bob, expected.moment(random));
    assert!(common::node::wait(&mut import, "import").success());
    expected.acknowledged.extend(files);
    bob.start();
    for (path, size) in shown(bob) {
        assert_eq!(
            size,
            expected.content(&path).len() as u64,
            "{path} is half there"
        );
    }
    let _ = bob.space(SPACE);
}

#[test]
fn fifty_power_cuts_lose_nothing() {
    let seed = std::env::var("COBOX_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(7);
    eprintln!("COBOX_SEED={seed}");
    let mut random = Random::new(seed);
    let (mut alice, mut bob) = (Node::named("Alice"), Node::named("Bob"));
    alice.json(&["space", "create", SPACE]);
    let code = alice.json(&["invite", SPACE, &bob.public_key()])["code"]
        .as_str()
        .unwrap()
        .to_owned();
    bob.json(&["join", &code, "--peer", &alice.hint()]);
    let mut expected = Expected::default();
    expected.measure(&alice, &mut random);
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            round_of_writing(round, &mut alice, &mut expected, &mut random);
        } else {
            round_of_receiving(round, &alice, &mut bob, &mut expected, &mut random);
        }
    }
    alice.converge(&bob, SPACE);
    for node in [&alice, &bob] {
        check(node, &expected, |path| path.starts_with("/note-"));
        let dir = node.scratch("out");
        node.json(&[PathBuf::from("export"), SPACE.into(), dir.clone()]);
        for path in shown(node).keys() {
            let content = fs::read(dir.join(&path[1..])).unwrap();
            assert!(content == expected.content(path), "{path} has other bytes");
        }
    }
    let kept = expected.acknowledged.len();
    eprintln!(
        "{kept} files acknowledged, {} offered when the power went",
        expected.offered.len()
    );
    assert!(
        kept > 100 && expected.offered.len() > 20,
        "the cuts fell on both sides of the answers"
    );
}

#[test]
fn a_cut_while_the_home_is_made_leaves_a_home() {
    let mut random = Random::new(3);
    for _ in 0..10 {
        let mut node = Node::new();
        let up = node
            .command(&["up", "--port", "0", "--no-lan", "--bind", "127.0.0.1:0"])
            .spawn();
        let mut up = up.unwrap();
        std::thread::sleep(Duration::from_millis(random.below(120)));
        up.kill().unwrap();
        up.wait().unwrap();
        node.start();
        until("a name can be given", || {
            let named = node.run(&["name", "Alice"]);
            if named.status.success() {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&named.stderr).into_owned())
            }
        });
        let key = node.public_key();
        node.kill9();
        node.start();
        assert_eq!(node.public_key(), key, "a person stays the same person");
    }
}
