//! Puts the built web page (`page/`, made from `ui/` by `npm run embed`) into the program: a table of files.
//!
//! Nothing else is needed for that, neither Node nor a macro. Not its job: building the page.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=page");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("page");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    if !files.contains(&root.join("index.html")) {
        return Err("crates/cobox/page has no index.html: git has it, or make it with: cd ui && npm ci && npm run embed".into());
    }
    let mut table = String::from("&[\n");
    for file in files {
        // Paths in the page have forward slashes, and bytewise order.
        let name = file
            .strip_prefix(&root)?
            .to_str()
            .ok_or("a name that is no text")?;
        let tag = tag(&fs::read(&file)?);
        writeln!(
            table,
            "    File {{ path: {name:?}, tag: \"\\\"{tag:016x}\\\"\", bytes: include_bytes!({file:?}) }},"
        )?;
    }
    table.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("page.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// Tells two builds of a file apart for a browser's cache; no secret hangs on it.
fn tag(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
