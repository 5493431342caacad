//! A program that is killed leaves a folder behind that nobody answers for.

mod common;

use cobox_mount::{Mount, clear_stale};
use common::*;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Tells the helper below where to mount.
const AT: &str = "COBOX_TEST_MOUNT_AT";

/// Not a test by itself: the program that is killed.
#[test]
#[ignore = "run by the test below"]
fn a_program_that_mounts_and_waits() {
    let Some(at) = std::env::var_os(AT).map(PathBuf::from) else {
        return;
    };
    let peer = Peer::new(&Space::new(), 1);
    let _mount = Mount::start(peer.drive.clone(), options(&peer, &at)).expect("mounted");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

/// The kernel goes on to answer what it knows: the folder's details did not tell that the program is gone.
#[test]
fn what_a_killed_program_leaves_is_cleared_away() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("folder");
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_program_that_mounts_and_waits"])
        .env(AT, &at)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    soon("it is mounted", || {
        fs::read_to_string("/proc/self/mounts")
            .is_ok_and(|mounts| mounts.contains(&*at.to_string_lossy()))
    });
    fs::metadata(&at).unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    soon("nobody answers", || fs::read_dir(&at).is_err());
    let m = Peer::new(&Space::new(), 2);
    let mount = Mount::start(m.drive.clone(), options(&m, &at)).unwrap();
    fs::write(at.join("file"), b"x").unwrap();
    clear_stale(&at).unwrap();
    assert_eq!(fs::read(at.join("file")).unwrap(), b"x");
    mount.stop().unwrap();
    assert!(fs::read_dir(&at).unwrap().next().is_none());
}
