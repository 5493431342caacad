//! Mounts of a test: can this machine mount, where a space is, what a killed program leaves.

use crate::common::Node;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Can anything be mounted here? Says so if not.
pub fn can_mount() -> bool {
    let can = Path::new("/dev/fuse").exists();
    if !can {
        eprintln!("skipped: there is no /dev/fuse here");
    }
    can
}

/// Takes away what a killed program left mounted below.
pub fn release(below: &Path) {
    for at in mounted_below(below) {
        let _ = Command::new("fusermount3")
            .args(["-uz", "--"])
            .arg(at)
            .output();
    }
}

/// Mount points below a folder, as the kernel says.
pub fn mounted_below(below: &Path) -> Vec<PathBuf> {
    let all = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = all.lines().filter_map(|line| line.split(' ').nth(1));
    let points = points.map(|point| PathBuf::from(point.replace("\\040", " ")));
    points.filter(|point| point.starts_with(below)).collect()
}

impl Node {
    /// Where a space is mounted unless told otherwise.
    pub fn usual(&self, space: &str) -> PathBuf {
        self.scratch("cobox").join(space)
    }

    /// What is said about the mount of a space.
    pub fn mount_of(&self, space: &str) -> Value {
        self.space(space)["mount"].clone()
    }
}
