//! Two real trees side by side: every difference that a person or a program could notice.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// All differences between what is at `left` and at `right`, in words; empty when they are equal.
pub fn differences(left: &Path, right: &Path) -> Vec<String> {
    let (ours, theirs) = (walk(left), walk(right));
    let mut found = Vec::new();
    for path in theirs.keys().filter(|path| !ours.contains_key(*path)) {
        found.push(format!("{path:?}: only on the right"));
    }
    for (path, data) in &ours {
        match theirs.get(path) {
            None => found.push(format!("{path:?}: only on the left")),
            Some(other) => {
                let places = (below(left, path), below(right, path));
                for difference in compare((&places.0, data), (&places.1, other)) {
                    found.push(format!("{path:?}: {difference}"));
                }
            }
        }
    }
    found
}

/// Fails with the first differences.
pub fn assert_equal(left: &Path, right: &Path) {
    let found = differences(left, right);
    let shown = found
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        found.is_empty(),
        "{} differences between {left:?} and {right:?}:\n{shown}",
        found.len()
    );
}

/// Everything below, by relative path; the top itself has the empty path.
fn walk(top: &Path) -> BTreeMap<PathBuf, Metadata> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        let full = below(top, &path);
        let Ok(data) = fs::symlink_metadata(&full) else {
            continue;
        };
        if data.is_dir() {
            let entries = fs::read_dir(&full).expect("a folder of a test can be listed");
            open.extend(
                entries.map(|entry| path.join(entry.expect("an entry can be read").file_name())),
            );
        }
        found.insert(path, data);
    }
    found
}

/// `top/path`, without the slash at the end that an empty path would give it.
fn below(top: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        return top.to_owned();
    }
    top.join(path)
}

fn compare(left: (&Path, &Metadata), right: (&Path, &Metadata)) -> Vec<String> {
    let ((a, ours), (b, theirs)) = (left, right);
    let mut found = Vec::new();
    if kind(ours) != kind(theirs) {
        return vec![format!("{} and {}", kind(ours), kind(theirs))];
    }
    let mut differ = |what: &str, one: String, other: String| {
        if one != other {
            found.push(format!("{what} {one} and {other}"));
        }
    };
    let time = |data: &Metadata| format!("{}.{:09}", data.mtime(), data.mtime_nsec());
    differ("mtime", time(ours), time(theirs));
    if !ours.is_symlink() {
        differ(
            "mode",
            format!("{:o}", ours.mode() & 0o7777),
            format!("{:o}", theirs.mode() & 0o7777),
        );
        differ("xattrs", xattrs(a), xattrs(b));
    }
    if ours.is_symlink() {
        differ("target", target(a), target(b));
    }
    if ours.is_file() {
        differ("size", ours.len().to_string(), theirs.len().to_string());
        differ(
            "sparse",
            sparse(ours).to_string(),
            sparse(theirs).to_string(),
        );
        if ours.len() == theirs.len() && !same_bytes(a, b).expect("files of a test can be read") {
            found.push("other bytes".into());
        }
    }
    found
}

fn kind(data: &Metadata) -> &'static str {
    let kind = data.file_type();
    match () {
        () if kind.is_dir() => "folder",
        () if kind.is_symlink() => "symlink",
        () if kind.is_file() => "file",
        () if kind.is_fifo() => "fifo",
        () => "device",
    }
}

/// Does at least half of the file take no room?
fn sparse(data: &Metadata) -> bool {
    data.len() >= 1 << 20 && data.blocks() * 512 < data.len() / 2
}

fn target(path: &Path) -> String {
    fs::read_link(path).map_or_else(
        |e| e.to_string(),
        |target| target.as_os_str().as_bytes().escape_ascii().to_string(),
    )
}

/// Extended attributes that belong to the owner; others need rights or are the system's.
fn xattrs(path: &Path) -> String {
    let names = xattr::list(path).into_iter().flatten();
    let mut shown: Vec<_> = names
        .filter(|name| name.as_bytes().starts_with(b"user."))
        .map(|name| format!("{name:?}={:?}", value(path, &name)))
        .collect();
    shown.sort();
    shown.join(",")
}

fn value(path: &Path, name: &OsStr) -> Option<Vec<u8>> {
    xattr::get(path, name).ok().flatten()
}

fn same_bytes(left: &Path, right: &Path) -> io::Result<bool> {
    let (mut left, mut right) = (File::open(left)?, File::open(right)?);
    let (mut ours, mut theirs) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let read = left.read(&mut ours)?;
        if read == 0 {
            return Ok(right.read(&mut theirs)? == 0);
        }
        if right.read_exact(&mut theirs[..read]).is_err() || ours[..read] != theirs[..read] {
            return Ok(false);
        }
    }
}
