//! Who may come in over the local network, as a pure function of what was said.

use std::collections::BTreeSet;

use cobox_keys::identity::PublicKey;

use crate::admin::{Answer, CommandId, How, Picture, Ruled};

/// Somebody who was let in over the local network and never came gets so long to try again, if there are other admins.
const SECOND_CHANCE_MS: u64 = 10 * 60 * 1000;

/// Who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Door {
    /// somebody has been an admin
    pub claimed: bool,
    /// whoever comes first
    pub anyone: Option<Why>,
    /// who was let in and has not been seen inside yet: they may come again, until when
    pub promised: Vec<(PublicKey, Option<u64>)>,
}

/// Why anybody may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// the device is nobody's yet
    Unclaimed,
    /// an admin has it announced
    Announced {
        /// by which command
        id: CommandId,
        /// Unix ms
        until_ms: u64,
    },
}

impl Door {
    /// As things stand. `inside`: whom the device has seen in its space.
    pub fn of(
        picture: &Picture,
        ruled: &[Ruled],
        inside: &BTreeSet<PublicKey>,
        now_ms: u64,
    ) -> Self {
        let opening = picture.opening.as_ref();
        let announced = opening.and_then(|opening| {
            let until_ms = opening.until_ms?;
            let id = opening.id;
            (now_ms < until_ms).then_some(Why::Announced { id, until_ms })
        });
        Self {
            claimed: picture.claimed,
            anyone: match picture.claimed {
                true => announced,
                false => Some(Why::Unclaimed),
            },
            promised: ruled
                .iter()
                .filter_map(promise)
                .filter(|(who, _)| picture.admins.contains_key(who) && !inside.contains(who))
                .filter(|(_, until)| until.is_none_or(|until| now_ms < until))
                .collect(),
        }
    }

    /// Whether anybody at all may come.
    pub fn is_ajar(&self) -> bool {
        self.anyone.is_some() || !self.promised.is_empty()
    }

    /// The same at a later time.
    pub fn is_ajar_at(&self, now_ms: u64) -> bool {
        let open = match self.anyone {
            None => false,
            Some(Why::Unclaimed) => true,
            Some(Why::Announced { until_ms, .. }) => now_ms < until_ms,
        };
        let still = |until: &Option<u64>| until.is_none_or(|until| now_ms < until);
        open || self.promised.iter().any(|(_, until)| still(until))
    }

    /// When it shuts by itself, Unix ms.
    pub fn shuts_at(&self) -> Option<u64> {
        let announced = match self.anyone {
            Some(Why::Announced { until_ms, .. }) => Some(until_ms),
            _ => None,
        };
        let promised = self.promised.iter().filter_map(|(_, until)| *until);
        promised.chain(announced).min()
    }

    /// Was this person let in already?
    pub fn is_promised(&self, who: &PublicKey) -> bool {
        self.promised.iter().any(|(promised, _)| promised == who)
    }
}

fn promise(ruled: &Ruled) -> Option<(PublicKey, Option<u64>)> {
    match ruled.answer {
        Answer::Admitted {
            public_key,
            how: How::Claimed,
        } => Some((public_key, None)),
        Answer::Admitted {
            public_key,
            how: How::Announced { .. },
        } => Some((public_key, Some(ruled.time_ms + SECOND_CHANCE_MS))),
        Answer::Command { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{Admission, Opening};

    const ANN: PublicKey = PublicKey([1; 32]);

    fn claimed_by_ann() -> (Picture, Vec<Ruled>) {
        let picture = Picture {
            admins: [(ANN, Admission::Claimed)].into(),
            claimed: true,
            ..Picture::default()
        };
        let answer = Answer::Admitted {
            public_key: ANN,
            how: How::Claimed,
        };
        let ruled = vec![Ruled { time_ms: 5, answer }];
        (picture, ruled)
    }

    #[test]
    fn a_new_device_is_open_to_anyone_and_a_claimed_one_only_to_its_claimer_until_seen() {
        let nobody = BTreeSet::new();
        let new = Door::of(&Picture::default(), &[], &nobody, 9);
        assert_eq!(new.anyone, Some(Why::Unclaimed));
        let (picture, ruled) = claimed_by_ann();
        let door = Door::of(&picture, &ruled, &nobody, u64::MAX);
        assert!(door.anyone.is_none() && door.is_ajar());
        assert!(door.is_promised(&ANN) && !door.is_promised(&PublicKey([2; 32])));
        let door = Door::of(&picture, &ruled, &[ANN].into(), 9);
        assert!(!door.is_ajar());
    }

    #[test]
    fn an_announcement_ends_at_its_time() {
        let (mut picture, ruled) = claimed_by_ann();
        let id = CommandId([1; 16]);
        picture.opening = Some(Opening {
            id,
            until_ms: Some(100),
        });
        let inside = [ANN].into();
        let door = Door::of(&picture, &ruled, &inside, 99);
        assert!(door.is_ajar() && door.is_ajar_at(99) && !door.is_ajar_at(100));
        assert_eq!(door.shuts_at(), Some(100));
        assert!(!Door::of(&picture, &ruled, &inside, 100).is_ajar());
        // Before the device has answered there is no announcement.
        picture.opening = Some(Opening { id, until_ms: None });
        assert!(!Door::of(&picture, &ruled, &inside, 99).is_ajar());
    }
}
