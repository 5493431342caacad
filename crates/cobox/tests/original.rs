//! The original's page (1.1.0-alpha.1), call by call in its order, against this program: what it reads is there.

mod common;

use common::lan::{Lan, set_up};
use common::{Node, until};
use serde_json::{Value, json};

/// What the page of one person does.
struct Page<'a> {
    node: &'a Node,
    cookie: String,
}

impl<'a> Page<'a> {
    /// Registering fails, so it logs in.
    fn unlocked(node: &'a Node) -> Self {
        node.bytes(&["password"], b"correct horse\n");
        let body = json!({ "password": "correct horse" }).to_string();
        let json = "Content-Type: application/json\r\n";
        assert_eq!(
            node.whole_call("GET", "/system", "", b"").0,
            200,
            "not offline"
        );
        assert_eq!(node.whole_call("GET", "/auth", "", b"").0, 401, "locked");
        assert_eq!(
            node.whole_call("POST", "/register", json, body.as_bytes())
                .0,
            401
        );
        let (status, head, _) = node.whole_call("POST", "/auth", json, body.as_bytes());
        assert_eq!(status, 204);
        let set = head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .unwrap();
        let cookie = format!("Cookie: {}\r\n", set.split(';').next().unwrap());
        Self { node, cookie }
    }

    fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let own = format!(
            "Origin: http://localhost:{}\r\nSec-Fetch-Site: same-origin\r\n",
            self.node.port()
        );
        let headers = format!("Content-Type: application/json\r\n{own}{}", self.cookie);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, _, answer) = self
            .node
            .whole_call(method, path, &headers, body.as_bytes());
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null)
    }
}

#[test]
fn the_page_can_be_used_as_it_was() {
    let (alice, bob) = (Node::started(), Node::started());
    let (a, b) = (Page::unlocked(&alice), Page::unlocked(&bob));
    for (page, name) in [(&a, "Alice"), (&b, "Bob")] {
        let me = page.get("/identities/current");
        assert_eq!(me["name"], "", "onboarding");
        let key = me["publicKey"].as_str().unwrap();
        let named = page.call(
            "PATCH",
            &format!("/identities/{key}"),
            json!({ "name": name }),
        );
        assert_eq!(
            (&named["name"], &named["publicKey"]),
            (&json!(name), &me["publicKey"])
        );
        assert_eq!(page.get("/profile")["name"], name);
        page.call("PUT", &format!("/session/{key}"), Value::Null);
    }
    let space = a.call("POST", "/spaces", json!({ "name": "our box" }));
    let address = space["address"].as_str().unwrap();
    let about = json!({ "address": address, "name": "our box" });
    a.call(
        "POST",
        &format!("/spaces/{address}/connections"),
        about.clone(),
    );
    assert_eq!(a.get("/spaces")[0]["name"], "our box");

    let invite = a.call(
        "POST",
        &format!("/spaces/{address}/invites"),
        json!({ "publicKey": bob.public_key() }),
    );
    let code = invite["content"]["code"].as_str().unwrap();
    let joined = b.get(&format!("/spaces/invites/accept?code={code}"));
    assert_eq!(
        (&joined["address"], &joined["name"]),
        (&space["address"], &space["name"])
    );
    let members = until("they know each other", || {
        match a.get(&format!("/spaces/{address}/peers")) {
            all if all.as_object().unwrap().len() == 2 => Ok(all),
            all => Err(all.to_string()),
        }
    });
    let of_bob = &members[bob.public_key()];
    assert_eq!(
        (&of_bob["type"], &of_bob["content"]["name"]),
        (&json!("peer/about"), &json!("Bob"))
    );
    until("it is seen when they were in sync", || {
        let all = a.get(&format!("/spaces/{address}/last-sync"));
        let (peer, sync) = all.as_object().unwrap().iter().next().ok_or("nobody")?;
        assert_eq!(&sync["peerId"], peer);
        sync["lastSyncAt"].as_str().map(drop).ok_or(all.to_string())
    });
    let bob_is_there = a.get("/peers")[bob.public_key()].clone();
    assert_eq!(
        (&bob_is_there["online"], &bob_is_there["peerId"]),
        (&json!(true), &json!(bob.public_key()))
    );

    alice.bytes(&["put", "our box:a"], b"12345");
    assert_eq!(a.get(&format!("/spaces/{address}/drive/stat"))["size"], 5);
    assert_eq!(a.get("/spaces/mounts"), json!({ address: null }));
    let mounted = a.call("POST", &format!("/spaces/{address}/mounts"), about);
    assert!(
        mounted["location"]
            .as_str()
            .unwrap()
            .ends_with("cobox/our box"),
        "{mounted}"
    );
    assert_eq!(a.get("/spaces/mounts")[address], mounted["location"]);
    a.call("DELETE", &format!("/spaces/{address}/mounts"), Value::Null);
    assert_eq!(a.get("/spaces/mounts"), json!({ address: null }));
    a.call("DELETE", &format!("/spaces/{address}"), Value::Null);
    assert_eq!(a.get("/spaces"), json!([]));
    a.call("DELETE", "/auth", Value::Null);
    assert_eq!(alice.whole_call("GET", "/auth", &a.cookie, b"").0, 401);
}

