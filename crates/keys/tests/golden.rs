//! Certificates, a claim and an invite code that were built with libsodium from `docs/format.md`, by
//! `vectors/make.py`. If one of these fails, programs of different age no longer understand each
//! other.

mod common;

use cobox_keys::access::Address;
use cobox_keys::certificate::{Chain, Claim, ClosedFeed, certificate_hash};
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::Identity;
use cobox_keys::invite::Invite;
use common::{Founder, seed};
use data_encoding::HEXLOWER;
use serde_json::Value;

fn vector(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("vectors/libsodium.json")).unwrap();
    all["certificates"][name].clone()
}

fn bytes(name: &str) -> Vec<u8> {
    HEXLOWER
        .decode(vector(name).as_str().unwrap().as_bytes())
        .unwrap()
}

#[test]
fn our_certificates_are_the_documented_bytes() {
    let founder = Founder::new(1);
    assert_eq!(founder.address.0.to_vec(), bytes("address"));
    assert_eq!(founder.admin_certificate, bytes("admin_certificate"));
    assert_eq!(founder.epoch_certificate, bytes("epoch_certificate"));
    assert_eq!(founder.epoch.to_vec(), bytes("epoch"));
    let feed = founder.feed_certificate(FeedKind::Content, &seed(9));
    assert_eq!(feed, bytes("feed_certificate"));
}

#[test]
fn a_later_epoch_that_closes_feeds_is_read() {
    let mut chain = Founder::new(1).chain();
    let certificate = bytes("later_epoch_certificate");
    chain.add(&certificate).unwrap();
    let hash = certificate_hash(&certificate);
    assert_eq!(chain.current_epoch(), Some(hash));
    let epoch = chain.epoch(&hash).unwrap();
    assert_eq!(
        epoch.closed,
        [ClosedFeed {
            feed_key: seed(9),
            length: 7,
            tree_hash: seed(10)
        }]
    );
    assert_eq!(epoch.read_keys, [vec![11; 72]]);
    assert_eq!(epoch.sign(&Founder::new(1).admin), certificate);
}

#[test]
fn a_claim_is_the_documented_bytes() {
    let founder = Founder::new(1);
    let claim = Claim::verify(&bytes("claim")).unwrap();
    assert_eq!(claim.feeds, [seed(12), seed(13), seed(14)]);
    assert_eq!(claim.device_name, "Küchen-Rechner");
    assert_eq!(claim.sign(&founder.identity), bytes("claim"));
}

#[test]
fn a_documented_invite_code_opens() {
    let founder = Founder::new(1);
    let guest = Identity::from_seed(&bytes("guest_seed").try_into().unwrap());
    let code = vector("invite_code");
    assert_eq!(
        Invite::open(code.as_str().unwrap(), &guest),
        Ok(founder.write_invite())
    );
}

#[test]
fn the_chain_of_the_vectors_holds() {
    let address = Address(bytes("address").try_into().unwrap());
    let names = [
        "feed_certificate",
        "later_epoch_certificate",
        "epoch_certificate",
        "admin_certificate",
    ];
    let wires = names.map(bytes);
    let (learnt, refused) = Chain::new(address).add_all(wires.iter().map(Vec::as_slice));
    assert_eq!((learnt.len(), refused), (4, vec![]));
}
