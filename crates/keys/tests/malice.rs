//! Mallory knows every format and lies in each of them.

mod common;

use cobox_keys::cbor::Record;
use cobox_keys::certificate::{
    CertificateError, Chain, Claim, Epoch, admin_certificate, certificate_hash, epoch_certificate,
    feed_certificate,
};
use cobox_keys::derive::FeedKind;
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, KeyPair, PublicKey};
use cobox_keys::signed;
use common::{Founder, seed};
use proptest::prelude::*;

fn mallory() -> KeyPair {
    KeyPair::from_seed(&seed(66))
}

fn bad_signature(what: &'static str) -> CertificateError {
    CertificateError::Key(KeyError::BadSignature(what))
}

const MALFORMED: CertificateError = CertificateError::Key(KeyError::Malformed("certificate"));

/// What an honest admin's statement says, with one field changed by `change`.
fn later_epoch(founder: &Founder, change: impl FnOnce(&mut Epoch)) -> Vec<u8> {
    let mut epoch = founder.chain().epoch(&founder.epoch).unwrap().clone();
    (epoch.number, epoch.parents) = (1, vec![founder.epoch]);
    change(&mut epoch);
    epoch.sign(&founder.admin)
}

#[test]
fn an_admin_vouched_for_by_another_root() {
    let founder = Founder::new(1);
    let mut chain = Chain::new(founder.address);
    let own_root = admin_certificate(&mallory(), &founder.address, &mallory().public());
    assert_eq!(chain.add(&own_root), Err(CertificateError::UnknownIssuer));

    let statement = Record::new(1)
        .uint(1, 0)
        .bytes(2, &founder.address.0)
        .bytes(3, &mallory().public().0)
        .bytes(4, &founder.address.0) // the root's name, but not its signature
        .finish();
    let forged = signed::sign(&mallory(), "admin certificate", &statement);
    assert_eq!(chain.add(&forged), Err(bad_signature("admin certificate")));
    assert!(!chain.is_admin(&mallory().public()));
}

#[test]
fn a_certificate_of_another_space() {
    let (founder, other) = (Founder::new(1), Founder::new(10));
    let mut chain = founder.chain();
    for certificate in [
        &other.admin_certificate,
        &other.epoch_certificate,
        &other.feed_certificate(FeedKind::Log, &seed(9)),
    ] {
        assert_eq!(chain.add(certificate), Err(CertificateError::OtherAddress));
    }
}

#[test]
fn an_epoch_by_somebody_who_is_no_admin() {
    let founder = Founder::new(1);
    let mut chain = founder.chain();
    let writer = mallory().public();
    let own = epoch_certificate(&mallory(), &founder.address, 0, &[], &writer);
    assert_eq!(chain.add(&own), Err(CertificateError::UnknownIssuer));

    let honest = founder.chain().epoch(&founder.epoch).unwrap().clone();
    let forged = Epoch { writer, ..honest }.sign(&mallory());
    assert_eq!(chain.add(&forged), Err(bad_signature("epoch certificate")));
    assert_eq!(chain.current_epoch(), Some(founder.epoch));
}

#[test]
fn the_root_itself_opens_no_epoch() {
    let founder = Founder::new(1);
    let root = founder.root.key_pair();
    let writer = mallory().public();
    let certificate = epoch_certificate(root, &founder.address, 0, &[], &writer);
    assert_eq!(
        founder.chain().add(&certificate),
        Err(CertificateError::UnknownIssuer)
    );
}

#[test]
fn a_feed_admitted_by_another_writer_pair() {
    let founder = Founder::new(1);
    let mut chain = founder.chain();
    let (address, epoch) = (&founder.address, &founder.epoch);
    let forged = feed_certificate(&mallory(), address, epoch, FeedKind::Content, &seed(9));
    assert_eq!(chain.add(&forged), Err(bad_signature("feed certificate")));
    let astray = feed_certificate(&mallory(), address, &seed(5), FeedKind::Content, &seed(9));
    assert_eq!(chain.add(&astray), Err(CertificateError::UnknownIssuer));
    assert_eq!(chain.feed(&seed(9)), None);
}

