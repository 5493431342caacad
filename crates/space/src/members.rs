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
    /// newest `peer/about` name, else the device name of the claim; empty for who was invited only
    pub name: String,
    /// where they write; none for who was invited only
    pub devices: Vec<MemberDevice>,
    /// writers of theirs that write no more: a device has one at a time in a space, and another one after it
    /// left and came back, or began anew. What they wrote is this person's as ever
    pub earlier: Vec<WriterTag>,
    /// it is us
    pub me: bool,
    /// connected now with one of the devices
    pub online: bool,
    /// newest thing seen from them, Unix ms
    pub last_seen: Option<u64>,
    /// who said to have invited them, if anybody did
    pub invited_by: Option<PublicKey>,
    /// may read only: they leave no trace but the invite
    pub reads_only: bool,
    /// how they stand to the space
    pub standing: Standing,
}

/// One device of a person, with the writer it has in the space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDevice {
    /// device key
    pub device: PublicKey,
    /// its name, as claimed
    pub name: String,
    /// its writer
    pub writer: WriterTag,
    /// connected now
    pub online: bool,
    /// newest thing seen from it, Unix ms
    pub last_seen: Option<u64>,
    /// when it said that it leaves, Unix ms
    pub left: Option<u64>,
}

/// How a person stands to a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// their feeds are here
    Joined,
    /// invited, and nothing of theirs is here (of who only reads there never is)
    Invited,
    /// the last of their devices said that it leaves, at this time (Unix ms)
    Left(u64),
}

/// An invite, as told in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invited {
    pub by: PublicKey,
    pub reads_only: bool,
}

/// A device goes on under another key, as it told itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renewed {
    /// Unix ms.
    pub since: u64,
    /// The writer that told so.
    pub by: WriterTag,
}

/// What is known about the people of a space.
#[derive(Default)]
pub(crate) struct Known {
    /// Writers with accepted claims.
    pub writers: Vec<WriterInfo>,
    /// Names people gave themselves.
    pub names: BTreeMap<PublicKey, String>,
    /// Invited person to invite.
    pub invites: BTreeMap<PublicKey, Invited>,
    /// Newest message or commit by each writer, Unix ms.
    pub told: BTreeMap<WriterTag, u64>,
    /// Writers whose last word was that they leave, Unix ms.
    pub left: BTreeMap<WriterTag, u64>,
    /// By person and device key: it goes on under another one.
    pub renewed: BTreeMap<(PublicKey, PublicKey), Renewed>,
    /// Devices connected now, ours among them.
    pub online: BTreeSet<PublicKey>,
    /// When a device was last connected, Unix ms.
    pub met: BTreeMap<PublicKey, u64>,
    /// Now, Unix ms: nobody was seen later.
    pub now: u64,
}

/// Members in the order of their names; behind them who was invited only.
pub(crate) fn members(me: &PublicKey, known: &Known) -> Vec<Member> {
    let mut people: BTreeMap<PublicKey, Vec<&WriterInfo>> = BTreeMap::new();
    for person in known.invites.keys() {
        people.entry(*person).or_default();
    }
    for writer in &known.writers {
        let of_person = people.entry(writer.claim.identity).or_default();
        of_person.push(writer);
    }
    let mut members: Vec<_> = people
        .into_iter()
        .map(|(person, writers)| member(me, person, &writers, known))
        .collect();
    let order = |one: &Member| (one.devices.is_empty(), one.name.clone(), one.public_key);
    members.sort_by_cached_key(order);
    members
}

fn member(me: &PublicKey, person: PublicKey, writers: &[&WriterInfo], known: &Known) -> Member {
    let all: Vec<_> = writers.iter().map(|writer| device(writer, known)).collect();
    let (devices, earlier) = only_current(person, all, known);
    let invite = known.invites.get(&person);
    Member {
        public_key: person,
        name: name(person, writers, known),
        me: person == *me,
        online: person == *me || devices.iter().any(|device| device.online),
        last_seen: devices.iter().filter_map(|device| device.last_seen).max(),
        invited_by: invite.map(|invite| invite.by),
        reads_only: devices.is_empty() && invite.is_some_and(|invite| invite.reads_only),
        standing: standing(&devices),
        devices,
        earlier,
    }
}

