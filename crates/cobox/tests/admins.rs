//! Who may command a device, and over which ways: a forger with a program of her own, and a stranger in between.

mod common;

use cobox_space::admin::{Answer, Command, Deed, How, Token};
use cobox_space::shelf::{Shelf, ShelfOptions};
use cobox_space::space::Space;
use common::lan::{Lan, set_up, tell, wait_for_answer};
use common::{Node, until};
use serde_json::Value;
use std::sync::Arc;

fn create(node: &Node, name: &str) -> String {
    let created = node.json(&["space", "create", name]);
    created["address"].as_str().unwrap().to_owned()
}

/// Somebody in the admin space who is no admin, with a program that says what ours would not say.
struct Forger {
    runtime: tokio::runtime::Runtime,
    shelf: Shelf,
    _home: tempfile::TempDir,
}

impl Forger {
    fn new() -> Self {
        let builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = { builder }.enable_all().build().unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut options = ShelfOptions::default();
        options.lan = false;
        options.bind = Some("127.0.0.1:0".parse().unwrap());
        let shelf = runtime.block_on(Shelf::open(home.path(), options)).unwrap();
        shelf.set_name("Eve").unwrap();
        Self {
            runtime,
            shelf,
            _home: home,
        }
    }

    fn key(&self) -> String {
        self.shelf.public_key().to_string()
    }

    fn join(&self, code: &Value, peers: &[&Node]) -> Arc<Space> {
        let space = self.shelf.join(code.as_str().unwrap(), None).unwrap();
        for peer in peers {
            let hint = peer.hint().parse().unwrap();
            self.shelf.swarm().introduce(space.address(), hint);
        }
        space
    }

    fn leave(self) {
        self.runtime.block_on(self.shelf.close()).unwrap();
    }
}

#[test]
fn a_forged_command_does_nothing_and_is_shown_as_refused() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let ann = lan.person("Ann");
    set_up(&ann, &hub, "attic");
    let eve = Forger::new();
    // She may read along, which makes her no admin.
    let code = ann.json(&["invite", "attic", &eve.key()])["code"].clone();
    let space = eve.join(&code, &[&ann, &hub]);
    let address = create(&ann, "garden");
    let deed = Deed::Replicate {
        address: address.parse().unwrap(),
        name: None,
        quota: None,
        hints: vec![ann.hint()],
    };
    let token = Token::generate();
    space.log().tell(&Command { token, deed }).unwrap();
    // She also speaks for the device, and makes herself its admin.
    let public_key = eve.shelf.public_key();
    let how = How::Claimed;
    space
        .log()
        .tell(&Answer::Admitted { public_key, how })
        .unwrap();
    until("Ann sees what was said, and that it does not count", || {
        let log = ann.json(&["device", "log", "attic"]);
        let all = log.as_array().unwrap().clone();
        let hers = all.iter().find(|one| one["author"] == eve.key());
        match hers {
            Some(hers) if hers["state"] == "refused" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    // What an admin says after it is done: so the device has heard her, and did nothing.
    let admins = || ann.json(&["device", "admins", "attic"]);
    tell(&ann, &["hide", "attic"]);
    until("the device has what she said", || {
        let words = [
            "query",
            "attic",
            r#"{"$filter":{"type":"device/command"},"$reduce":{"$count":true}}"#,
        ];
        let count = ann.json(&words)["result"].clone();
        if count == 2 {
            Ok(())
        } else {
            Err(count.to_string())
        }
    });
    tell(&ann, &["quota", "attic", &address, "1GiB"]);
    assert_eq!(hub.json(&["replicas"]), Value::Array(Vec::new()));
    assert_eq!(admins().as_array().unwrap().len(), 1, "{}", admins());
    drop(space);
    eve.leave();
}

#[test]
fn an_admin_and_a_device_that_are_never_online_together_hear_each_other_through_a_third() {
    let lan = Lan::new();
    let mut hub = lan.hub(&[]);
    let mut ann = lan.person("Ann");
    let device = set_up(&ann, &hub, "attic");
    let admin_space = device["address"].as_str().unwrap();
    // Somebody who knows only the address of the admin space, and understands nothing of it.
    let relay = Node::named("Relay");
    relay.json(&[
        "replicate",
        admin_space,
        "--peer",
        &ann.hint(),
        "--peer",
        &hub.hint(),
    ]);
    let held = || {
        relay.json(&["replicas"])[0]["progress"]["held"]
            .as_u64()
            .unwrap()
    };
    let has_as_much_as = |node: &Node| {
        until("the relay has it all", || {
            let far = node.space("attic")["progress"].clone();
            match far["held"] == far["known"] && far["held"].as_u64() == Some(held()) {
                true => Ok(()),
                false => Err(format!("{far} and {}", held())),
            }
        });
    };
    has_as_much_as(&ann);
    hub.stop();

    let address = create(&ann, "garden");
    let said = ann.json(&["device", "replicate", "attic", &address, "--no-wait"]);
    assert_eq!(said["state"], "waiting");
    has_as_much_as(&ann);
    ann.stop();

    let before = held();
    hub.start();
    until("the device has done it", || {
        let replicas = hub.json(&["replicas"]);
        if replicas[0]["address"] == address.as_str() {
            Ok(())
        } else {
            Err(replicas.to_string())
        }
    });
    until("the relay has the answer", || {
        let now = held();
        if now > before {
            Ok(())
        } else {
            Err(now.to_string())
        }
    });
    hub.stop();

    ann.start();
    wait_for_answer(&ann, "attic", &said);
    let mine = ann.json(&["device", "list"])["mine"][0].clone();
    assert_eq!(mine["online"], false, "{mine}");
}
