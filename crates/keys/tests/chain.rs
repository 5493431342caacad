//! From an address to an admitted feed, in any order.

mod common;

use cobox_keys::certificate::{CertificateError, CertifiedFeed, Chain, Claim, Learnt};
use cobox_keys::derive::{FeedKind, Incarnation, ParentKey};
use cobox_keys::identity::KeyPair;
use common::{Founder, seed};

#[test]
fn an_address_leads_to_feeds() {
    let founder = Founder::new(1);
    let mut chain = founder.chain();
    assert_eq!(chain.current_epoch(), Some(founder.epoch));
    assert_eq!(
        chain.current_writer(),
        Some(founder.key.writer_pair().public())
    );

    let learnt = chain.add(&founder.feed_certificate(FeedKind::Content, &seed(9)));
    let feed = chain.feed(&seed(9)).unwrap();
    assert_eq!(learnt, Ok(Learnt::Feed(feed)));
    let CertifiedFeed {
        feed_key,
        kind,
        epoch,
        ..
    } = feed;
    assert_eq!(
        (feed_key, kind, epoch),
        (seed(9), FeedKind::Content, founder.epoch)
    );
    assert_eq!(chain.feeds().collect::<Vec<_>>(), [feed]);
}

#[test]
fn any_order_will_do() {
    let founder = Founder::new(1);
    let feed = founder.feed_certificate(FeedKind::Log, &seed(9));
    let foreign = Founder::new(10).admin_certificate;
    let shuffled = [
        &feed,
        &foreign,
        &founder.epoch_certificate,
        &founder.admin_certificate,
    ];
    let mut chain = Chain::new(founder.address);
    let (learnt, refused) = chain.add_all(shuffled.map(Vec::as_slice));
    assert_eq!(learnt.len(), 3);
    assert_eq!(refused, [(1, CertificateError::OtherAddress)]);
    assert!(chain.feed(&seed(9)).is_some());
}

#[test]
fn a_claim_is_read_back() {
    let founder = Founder::new(1);
    let parent = ParentKey::from_bytes(&seed(20));
    let pair = |kind| {
        parent.feed_key_pair(
            &founder.address,
            &founder.epoch,
            &Incarnation([3; 16]),
            kind,
        )
    };
    let claim = Claim {
        address: founder.address,
        feeds: FeedKind::ALL.map(|kind| pair(kind).public().0),
        identity: founder.identity.public_key(),
        device: parent.device_key().public(),
        device_name: "Küchen-Rechner".to_owned(),
    };
    assert_eq!(Claim::verify(&claim.sign(&founder.identity)), Ok(claim));
}

#[test]
fn strangers_admit_nothing() {
    let founder = Founder::new(1);
    let mallory = KeyPair::from_seed(&seed(66));
    let mut chain = founder.chain();
    assert!(!chain.is_admin(&mallory.public()));
    assert!(chain.feed(&seed(9)).is_none());
    let certificate =
        cobox_keys::certificate::admin_certificate(&mallory, &founder.address, &mallory.public());
    assert_eq!(
        chain.add(&certificate),
        Err(CertificateError::UnknownIssuer)
    );
}