/// Each device once, with the writer that it writes with now; and the writers of before. A device that is said to go
/// on under another key is one of before, unless it has said more since: then a copy of it is at work somewhere.
fn only_current(
    person: PublicKey,
    all: Vec<MemberDevice>,
    known: &Known,
) -> (Vec<MemberDevice>, Vec<WriterTag>) {
    let keys: BTreeMap<WriterTag, PublicKey> =
        all.iter().map(|one| (one.writer, one.device)).collect();
    let told = |writer: &WriterTag| known.told.get(writer).copied();
    let (mut current, mut earlier) = newest_writers(all, &told);
    for ((_, old), renewed) in known.renewed.iter().filter(|((by, _), _)| *by == person) {
        let key = keys.get(&renewed.by).filter(|key| *key != old);
        let Some((key, before)) = key.and_then(|key| Some((key, current.get(old)?))) else {
            continue;
        };
        // Somebody who says of all their devices that they were before still has one.
        if told(&before.writer) > Some(renewed.since) || current.len() == 1 {
            continue;
        }
        let before = current.remove(old);
        earlier.extend(before.iter().map(|before| before.writer));
        if let (Some(now), Some(before)) = (current.get_mut(key), before) {
            // In the run in which it begins anew it is still connected under its old key.
            now.online |= before.online;
            now.last_seen = now.last_seen.max(before.last_seen);
        }
    }
    (current.into_values().collect(), earlier)
}

/// By device key, the writer that has not left, or was heard of last; and the others.
fn newest_writers(
    all: Vec<MemberDevice>,
    told: &dyn Fn(&WriterTag) -> Option<u64>,
) -> (BTreeMap<PublicKey, MemberDevice>, Vec<WriterTag>) {
    let mut newest: BTreeMap<PublicKey, MemberDevice> = BTreeMap::new();
    let mut earlier = Vec::new();
    let order = |one: &MemberDevice| (one.left.is_none(), told(&one.writer), one.writer);
    for one in all {
        let Some(other) = newest.remove(&one.device) else {
            newest.insert(one.device, one);
            continue;
        };
        let (before, mut now) = match order(&one) > order(&other) {
            true => (other, one),
            false => (one, other),
        };
        now.last_seen = now.last_seen.max(before.last_seen);
        earlier.push(before.writer);
        newest.insert(now.device, now);
    }
    (newest, earlier)
}

fn name(person: PublicKey, writers: &[&WriterInfo], known: &Known) -> String {
    let claimed = writers.first().map(|writer| &writer.claim.device_name);
    let name = known.names.get(&person).or(claimed);
    name.cloned().unwrap_or_default()
}

fn device(writer: &WriterInfo, known: &Known) -> MemberDevice {
    let (claim, tag) = (&writer.claim, &writer.tag);
    let seen = [known.met.get(&claim.device), known.told.get(tag)];
    let last_seen = seen.into_iter().flatten().copied().max();
    MemberDevice {
        device: claim.device,
        name: claim.device_name.clone(),
        writer: *tag,
        online: known.online.contains(&claim.device),
        last_seen: last_seen.map(|seen| seen.min(known.now)),
        left: known.left.get(tag).copied(),
    }
}

