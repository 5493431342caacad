//! From an empty home to full data with only the sheet and one replicator: words by pdftotext, codes from the picture.

mod common;

use common::compare::assert_equal;
use common::node::finish;
use common::random::Random;
use common::{Node, until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of the small folder, and bytes of the large one.
const FILES: usize = 300;
const LARGE: usize = 12 << 20;

/// Ann with a space, a replicator that has all of it, and the sheet; Ann's computer is lost then.
struct Lost {
    replicator: Node,
    /// where her files came from
    source: PathBuf,
    address: String,
    public_key: String,
    /// her writers in the space
    writers: Vec<(Value, Value)>,
    pdf: PathBuf,
    _dir: tempfile::TempDir,
}

fn lose() -> Lost {
    let dir = tempfile::tempdir().unwrap();
    let mut ann = Node::named("Ann");
    let replicator = Node::started();
    let created = ann.json(&["space", "create", "photos"]);
    let address = created["address"].as_str().unwrap().to_owned();
    let source = dir.path().join("source");
    fill(&source);
    let imported = ann.json(&["import".as_ref(), "photos".as_ref(), source.as_os_str()]);
    assert_eq!(imported["problems"], Value::Array(Vec::new()));
    replicator.json(&["replicate", &address, "--peer", &ann.hint()]);
    wait_for_copy(&ann);
    let pdf = dir.path().join("paper.pdf");
    ann.ok(&[
        "backup".as_ref(),
        "identity".as_ref(),
        "--pdf".as_ref(),
        pdf.as_os_str(),
    ]);
    let lost = Lost {
        replicator,
        source,
        address,
        public_key: ann.public_key(),
        writers: devices(&ann),
        pdf,
        _dir: dir,
    };
    ann.kill9();
    fs::remove_dir_all(ann.home()).unwrap();
    lost
}

fn fill(source: &Path) {
    for number in 0..FILES {
        let folder = source.join(format!("small/{}", number % 7));
        fs::create_dir_all(&folder).unwrap();
        let bytes = Random::new(number as u64 + 1).bytes(number * 13 % 4000);
        fs::write(folder.join(format!("{number}.txt")), bytes).unwrap();
    }
    fs::write(source.join("large.bin"), Random::new(1000).bytes(LARGE)).unwrap();
}

fn wait_for_copy(node: &Node) {
    until("the replicator has all of it", || {
        let health = node.get("/spaces/photos/health");
        let behind = &health["copies"][0]["blocksBehind"];
        match health["copies"][0]["state"] == "complete" && *behind == 0 {
            true => Ok(()),
            false => Err(health.to_string()),
        }
    });
}

/// Devices of the first member and what they write with.
fn devices(node: &Node) -> Vec<(Value, Value)> {
    let members = node.space("photos")["members"].clone();
    let devices = members[0]["devices"].as_array().unwrap();
    let both = |device: &Value| (device["peerId"].clone(), device["writer"].clone());
    devices.iter().map(both).collect()
}

/// Gives a home what is on paper, and waits until all is back.
fn restore(node: &Node, text: &str, more: &[&str]) -> String {
    let words = [&["restore"], more].concat();
    String::from_utf8(node.bytes(&words, text.as_bytes())).unwrap()
}

fn assert_back(node: &Node, lost: &Lost) {
    let out = node.scratch("out");
    node.ok(&["export".as_ref(), "photos".as_ref(), out.as_os_str()]);
    assert_equal(&lost.source, &out.join("source"));
}

fn text_of(pdf: &Path) -> String {
    let mut extract = Command::new("pdftotext");
    extract
        .arg(pdf)
        .arg("-")
        .stdout(std::process::Stdio::piped());
    let output = finish(extract, b"");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn codes_of(pdf: &Path, dir: &Path) -> String {
    let mut render = Command::new("pdftoppm");
    render
        .args(["-r", "150", "-gray", "-png"])
        .arg(pdf)
        .arg(dir.join("page"));
    assert!(finish(render, b"").status.success());
    let mut codes = String::new();
    for page in fs::read_dir(dir).unwrap() {
        let path = page.unwrap().path();
        if path.extension().is_some_and(|end| end == "png") {
            let mut scan = Command::new("zbarimg");
            scan.args(["-q", "--raw"])
                .arg(path)
                .stdout(std::process::Stdio::piped());
            codes.push_str(&String::from_utf8(finish(scan, b"").stdout).unwrap());
        }
    }
    codes
}

#[test]
fn the_words_on_the_sheet_and_one_replicator_give_everything_back() {
    let lost = lose();
    let mode = fs::metadata(&lost.pdf).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut node = Node::started();
    let stranger = node.public_key();
    let said = restore(&node, &text_of(&lost.pdf), &[]);
    assert!(
        said.contains(&lost.public_key) && stranger != lost.public_key,
        "{said}"
    );
    assert_back(&node, &lost);
    // The same person, called the same, on another device with feeds of its own.
    let me = node.json(&["name"]);
    assert_eq!(
        (&me["name"], &me["publicKey"]),
        (&"Ann".into(), &lost.public_key.as_str().into())
    );
    let now = devices(&node);
    assert_eq!(now.len(), lost.writers.len() + 1, "{now:?}");
    assert!(
        lost.writers
            .iter()
            .all(|old| now.iter().any(|one| one.0 == old.0)),
        "{now:?} {:?}",
        lost.writers
    );
    // It can write, also after a new start, and the copy gets it.
    node.bytes(&["put", "photos:new.txt"], b"after the loss");
    node.stop();
    node.start();
    assert_eq!(
        devices(&node).len(),
        now.len(),
        "a new start is no new device"
    );
    assert_eq!(node.ok(&["cat", "photos:new.txt"]), "after the loss");
    wait_for_copy(&node);
    assert_eq!(node.space("photos")["refusals"], Value::Array(Vec::new()));
}

#[test]
fn the_codes_on_the_sheet_do_too() {
    let lost = lose();
    let node = Node::started();
    let codes = codes_of(&lost.pdf, lost.pdf.parent().unwrap());
    assert_eq!(codes.lines().count(), 2, "{codes}");
    let said = restore(&node, &codes, &[]);
    assert!(said.contains("You are Ann"), "{said}");
    assert_back(&node, &lost);
}

#[test]
fn a_new_person_gets_in_with_the_words_of_the_space_alone() {
    let lost = lose();
    let node = Node::named("Bea");
    let text = text_of(&lost.pdf);
    let space = &text[text.find("Space photos").unwrap()..];
    restore(&node, space, &[]);
    assert_back(&node, &lost);
    let people: Vec<Value> = node.space("photos")["members"].as_array().unwrap().clone();
    let names: Vec<_> = people
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Ann", "Bea"]);
}

#[test]
fn what_was_begun_while_nobody_was_there_goes_on_after_a_new_start() {
    let mut lost = lose();
    lost.replicator.stop();
    let mut node = Node::started();
    let said = node.bytes(&["restore", "--no-wait"], text_of(&lost.pdf).as_bytes());
    assert!(
        String::from_utf8(said)
            .unwrap()
            .contains("1 space has to come back")
    );
    let short = &lost.address[..8];
    assert_eq!(node.space(&lost.address)["waiting"], true);
    assert!(
        node.ok(&["space", "list"])
            .contains("waiting for a device that has it")
    );
    node.stop();
    node.start();
    assert_eq!(node.space(short)["waiting"], true);
    let refused = node.fails(&["put", &format!("{short}:x.txt"), "/dev/null"]);
    assert!(
        refused.contains("cannot") || refused.contains("not write") || refused.contains("read"),
        "{refused}"
    );
    lost.replicator.start();
    until("it is back", || {
        let space = node.space(&lost.address);
        // Words alone do not say what it is called: that comes with what its members wrote.
        match space["waiting"] == false && space["name"] == "photos" {
            true => Ok(()),
            false => Err(space.to_string()),
        }
    });
    assert_back(&node, &lost);
}

#[test]
fn wrong_words_change_nothing_and_are_named() {
    let lost = lose();
    let node = Node::started();
    let text = text_of(&lost.pdf);
    let before = node.json(&["name"]);
    // The second word of the secret key becomes another one, and one of the space's is no word.
    let words: Vec<_> = text.lines().filter(|line| line.starts_with("2 ")).collect();
    let bad = text.replacen(
        words[0],
        if words[0] == "2 zoo" {
            "2 zone"
        } else {
            "2 zoo"
        },
        1,
    );
    let output = finish(node.command(&["restore"]), bad.as_bytes());
    let said = String::from_utf8(output.stderr).unwrap();
    let right = words[0].trim_start_matches("2 ").split(' ').next().unwrap();
    assert!(
        !output.status.success() && said.contains(&format!("word 2 is \"{right}\", not")),
        "{said}"
    );
    assert_eq!(node.json(&["name"]), before);
    let nothing = finish(node.command(&["restore"]), b"hello there\n");
    assert!(!nothing.status.success());
    // Where somebody lives with spaces, a person from paper cannot move in.
    let bob = Node::named("Bob");
    bob.ok(&["space", "create", "garden"]);
    let output = finish(bob.command(&["restore"]), text.as_bytes());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("somebody is here already"),
        "{said}"
    );
    assert_eq!(bob.json(&["space", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_sheet_is_not_written_over_nor_for_others_to_read() {
    let node = Node::named("Ann");
    node.ok(&["space", "create", "photos"]);
    let pdf = node.scratch("paper.pdf");
    let words = |more: &[&str]| {
        let mut words = vec![
            "backup".into(),
            "identity".into(),
            "--pdf".into(),
            pdf.as_os_str().to_owned(),
        ];
        words.extend(more.iter().map(Into::into));
        words
    };
    fs::write(&pdf, "mine").unwrap();
    let refused = node.fails(&words(&[]));
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(fs::read_to_string(&pdf).unwrap(), "mine");
    node.ok(&words(&["--force", "--paper", "letter", "--roots"]));
    let text = text_of(&pdf);
    for expected in [
        "Paper key of Ann",
        "Space photos",
        "Root of photos",
        &node.public_key(),
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let beside: Vec<_> = fs::read_dir(pdf.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        beside
            .iter()
            .all(|name| !name.to_string_lossy().ends_with(".new")),
        "{beside:?}"
    );
}

#[test]
fn a_rehearsal_proves_a_copy_and_leaves_nothing_behind() {
    let ann = Node::named("Ann");
    let replicator = Node::started();
    let created = ann.json(&["space", "create", "photos"]);
    let address = created["address"].as_str().unwrap().to_owned();
    let source = ann.scratch("source");
    fill(&source);
    ann.json(&["import".as_ref(), "photos".as_ref(), source.as_os_str()]);
    // Nobody has a copy yet.
    let nobody = ann.fails(&["drill", "photos"]);
    assert!(nobody.contains("no replicator"), "{nobody}");
    replicator.json(&["replicate", &address, "--peer", &ann.hint()]);
    wait_for_copy(&ann);
    let (before, kept) = (devices(&ann), replicator.get("/replicas"));
    let proven = |node: &Node| node.get("/spaces/photos/health")["copies"][0]["provenAt"].clone();
    assert_eq!(proven(&ann), Value::Null);
    let done = ann.json(&["drill", "photos", "--sample", "15"]);
    assert_eq!(
        (&done["entries"], &done["problems"]),
        (&15.into(), &Value::Array(Vec::new()))
    );
    assert!(proven(&ann).is_string());
    let device = replicator.hint()[..16].to_owned();
    let done = ann.json(&["drill", "photos", "--from", &device, "--all"]);
    let size = (0..FILES).map(|number| number * 13 % 4000).sum::<usize>() + LARGE;
    assert_eq!(
        (&done["entries"], &done["bytes"]),
        (&(FILES + 1).into(), &size.into())
    );
    assert!(ann.ok(&["health", "photos"]).contains("last proven"));
    // With the words from the sheet; with those of another space; with none that are right.
    let pdf = ann.scratch("paper.pdf");
    ann.ok(&[
        "backup".as_ref(),
        "identity".as_ref(),
        "--pdf".as_ref(),
        pdf.as_os_str(),
    ]);
    let text = text_of(&pdf);
    ann.bytes(
        &["drill", "photos", "--typed", "--sample", "3"],
        text.as_bytes(),
    );
    ann.ok(&["space", "create", "garden"]);
    let output = finish(
        ann.command(&["drill", "garden", "--typed"]),
        text.as_bytes(),
    );
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("not in that")
    );
    // No writer, no feed, no folder is left of it.
    assert_eq!(devices(&ann), before);
    let left = fs::read_dir(ann.home().join("drills"))
        .map(Iterator::count)
        .unwrap_or(0);
    assert_eq!(left, 0);
    wait_for_copy(&ann);
    let feeds = |replicas: &Value| replicas[0]["address"].clone();
    assert_eq!(feeds(&replicator.get("/replicas")), feeds(&kept));
}
