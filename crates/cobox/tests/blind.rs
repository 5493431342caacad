//! A replicator learns nothing: not from its disk, not from the wire, not from the sizes of blocks.

mod common;

use cobox_feed::store::{Options, Store};
use common::lan::{self, Lan};
use common::random::Random;
use common::search::Needles;
use common::wire::Wire;
use common::{Node, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const SENTENCE: &str = "the treasure lies under the third oak";
const SPACE: &str = "secret-society";
const MEMBER: &str = "Alice-Liddell-Hargreaves";
const FOLDER: &str = "conspiracy-folder";
const FILE: &str = "incriminating-ledger.txt";

/// Bytes that sealing adds to a block: nonce and tag.
const SEAL: usize = 40;

/// A tree whose content and names are looked for, and everything that must not be found of it.
fn known_tree(top: &Path) -> Needles {
    let folder = top.join(FOLDER);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(FILE), format!("{SENTENCE}\n").repeat(40_000)).unwrap();
    fs::write(folder.join("small-confession.txt"), SENTENCE).unwrap();
    std::os::unix::fs::symlink(
        "/hidden/link-destination",
        folder.join("pointing-somewhere"),
    )
    .unwrap();
    let noise = Random::new(4).bytes(5 << 20);
    fs::write(top.join("incompressible.bin"), &noise).unwrap();
    let mut needles = Needles::default();
    needles.in_all_forms("text", SENTENCE.as_bytes());
    for place in (0..noise.len() - 16).step_by(4096) {
        needles.raw("incompressible content", &noise[place..place + 16]);
    }
    for name in [
        FOLDER,
        FILE,
        "small-confession.txt",
        "incompressible.bin",
        "pointing-somewhere",
        "link-destination",
    ] {
        needles.in_all_forms("name", name.as_bytes());
    }
    needles
}

fn forbid_people(needles: &mut Needles, member: &Node) {
    needles.in_all_forms("member's name", MEMBER.as_bytes());
    needles.in_all_forms("space's name", SPACE.as_bytes());
    let key = data_encoding::HEXLOWER
        .decode(member.public_key().as_bytes())
        .unwrap();
    needles.in_all_forms("member's public key", &key);
}

