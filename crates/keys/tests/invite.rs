//! Sealed by one person, opened by another; and every way in which that may fail.

mod common;

use cobox_keys::identity::Identity;
use cobox_keys::invite::{Grant, Invite, InviteError};
use common::{Founder, seed};
use proptest::prelude::*;

fn bob() -> Identity {
    Identity::from_seed(&seed(50))
}

/// An invite for Bob; every call seals it anew.
fn code() -> String {
    let founder = Founder::new(1);
    founder
        .write_invite()
        .seal(&founder.identity, &bob().public_key())
        .unwrap()
}

fn refusal(code: &str) -> Option<InviteError> {
    Invite::open(code, &bob()).err()
}

#[test]
fn the_invited_person_reads_what_was_said() {
    let founder = Founder::new(1);
    for grant in [
        Grant::Write(founder.key.clone()),
        Grant::Read(founder.key.read_key()),
    ] {
        let mut invite = founder.invite(grant);
        for _ in 0..2 {
            let code = invite.seal(&founder.identity, &bob().public_key()).unwrap();
            assert_eq!(Invite::open(&code, &bob()), Ok(invite.clone()));
            (invite.expires, invite.head, invite.hints) = (None, None, vec![]);
        }
    }
}

#[test]
fn a_code_is_one_line_that_fits_a_qr_code() {
    let code = code();
    assert!(code.starts_with("cobox1"));
    assert!(
        code.chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    );
    // Version 22 at the lowest level of correction holds 1 460 letters and digits.
    assert!(code.len() <= 1460, "{} letters", code.len());
}

#[test]
fn the_same_invite_twice_gives_two_codes() {
    assert_ne!(code(), code());
}

#[test]
fn mail_programs_may_fold_it_and_phones_capitalise_it() {
    let mut folded = String::from("\n \u{a0}");
    for (index, letter) in code().chars().enumerate() {
        folded.push(letter);
        folded.push_str(if index % 60 == 59 { "\r\n\t" } else { "" });
    }
    assert_eq!(refusal(&folded), None);
    assert_eq!(refusal(&folded.to_uppercase()), None);
}

#[test]
fn other_text_is_not_a_code() {
    for text in [
        "",
        " ",
        "hello",
        "box1",
        "https://example.org/cobox1",
        "\u{1f4e6}",
        "cobox2abc",
    ] {
        assert_eq!(refusal(text), Some(InviteError::NotACode), "{text}");
    }
    assert_eq!(refusal(&code()[1..]), Some(InviteError::NotACode));
}

#[test]
fn a_code_for_somebody_else() {
    let carol = Identity::from_seed(&seed(51));
    assert_eq!(Invite::open(&code(), &carol), Err(InviteError::NotForYou));
}

#[test]
fn every_cut_is_called_a_cut() {
    let code = code();
    for length in 1..code.len() {
        assert_eq!(
            refusal(&code[..length]),
            Some(InviteError::Truncated),
            "{length}"
        );
    }
}

#[test]
fn a_piece_missing_from_the_middle_is_a_cut() {
    let code = code();
    let pieces = format!("{}{}", &code[..100], &code[160..]);
    assert_eq!(refusal(&pieces), Some(InviteError::Truncated));
}

#[test]
fn letters_behind_the_end_are_an_alteration() {
    for more in ["a", ".", "aaaaaaaa", &"a".repeat(100_000)] {
        assert_eq!(refusal(&(code() + more)), Some(InviteError::Tampered));
    }
}

#[test]
fn a_recipient_nobody_can_be() {
    let founder = Founder::new(1);
    let nobody = cobox_keys::identity::PublicKey([0; 32]);
    let refused = founder.write_invite().seal(&founder.identity, &nobody);
    assert!(matches!(refused, Err(InviteError::Key(_))));
}

#[test]
fn secrets_do_not_print() {
    let printed = format!("{:?}", Founder::new(1).write_invite());
    assert!(printed.contains("Write(EncryptionKey(..))"));
    assert!(!printed.contains("3, 3, 3"));
}

proptest! {
    #[test]
    fn every_changed_letter_is_called_an_alteration(
        place in any::<prop::sample::Index>(),
        other in prop::sample::select(b"abcdefghijklmnopqrstuvwxyz234567019-=?".to_vec()),
    ) {
        let mut letters = code().into_bytes();
        let place = "cobox1".len() + place.index(letters.len() - "cobox1".len());
        prop_assume!(letters[place] != other);
        letters[place] = other;
        let altered = String::from_utf8(letters).unwrap();
        prop_assert_eq!(refusal(&altered), Some(InviteError::Tampered));
    }

    #[test]
    fn any_text_is_refused_and_never_panics(text in "\\PC{0,200}", tail in "[a-z2-7]{0,200}") {
        for code in [text.clone(), format!("cobox1{text}"), format!("cobox1{tail}")] {
            prop_assert!(refusal(&code).is_some());
        }
    }
}
