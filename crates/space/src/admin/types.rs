//! The messages of an admin space and their bytes.

mod about;
mod answer;
mod command;

pub use about::DeviceAbout;
pub use answer::{Answer, How, MAX_WORDS, Outcome};
pub use command::{Command, CommandId, Deed, MAX_MINUTES, Token};

const FORMAT: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Content;
    use cobox_keys::access::{Address, SpaceRoot};
    use cobox_keys::identity::PublicKey;
    use proptest::prelude::*;

    fn comes_back<C: Content + PartialEq + std::fmt::Debug>(content: C) {
        let bytes = content.encode();
        for end in 0..bytes.len() {
            assert!(C::decode(&bytes[..end]).is_err());
        }
        assert_eq!(C::decode(&bytes), Ok(content));
    }

    #[test]
    fn every_message_comes_back_as_it_was() {
        let (address, public_key) = (Address([1; 32]), PublicKey([2; 32]));
        let deeds = [
            Deed::Replicate {
                address,
                name: Some("photos".into()),
                quota: Some(9),
                hints: vec!["x@1.2.3.4:5".into()],
            },
            Deed::Replicate {
                address,
                name: None,
                quota: None,
                hints: Vec::new(),
            },
            Deed::Unreplicate { address },
            Deed::Quota {
                address,
                quota: None,
            },
            Deed::Announce { minutes: 10 },
            Deed::Hide,
            Deed::Rename {
                name: "attic".into(),
            },
            Deed::Status,
            Deed::AddAdmin { public_key },
            Deed::RemoveAdmin { public_key },
        ];
        for deed in deeds {
            let token = Token([7; 16]);
            comes_back(Command { token, deed });
        }
        let id = CommandId([7; 16]);
        for outcome in [
            Outcome::Done,
            Outcome::Superseded,
            Outcome::Refused,
            Outcome::Failed,
        ] {
            let words = "so".to_owned();
            let until_ms = (outcome == Outcome::Done).then_some(6);
            comes_back(Answer::Command {
                id,
                outcome,
                words,
                until_ms,
            });
        }
        for how in [How::Claimed, How::Announced { id }] {
            comes_back(Answer::Admitted { public_key, how });
        }
    }

    #[test]
    fn only_the_root_says_who_the_device_is() {
        let (root, other) = (SpaceRoot::generate(), SpaceRoot::generate());
        let about = DeviceAbout::sign(&root, PublicKey([3; 32]));
        comes_back(about);
        assert!(about.holds_at(&root.address()));
        assert!(!about.holds_at(&other.address()));
        let mut another = about;
        another.identity = PublicKey([4; 32]);
        assert!(!another.holds_at(&root.address()));
    }

    #[test]
    fn an_id_is_its_text() {
        let id = CommandId::of(&PublicKey([1; 32]), 5, b"content");
        assert_ne!(id, CommandId::of(&PublicKey([1; 32]), 6, b"content"));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "00", &"g".repeat(32), &"ü".repeat(16), &"+1".repeat(16)] {
            assert!(bad.parse::<CommandId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Command::decode(&bytes);
            let _ = Answer::decode(&bytes);
            let _ = DeviceAbout::decode(&bytes);
        }
    }
}
