//! Mounts a fresh drive that is thrown away at the end: `mounted FOLDER [--others]`, until a line is read.

#[path = "../../drive/tests/common/mod.rs"]
mod common;

use cobox_mount::{Mount, Options};
use std::io::BufRead;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args_os().skip(1);
    let at = PathBuf::from(words.next().ok_or("mounted FOLDER [--others]")?);
    let others = words.any(|word| word == "--others");
    let peer = common::Peer::new(&common::Space::new(), 1);
    let options = Options {
        at,
        name: "example".into(),
        read_only: false,
        as_of_ms: None,
        others,
        disk: peer.dir.path().to_owned(),
    };
    let mount = Mount::start(peer.drive.clone(), options)?;
    println!("mounted; a line ends it");
    std::io::stdin().lock().lines().next();
    mount.stop()?;
    Ok(())
}
