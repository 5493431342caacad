//! Who is here and what they are called: a view over claims and messages.
//!
//! Pure: what is known comes in, members come out. Not its job: asking the network or the tables.

use std::collections::{BTreeMap, BTreeSet};

use cobox_drive::tree::WriterInfo;
use cobox_drive::version::WriterTag;
use cobox_keys::identity::PublicKey;

/// A person in a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// who
    pub public_key: PublicKey,
    /// newest `peer/about` name, else the device name of the claim
    pub name: String,
    /// their devices (device key, name, writer tag hex)
    pub devices: Vec<(PublicKey, String, String)>,
    /// it is us
    pub me: bool,
    /// connected now with one of the devices
    pub online: bool,
    /// newest thing seen from them, Unix ms
    pub last_seen: Option<u64>,
    /// who said to have invited them, if anybody did
    pub invited_by: Option<PublicKey>,
}

/// What is known about the people of a space.
#[derive(Default)]
pub(crate) struct Known {
    /// Writers with accepted claims.
    pub writers: Vec<WriterInfo>,
    /// Names people gave themselves.
    pub names: BTreeMap<PublicKey, String>,
    /// Invited person to inviter.
    pub invites: BTreeMap<PublicKey, PublicKey>,
    /// Newest message by each person, Unix ms.
    pub told: BTreeMap<PublicKey, u64>,
    /// Devices connected now.
    pub online: BTreeSet<PublicKey>,
    /// When a device was last connected, Unix ms.
    pub met: BTreeMap<PublicKey, u64>,
}

/// Members in the order of their names.
pub(crate) fn members(me: &PublicKey, known: &Known) -> Vec<Member> {
    let mut people: BTreeMap<PublicKey, Vec<&WriterInfo>> = BTreeMap::new();
    for writer in &known.writers {
        people
            .entry(writer.claim.identity)
            .or_default()
            .push(writer);
    }
    let mut members: Vec<_> = people
        .into_iter()
        .map(|(person, writers)| member(me, person, &writers, known))
        .collect();
    members.sort_by(|a, b| (&a.name, a.public_key).cmp(&(&b.name, b.public_key)));
    members
}

fn member(me: &PublicKey, person: PublicKey, writers: &[&WriterInfo], known: &Known) -> Member {
    let devices = |writer: &&WriterInfo| {
        let claim = &writer.claim;
        (
            claim.device,
            claim.device_name.clone(),
            tag_text(&writer.tag),
        )
    };
    let is_me = person == *me;
    let online = |writer: &&WriterInfo| known.online.contains(&writer.claim.device);
    let met = |writer: &&WriterInfo| known.met.get(&writer.claim.device).copied();
    let claimed = writers
        .first()
        .map(|writer| writer.claim.device_name.clone());
    let name = known.names.get(&person).cloned().or(claimed);
    Member {
        public_key: person,
        name: name.unwrap_or_default(),
        devices: writers.iter().map(devices).collect(),
        me: is_me,
        online: is_me || writers.iter().any(online),
        last_seen: writers
            .iter()
            .filter_map(met)
            .chain(known.told.get(&person).copied())
            .max(),
        invited_by: known.invites.get(&person).copied(),
    }
}

/// 16 hex digits.
pub(crate) fn tag_text(tag: &WriterTag) -> String {
    tag.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cobox_feed::manifest::FeedKey;
    use cobox_keys::access::Address;
    use cobox_keys::certificate::Claim;

    fn writer(person: u8, device: u8) -> WriterInfo {
        let feeds = [[device; 32], [device + 1; 32], [device + 2; 32]];
        WriterInfo {
            tag: WriterTag([device; 8]),
            claim: Claim {
                address: Address([0; 32]),
                feeds,
                identity: PublicKey([person; 32]),
                device: PublicKey([device; 32]),
                device_name: format!("device {device}"),
            },
            feeds: feeds.map(FeedKey),
        }
    }

    #[test]
    fn writers_of_one_person_are_one_member_with_the_newest_name() {
        let (ann, bob) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let known = Known {
            writers: vec![writer(1, 10), writer(2, 20), writer(1, 30)],
            names: [(ann, "Ann".to_owned())].into(),
            invites: [(bob, ann)].into(),
            told: [(ann, 7), (bob, 3)].into(),
            online: [PublicKey([20; 32])].into(),
            met: [(PublicKey([20; 32]), 9)].into(),
        };
        let members = members(&ann, &known);
        let [first, second] = &members[..] else {
            panic!("two people");
        };
        assert_eq!(
            (first.name.as_str(), first.me, first.online),
            ("Ann", true, true)
        );
        assert_eq!(first.devices.len(), 2);
        assert_eq!(first.last_seen, Some(7));
        assert_eq!(second.name, "device 20");
        assert_eq!((second.online, second.last_seen), (true, Some(9)));
        assert_eq!(second.invited_by, Some(ann));
        assert_eq!(second.devices[0].2, "14".repeat(8));
    }
}
