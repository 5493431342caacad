//! People with real programs: what they say, note, see of each other, and how safe their space is.

mod common;

use common::watch::Watch;
use common::{Node, until};
use serde_json::{Value, json};

const SPACE: &str = "garden";

/// Somebody in the space that the first one created.
fn join(inviter: &Node, name: &str) -> Node {
    let guest = Node::named(name);
    let code = inviter.json(&["invite", SPACE, &guest.public_key()]);
    let code = code["code"].as_str().unwrap();
    guest.json(&["join", code, "--peer", &inviter.hint()]);
    guest
}

/// People who all know each other.
fn people<const N: usize>(names: [&str; N]) -> [Node; N] {
    let (first, others) = names.split_first().unwrap();
    let alice = Node::named(first);
    alice.json(&["space", "create", SPACE]);
    let mut nodes = vec![];
    for name in others {
        nodes.push(join(&alice, name));
    }
    nodes.insert(0, alice);
    for node in &nodes {
        until("everybody is a member", || {
            let members = node.json(&["members", SPACE]);
            let joined = members.as_array().unwrap().iter();
            let joined = joined.filter(|member| member["standing"] == "joined");
            let names = joined.filter(|member| names.iter().any(|name| member["name"] == *name));
            match names.count() == N {
                true => Ok(()),
                false => Err(members.to_string()),
            }
        });
    }
    nodes.try_into().ok().unwrap()
}