#[test]
fn a_statement_of_one_kind_signed_as_another() {
    let founder = Founder::new(1);
    let statement = signed::Signed::read(&founder.admin_certificate, "it", 4096)
        .unwrap()
        .statement;
    let wrong = signed::sign(founder.root.key_pair(), "epoch certificate", statement);
    let refused = Chain::new(founder.address).add(&wrong);
    assert_eq!(refused, Err(bad_signature("admin certificate")));
}

#[test]
fn epochs_whose_numbers_or_lists_make_no_sense() {
    let founder = Founder::new(1);
    let mut chain = founder.chain();
    let closed = |feed_key| cobox_keys::certificate::ClosedFeed {
        feed_key,
        length: 1,
        tree_hash: seed(0),
    };
    for (certificate, refused) in [
        (later_epoch(&founder, |epoch| epoch.number = 2), {
            CertificateError::Key(KeyError::Malformed("epoch certificate"))
        }),
        (later_epoch(&founder, |epoch| epoch.number = 0), MALFORMED),
        (
            later_epoch(&founder, |epoch| epoch.parents.clear()),
            MALFORMED,
        ),
        (
            later_epoch(&founder, |epoch| epoch.parents = vec![founder.epoch; 2]),
            MALFORMED,
        ),
        (
            later_epoch(&founder, |epoch| epoch.parents = vec![seed(9)]),
            { CertificateError::UnknownIssuer },
        ),
        (
            later_epoch(&founder, |epoch| epoch.read_keys = vec![vec![0; 72]; 2]),
            MALFORMED,
        ),
        (
            later_epoch(&founder, |epoch| epoch.read_keys = vec![vec![0; 257]]),
            MALFORMED,
        ),
        (
            later_epoch(&founder, |epoch| {
                epoch.closed = vec![closed(seed(2)), closed(seed(1))]
            }),
            { MALFORMED },
        ),
        (
            later_epoch(&founder, |epoch| epoch.closed = vec![closed(seed(2)); 5000]),
            MALFORMED,
        ),
    ] {
        assert_eq!(chain.add(&certificate), Err(refused));
    }
    assert_eq!(chain.current_epoch(), Some(founder.epoch));
    assert!(chain.add(&later_epoch(&founder, |_| ())).is_ok());
}

#[test]
fn a_former_member_cannot_take_a_feed_back_into_an_old_epoch() {
    let founder = Founder::new(1);
    let (former, key) = (
        &founder.key,
        cobox_keys::access::EncryptionKey::from_bytes(&seed(77)),
    );
    let writer = key.writer_pair();
    let later = later_epoch(&founder, |epoch| epoch.writer = writer.public());
    let (address, epoch) = (&founder.address, certificate_hash(&later));
    let mut chain = founder.chain();
    chain.add(&later).unwrap();
    let honest = feed_certificate(&writer, address, &epoch, FeedKind::Content, &seed(9));
    let old = feed_certificate(
        &former.writer_pair(),
        address,
        &founder.epoch,
        FeedKind::Metadata,
        &seed(9),
    );
    chain.add(&old).unwrap();
    chain.add(&honest).unwrap();
    let feed = chain.feed(&seed(9)).unwrap();
    assert_eq!((feed.epoch, feed.kind), (epoch, FeedKind::Content));
}

#[test]
fn certificates_of_the_future_are_not_called_damaged() {
    let founder = Founder::new(1);
    let begin = |format| Record::new(format).uint(1, 0).bytes(2, &founder.address.0);
    let admin = |record: Record| record.bytes(3, &seed(1)).bytes(4, &founder.address.0);
    let statements = [
        (admin(begin(2)).finish(), 2),
        (admin(begin(1)).uint(128, 0).finish(), 1),
        (
            Record::new(1)
                .uint(1, 9)
                .bytes(2, &founder.address.0)
                .finish(),
            1,
        ),
        (
            Record::new(1)
                .uint(1, 2)
                .bytes(2, &seed(0))
                .bytes(3, &seed(0))
                .uint(4, 3)
                .finish(),
            1,
        ),
    ];
    let mut chain = Chain::new(founder.address);
    for (statement, format) in statements {
        let wire = signed::sign(founder.root.key_pair(), "admin certificate", &statement);
        assert_eq!(chain.add(&wire), Err(CertificateError::TooNew(format)));
    }
    let optional = admin(begin(1)).text(20, "a field of later").finish();
    let wire = signed::sign(founder.root.key_pair(), "admin certificate", &optional);
    assert!(chain.add(&wire).is_ok());
}

