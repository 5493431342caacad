//! A page that asks once and then only listens: whatever a call shows, an event tells that it has changed.

mod common;

use common::ear::Ear;
use common::lan::{Lan, set_up, tell};
use common::{Node, until};
use serde_json::{Value, json};

/// The calls that show no state that could change while the program runs, or only tell of it themselves.
const STATELESS: [&str; 13] = [
    "/api",
    "/api/auth",
    "/api/docs",
    "/api/events",
    "/api/keys/backup.pdf",
    "/api/openapi.json",
    "/api/qr",
    "/api/settings",
    "/api/spaces/:space/events",
    "/api/spaces/invites/accept",
    "/api/admin/seeders/invites/accept",
    "/api/system",
    "/api/system/logs",
];

#[test]
fn of_everything_that_can_be_asked_the_documents_say_what_tells_of_it() {
    let node = Node::started();
    let documents = include_str!("../../../docs/api.md");
    let live = documents.split("\n## Live\n").nth(1).unwrap();
    let live = live.split("\n## ").next().unwrap();
    let described = node.get("/openapi.json");
    let paths = described["paths"].as_object().unwrap();
    for (path, _) in paths.iter().filter(|(_, calls)| calls["get"].is_object()) {
        let path = path.replace('{', ":").replace('}', "");
        let path = path.trim_end_matches('/');
        let short = path.replace("/api/spaces/:space", "");
        let told = live.contains(&format!("`GET {path}`")) || live.contains(&format!("`{short}`"));
        assert!(
            told || STATELESS.contains(&path),
            "nothing is said of what tells that {path} has changed"
        );
    }
    // And each type that is named there is one that the description knows, and the other way round.
    let types = &described["components"]["schemas"]["EventJson"]["properties"]["type"];
    let named = types["enum"].as_array().unwrap();
    assert!(named.len() > 20, "{types}");
    for kind in named.iter().map(|kind| kind.as_str().unwrap()) {
        assert!(live.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn spaces_people_and_copies_are_told_of() {
    let (ann, bob) = (Node::named("Ann"), Node::named("Bob"));
    let mut heard = Ear::sse(&ann, "/events");
    ann.json(&["name", "Anna"]);
    heard.until("identity/changed", |data| data["name"] == "Anna");
    let address = ann.json(&["space", "create", "garden"])["address"].clone();
    let new = heard.until("space/changed", |data| data["name"] == "garden");
    assert_eq!(
        (&new["address"], &new["data"]["files"]),
        (&address, &json!(0))
    );
    ann.bytes(&["put", "garden:notes.txt"], b"sow in march");
    heard.until("space/changed", |data| {
        data["files"] == 1 && data["size"] == 12 && data["address"] == address
    });
    let invited = ann.json(&["invite", "garden", &bob.public_key()]);
    let is_bob = |data: &Value| data["publicKey"] == bob.public_key().as_str();
    heard.until("member/changed", |data| {
        is_bob(data) && data["standing"] == "invited"
    });
    let code = invited["code"].as_str().unwrap();
    bob.json(&["join", code, "--peer", &ann.hint()]);
    heard.until("member/changed", |data| {
        is_bob(data) && data["standing"] == "joined"
    });
    let peer = heard.until("peer/changed", |data| {
        data["online"] == true && data["spaces"] == json!([address])
    });
    assert_eq!(peer["address"], "");

    // Somebody keeps a copy: its health changes, and how far it is is told to them.
    let keeper = Node::named("Keeper");
    let mut at_keeper = Ear::sse(&keeper, "/events");
    let text = address.as_str().unwrap();
    keeper.json(&["replicate", text, "--peer", &ann.hint()]);
    at_keeper.until("replica/changed", |data| {
        data["address"] == address
            && data["progress"]["held"] == data["progress"]["known"]
            && data["progress"]["held"] != 0
    });
    heard.until("space/health", |data| data["colour"] == "green");
    ann.json(&["health", "garden", "--threshold", "3"]);
    let health = heard.until("space/health", |data| data["threshold"] == 3);
    assert_eq!(health["data"]["colour"], "amber");
    keeper.json(&["unreplicate", text]);
    at_keeper.until("replica/removed", |_| true);

    bob.json(&["space", "delete", "garden", "--yes"]);
    heard.until("member/changed", |data| {
        is_bob(data) && data["standing"] == "left"
    });
    ann.json(&["space", "delete", "garden", "--yes"]);
    let gone = heard.until("space/removed", |_| true);
    assert_eq!(gone["address"], address);
}

#[test]
fn devices_on_the_lan_and_what_is_said_to_them_are_told_of() {
    let lan = Lan::new();
    let (ann, bob) = (lan.person("Ann"), lan.person("Bob"));
    let mut heard = Ear::sse(&ann, "/events");
    let mut at_bob = Ear::sse(&bob, "/events");
    let hub = lan.hub(&[]);
    let key = hub.ready()["publicKey"].clone();
    let mut at_hub = Ear::sse(&hub, "/events");
    let seen = at_bob.until("device/seen", |data| data["publicKey"] == key);
    assert_eq!(
        (&seen["data"]["name"], &seen["data"]["claimed"]),
        (&json!("new-hub"), &json!(false))
    );
    set_up(&ann, &hub, "attic");
    let device = heard.until("device/changed", |data| data["admin"] == true);
    at_hub.until("hub/changed", |data| {
        data["claimed"] == true && data["name"] == "attic"
    });
    // It is not announced any more, and falls silent for those who were not asked.
    at_bob.until("device/gone", |data| data["publicKey"] == key);

    let address = ann.json(&["space", "create", "garden"])["address"].clone();
    let said = tell(&ann, &["replicate", "attic", address.as_str().unwrap()]);
    // How it stood in between need not be told: what moves fast is told twice a second.
    let told = heard.until("device/command", |data| {
        data["id"] == said["id"] && data["state"] == "done"
    });
    assert_eq!(told["address"], device["address"]);
    heard.until("device/changed", |data| {
        data["replicates"][0]["address"] == address
    });
    tell(&ann, &["announce", "attic"]);
    heard.until("device/changed", |data| data["announcedUntil"].is_string());
    at_bob.until("device/seen", |data| data["claimed"] == true);
    let code = ann.json(&["device", "add-admin", "attic", &bob.public_key()]);
    let code = code["code"].as_str().unwrap();
    heard.until("device/changed", |data| {
        data["admins"].as_array().is_some_and(|all| all.len() == 2)
    });
    bob.json(&["join", code, "--peer", &hub.hint()]);
    at_bob.until("device/changed", |data| {
        data["admin"] == true && data["name"] == "attic"
    });
    until("the page of Bob shows the same", || {
        let shown = bob.get("/devices");
        match shown[0]["admin"] == true {
            true => Ok(()),
            false => Err(shown.to_string()),
        }
    });
}

#[test]
fn jobs_are_told_of_from_their_beginning_until_they_are_forgotten() {
    let node = Node::named("Ann");
    node.json(&["space", "create", "garden"]);
    let source = node.scratch("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("a"), b"a").unwrap();
    let mut heard = Ear::sse(&node, "/events");
    let body = json!({ "paths": [{ "name": source }], "to": { "name": "" } });
    let (status, job) = node.call("POST", "/spaces/garden/import?detach=true", Some(&body));
    assert_eq!(status, 202, "{job}");
    let is_it = |data: &Value| data["id"] == job["id"];
    heard.until("job/changed", |data| {
        is_it(data) && data["state"] == "running"
    });
    heard.until("job/changed", |data| is_it(data) && data["state"] == "done");
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(node.call("DELETE", &path, None).0, 200);
    heard.until("job/removed", is_it);
}
