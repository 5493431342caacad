//! From an address to an admitted feed, in any order.

mod common;

use cobox_keys::certificate::{
    CertificateError, CertifiedFeed, Chain, Claim, Learnt, admin_certificate, certificate_hash,
    epoch_certificate, feed_certificate,
};
use cobox_keys::derive::{FeedKind, Incarnation, ParentKey};
use cobox_keys::identity::KeyPair;
use common::{Founder, seed};
use proptest::prelude::*;

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
    let certificate = admin_certificate(&mallory, &founder.address, &mallory.public());
    assert_eq!(
        chain.add(&certificate),
        Err(CertificateError::UnknownIssuer)
    );
}

proptest! {
    /// The slow plain model: all certificates in the best order.
    #[test]
    fn what_a_chain_knows_does_not_depend_on_the_order(
        order in Just((0..10usize).collect::<Vec<_>>()).prop_shuffle(),
        at_once in any::<bool>(),
    ) {
        let certificates = long_chain();
        let plain = |chain: &Chain| {
            (chain.current_epoch(), chain.current_writer(), chain.feeds().collect::<Vec<_>>())
        };
        let mut model = Chain::new(Founder::new(1).address);
        for certificate in &certificates {
            model.add(certificate).unwrap();
        }
        let mut chain = Chain::new(Founder::new(1).address);
        let shuffled: Vec<_> = order.iter().map(|index| certificates[*index].as_slice()).collect();
        if at_once {
            let (learnt, refused) = chain.add_all(shuffled);
            prop_assert_eq!((learnt.len(), refused.len()), (10, 0));
        } else {
            // One by one, whatever came too early is offered again until it is accepted.
            for _ in 0..10 {
                for certificate in &shuffled {
                    let _ = chain.add(certificate);
                }
            }
        }
        prop_assert_eq!(plain(&chain), plain(&model));
    }
}

/// Two admins, four epochs (two of them rivals, joined by the last), feeds under each.
fn long_chain() -> Vec<Vec<u8>> {
    let founder = Founder::new(1);
    let address = &founder.address;
    let second = KeyPair::from_seed(&seed(30));
    let writer = |number| KeyPair::from_seed(&seed(number));
    let epoch = |admin: &KeyPair, number, parents: &[[u8; 32]], pair: u8| {
        epoch_certificate(admin, address, number, parents, &writer(pair).public())
    };
    let left = epoch(&founder.admin, 1, &[founder.epoch], 41);
    let right = epoch(&second, 1, &[founder.epoch], 42);
    let (left_hash, right_hash) = (certificate_hash(&left), certificate_hash(&right));
    let joined = epoch(&second, 2, &[left_hash, right_hash], 43);
    let feed = |pair, epoch: &[u8; 32], kind, key| {
        feed_certificate(&writer(pair), address, epoch, kind, &seed(key))
    };
    vec![
        founder.admin_certificate.clone(),
        admin_certificate(&founder.admin, address, &second.public()),
        founder.epoch_certificate.clone(),
        left,
        right,
        joined.clone(),
        feed(41, &left_hash, FeedKind::Metadata, 50),
        feed(42, &right_hash, FeedKind::Content, 50),
        feed(43, &certificate_hash(&joined), FeedKind::Log, 51),
        founder.feed_certificate(FeedKind::Metadata, &seed(51)),
    ]
}
