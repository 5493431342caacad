//! Copies and devices that are gone for good: said once, by command or call, and counted no more anywhere.

mod common;

use common::ear::Ear;
use common::lan::{Lan, set_up, tell, wait_for_copy};
use common::{Node, until};
use serde_json::{Value, json};

const SPACE: &str = "garden";

fn create(node: &Node) -> String {
    let created = node.json(&["space", "create", SPACE]);
    node.bytes(&["put", "garden:notes.txt"], b"sow in march");
    created["address"].as_str().unwrap().to_owned()
}

fn wait_for(node: &Node, colour: &str, copies: usize) -> Value {
    until(colour, || {
        let health = node.json(&["health", SPACE]);
        let listed = health["copies"].as_array().unwrap().len();
        match health["colour"] == colour && listed == copies {
            true => Ok(health),
            false => Err(health.to_string()),
        }
    })
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    let code = answer.1["errors"][0]["code"].as_str();
    (answer.0, code.unwrap_or_default())
}

#[test]
fn a_copy_that_a_device_has_deleted_counts_no_more() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let ann = lan.person("Ann");
    set_up(&ann, &hub, "attic");
    let address = create(&ann);
    tell(&ann, &["replicate", "attic", &address]);
    wait_for(&ann, "green", 1);
    let mut events = Ear::sse(&ann, "/spaces/garden/events");
    tell(&ann, &["unreplicate", "attic", &address]);
    let health = wait_for(&ann, "red", 0);
    assert!(
        health["reason"].as_str().unwrap().contains("no replicator"),
        "{health}"
    );
    events.until("space/health", |data| {
        data["colour"] == "red" && data["copies"] == json!([])
    });
    tell(&ann, &["replicate", "attic", &address]);
    wait_for(&ann, "green", 1);
}

#[test]
fn a_device_that_is_lost_is_forgotten_and_its_copy_counts_no_more() {
    let lan = Lan::new();
    let mut hub = lan.hub(&[]);
    let ann = lan.person("Ann");
    set_up(&ann, &hub, "attic");
    let address = create(&ann);
    tell(&ann, &["replicate", "attic", &address]);
    wait_for_copy(&ann, "attic", &address);
    let copy = wait_for(&ann, "green", 1)["copies"][0].clone();
    let mine = ann.json(&["device", "list"])["mine"][0].clone();
    assert_eq!(mine["peerId"], copy["peerId"]);
    let shown = ann.ok(&["health", SPACE]);
    assert!(shown.contains("  attic  "), "{shown}");
    hub.kill9();
    let said = ann.fails(&["device", "forget", "attic"]);
    assert!(said.contains("--yes"), "{said}");
    let said = ann.fails(&["device", "forget", "cellar", "--yes"]);
    assert!(said.contains("no device"), "{said}");
    let mut events = Ear::sse(&ann, "/events");
    let shown = ann.ok(&["device", "forget", "attic", "--yes"]);
    assert!(
        shown.contains("attic is forgotten") && shown.contains(SPACE),
        "{shown}"
    );
    events.until("device/removed", |_| true);
    events.until("space/health", |data| data["colour"] == "red");
    assert_eq!(ann.json(&["device", "list"])["mine"], json!([]));
    wait_for(&ann, "red", 0);
    let again = ann.call("DELETE", "/devices/attic", None);
    assert_eq!(code(&again), (404, "no_such_device"));
    // Nobody commands it any more, but what it keeps it keeps: if it comes back, it counts.
    hub.start();
    wait_for(&ann, "green", 1);
}

#[test]
fn of_any_replicator_a_member_can_say_that_it_is_gone() {
    let (ann, mut friend) = (Node::named("Ann"), Node::started());
    let address = create(&ann);
    friend.json(&["replicate", &address, "--peer", &ann.hint()]);
    let health = wait_for(&ann, "green", 1);
    let key = health["copies"][0]["peerId"].as_str().unwrap().to_owned();
    friend.kill9();
    until("the friend is away", || {
        let copy = &ann.json(&["health", SPACE])["copies"][0];
        match copy["online"] == false {
            true => Ok(()),
            false => Err(copy.to_string()),
        }
    });
    let said = ann.fails(&["health", SPACE, "--gone", &"0".repeat(16)]);
    assert!(said.contains("no replicator"), "{said}");
    let call = |key: &str| ann.call("DELETE", &format!("/spaces/{SPACE}/health/{key}"), None);
    assert_eq!(code(&call("attic")), (400, "bad_request"));
    assert_eq!(code(&call(&"ab".repeat(32))), (404, "no_such_replicator"));
    let health = ann.json(&["health", SPACE, "--gone", &key[..16]]);
    assert_eq!(
        (&health["colour"], &health["copies"]),
        (&json!("red"), &json!([]))
    );
    assert_eq!(code(&call(&key)), (404, "no_such_replicator"));
    let message = ann.json(&["query", SPACE, r#"{"type": "space/copy-gone"}"#]);
    assert_eq!(message["result"][0]["content"]["device"], json!(key));
}
