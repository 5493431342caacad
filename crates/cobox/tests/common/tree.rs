//! A real tree with every odd thing that file systems allow.

use crate::common::random::Random;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Makes `top` with everything odd below it.
pub fn make_odd(top: &Path) {
    fs::create_dir_all(top.join("empty")).unwrap();
    make_names(&top.join("names"));
    make_sizes(&top.join("sizes"));
    make_modes(&top.join("modes"));
    make_links(&top.join("links"));
    make_sparse(&top.join("sparse"));
    make_xattrs(&top.join("xattrs"));
    make_deep(&top.join("deep"));
    make_times(&top.join("times"));
}

/// Names that are legal and unlikely.
pub fn odd_names() -> Vec<OsString> {
    let text = [
        "Readme",
        "README",
        "readme",
        "-rf",
        "a b",
        " lead",
        "trail ",
        "dot.",
        "...",
        "a\nb",
        "a\tb",
        "\u{1b}[31m",
        "quo'te\"s",
        "back\\slash",
        "a:b",
        "100%25",
        "a?b&c=d#e",
        "*",
        "~",
        "%2e%2e",
        "name (conflict).txt",
        "\u{e9}",
        "e\u{301}",
        "漢字",
        "🙂",
        "\u{202e}gpj.exe",
        "con",
        "nul.txt",
        ".hidden",
        ".cobox-x",
    ];
    let bytes: [&[u8]; 4] = [b"caf\xe9", b"\xff\xfe", b"\x80", b"\xf0\x9f\x99"];
    let mut names: Vec<_> = text.iter().map(OsString::from).collect();
    names.extend(bytes.iter().map(|name| OsString::from_vec(name.to_vec())));
    names.push("n".repeat(255).into());
    names.push("é".repeat(127).into());
    names.push(OsString::from_vec(vec![0xfe; 255]));
    names
}

fn make_names(dir: &Path) {
    fs::create_dir(dir).unwrap();
    for (number, name) in odd_names().iter().enumerate() {
        let path = dir.join(name);
        match number % 3 {
            0 => {
                fs::create_dir(&path).and_then(|()| fs::write(path.join("inside"), name.as_bytes()))
            }
            _ => fs::write(&path, name.as_bytes()),
        }
        .unwrap_or_else(|e| panic!("{path:?}: {e}"));
    }
}

fn make_sizes(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let mut random = Random::new(1);
    let sizes = [
        0, 1, 511, 1023, 1024, 1025, 4096, 65_535, 65_536, 65_537, 131_072, 1_048_575, 1_048_576,
        1_048_577, 3_333_333,
    ];
    for size in sizes {
        fs::write(dir.join(format!("random-{size}")), random.bytes(size)).unwrap();
        fs::write(
            dir.join(format!("text-{size}")),
            b"all work and no play\n"
                .repeat(size / 21 + 1)
                .split_at(size)
                .0,
        )
        .unwrap();
    }
    let twice = random.bytes(2_000_000);
    fs::write(dir.join("twin-1"), &twice).unwrap();
    fs::write(dir.join("twin-2"), &twice).unwrap();
    fs::write(
        dir.join("twin-shifted"),
        [b"shift".as_slice(), &twice].concat(),
    )
    .unwrap();
}

fn make_modes(dir: &Path) {
    fs::create_dir(dir).unwrap();
    for mode in [
        0o400, 0o444, 0o600, 0o644, 0o700, 0o755, 0o777, 0o4755, 0o2755,
    ] {
        let path = dir.join(format!("file-{mode:o}"));
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    for mode in [0o700, 0o755, 0o1777, 0o2755] {
        let path = dir.join(format!("folder-{mode:o}"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
}

fn make_links(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let targets: [(&str, &[u8]); 7] = [
        ("dangling", b"nowhere/at all"),
        ("absolute", b"/etc/passwd"),
        ("to-folder", b"../sizes"),
        ("to-file", b"../modes/file-644"),
        ("loop", b"loop"),
        ("out", b"../../../../../../../../etc"),
        ("odd-target", b"\xff\n \xfe"),
    ];
    for (name, target) in targets {
        symlink(OsStr::from_bytes(target), dir.join(name)).unwrap();
        let done = Command::new("touch")
            .args(["-h", "-d", "2001-02-03T04:05:06.789012345Z"])
            .arg(dir.join(name))
            .status();
        assert!(done.unwrap().success());
    }
    symlink("x".repeat(4000), dir.join("long-target")).unwrap();
}

fn make_sparse(dir: &Path) {
    fs::create_dir(dir).unwrap();
    File::create(dir.join("hole-only"))
        .unwrap()
        .set_len(5_000_000)
        .unwrap();
    let mut file = File::create(dir.join("islands")).unwrap();
    for place in [0, 3 << 20, (7 << 20) + 123] {
        file.seek(SeekFrom::Start(place)).unwrap();
        file.write_all(&Random::new(place).bytes(10_000)).unwrap();
    }
    file.set_len(16 << 20).unwrap();
    let mut tail = File::create(dir.join("data-last")).unwrap();
    tail.seek(SeekFrom::Start(4 << 20)).unwrap();
    tail.write_all(b"the end").unwrap();
}

/// Leaves the attributes away where the file system has none.
fn make_xattrs(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let file = dir.join("file");
    fs::write(&file, "with attributes").unwrap();
    for (path, name, value) in [
        (&file, "user.note", b"caf\xe9\0bytes".as_slice()),
        (&file, "user.empty", b""),
        (&file, "user.long", &[7; 900]),
        (&dir.to_owned(), "user.of.folder", b"yes"),
    ] {
        if let Err(error) = xattr::set(path, name, value) {
            eprintln!("no extended attributes here: {error}");
            return;
        }
    }
}

fn make_deep(dir: &Path) {
    let mut path = PathBuf::from(dir);
    for depth in 0..60 {
        path.push(format!("{depth}"));
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("leaf"), "down here").unwrap();
}

/// Last, because writing into a folder touches it.
fn make_times(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let since = |seconds, nanos| SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
    let times = [
        ("nanoseconds", since(1_234_567_890, 123_456_789)),
        ("epoch", since(0, 0)),
        ("one-nanosecond", since(0, 1)),
        ("future", since(4_102_444_800, 999_999_999)),
        (
            "before-1970",
            SystemTime::UNIX_EPOCH - Duration::new(86_400, 250_000_000),
        ),
    ];
    for (name, time) in times {
        let (file, folder) = (dir.join(name), dir.join(format!("{name}.d")));
        fs::write(&file, name).unwrap();
        fs::create_dir(&folder).unwrap();
        set_mtime(&file, time);
        set_mtime(&folder, time);
    }
    set_mtime(dir, since(1_000_000_000, 1));
}

/// Sets the time of a file or folder.
pub fn set_mtime(path: &Path, time: SystemTime) {
    let times = FileTimes::new().set_modified(time);
    File::open(path)
        .and_then(|file| file.set_times(times))
        .unwrap_or_else(|e| panic!("{path:?}: {e}"));
}