fn messages(node: &Node) -> Vec<(String, String)> {
    let messages = node.json(&["messages", SPACE]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = messages.as_array().unwrap().iter();
    messages
        .map(|message| (text(&message["name"]), text(&message["text"])))
        .collect()
}

fn wait_for_messages(node: &Node, count: usize) -> Vec<(String, String)> {
    until("the messages are here", || {
        let messages = messages(node);
        match messages.len() == count {
            true => Ok(messages),
            false => Err(format!("{messages:?}")),
        }
    })
}

fn member(node: &Node, name: &str) -> Value {
    let members = node.json(&["members", SPACE]);
    let mut found = members.as_array().unwrap().iter();
    let found = found.find(|member| member["name"] == name);
    found
        .unwrap_or_else(|| panic!("no {name}: {members}"))
        .clone()
}

fn wait_for_colour(node: &Node, colour: &str) -> Value {
    until(colour, || {
        let health = node.json(&["health", SPACE]);
        match health["colour"] == colour {
            true => Ok(health),
            false => Err(health.to_string()),
        }
    })
}

#[test]
fn messages_go_both_ways_and_a_private_one_is_read_by_nobody_else() {
    let [alice, bob, eve] = people(["Alice", "Bob", "Eve"]);
    let bobs = Watch::begin(&bob, SPACE);
    let eves = Watch::begin(&eve, SPACE);
    let sent = alice.json(&["message", SPACE, "Who has the tent?"]);
    assert_eq!(sent["private"], false);
    let heard = bobs.until("message", |data| data["text"] == "Who has the tent?");
    assert_eq!(
        (&heard["name"], &heard["id"]),
        (&json!("Alice"), &sent["id"])
    );

    let secret = "the surprise is a violet canoe";
    let private = bob.json(&["message", SPACE, secret, "--to", "Alice"]);
    assert_eq!(private["to"], json!(alice.public_key()));
    let by_key = alice.public_key();
    bob.json(&["message", SPACE, "and paddles", "--to", &by_key]);
    bob.bytes(&["message", SPACE, "-"], b"I do\n");
    for node in [&alice, &bob] {
        let all = wait_for_messages(node, 4);
        assert_eq!(all[1], ("Bob".into(), secret.into()));
        assert_eq!(all[3], ("Bob".into(), "I do".into()));
    }
    // What Bob said last has come to Eve, and what he said before it with it.
    let hers = wait_for_messages(&eve, 2);
    assert_eq!(hers[1].1, "I do");
    eves.until("message", |data| data["text"] == "I do");
    let answers = [
        "/messages",
        "/members",
        "/annotations",
        "/health",
        "",
        "/conflicts",
    ];
    let answers = answers.map(|call| eve.get(&format!("/spaces/{SPACE}{call}")).to_string());
    let events: Vec<_> = eves.all().iter().map(Value::to_string).collect();
    for answer in answers.iter().chain(&events) {
        assert!(
            !answer.contains("canoe") && !answer.contains("paddles"),
            "{answer}"
        );
    }
    let since = alice.json(&["messages", SPACE, "--since", "1d ago", "--limit", "2"]);
    assert_eq!(since.as_array().unwrap().len(), 2, "{since}");
    let shown = alice.ok(&["messages", SPACE]);
    assert!(shown.contains("Bob to Alice only: the surprise"), "{shown}");

    let (said, nobody) = (alice.fails(&["message", SPACE, " "]), ["--to", "Zoe"]);
    assert!(said.contains("empty"), "{said}");
    let said = alice.fails(&["message", SPACE, "hello", nobody[0], nobody[1]]);
    assert!(said.contains("Zoe"), "{said}");
    let call = format!("/spaces/{SPACE}/messages");
    let long = json!({ "text": "x".repeat(30_001) });
    let (status, answer) = alice.call("POST", &call, Some(&long));
    assert_eq!(
        (status, &answer["errors"][0]["code"]),
        (413, &json!("too_large"))
    );
    for query in ["limit=0", "limit=10001", "since=yesterday"] {
        let (status, answer) = alice.call("GET", &format!("{call}?{query}"), None);
        assert_eq!(
            (status, &answer["errors"][0]["code"]),
            (400, &json!("bad_request"))
        );
    }
    assert_eq!(messages(&alice).len(), 4, "nothing of that was sent");
}

#[test]
fn annotations_survive_a_rename_and_are_seen_by_the_other() {
    let [alice, bob] = people(["Alice", "Bob"]);
    let watch = Watch::begin(&bob, SPACE);
    alice.bytes(&["put", "garden:may.jpg"], b"a photo");
    alice.json(&[
        "annotate",
        "garden:may.jpg",
        "stars=5",
        "place=Rome",
        "with={\"dog\":true}",
    ]);
    watch.until("file/annotation", |data| {
        data["values"]["place"] == "Rome" && data["name"] == "Alice"
    });
    alice.json(&["mv", "garden:may.jpg", "garden:june.jpg"]);
    let noted = until("Bob sees them under the new name", || {
        let (status, noted) = bob.call("GET", "/spaces/garden/annotations?path=june.jpg", None);
        match status == 200 && noted.as_array().unwrap().len() == 3 {
            true => Ok(noted),
            false => Err(noted.to_string()),
        }
    });
    let value = |key: &str| {
        let mut all = noted.as_array().unwrap().iter();
        all.find(|one| one["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!((value("stars"), value("place")), (json!(5), json!("Rome")));
    assert_eq!(value("with"), json!({ "dog": true }));
    let left = bob.json(&["annotate", "garden:june.jpg", "stars=4"]);
    assert_eq!(left.as_array().unwrap().len(), 4, "{left}");
    let left = alice.json(&["annotate", "garden:june.jpg", "with=null", "place=null"]);
    assert!(!left.to_string().contains("Rome"), "{left}");
    let shown = alice.ok(&["annotations", "garden:june.jpg"]);
    assert!(
        shown.contains("stars") && shown.contains("Alice"),
        "{shown}"
    );
    assert!(
        alice
            .fails(&["annotations", "garden:may.jpg"])
            .contains("may.jpg")
    );
    assert!(
        alice
            .fails(&["annotate", "garden", "nothing"])
            .contains("KEY=VALUE")
    );
    let call = "/spaces/garden/annotations?path=june.jpg";
    for (values, status, code) in [
        (json!({}), 400, "bad_annotation"),
        (json!({ "": 1 }), 400, "bad_annotation"),
        (json!({ "n": u64::MAX }), 400, "bad_request"),
        (json!({ "n": "x".repeat(40_000) }), 413, "too_large"),
    ] {
        let (given, answer) = alice.call("PATCH", call, Some(&json!({ "values": values })));
        assert_eq!(
            (given, &answer["errors"][0]["code"]),
            (status, &json!(code))
        );
    }
}

#[test]
fn members_see_each_other_come_go_change_their_name_and_leave() {
    let [alice, mut bob] = people(["Alice", "Bob"]);
    let watch = Watch::begin(&alice, SPACE);
    bob.json(&["name", "Robert"]);
    watch.until("peer/about", |data| data["content"]["name"] == "Robert");
    let robert = member(&alice, "Robert");
    assert_eq!(
        (&robert["online"], &robert["access"], &robert["invitedBy"]),
        (&json!(true), &json!("write"), &json!(alice.public_key()))
    );
    assert_eq!(robert["devices"].as_array().unwrap().len(), 1);
    bob.stop();
    watch.until("member/presence", |data| {
        data["name"] == "Robert" && data["online"] == false
    });
    let away = member(&alice, "Robert");
    assert!(
        away["online"] == false && away["lastSeenAt"].is_string(),
        "{away}"
    );
    assert!(alice.ok(&["members", SPACE]).contains("last seen"));
    bob.start();
    watch.until("member/presence", |data| {
        data["name"] == "Robert" && data["online"] == true
    });

    let reader = Node::named("Rita");
    let code = alice.json(&["invite", SPACE, &reader.public_key(), "--read-only"]);
    reader.json(&[
        "join",
        code["code"].as_str().unwrap(),
        "--peer",
        &alice.hint(),
    ]);
    assert!(
        reader
            .fails(&["message", SPACE, "hi"])
            .contains("not write")
    );
    let members = alice.json(&["members", SPACE]);
    let invited = members.as_array().unwrap().last().unwrap();
    assert_eq!(
        (
            &invited["publicKey"],
            &invited["standing"],
            &invited["access"]
        ),
        (
            &json!(reader.public_key()),
            &json!("invited"),
            &json!("read")
        )
    );

    bob.json(&["space", "delete", SPACE, "--yes"]);
    watch.until("member/left", |data| data["name"] == "Robert");
    let left = member(&alice, "Robert");
    assert_eq!(left["standing"], "left");
    assert!(left["leftAt"].is_string(), "{left}");
    assert!(alice.ok(&["members", SPACE]).contains("left "));
}

#[test]
fn health_turns_from_red_to_green_to_amber_and_back_for_both() {
    let [alice, bob] = people(["Alice", "Bob"]);
    let watch = Watch::begin(&bob, SPACE);
    alice.bytes(&["put", "garden:big"], &vec![7; 300_000]);
    for node in [&alice, &bob] {
        let health = wait_for_colour(node, "red");
        assert!(
            health["reason"].as_str().unwrap().contains("no replicator"),
            "{health}"
        );
    }
    let mut hub = Node::started();
    let address = alice.space(SPACE)["address"].as_str().unwrap().to_owned();
    hub.json(&["replicate", &address, "--peer", &alice.hint()]);
    for node in [&alice, &bob] {
        let health = wait_for_colour(node, "green");
        let copy = &health["copies"][0];
        assert!(copy["lastSyncAt"].is_string(), "{health}");
        assert_eq!(
            (&health["threshold"], &health["complete"]),
            (&json!(1), &json!(1))
        );
    }
    watch.until("space/health", |data| data["colour"] == "green");
    alice.json(&["health", SPACE, "--threshold", "2"]);
    for node in [&alice, &bob] {
        let health = wait_for_colour(node, "amber");
        assert!(
            health["reason"].as_str().unwrap().contains("1 of 2"),
            "{health}"
        );
    }
    watch.until("space/health", |data| data["colour"] == "amber");
    hub.stop();
    bob.json(&["health", SPACE, "--threshold", "1", "--tolerance", "1s"]);
    for node in [&alice, &bob] {
        let health = wait_for_colour(node, "red");
        assert_eq!(health["copies"][0]["state"], "stale");
    }
    watch.until("space/health", |data| data["colour"] == "red");
    bob.json(&["health", SPACE, "--tolerance", "7d"]);
    for node in [&alice, &bob] {
        wait_for_colour(node, "green");
    }
    let shown = alice.ok(&["health", SPACE]);
    assert!(
        shown.contains("green: 1 of 1") && shown.contains("not connected"),
        "{shown}"
    );
    assert!(
        alice
            .fails(&["health", SPACE, "--tolerance", "soon"])
            .contains("7d")
    );
    let (status, answer) = alice.call(
        "PATCH",
        "/spaces/garden/health",
        Some(&json!({ "tolerance": 5 })),
    );
    assert_eq!(
        (status, &answer["errors"][0]["code"]),
        (400, &json!("bad_policy"))
    );
    let (status, _) = alice.call(
        "PATCH",
        "/spaces/garden/health",
        Some(&json!({ "colour": "green" })),
    );
    assert_eq!(status, 422, "a word that it does not know");
}

/// Feeds of before live on with others, and are not begun a second time.
#[test]
fn who_deletes_a_space_and_joins_it_again_is_heard_as_ever() {
    let [alice, bob] = people(["Alice", "Bob"]);
    bob.bytes(&["put", "garden:before.txt"], b"before");
    bob.json(&["message", SPACE, "hello"]);
    let has = |node: &Node, path: &'static str, text: &'static [u8]| {
        until(path, || {
            let read = node.run(&["cat", &format!("{SPACE}:{path}")]);
            match read.stdout == text {
                true => Ok(()),
                false => Err(String::from_utf8_lossy(&read.stderr).into_owned()),
            }
        });
    };
    has(&alice, "before.txt", b"before");
    bob.json(&["space", "delete", SPACE, "--yes"]);
    until("Alice knows that he left", || match member(&alice, "Bob") {
        bob if bob["standing"] == "left" => Ok(()),
        bob => Err(bob.to_string()),
    });
    let code = alice.json(&["invite", SPACE, &bob.public_key()]);
    bob.json(&[
        "join",
        code["code"].as_str().unwrap(),
        "--peer",
        &alice.hint(),
    ]);
    bob.bytes(&["put", "garden:after.txt"], b"after");
    bob.json(&["message", SPACE, "here I am again"]);
    for node in [&alice, &bob] {
        has(node, "before.txt", b"before");
        has(node, "after.txt", b"after");
        let said = wait_for_messages(node, 2);
        assert_eq!(said[1], ("Bob".into(), "here I am again".into()));
        assert_eq!(node.space(SPACE)["refusals"], json!([]));
    }
    let is_one =
        |bob: &Value| bob["standing"] == "joined" && bob["devices"].as_array().unwrap().len() == 1;
    until("Alice sees one device of his", || {
        match member(&alice, "Bob") {
            bob if is_one(&bob) => Ok(()),
            bob => Err(bob.to_string()),
        }
    });
    alice.converge(&bob, SPACE);
}
