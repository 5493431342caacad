//! Keys typed at a terminal (`script` of util-linux gives one): word by word with mistakes, pasted as a whole, or given up.

mod common;

use common::Node;
use common::lost::{print, text_of};
use common::node::wait;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longer than lines of one paste are apart.
const PAUSE: Duration = Duration::from_millis(300);

/// What the terminal shows when each of these is typed after a pause, and then Ctrl-D.
fn at_terminal(node: &Node, words: &[&str], typed: &[String]) -> String {
    let command = node.command(words);
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = parts.map(|part| part.to_str().unwrap()).collect();
    let mut script = Command::new("script");
    script.args(["-qefc", &line.join(" "), "/dev/null"]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let spawned = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for text in typed {
        std::thread::sleep(PAUSE);
        // A program that has what it needs does not wait for the rest.
        if stdin.write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    std::thread::sleep(PAUSE);
    drop(stdin);
    let mut shown = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut shown).unwrap();
    wait(&mut child, "script");
    shown
}

/// A person whose sheet is printed, and its text. Nobody else has the spaces.
fn paper() -> (String, String) {
    let ann = Node::named("Ann");
    ann.ok(&["space", "create", "photos"]);
    let pdf = ann.scratch("paper.pdf");
    print(&ann, &pdf);
    (ann.public_key(), text_of(&pdf))
}

/// The words of each key on the sheet.
fn keys_on(text: &str) -> Vec<Vec<String>> {
    let mut keys: Vec<Vec<String>> = Vec::new();
    for line in text.lines() {
        let Some((number, word)) = line.split_once(' ') else {
            continue;
        };
        let is_word = word.bytes().all(|byte| byte.is_ascii_lowercase());
        match number.parse::<usize>() {
            Ok(1) if is_word => keys.push(vec![word.to_owned()]),
            Ok(_) if is_word => keys.last_mut().unwrap().push(word.to_owned()),
            _ => {}
        }
    }
    keys
}

fn enter(text: &str) -> String {
    format!("{text}\n")
}

#[test]
fn words_typed_with_mistakes_are_mended_one_by_one() {
    let (public_key, text) = paper();
    let keys = keys_on(&text);
    assert_eq!((keys[0].len(), keys[1].len()), (28, 52));
    let mut typed: Vec<String> = keys[0].chunks(4).map(|row| enter(&row.join(" "))).collect();
    // A word of the list that is another one, and one that is none: it knows at once that the key is whole.
    let wrong = if keys[0][0] == "zoo" { "zone" } else { "zoo" };
    typed[0] = typed[0].replacen(&keys[0][0], wrong, 1);
    typed[6] = typed[6].replacen(&keys[0][27], "qqqq", 1);
    typed.extend([enter(""), enter(&keys[0][27])]);
    // The space with a word left out, in one line; its first letters do.
    let mut short = keys[1].clone();
    let missing = short.remove(30);
    let short: Vec<_> = short
        .iter()
        .map(|word| &word[..word.len().min(4)])
        .collect();
    typed.extend([enter(&short.join(" ")), enter(""), enter(""), enter("")]);
    let node = Node::started();
    let shown = at_terminal(&node, &["restore", "--no-wait", "--name", "Ann"], &typed);
    for expected in [
        &format!("word 1 is \"{}\", not \"{wrong}\"", keys[0][0]),
        &format!("[{}, if the paper says so: Enter]", keys[0][0]),
        &format!("word 31 is missing: it is \"{missing}\""),
        "That is the secret key that belongs to the public key",
        "1 space has to come back",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    assert_eq!(node.json(&["name"])["publicKey"], public_key.as_str());
}

#[test]
fn a_whole_sheet_can_be_pasted_with_its_empty_lines() {
    let (public_key, text) = paper();
    let node = Node::started();
    let typed = [text, enter(""), enter("")];
    let shown = at_terminal(&node, &["restore", "--no-wait", "--name", "Ann"], &typed);
    assert!(shown.contains("1 space has to come back"), "{shown}");
    assert_eq!(node.json(&["name"])["publicKey"], public_key.as_str());
}

#[test]
fn who_leaves_in_the_middle_has_changed_nothing() {
    let (_, text) = paper();
    let keys = keys_on(&text);
    let node = Node::started();
    let before = node.json(&["name"]);
    for typed in [
        vec![],
        vec![enter(&keys[0].join(" "))],
        vec![enter(&keys[0][..20].join(" "))],
        vec![enter(&keys[0].join(" ").replacen(&keys[0][3], "qqqq", 1))],
    ] {
        let shown = at_terminal(&node, &["restore", "--no-wait", "--name", "Ann"], &typed);
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert_eq!(node.json(&["name"]), before);
        assert!(node.json(&["space", "list"]).as_array().unwrap().is_empty());
    }
}
