//! The house stays a house: crates import only lower floors, modules only modules after them.
//!
//! Rust forbids cycles between crates, not inside one; this test reads every Cargo dependency and
//! every `crate::` path and fails on an upward arrow.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates from the roof down. A crate may use only crates of a later row.
const FLOORS: &[&[&str]] = &[
    &["cobox"],
    &["space", "mount"],
    &["drive"],
    &["view", "swarm"],
    &["keys", "feed", "sheet"],
];

/// Modules of each crate from the top down. A module may use only modules listed after it.
const MODULES: &[(&str, &[&str])] = &[
    (
        "cobox",
        &[
            "main", "cli", "daemon", "doors", "client", "api", "mounts", "settings", "config",
            "logs", "memory",
        ],
    ),
    (
        "space",
        &[
            "lib", "hub", "shelf", "admin", "space", "replica", "members", "health", "log", "home",
            "error",
        ],
    ),
    (
        "drive",
        &[
            "lib", "overlay", "export", "import", "drive", "handle", "tree", "merge", "content",
            "error", "record", "version", "path",
        ],
    ),
    (
        "mount",
        &[
            "lib", "webdav", "mount", "fuse", "hidden", "special", "attr", "local", "errno",
            "aside",
        ],
    ),
    (
        "view",
        &["lib", "indexer", "journal", "source", "kv", "query"],
    ),
    (
        "swarm",
        &[
            "lib",
            "swarm",
            "discovery",
            "session",
            "protocol",
            "wire",
            "transport",
        ],
    ),
    (
        "keys",
        &[
            "lib",
            "paper",
            "invite",
            "certificate",
            "derive",
            "access",
            "signed",
            "identity",
            "pake",
            "password",
            "cipher",
            "sodium",
            "secret",
            "cbor",
            "vectors",
            "error",
        ],
    ),
    ("sheet", &["lib", "layout", "page", "code", "font"]),
    (
        "feed",
        &[
            "lib", "store", "set", "feed", "vault", "event", "index", "segment", "disk", "error",
            "tree", "manifest", "sync", "bitfield", "codec",
        ],
    ),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|row| row.contains(&name))
}

#[test]
fn crates_import_only_lower_floors() {
    let mut upward = Vec::new();
    for (above, row) in FLOORS.iter().enumerate() {
        for name in *row {
            let Ok(manifest) = fs::read_to_string(crates().join(name).join("Cargo.toml")) else {
                continue;
            };
            let normal = manifest
                .split("[dev-dependencies]")
                .next()
                .unwrap_or_default();
            for line in normal.lines() {
                let Some(used) = line.strip_prefix("cobox-") else {
                    continue;
                };
                let used = used.split(['.', ' ', '=']).next().unwrap_or_default();
                if floor(used).is_none_or(|below| below <= above) {
                    upward.push(format!("{name} -> {used}"));
                }
            }
        }
    }
    assert!(
        upward.is_empty(),
        "upward arrows between crates: {upward:?}"
    );
}

#[test]
fn every_crate_has_its_floor_and_its_modules_listed() {
    for entry in fs::read_dir(crates()).expect("the crates folder") {
        let name = entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        assert!(floor(&name).is_some(), "crate {name} has no floor");
        let listed = modules_of(&name);
        for module in top_modules(&name) {
            assert!(
                listed.contains(&module.as_str()),
                "module {name}::{module} has no place in the house"
            );
        }
    }
}

#[test]
fn modules_import_only_modules_beneath_them() {
    let mut upward = BTreeSet::new();
    for (name, order) in MODULES {
        for (module, text) in sources(name) {
            let Some(from) = order.iter().position(|m| *m == module) else {
                continue;
            };
            for used in crate_paths(&text) {
                let Some(to) = order.iter().position(|m| *m == used) else {
                    continue;
                };
                if to < from {
                    upward.insert(format!("{name}: {module} -> {used}"));
                }
            }
        }
    }
    assert!(
        upward.is_empty(),
        "upward arrows between modules: {upward:#?}"
    );
}

fn modules_of(name: &str) -> &'static [&'static str] {
    MODULES
        .iter()
        .find(|(n, _)| *n == name)
        .map_or(&[], |(_, modules)| modules)
}

fn top_modules(name: &str) -> BTreeSet<String> {
    sources(name)
        .into_iter()
        .map(|(module, _)| module)
        .collect()
}

/// (top module, source without comments and tests) of every file.
fn sources(name: &str) -> Vec<(String, String)> {
    let src = crates().join(name).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|e| e.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let module = path
                    .strip_prefix(&src)
                    .ok()
                    .and_then(|p| p.iter().next())
                    .unwrap_or_default();
                let module = module.to_string_lossy().trim_end_matches(".rs").to_owned();
                found.push((
                    module,
                    plain(&fs::read_to_string(&path).unwrap_or_default()),
                ));
            }
        }
    }
    found
}

/// Drops comment lines and everything from the unit tests on: tests may reach up for set-up.
fn plain(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// First segments after `crate::`, also of grouped imports.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            found.extend(group_heads(group));
        } else {
            found.insert(identifier(part));
        }
    }
    found
}

/// Names at the first level of a `{a::x, b::{c, d}}` group.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut start = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn grouped_imports_are_seen() {
    let found =
        crate_paths("use crate::{tree::{Node, Head}, codec};\nlet x = crate::set::Batch::new();");
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["codec", "set", "tree"]
    );
}
