//! Insides of codes that an honest program would not make.

use super::*;
use crate::access::SpaceRoot;
use crate::certificate::{admin_certificate, epoch_certificate};
use crate::identity::KeyPair;

fn person(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

fn invite() -> Invite {
    let (root, admin) = (SpaceRoot::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
    let (address, key) = (root.address(), EncryptionKey::from_bytes(&[3; 32]));
    let writer = key.writer_pair().public();
    Invite {
        address,
        name: "space".to_owned(),
        certificates: vec![
            admin_certificate(root.key_pair(), &address, &admin.public()),
            epoch_certificate(&admin, &address, 0, &[], &writer),
        ],
        grant: Grant::Write(key),
        hints: vec![],
        expires: None,
        head: None,
        inviter: person(4).public_key(),
    }
}

/// Seals any inside, as a program that checks nothing would.
fn sealed(inside: &[u8], to: &Identity) -> String {
    let to = to.public_key();
    code::write(&to.seal(inside).unwrap(), &to).unwrap()
}

fn signed_by(signer: &Identity, statement: &[u8]) -> Vec<u8> {
    signed::sign(signer.key_pair(), WHAT, statement)
}

#[test]
fn an_invite_passed_on_to_another_is_not_for_them() {
    let (inviter, bob, carol) = (person(4), person(5), person(6));
    let inside = signed_by(&inviter, &invite().encode(&inviter, &bob.public_key()));
    assert!(Invite::open(&sealed(&inside, &bob), &bob).is_ok());
    assert_eq!(
        Invite::open(&sealed(&inside, &carol), &carol),
        Err(InviteError::NotForYou)
    );
}

#[test]
fn nobody_invites_in_anothers_name() {
    let (inviter, bob, mallory) = (person(4), person(5), person(6));
    let inside = signed_by(&mallory, &invite().encode(&inviter, &bob.public_key()));
    assert_eq!(
        Invite::open(&sealed(&inside, &bob), &bob),
        Err(InviteError::Tampered)
    );
}

#[test]
fn keys_and_certificates_must_belong_together() {
    let (inviter, bob) = (person(4), person(5));
    let wrong_key = Invite {
        grant: Grant::Write(EncryptionKey::from_bytes(&[9; 32])),
        ..invite()
    };
    let wrong_space = Invite {
        address: Address([9; 32]),
        ..invite()
    };
    let no_epoch = Invite {
        certificates: invite().certificates[..1].to_vec(),
        ..invite()
    };
    for unproven in [wrong_key, wrong_space, no_epoch] {
        let refused = unproven.seal(&inviter, &bob.public_key());
        assert_eq!(refused, Err(InviteError::Unproven));
        let inside = signed_by(&inviter, &unproven.encode(&inviter, &bob.public_key()));
        assert_eq!(
            Invite::open(&sealed(&inside, &bob), &bob),
            Err(InviteError::Tampered)
        );
    }
}

#[test]
fn a_newer_inside_needs_a_newer_program() {
    let (inviter, bob) = (person(4), person(5));
    let mut statement = invite().encode(&inviter, &bob.public_key());
    assert_eq!(
        statement[..3],
        [0xa9, 0, 1],
        "nine fields, the first of them the format"
    );
    statement[2] = 2;
    let code = sealed(&signed_by(&inviter, &statement), &bob);
    assert_eq!(Invite::open(&code, &bob), Err(InviteError::TooNew));
}

#[test]
fn an_inside_that_is_no_invite_is_refused() {
    let bob = person(5);
    for inside in [&b""[..], b"\x82\x40\x40", &[0; 500]] {
        assert_eq!(
            Invite::open(&sealed(inside, &bob), &bob),
            Err(InviteError::Tampered)
        );
    }
}

#[test]
fn too_much_for_a_code_is_said_before_sealing() {
    let seal = |invite: Invite| invite.seal(&person(4), &person(5).public_key());
    let too_long = |what| Err(InviteError::TooLong(what));
    assert_eq!(
        seal(Invite {
            name: "n".repeat(256),
            ..invite()
        }),
        too_long("name")
    );
    let hints = vec!["h".repeat(513)];
    assert_eq!(seal(Invite { hints, ..invite() }), too_long("hint"));
    let hints = vec![String::new(); 17];
    assert_eq!(
        seal(Invite { hints, ..invite() }),
        too_long("list of hints")
    );
    let certificates = vec![vec![0; MAX_CERTIFICATE + 1]];
    assert_eq!(
        seal(Invite {
            certificates,
            ..invite()
        }),
        too_long("certificate")
    );
    let most = Invite {
        name: "n".repeat(255),
        hints: vec!["h".repeat(512); 16],
        ..invite()
    };
    assert!(seal(most).is_ok());
}

#[test]
fn room_is_always_enough() {
    let mut full = Invite {
        expires: Some(u64::MAX),
        head: Some(PinnedHead {
            feed_key: [0; 32],
            length: u64::MAX,
            tree_hash: [0; 32],
        }),
        ..invite()
    };
    for hints in 0..MAX_HINTS {
        full.hints = vec!["h".repeat(hints * 32); hints];
        let statement = full.encode(&person(4), &person(5).public_key());
        assert!(statement.len() <= full.room());
    }
}
