//! The folder `.cobox`, and a space as it was.

mod common;

use common::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn listed(at: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(at).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn there_is_a_text_about_each_of_many_files() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    fs::create_dir_all(m.path("a/b")).unwrap();
    for number in 0..500 {
        fs::write(m.path(&format!("a/{number:03}")), b"x").unwrap();
    }
    fs::File::open(&m.at).unwrap().sync_all().unwrap();
    soon("it is committed", || {
        m.peer
            .drive
            .totals()
            .is_ok_and(|(files, _, _)| files == 500)
    });
    let all = listed(&m.path(".cobox/status/a"));
    assert_eq!(all.len(), 501);
    assert_eq!((all[0].as_str(), all[500].as_str()), ("000.txt", "b"));
    let about = m.path(".cobox/status/a/042.txt");
    let text = fs::read_to_string(&about).unwrap();
    assert!(
        text.starts_with("/a/042\nsize     1 bytes\nhere     1 bytes\n"),
        "{text}"
    );
    assert_eq!(fs::metadata(&about).unwrap().len(), text.len() as u64);
    assert!(!m.path(".cobox/status/a/500.txt").exists());
    assert!(!m.path(".cobox/status/a/042").exists());
    assert_eq!(
        listed(&m.path(".cobox")),
        ["conflicts", "history", "status"]
    );
}

#[test]
fn nobody_changes_what_is_hidden_or_was() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    write(&m.peer.drive, "file", b"x");
    let code = |done: std::io::Result<()>| done.unwrap_err().raw_os_error().unwrap();
    soon("a time", || !listed(&m.path(".cobox/history")).is_empty());
    let then = m
        .path(".cobox/history")
        .join(&listed(&m.path(".cobox/history"))[0]);
    for folder in [m.path(".cobox"), m.path(".cobox/status"), then.clone()] {
        assert_eq!(code(fs::write(folder.join("new"), b"x")), libc::EROFS);
        assert_eq!(code(fs::create_dir(folder.join("new"))), libc::EROFS);
        assert_eq!(code(symlink("x", folder.join("new"))), libc::EROFS);
        assert_eq!(
            code(fs::rename(m.path("file"), folder.join("file"))),
            libc::EROFS
        );
    }
    assert_eq!(code(fs::remove_file(then.join("file"))), libc::EROFS);
    assert_eq!(code(fs::remove_dir(m.path(".cobox"))), libc::EROFS);
    let mode = PermissionsExt::from_mode(0o777);
    assert_eq!(
        code(fs::set_permissions(then.join("file"), mode)),
        libc::EROFS
    );
}

#[test]
fn any_time_can_be_named_and_files_are_whole_there() {
    if !can_mount() {
        return;
    }
    let m = Mounted::new(&Space::new(), 1);
    let data = noise(300_000, 1);
    write(&m.peer.drive, "big", &data);
    symlink("big", m.path("link")).unwrap();
    soon("it is committed", || {
        m.peer.drive.stat(&path("link")).is_ok()
    });
    let then = m.path(".cobox/history/2199-01-01");
    assert_eq!(listed(&then), ["big", "link"]);
    assert_eq!(fs::read(then.join("link")).unwrap(), data);
    assert_eq!(
        fs::read_link(then.join("link")).unwrap().to_str(),
        Some("big")
    );
    assert_eq!(fs::metadata(then.join("big")).unwrap().size(), 300_000);
    assert_eq!(
        listed(&m.path(".cobox/history/1999-01-01T00:00:00Z")),
        [""; 0]
    );
    assert!(!m.path(".cobox/history/yesterday").exists());
    // More than are kept in memory, each whole.
    for year in 2100..2110 {
        let then = m.path(&format!(".cobox/history/{year}-06-01"));
        assert_eq!(fs::read(then.join("big")).unwrap(), data);
    }
}
