//! Pipes and sockets on a mounted folder: they work, and no space hears of them.

mod common;

use common::*;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

fn mounted() -> Option<Mounted> {
    can_mount().then(|| Mounted::new(&Space::new(), 1))
}

fn make_pipe(at: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
}

#[test]
fn a_socket_connects_and_a_pipe_carries() {
    let Some(m) = mounted() else { return };
    let listener = UnixListener::bind(m.path("socket")).unwrap();
    let mut near = UnixStream::connect(m.path("socket")).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    near.write_all(b"hello").unwrap();
    let mut heard = [0; 5];
    far.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    make_pipe(&m.path("pipe"));
    let (from, to) = (m.path("pipe"), m.path("pipe"));
    let reader = std::thread::spawn(move || fs::read(from).unwrap());
    fs::write(to, b"through").unwrap();
    assert_eq!(reader.join().unwrap(), b"through");
    let kinds: Vec<_> = fs::read_dir(&m.at)
        .unwrap()
        .map(|entry| entry.unwrap().file_type().unwrap())
        .collect();
    assert!(kinds.iter().any(|kind| kind.is_socket()) && kinds.iter().any(|kind| kind.is_fifo()));
    let peer = m.stop().unwrap();
    assert_eq!(names(&peer.drive, ""), [""; 0]);
    let again = Mounted::with(peer, |_| {});
    assert_eq!(fs::read_dir(&again.at).unwrap().count(), 0);
}

#[test]
fn files_and_pipes_take_each_others_places() {
    let Some(m) = mounted() else { return };
    make_pipe(&m.path("pipe"));
    fs::write(m.path("file"), b"x").unwrap();
    fs::rename(m.path("pipe"), m.path("file")).unwrap();
    assert!(fs::metadata(m.path("file")).unwrap().file_type().is_fifo());
    fs::write(m.path("other"), b"y").unwrap();
    fs::rename(m.path("other"), m.path("file")).unwrap();
    assert_eq!(fs::read(m.path("file")).unwrap(), b"y");
    assert_eq!(fs::read_dir(&m.at).unwrap().count(), 1);
    fs::hard_link(m.path("file"), m.path("link")).unwrap_err();
}

#[test]
fn a_folder_with_a_pipe_in_it_is_not_empty() {
    let Some(m) = mounted() else { return };
    for name in ["with", "without"] {
        fs::create_dir(m.path(name)).unwrap();
    }
    make_pipe(&m.path("with/pipe"));
    let code = |done: std::io::Result<()>| done.unwrap_err().raw_os_error();
    assert_eq!(code(fs::remove_dir(m.path("with"))), Some(libc::ENOTEMPTY));
    assert_eq!(
        code(fs::rename(m.path("without"), m.path("with"))),
        Some(libc::ENOTEMPTY)
    );
    fs::rename(m.path("with"), m.path("moved")).unwrap();
    fs::hard_link(m.path("moved/pipe"), m.path("pipe")).unwrap();
    assert_eq!(fs::metadata(m.path("pipe")).unwrap().nlink(), 2);
    fs::remove_file(m.path("moved/pipe")).unwrap();
    fs::remove_dir(m.path("moved")).unwrap();
    assert_eq!(fs::metadata(m.path("pipe")).unwrap().nlink(), 1);
}