fn standing(devices: &[MemberDevice]) -> Standing {
    let left: Option<Vec<_>> = devices.iter().map(|device| device.left).collect();
    match left {
        _ if devices.is_empty() => Standing::Invited,
        Some(times) => Standing::Left(times.into_iter().max().unwrap_or_default()),
        None => Standing::Joined,
    }
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

    fn tag(device: u8) -> WriterTag {
        WriterTag([device; 8])
    }

    const ANN: PublicKey = PublicKey([1; 32]);
    const BOB: PublicKey = PublicKey([2; 32]);
    const EVE: PublicKey = PublicKey([3; 32]);

    fn known() -> Known {
        let invited = |reads_only| Invited {
            by: ANN,
            reads_only,
        };
        Known {
            writers: vec![writer(1, 10), writer(2, 20), writer(1, 30)],
            names: [(ANN, "Ann".to_owned())].into(),
            invites: [(BOB, invited(true)), (EVE, invited(true))].into(),
            told: [(tag(10), 7), (tag(30), 5), (tag(20), 3)].into(),
            online: [PublicKey([20; 32])].into(),
            met: [(PublicKey([20; 32]), 9)].into(),
            now: 100,
            ..Known::default()
        }
    }

    #[test]
    fn writers_of_one_person_are_one_member_with_the_newest_name() {
        let members = members(&ANN, &known());
        let [ann, bob, eve] = &members[..] else {
            panic!("three people");
        };
        assert_eq!((ann.name.as_str(), ann.me, ann.online), ("Ann", true, true));
        assert_eq!((ann.devices.len(), ann.last_seen), (2, Some(7)));
        assert_eq!(bob.name, "device 20");
        assert_eq!((bob.online, bob.last_seen), (true, Some(9)));
        assert_eq!((bob.invited_by, bob.reads_only), (Some(ANN), false));
        assert_eq!(bob.devices[0].writer, tag(20));
        assert_eq!((eve.standing, eve.reads_only), (Standing::Invited, true));
        assert!(!eve.online && eve.devices.is_empty());
    }

    #[test]
    fn who_left_with_all_devices_has_left_and_with_one_of_two_has_not() {
        let mut known = known();
        known.left = [(tag(10), 7), (tag(20), 3)].into();
        let standings = |known: &Known| {
            let members = members(&EVE, known);
            members.iter().map(|m| m.standing).collect::<Vec<_>>()
        };
        let [joined, invited] = [Standing::Joined, Standing::Invited];
        assert_eq!(standings(&known), [joined, Standing::Left(3), invited]);
        known.left.insert(tag(30), 5);
        assert_eq!(standings(&known)[0], Standing::Left(7));
    }

    /// A writer of a device that has another one already.
    fn again(person: u8, device: u8, tag: u8) -> WriterInfo {
        let mut writer = writer(person, device);
        writer.tag = WriterTag([tag; 8]);
        writer
    }

    #[test]
    fn who_left_and_came_back_is_one_device_that_has_not_left() {
        let mut known = known();
        known.writers.push(again(2, 20, 21));
        known.left = [(tag(20), 3)].into();
        // Before anything is heard of the new writer, and after.
        for told in [None, Some(50)] {
            known.told.extend(told.map(|at| (tag(21), at)));
            let members = members(&ANN, &known);
            let bob = &members[1];
            assert_eq!((bob.devices.len(), bob.standing), (1, Standing::Joined));
            assert_eq!(
                (bob.devices[0].writer, &bob.earlier[..]),
                (tag(21), &[tag(20)][..])
            );
            assert_eq!(bob.last_seen, told.or(Some(9)));
        }
        // And who leaves again has left.
        known.left.insert(tag(21), 60);
        let bob = &members(&ANN, &known)[1];
        assert_eq!((bob.standing, bob.devices.len()), (Standing::Left(60), 1));
    }

    #[test]
    fn a_device_that_goes_on_under_another_key_is_listed_once_unless_it_says_more() {
        let (mut twice, mut known) = (known(), known());
        let (old, new) = (PublicKey([10; 32]), PublicKey([30; 32]));
        let renewed = |by| Renewed { since: 8, by };
        known.renewed = [((ANN, old), renewed(tag(30)))].into();
        let devices = |known: &Known| -> Vec<_> {
            let ann = members(&ANN, known).remove(0);
            let shown = |device: MemberDevice| (device.device, device.online);
            ann.devices.into_iter().map(shown).collect()
        };
        assert_eq!(devices(&known), [(new, false)]);
        let ann = members(&ANN, &known).remove(0);
        assert_eq!((ann.earlier, ann.last_seen), (vec![tag(10)], Some(7)));
        known.online.insert(old);
        assert_eq!(devices(&known), [(new, true)], "under its old key");
        // What it became may have begun anew too.
        twice.writers.push(writer(1, 40));
        twice.renewed = [
            ((ANN, old), renewed(tag(30))),
            ((ANN, new), renewed(tag(40))),
        ]
        .into();
        assert_eq!(devices(&twice), [(PublicKey([40; 32]), false)]);
        // A copy that goes on writing is a device.
        known.told.insert(tag(10), 9);
        assert_eq!(devices(&known), [(old, true), (new, false)]);
        // Nobody speaks for the devices of others, nor for one that is not here.
        known.told.insert(tag(10), 7);
        for (person, by) in [(BOB, tag(30)), (ANN, tag(99)), (ANN, tag(10))] {
            known.renewed = [((person, old), renewed(by))].into();
            assert_eq!(devices(&known), [(old, true), (new, false)]);
        }
    }

    #[test]
    fn nobody_was_seen_in_the_future() {
        let mut known = known();
        known.told.insert(tag(20), u64::MAX);
        let members = members(&ANN, &known);
        assert_eq!(members[1].last_seen, Some(100));
    }
}