/// What the page calls seeders: devices whose admins we are.
#[test]
fn its_page_about_seeders_can_be_used_as_it_was() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let (alice, bob) = (lan.person("Alice"), lan.person("Bob"));
    set_up(&alice, &hub, "attic");
    let (a, b) = (Page::unlocked(&alice), Page::unlocked(&bob));
    let seeder = a.get("/admin/seeders")[0].clone();
    assert_eq!(seeder["name"], "attic");
    let at = |path: &str| {
        format!(
            "/admin/seeders/{}{path}",
            seeder["address"].as_str().unwrap()
        )
    };
    a.call("POST", &at("/connections"), seeder.clone());

    let space = a.call("POST", "/spaces", json!({ "name": "our box" }));
    let folder = json!({ "address": space["address"], "name": "our box" });
    a.call("POST", &at("/commands/replicate"), folder.clone());
    let seeds = a.get(&at("/commands/replicates"));
    let seed = &seeds[0];
    assert!(seed["timestamp"].is_u64(), "{seeds}");
    assert_eq!(seed["value"]["type"], "command/replicate");
    assert_eq!(seed["value"]["author"], alice.public_key());
    assert_eq!(seed["value"]["content"], folder);
    until("it is replicated", || {
        match hub.json(&["replicas"])[0]["address"] == space["address"] {
            true => Ok(()),
            false => Err("not yet".into()),
        }
    });
    a.call("POST", &at("/commands/unreplicate"), folder);
    let seeds = a.get(&at("/commands/replicates"));
    let newest = seeds
        .as_array()
        .unwrap()
        .iter()
        .max_by_key(|one| one["timestamp"].as_u64());
    assert_eq!(newest.unwrap()["value"]["type"], "command/unreplicate");

    let invited = json!({ "address": seeder["address"], "publicKey": bob.public_key() });
    let invite = a.call("POST", &at("/invites"), invited);
    let code = invite["content"]["code"].as_str().unwrap();
    let joined = b.get(&format!("/admin/seeders/invites/accept?code={code}"));
    assert_eq!(joined["address"], seeder["address"]);
    until("they know each other", || {
        let peers = a.get(&at("/peers"));
        let names = |one: &Value| one["data"]["content"]["name"].clone();
        let names: Vec<_> = peers.as_array().unwrap().iter().map(names).collect();
        match ["Alice", "Bob"]
            .iter()
            .all(|name| names.contains(&json!(name)))
        {
            true => Ok(()),
            false => Err(peers.to_string()),
        }
    });

    // The page of a folder's settings.
    let wanted = json!({ "threshold": 2, "tolerance": 86_400_000 });
    let path = format!("/spaces/{}", space["address"].as_str().unwrap());
    let set = a.call("PATCH", &path, wanted);
    assert_eq!(
        (&set["threshold"], &set["tolerance"]),
        (&json!(2), &json!(86_400_000))
    );
    let spaces = a.get("/spaces");
    assert_eq!(
        (&spaces[0]["threshold"], &spaces[0]["name"]),
        (&json!(2), &json!("our box"))
    );
}
