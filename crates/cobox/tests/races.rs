//! Claims that go wrong on a real local network: two at once, the power gone in the middle, a beacon played again.

mod common;

use common::lan::{Lan, set_up, tell, wait_for_beacon, wait_for_silence};
use common::random::Random;
use common::{Node, until};
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrV4, SocketType, bind, recv, socket, sockopt,
};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Output;
use std::time::Duration;

fn mine(node: &Node) -> Value {
    node.json(&["device", "list"])["mine"].clone()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn of_two_who_set_a_device_up_at_the_same_moment_exactly_one_is_its_admin() {
    let lan = Lan::new();
    for _ in 0..3 {
        let hub = lan.hub(&[]);
        let people = [lan.person("Ann"), lan.person("Bob")];
        let seen = people.each_ref().map(|who| wait_for_beacon(who, &hub));
        let key = seen[0]["publicKey"].as_str().unwrap();
        let words = ["device", "setup", key, "--name", "attic"];
        let begun = people
            .each_ref()
            .map(|who| who.command(&words).spawn().unwrap());
        let done = begun.map(|child| child.wait_with_output().unwrap());
        let won = done.each_ref().map(|one| one.status.success());
        assert!(won[0] != won[1], "{done:?}");
        let (winner, loser) = if won[0] { (0, 1) } else { (1, 0) };
        let why = said(&done[loser]);
        // Which of the two depends on whether it had heard of another announcement.
        assert!(
            why.contains("admin already") || why.contains("used already"),
            "{why}"
        );
        assert_eq!(mine(&people[loser]), json!([]));
        assert_eq!(mine(&people[winner])[0]["admin"], true);
        let admins = people[winner].json(&["device", "admins", "attic"]);
        assert_eq!(admins.as_array().unwrap().len(), 1, "{admins}");
        wait_for_silence(&people[loser]);
    }
}

/// Of the person's program or of the device's.
#[test]
fn a_claim_in_which_the_power_went_can_be_repeated_and_nobody_else_slips_in() {
    let mut random = Random::new(21);
    for hub_dies in [true, false, true, false] {
        let lan = Lan::new();
        let mut hub = lan.hub(&[]);
        let mut ann = lan.person("Ann");
        let seen = wait_for_beacon(&ann, &hub);
        let key = seen["publicKey"].as_str().unwrap();
        let words = ["device", "setup", key, "--name", "attic"];
        let mut command = ann.command(&words).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(random.next() % 80));
        let dies = if hub_dies { &mut hub } else { &mut ann };
        dies.kill9();
        command.wait().unwrap();
        dies.start();
        // The device may be hers already; then she is let in again until it has seen her.
        until("Ann is its admin", || {
            if mine(&ann)[0]["admin"] == true {
                return Ok(());
            }
            let done = ann.run(&words);
            match done.status.success() {
                true => Ok(()),
                false => Err(said(&done)),
            }
        });
        tell(&ann, &["hide", "attic"]);
        let admins = ann.json(&["device", "admins", "attic"]);
        assert_eq!(admins.as_array().unwrap().len(), 1, "{admins}");
        assert_eq!(admins[0]["me"], true);
        wait_for_silence(&ann);
        assert_eq!(hub.get("/device")["claimed"], true);
    }
}

/// One packet of a setup beacon, as anybody on the network can record it.
fn record(port: u16) -> Vec<u8> {
    let ear = socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
    sockopt::set_socket_reuseaddr(&ear, true).unwrap();
    let patience = Some(common::PATIENCE);
    sockopt::set_socket_timeout(&ear, sockopt::Timeout::Recv, patience).unwrap();
    bind(&ear, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)).unwrap();
    let mut packet = [0; 1024];
    loop {
        let (length, _) = recv(&ear, &mut packet[..], RecvFlags::empty()).unwrap();
        // The other kind of packet is "cbx1", about spaces.
        if !packet[..length].starts_with(b"cbx1") {
            return packet[..length].to_vec();
        }
    }
}

#[test]
fn a_beacon_that_is_played_again_after_the_claim_gives_nobody_anything() {
    let lan = Lan::new();
    let hub = lan.hub(&[]);
    let (ann, eve) = (lan.person("Ann"), lan.person("Eve"));
    let recorded = record(lan.port());
    set_up(&ann, &hub, "attic");
    wait_for_silence(&eve);
    let voice = UdpSocket::bind("127.0.0.1:0").unwrap();
    voice.set_broadcast(true).unwrap();
    let played = || {
        voice
            .send_to(&recorded, ("127.255.255.255", lan.port()))
            .unwrap()
    };
    let seen = until("the dead announcement is heard", || {
        played();
        let seen = eve.json(&["device", "list"])["seen"].clone();
        seen.get(0).cloned().ok_or_else(|| seen.to_string())
    });
    assert_eq!(seen["claimed"], false, "so it says");
    played();
    let key = seen["publicKey"].as_str().unwrap();
    let refused = eve.fails(&["device", "setup", key, "--name", "mine"]);
    assert!(
        refused.contains("admin already") || refused.contains("used already"),
        "{refused}"
    );
    assert_eq!(mine(&eve), json!([]));
    let admins = ann.json(&["device", "admins", "attic"]);
    assert_eq!(admins.as_array().unwrap().len(), 1, "{admins}");
}
