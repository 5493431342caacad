//! The rehearsal with real programs and a claimed hub. What happens with a copy that is not whole: `cobox-space`, `tests/paper.rs`.

mod common;

use common::Node;
use common::lost::{Printed, SMALL, devices, text_of, wait_for_copy};
use common::node::finish;
use serde_json::Value;
use std::fs;

fn proven(node: &Node) -> Value {
    node.get("/spaces/photos/health")["copies"][0]["provenAt"].clone()
}

fn left_of_drills(node: &Node) -> usize {
    let left = fs::read_dir(node.home().join("drills"));
    left.map(Iterator::count).unwrap_or(0)
}

#[test]
fn a_hub_proves_its_copy_and_a_rehearsal_leaves_nothing_behind() {
    let printed = Printed::of(SMALL);
    let (ann, hub) = (&printed.ann, &printed.hub);
    let (before, kept) = (devices(ann), hub.get("/replicas"));
    assert_eq!(proven(ann), Value::Null);
    let done = ann.json(&["drill", "photos", "--sample", "15"]);
    assert_eq!(
        (&done["entries"], &done["problems"]),
        (&15.into(), &Value::Array(Vec::new()))
    );
    assert!(proven(ann).is_string());
    let key = hub.hint()[..16].to_owned();
    for from in ["attic", &key] {
        let done = ann.json(&["drill", "photos", "--from", from, "--all"]);
        assert_eq!(
            (&done["entries"], &done["bytes"]),
            (&(SMALL.files + 1).into(), &SMALL.bytes().into())
        );
    }
    assert!(ann.ok(&["health", "photos"]).contains("last proven"));
    // With the words from the sheet; with those of another space.
    let text = text_of(&printed.pdf);
    ann.bytes(
        &["drill", "photos", "--typed", "--sample", "3"],
        text.as_bytes(),
    );
    ann.ok(&["space", "create", "garden"]);
    let nobody = ann.fails(&["drill", "garden"]);
    assert!(nobody.contains("no replicator"), "{nobody}");
    let output = finish(
        ann.command(&["drill", "garden", "--typed"]),
        text.as_bytes(),
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not in that"), "{said}");
    // No writer, no feed, no folder is left of it.
    assert_eq!(devices(ann), before);
    assert_eq!(left_of_drills(ann), 0);
    wait_for_copy(ann);
    let address = |replicas: &Value| replicas[0]["address"].clone();
    assert_eq!(address(&hub.get("/replicas")), address(&kept));
}
