//! The power goes while keys are written down: a restore goes on where it was, and a password is the old one or the new one.
//!
//! Twelve moments each, from a seed; they were looked for with hundreds.

mod common;

use common::Node;
use common::compare::assert_equal;
use common::lost::{Printed, Size, text_of};
use common::random::Random;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

const CUTS: u64 = 12;
const LITTLE: Size = Size {
    files: 40,
    large: 3 << 20,
};

/// Gives a command to the program, and takes the power away after so many milliseconds; did the command say that it was done?
fn cut(node: &mut Node, words: &[&str], input: &str, after: u64) -> bool {
    let mut command = node.command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    std::thread::sleep(Duration::from_millis(after));
    node.kill9();
    child.wait().unwrap().success()
}

#[test]
fn a_restore_that_was_cut_is_gone_on_with() {
    let lost = Printed::of(LITTLE).lose();
    let text = text_of(&lost.pdf);
    let mut random = Random::new(7);
    for round in 0..CUTS {
        let mut node = Node::started();
        let longest = [60, 300, 1500][round as usize % 3];
        for _ in 0..=random.below(2) {
            cut(
                &mut node,
                &["restore", "--no-wait"],
                &text,
                random.below(longest),
            );
            node.start();
        }
        node.bytes(&["restore"], text.as_bytes());
        let me = node.json(&["name"]);
        assert_eq!(me["publicKey"], lost.public_key.as_str(), "round {round}");
        assert_eq!(me["name"], "Ann", "round {round}");
        let out = node.scratch("out");
        node.ok(&["export".as_ref(), "photos".as_ref(), out.as_os_str()]);
        assert_equal(&lost.source, &out.join("source"));
        node.bytes(&["put", "photos:after.txt"], b"after all that");
        assert_eq!(node.space("photos")["refusals"], Value::Array(Vec::new()));
        node.ok(&["rm", "photos:after.txt"]);
    }
}

#[test]
fn a_change_of_password_that_was_cut_locks_nobody_out() {
    let mut node = Node::named("Pia");
    node.json(&["space", "create", "garden"]);
    node.bytes(&["put", "garden:f.txt"], b"roses");
    let key = node.public_key();
    let mut random = Random::new(8);
    let mut now: Option<String> = None;
    for round in 0..CUTS {
        let new = format!("password number {round}");
        let (words, input, next) = match &now {
            None => (["password", "set"], format!("{new}\n"), Some(new)),
            Some(old) if round % 3 == 2 => (["password", "remove"], format!("{old}\n"), None),
            Some(old) => (["password", "change"], format!("{old}\n{new}\n"), Some(new)),
        };
        let was_said = cut(&mut node, &words, &input, random.below(1500));
        node.start();
        let opened = opened_by(&node, [now.clone(), next.clone()]);
        let by = opened.unwrap_or_else(|| panic!("round {round}: nobody gets in after {words:?}"));
        assert!(!was_said || by == next, "what was said to be done is done");
        assert_eq!(node.json(&["name"])["publicKey"], key.as_str());
        assert_eq!(node.ok(&["cat", "garden:f.txt"]), "roses");
        let left = fs::read_dir(node.home()).unwrap().flatten();
        let names = left.map(|entry| entry.file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.ends_with(".new")).count(), 0);
        now = by;
    }
}

/// Which of these opens the home: a password, or none.
fn opened_by(node: &Node, ways: [Option<String>; 2]) -> Option<Option<String>> {
    if node.ready()["locked"] != true {
        return Some(None);
    }
    let opens = |password: &String| {
        let body = json!({ "password": password });
        node.call("POST", "/unlock", Some(&body)).0 == 204
    };
    let mut passwords = ways.into_iter().flatten();
    passwords.find(opens).map(Some)
}