fn create(node: &Node) -> String {
    node.json(&["space", "create", SPACE])["address"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Waits until the replicator holds all that the member has.
fn wait_for_copy(member: &Node, replicator: &Node) {
    until("the replicator holds everything", || {
        let shown = member.space(SPACE);
        let receipt = &shown["receipts"][0];
        let (far, here) = (
            &replicator.json(&["replicas"])[0]["progress"],
            &shown["progress"],
        );
        let whole = receipt["complete"] == true
            && far["held"] == far["known"]
            && far["known"] == here["known"];
        if whole {
            Ok(())
        } else {
            Err(format!("{far} of {here}; receipt {receipt}"))
        }
    });
}

#[test]
fn neither_disk_nor_wire_of_a_replicator_tells_anything() {
    let alice = Node::named(MEMBER);
    let mut hub = Node::started();
    let source = alice.scratch("source");
    let mut needles = known_tree(&source);
    forbid_people(&mut needles, &alice);
    let (found, _) = needles.found_below(&source);
    assert!(
        found.len() > 1000,
        "the search finds what is there: {}",
        found.len()
    );

    let address = create(&alice);
    let words = ["import", SPACE].map(PathBuf::from);
    alice.json(&[&words[..], &[source]].concat());
    let guest = Node::started();
    alice.json(&["invite", SPACE, &guest.public_key()]);
    let wire = Wire::tapped(alice.peer_address().port());
    hub.json(&["replicate", &address, "--peer", &alice.hint()]);
    wait_for_copy(&alice, &hub);
    hub.stop();

    let (on_disk, looked) = needles.found_below(hub.home());
    assert!(
        looked > 5 << 20,
        "the content is on this disk: {looked} bytes"
    );
    assert!(
        on_disk.is_empty(),
        "the replicator's disk tells: {on_disk:?}"
    );
    let Some(wire) = wire else {
        eprintln!("left out, because this user may not listen to the network: what the wire tells");
        return;
    };
    let heard = wire.heard();
    assert!(
        heard.len() > 5 << 20,
        "the content went over this wire: {} bytes",
        heard.len()
    );
    let on_wire = needles.found_in(&heard);
    assert!(on_wire.is_empty(), "the wire tells: {on_wire:?}");
}

/// Sizes of stored blocks by kind of feed, each with how many there are.
type Sizes = BTreeMap<u8, BTreeMap<usize, usize>>;

/// An admin who is no member has a hub replicate a member's space.
#[test]
fn a_hub_under_administration_knows_addresses_and_given_names_and_nothing_else() {
    let lan = Lan::new();
    let mut hub = lan.hub(&[]);
    let (ann, member) = (lan.person("Ann"), Node::named(MEMBER));
    lan::set_up(&ann, &hub, "attic");
    let source = member.scratch("source");
    let mut needles = known_tree(&source);
    forbid_people(&mut needles, &member);
    let address = create(&member);
    let words = ["import", SPACE].map(PathBuf::from);
    member.json(&[&words[..], &[source]].concat());
    let given = ["--name", "somebody's pictures", "--peer", &member.hint()];
    lan::tell(
        &ann,
        &[&["replicate", "attic", &address], &given[..]].concat(),
    );
    let told = lan::wait_for_copy(&ann, "attic", &address);
    wait_for_copy(&member, &hub);
    assert_eq!(told["replicates"][0]["name"], "somebody's pictures");
    assert_eq!(hub.json(&["replicas"])[0]["name"], "somebody's pictures");
    assert_eq!(hub.json(&["status"])["spaces"], Value::Array(Vec::new()));
    hub.stop();
    let (on_disk, looked) = needles.found_below(hub.home());
    assert!(
        looked > 5 << 20,
        "the content is on this disk: {looked} bytes"
    );
    assert!(on_disk.is_empty(), "the hub's disk tells: {on_disk:?}");
    // With its own identity it opens its own things; none of the member's is among them.
    let log = ann.json(&["device", "log", "attic"]).to_string();
    let told = [log, told.to_string()].concat();
    assert!(needles.found_in(told.as_bytes()).is_empty(), "{told}");
}

/// What a curious replicator can count on its own disk.
fn sizes_on_disk(home: &Path) -> Sizes {
    let store = Store::open(&home.join("store"), Options::default()).unwrap();
    let mut sizes = Sizes::new();
    for address in store.addresses() {
        for feed in store.set(address).unwrap().feeds() {
            for index in 0..feed.length() {
                let block = feed
                    .get(index)
                    .unwrap()
                    .expect("the replicator holds every block");
                *sizes
                    .entry(feed.kind())
                    .or_default()
                    .entry(block.len())
                    .or_default() += 1;
            }
        }
    }
    store.close().unwrap();
    sizes
}

/// Imports files of these sizes into a space of its own and lets a replicator copy it.
fn sizes_of(files: &[usize]) -> Sizes {
    let alice = Node::named(MEMBER);
    let mut hub = Node::started();
    let address = create(&alice);
    let source = alice.scratch("source");
    fs::create_dir(&source).unwrap();
    let mut random = Random::new(files.len() as u64);
    for size in files {
        fs::write(
            source.join(format!("{:016x}", random.next())),
            random.bytes(*size),
        )
        .unwrap();
    }
    let words = ["import", SPACE].map(PathBuf::from);
    let done = alice.json(&[&words[..], &[source]].concat());
    assert_eq!(done["problems"], Value::Array(Vec::new()));
    hub.json(&["replicate", &address, "--peer", &alice.hint()]);
    wait_for_copy(&alice, &hub);
    hub.stop();
    sizes_on_disk(hub.home())
}

#[test]
fn sizes_and_counts_of_files_do_not_show_in_the_sizes_of_blocks() {
    // 26 blocks of 64 KiB hold both, after rounding up; so does one metadata block of 1 KiB.
    let few = [1_000_000, 300_000, 100_000, 99_999, 50_000, 50_000, 1];
    let many = [
        500_000, 400_000, 300_000, 200_000, 150_000, 80_000, 20_000, 20_000, 10_000,
    ];
    let (one, other) = (sizes_of(&few), sizes_of(&many));
    assert_eq!(one, other, "7 and 9 files of different sizes look the same");
    assert_eq!(one.len(), 3, "metadata, content and log: {one:?}");

    let content: Vec<usize> = (0..=6).map(|power| (1024 << power) + SEAL).collect();
    let messages: Vec<usize> = (0..=7).map(|power| (512 << power) + SEAL).collect();
    for (kind, sizes) in &one {
        let classes = if *kind == 1 { &content } else { &messages };
        // Block 0 of each feed is the same claim, in a class of messages.
        let claim = |size: &usize| sizes[size] == 1 && messages.contains(size);
        let fits = |size: &usize| classes.contains(size) || claim(size);
        let odd: Vec<_> = sizes.keys().filter(|size| !fits(size)).collect();
        assert!(
            odd.is_empty(),
            "feeds of kind {kind} hold blocks of {odd:?} bytes"
        );
    }
    assert!(one[&1].values().sum::<usize>() > 26, "{one:?}");
}
