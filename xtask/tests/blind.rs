//! The ciphertext line: what handles other people's bytes must not be able to name a key that opens them.
//!
//! The end-to-end twin, which searches a replicator's disk and traffic, is in `crates/cobox/tests`.

use std::fs;
use std::path::{Path, PathBuf};

/// Names that would let a room open blocks.
const OPENERS: &[&str] = &["EncryptionKey", "ReadKey", "BlockKey", "cipher"];

fn rust_files(path: PathBuf) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path];
    }
    let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    entries
        .flatten()
        .flat_map(|entry| rust_files(entry.path()))
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .collect()
}

#[test]
fn nothing_below_the_line_names_a_key_that_opens_blocks() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let blind = [
        "feed/src",
        "swarm/src",
        "space/src/replica.rs",
        "space/src/shelf/locked.rs",
    ];
    let mut seen = 0;
    for file in blind.iter().flat_map(|part| rust_files(crates.join(part))) {
        seen += 1;
        let source = fs::read_to_string(&file).expect("a readable source file");
        let code = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            for name in OPENERS {
                assert!(
                    !line.contains(name),
                    "{}:{}: names {name}: {line}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
    assert!(seen > 5, "the rooms below the line were not found");
}
