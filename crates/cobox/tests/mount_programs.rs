//! Programs that people use, at work on a mounted folder; and the same tree on another member's.

mod common;

use common::mounts::can_mount;
use common::{Node, until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SPACE: &str = "work";

fn run(folder: &Path, program: &str, words: &[&str]) -> String {
    let done = Command::new(program)
        .args(words)
        .current_dir(folder)
        .output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{program} {words:?}: {said} {complaint}"
    );
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn mounted(name: &str) -> (Node, PathBuf) {
    let node = Node::named(name);
    node.json(&["space", "create", SPACE]);
    node.json(&["mount", SPACE]);
    let at = node.usual(SPACE);
    (node, at)
}

/// A repository with some history, made beside the mount.
fn repository(node: &Node) -> PathBuf {
    let at = node.scratch("repository");
    fs::create_dir_all(at.join("src")).unwrap();
    run(&at, "git", &["init", "-q", "-b", "main"]);
    run(&at, "git", &["config", "user.email", "a@example.org"]);
    run(&at, "git", &["config", "user.name", "A"]);
    fs::write(at.join("Makefile"), "all: hello\nhello: src/main.o src/words.o\n\t$(CC) -o $@ $^\nclean:\n\trm -f hello src/*.o\n").unwrap();
    fs::write(
        at.join("src/main.c"),
        "#include <stdio.h>\nconst char *word(void);\nint main(void) { puts(word()); return 0; }\n",
    )
    .unwrap();
    for version in 0..20 {
        fs::write(
            at.join("src/words.c"),
            format!("const char *word(void) {{ return \"version {version}\"; }}\n"),
        )
        .unwrap();
        fs::write(
            at.join(format!("notes-{version}.txt")),
            "note\n".repeat(version * 50 + 1),
        )
        .unwrap();
        run(&at, "git", &["add", "-A"]);
        run(
            &at,
            "git",
            &["commit", "-q", "-m", &format!("version {version}")],
        );
    }
    at
}

#[test]
fn git_clones_works_and_checks_itself_and_make_builds() {
    if !can_mount() {
        return;
    }
    let (node, at) = mounted("Alice");
    let origin = repository(&node);
    run(&at, "git", &["clone", "-q", text(&origin), "clone"]);
    let clone = at.join("clone");
    run(&clone, "git", &["fsck", "--strict"]);
    assert_eq!(run(&clone, "git", &["status", "--porcelain"]), "");
    run(&clone, "make", &["-s"]);
    assert_eq!(run(&clone, "./hello", &[]), "version 19\n");
    run(&clone, "git", &["checkout", "-q", "HEAD~5"]);
    run(&clone, "make", &["-s", "clean", "all"]);
    assert_eq!(run(&clone, "./hello", &[]), "version 14\n");
    run(&clone, "make", &["-s", "clean"]);
    run(&clone, "git", &["checkout", "-q", "main"]);
    run(
        &clone,
        "git",
        &[
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "here",
        ],
    );
    run(&clone, "git", &["gc", "-q", "--aggressive", "--prune=now"]);
    run(&clone, "git", &["fsck", "--strict"]);
    assert_eq!(run(&clone, "git", &["status", "--porcelain"]), "");
}

/// What differs in names, kinds, modes, times, links, attributes and bytes.
fn differences(left: &Path, right: &Path) -> Vec<String> {
    let slash = |path: &Path| format!("{}/", path.display());
    let words = ["-aXcni", "--delete", "--no-owner", "--no-group"];
    let said = run(
        left,
        "rsync",
        &[&words[..], &[&slash(left), &slash(right)]].concat(),
    );
    // The top folders themselves were not copied.
    let lines = said.lines().filter(|line| !line.ends_with(" ./"));
    lines.map(str::to_owned).collect()
}

fn assert_same(left: &Path, right: &Path) {
    let differences = differences(left, right);
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn trees_are_copied_there_and_back_and_to_the_other_member() {
    if !can_mount() {
        return;
    }
    let (alice, at) = mounted("Alice");
    let source = alice.scratch("source");
    fs::create_dir_all(&source).unwrap();
    run(
        &source,
        "cp",
        &["-a", "/usr/share/doc/git", "/usr/include/linux", "."],
    );
    common::tree::make_odd(&source.join("odd"));
    fs::create_dir(at.join("cp")).unwrap();
    run(&source, "cp", &["-a", ".", text(&at.join("cp"))]);
    assert_same(&source, &at.join("cp"));
    run(&source, "rsync", &["-aHX", "./", text(&at.join("rsync/"))]);
    assert_same(&source, &at.join("rsync"));
    let archive = alice.scratch("tree.tar");
    run(
        &at,
        "tar",
        &["cf", text(&archive), "--xattrs", "-C", "rsync", "."],
    );
    fs::create_dir(at.join("tar")).unwrap();
    run(&at, "tar", &["xf", text(&archive), "--xattrs", "-C", "tar"]);
    assert_same(&source, &at.join("tar"));
    let back = alice.scratch("back");
    run(&at, "rsync", &["-aHX", "tar/", text(&back)]);
    assert_same(&source, &back);
    let count = |at: &Path| {
        run(at, "find", &[".", "-type", "f", "-print0"])
            .matches('\0')
            .count()
    };
    assert_eq!(count(&at.join("tar")), count(&source));

    let bob = Node::named("Bob");
    let code = alice.json(&["invite", SPACE, &bob.public_key()])["code"].clone();
    bob.json(&["join", code.as_str().unwrap(), "--peer", &alice.hint()]);
    bob.json(&["mount", SPACE]);
    for folder in ["cp", "rsync", "tar"] {
        let theirs = bob.usual(SPACE).join(folder);
        until("the same tree is there", || {
            if !theirs.is_dir() {
                return Err(format!("no {folder}"));
            }
            match differences(&source, &theirs) {
                none if none.is_empty() => Ok(()),
                some => Err(format!("{} differences: {:?}", some.len(), some.first())),
            }
        });
    }
    run(&at, "rm", &["-r", "cp", "rsync"]);
    until("they are gone for the other member", || {
        let left = fs::read_dir(bob.usual(SPACE)).unwrap().count();
        if left == 1 {
            Ok(())
        } else {
            Err(left.to_string())
        }
    });
}

#[test]
fn two_members_work_at_once_and_apart_and_nothing_is_lost() {
    if !can_mount() {
        return;
    }
    let (alice, here) = mounted("Alice");
    let mut bob = Node::named("Bob");
    let code = alice.json(&["invite", SPACE, &bob.public_key()])["code"].clone();
    bob.json(&["join", code.as_str().unwrap(), "--peer", &alice.hint()]);
    bob.json(&["mount", SPACE]);
    let there = bob.usual(SPACE);
    let write = |at: PathBuf, who: &'static str| {
        std::thread::spawn(move || {
            for number in 0..100 {
                fs::write(
                    at.join(format!("{who}-{number}")),
                    format!("{who} {number}"),
                )
                .unwrap();
                fs::write(at.join("both"), format!("{who} {number}")).unwrap();
            }
        })
    };
    let writers = [write(here.clone(), "alice"), write(there.clone(), "bob")];
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    // Apart: one program is not running, its member writes after its next start, before they meet.
    bob.stop();
    fs::write(here.join("apart"), "alice").unwrap();
    fs::create_dir(here.join("folder")).unwrap();
    fs::write(here.join("folder/from-alice"), "x").unwrap();
    bob.start();
    fs::create_dir(there.join("folder"))
        .or_else(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Ok(()), // they met already
            _ => Err(error),
        })
        .unwrap();
    fs::write(there.join("folder/from-bob"), "x").unwrap();
    let listed = |at: &Path| {
        let mut names: Vec<_> = fs::read_dir(at)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    until("both see the same", || {
        let (ours, theirs) = (listed(&here), listed(&there));
        let all = (0..100).all(|number| {
            ["alice", "bob"].iter().all(|who| {
                let name = format!("{who}-{number}");
                let read = |at: &Path| fs::read_to_string(at.join(&name)).unwrap_or_default();
                read(&here) == format!("{who} {number}") && read(&there) == read(&here)
            })
        });
        let folders =
            [&here, &there].map(|at| fs::read_dir(at.join("folder")).map_or(0, |all| all.count()));
        match all && ours == theirs && folders == [2, 2] {
            true => Ok(()),
            false => Err(format!("{} and {}, {folders:?}", ours.len(), theirs.len())),
        }
    });
    assert_eq!(
        fs::read(here.join("both")).unwrap(),
        fs::read(there.join("both")).unwrap()
    );
}
