//! A device on a real local network, and its admin on another one. Needs network namespaces; says so where it may not.

mod common;

use common::lan::{
    set_up, tell, wait_for_answer, wait_for_beacon, wait_for_copy, wait_for_silence,
};
use common::netns::Networks;
use common::{Node, until};
use serde_json::Value;

fn at(networks: &Networks, host: &str, words: &[&str]) -> Node {
    let mut node = Node::new().with(words);
    node.move_to(&networks.host(host));
    node.start();
    node
}

fn person(networks: &Networks, host: &str, name: &str) -> Node {
    let node = at(networks, host, &["up", "--port", "0"]);
    node.json(&["name", name]);
    node
}

/// Both are online all the time, on networks that do not reach each other; a stranger's copy of the admin space is in between.
#[test]
fn commanded_through_a_third_that_both_can_reach_and_that_understands_nothing() {
    let networks = match Networks::up() {
        Ok(networks) => networks,
        Err(why) => {
            return eprintln!("left out, because network namespaces are not permitted here: {why}");
        }
    };
    let hub = at(
        &networks,
        "hub",
        &["hub", "--name", "new-hub", "--port", "0"],
    );
    let mut ann = person(&networks, "ann", "Ann");
    let device = set_up(&ann, &hub, "attic");
    let relay = person(&networks, "router", "Relay");
    let admin_space = device["address"].as_str().unwrap();
    relay.json(&[
        "replicate",
        admin_space,
        "--peer",
        &ann.hint(),
        "--peer",
        &hub.hint(),
    ]);
    until("the relay has it all", || {
        let far = ann.json(&["space", "show", "attic"])["progress"].clone();
        let held = relay.json(&["replicas"])[0]["progress"]["held"].clone();
        match far["held"] == held && far["held"] == far["known"] {
            true => Ok(()),
            false => Err(format!("{far} and {held}")),
        }
    });
    ann.stop();
    for host in ["hub", "far"] {
        networks.shut_in(host);
    }
    ann.move_to(&networks.host("far"));
    ann.start();
    let created = ann.json(&["space", "create", "garden"]);
    let address = created["address"].as_str().unwrap();
    let said = ann.json(&["device", "replicate", "attic", address, "--no-wait"]);
    wait_for_answer(&ann, "attic", &said);
    assert_eq!(hub.json(&["replicas"])[0]["address"], address);
    let mine = ann.json(&["device", "list"])["mine"][0].clone();
    assert_eq!(mine["online"], false, "{mine}");
}

#[test]
fn claimed_at_home_and_commanded_from_another_network() {
    let networks = match Networks::up() {
        Ok(networks) => networks,
        Err(why) => {
            return eprintln!("left out, because network namespaces are not permitted here: {why}");
        }
    };
    let mut hub = at(
        &networks,
        "hub",
        &["hub", "--name", "new-hub", "--port", "0"],
    );
    let (mut ann, eve) = (
        person(&networks, "ann", "Ann"),
        person(&networks, "eve", "Eve"),
    );
    let far = person(&networks, "far", "Far");
    let seen = wait_for_beacon(&eve, &hub);
    assert!(
        seen["at"].as_str().unwrap().starts_with("192.168.77.2:"),
        "{seen}"
    );
    set_up(&ann, &hub, "attic");
    wait_for_silence(&eve);
    let unheard = far.json(&["device", "list"])["seen"].clone();
    assert_eq!(unheard, Value::Array(Vec::new()), "beacons stay at home");
    let created = ann.json(&["space", "create", "garden"]);
    let address = created["address"].as_str().unwrap().to_owned();
    ann.bytes(&["put", "garden:notes.txt"], b"sow in march");
    // What she did at home is known to the hub before she leaves.
    tell(&ann, &["hide", "attic"]);
    ann.stop();

    ann.move_to(&networks.host("far"));
    drop(far);
    ann.start();
    tell(&ann, &["replicate", "attic", &address, "--name", "garden"]);
    let told = wait_for_copy(&ann, "attic", &address);
    assert_eq!(told["online"], true);
    // Somebody at home becomes an admin because she says so from afar.
    tell(&ann, &["announce", "attic"]);
    set_up(&eve, &hub, "x");
    wait_for_silence(&eve);
    tell(&eve, &["unreplicate", "attic", &address]);
    until("Ann sees who did it", || {
        let log = ann.json(&["device", "log", "attic"]);
        let log = log.as_array().unwrap().clone();
        let found = log.iter().find(|one| one["command"] == "unreplicate");
        match found {
            Some(one) if one["authorName"] == "Eve" && one["state"] == "done" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    // The device is restarted, and finds its admins by itself.
    hub.stop();
    let said = ann.json(&["device", "rename", "attic", "cellar", "--no-wait"]);
    hub.start();
    until("the new name", || {
        let mine = ann.json(&["device", "list"])["mine"][0]["name"].clone();
        if mine == "cellar" {
            Ok(())
        } else {
            Err(mine.to_string())
        }
    });
    wait_for_answer(&ann, "cellar", &said);
}