#[test]
fn a_claim_in_anothers_name() {
    let founder = Founder::new(1);
    let (alice, mallory) = (
        founder.identity.public_key(),
        Identity::from_seed(&seed(66)),
    );
    let claim = |identity: PublicKey| {
        Record::new(1)
            .bytes(1, &founder.address.0)
            .list(2, &[seed(1), seed(2), seed(3)], |encoder, feed| {
                encoder.bytes(feed)?.ok()
            })
            .bytes(3, &identity.0)
            .bytes(4, &seed(4))
            .text(5, "hers")
            .finish()
    };
    let forged = signed::sign(mallory.key_pair(), "claim", &claim(alice));
    assert_eq!(Claim::verify(&forged), Err(KeyError::BadSignature("claim")));
    let own = signed::sign(mallory.key_pair(), "claim", &claim(mallory.public_key()));
    assert_eq!(Claim::verify(&own).unwrap().identity, mallory.public_key());
}

#[test]
fn another_signature_makes_no_other_epoch() {
    let founder = Founder::new(1);
    let mut other = founder.epoch_certificate.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(certificate_hash(&other), founder.epoch);
    let refused = founder.chain().add(&other);
    assert_eq!(refused, Err(bad_signature("epoch certificate")));
}

#[test]
fn an_unreadable_certificate_has_a_name_of_its_own() {
    let founder = Founder::new(1);
    let wire = signed::Signed::read(&founder.epoch_certificate, "it", 4096).unwrap();
    assert_ne!(certificate_hash(wire.statement), founder.epoch);
}

fn all_certificates(founder: &Founder) -> [Vec<u8>; 4] {
    [
        founder.admin_certificate.clone(),
        founder.epoch_certificate.clone(),
        founder.feed_certificate(FeedKind::Metadata, &seed(9)),
        later_epoch(founder, |_| ()),
    ]
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused(
        which in 0usize..4,
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let founder = Founder::new(1);
        let mut certificate = all_certificates(&founder)[which].clone();
        let place = place.index(certificate.len());
        certificate[place] ^= 1 << bit;
        prop_assert!(founder.chain().add(&certificate).is_err());
    }

    #[test]
    fn cut_certificates_are_refused(which in 0usize..4, cut in any::<prop::sample::Index>()) {
        let founder = Founder::new(1);
        let certificate = &all_certificates(&founder)[which];
        let cut = &certificate[..cut.index(certificate.len())];
        prop_assert_eq!(founder.chain().add(cut), Err(MALFORMED));
    }

    #[test]
    fn any_bytes_are_refused_and_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        wrap in any::<bool>(),
    ) {
        let bytes = if wrap { signed::sign(&mallory(), "claim", &bytes) } else { bytes };
        prop_assert!(Chain::new(Founder::new(1).address).add(&bytes).is_err());
        prop_assert!(Claim::verify(&bytes).is_err());
        certificate_hash(&bytes);
    }

    /// Signed rubbish reaches the decoders of statements: change one byte, then sign again.
    #[test]
    fn statements_with_any_byte_changed_never_panic(
        which in 0usize..4,
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let founder = Founder::new(1);
        let certificate = &all_certificates(&founder)[which];
        let mut statement =
            signed::Signed::read(certificate, "it", 4096).unwrap().statement.to_vec();
        let place = place.index(statement.len());
        statement[place] = byte;
        for what in ["admin certificate", "epoch certificate", "feed certificate"] {
            let _ = founder.chain().add(&signed::sign(&founder.admin, what, &statement));
        }
    }
}
