//! From devices to JSON.

use super::types::*;
use crate::api::time;
use cobox_space::admin::{
    Admission, Deed, Device, Fate, Given, Known, Picture, ReportRow, Verdict, Wanted,
};
use cobox_space::hub::Seen;
use cobox_space::members::Member;
use cobox_space::shelf::SpaceError;
use std::time::{SystemTime, UNIX_EPOCH};

/// A device with what is needed to show it.
pub struct Look {
    device: Device,
    picture: Picture,
    members: Vec<Member>,
    known: Known,
}

impl Look {
    /// Looks once.
    pub fn at(device: Device) -> Result<Self, SpaceError> {
        Ok(Self {
            picture: device.picture()?,
            members: device.space().members()?,
            known: device.known()?,
            device,
        })
    }

    /// In a list.
    pub fn short(&self) -> DeviceJson {
        let identity = self.device.identity();
        let itself = self.members.iter().find(|m| m.public_key == identity);
        let me = self.members.iter().find(|member| member.me);
        let until = self.picture.opening.as_ref().and_then(|open| open.until_ms);
        DeviceJson {
            name: self.device.space().name(),
            address: self.device.space().address().to_string(),
            public_key: identity.to_string(),
            peer_id: itself
                .and_then(|itself| itself.devices.last())
                .map(|machine| machine.device.to_string()),
            online: itself.is_some_and(|itself| itself.online),
            last_seen_at: itself
                .and_then(|itself| itself.last_seen)
                .map(time::format_ms),
            admin: me.is_some_and(|me| self.picture.admins.contains_key(&me.public_key)),
            replicas: self.picture.wanted.len(),
            announced_until: until.filter(|until| *until > now_ms()).map(time::format_ms),
        }
    }

    /// Everything.
    pub fn detail(&self) -> DeviceDetailJson {
        let report = self.known.report.as_ref();
        let row = |address| report.and_then(|r| r.rows.iter().find(|row| row.address == address));
        DeviceDetailJson {
            device: self.short(),
            admins: self.admins(),
            replicates: self
                .picture
                .wanted
                .iter()
                .map(|(address, wanted)| replica(address.to_string(), wanted, row(*address)))
                .collect(),
            status: report.map(|report| DeviceStatusJson {
                at: time::format_ms(self.known.time_ms),
                version: report.version.clone(),
                uptime: report.uptime,
                used: report.used,
                free: report.free,
                hint: report.hint.clone(),
            }),
        }
    }

    /// Who may command it.
    pub fn admins(&self) -> Vec<AdminJson> {
        let admin = |(who, admission): (&_, &Admission)| {
            let member = self.members.iter().find(|member| member.public_key == *who);
            let (by, added_by) = match admission {
                Admission::Claimed => ("claimed", None),
                Admission::Announced => ("announced", None),
                Admission::AddedBy(by) => ("added", Some(by.to_string())),
            };
            AdminJson {
                public_key: who.to_string(),
                name: member.map(|member| member.name.clone()).unwrap_or_default(),
                me: member.is_some_and(|member| member.me),
                by: by.into(),
                added_by,
            }
        };
        self.picture.admins.iter().map(admin).collect()
    }

    /// What was said to it, oldest first.
    pub fn log(&self) -> Vec<CommandJson> {
        let fates = self.picture.fates.iter();
        fates
            .map(|(given, fate)| self.command(given, fate))
            .collect()
    }

    /// One command.
    pub fn command(&self, given: &Given, fate: &Fate) -> CommandJson {
        let (state, words, answered_at) = match fate {
            Fate::Answered {
                outcome,
                words,
                time_ms,
                ..
            } => (
                outcome.word(),
                words.clone(),
                Some(time::format_ms(*time_ms)),
            ),
            Fate::Waiting(Verdict::Refuse(why)) => {
                ("waiting", format!("it will be refused: {why}"), None)
            }
            Fate::Waiting(_) => ("waiting", "the device has not heard of it yet".into(), None),
            Fate::Stranger => (
                "refused",
                "its author was not an admin of this device when it was given".into(),
                None,
            ),
        };
        let author = self.members.iter().find(|m| m.public_key == given.author);
        let mut json = CommandJson {
            id: given.id.to_string(),
            command: given.command.deed.word().into(),
            author: given.author.to_string(),
            author_name: author.map(|author| author.name.clone()).unwrap_or_default(),
            time: time::format_ms(given.time_ms),
            state: state.into(),
            words,
            answered_at,
            address: None,
            name: None,
            quota: None,
            public_key: None,
        };
        about(&mut json, &given.command.deed);
        json
    }
}

fn about(json: &mut CommandJson, deed: &Deed) {
    match deed {
        Deed::Replicate {
            address,
            name,
            quota,
            ..
        } => {
            json.address = Some(address.to_string());
            (json.name, json.quota) = (name.clone(), *quota);
        }
        Deed::Unreplicate { address } => json.address = Some(address.to_string()),
        Deed::Quota { address, quota } => {
            json.address = Some(address.to_string());
            json.quota = *quota;
        }
        Deed::Rename { name } => json.name = Some(name.clone()),
        Deed::AddAdmin { public_key } | Deed::RemoveAdmin { public_key } => {
            json.public_key = Some(public_key.to_string());
        }
        Deed::Announce { .. } | Deed::Hide | Deed::Status => {}
    }
}

fn replica(address: String, wanted: &Wanted, row: Option<&ReportRow>) -> DeviceReplicaJson {
    DeviceReplicaJson {
        address,
        name: wanted.name.clone(),
        quota: wanted.quota,
        added_by: wanted.by.map(|by| by.to_string()),
        added_at: time::format_ms(wanted.since_ms),
        progress: row.map(|row| DeviceProgressJson {
            known: row.known,
            have: row.held,
            bytes_known: row.bytes_known,
            bytes_have: row.bytes_held,
            size: row.size,
            over_quota: row.over_quota,
            last_contact_at: row.last_contact_ms.map(time::format_ms),
        }),
    }
}

/// A device on the local network.
pub fn seen(seen: &Seen) -> SeenDeviceJson {
    let at = seen.hint.addresses.first();
    SeenDeviceJson {
        public_key: seen.setup.device.to_string(),
        name: seen.setup.name.clone(),
        needs_code: seen.setup.needs_code,
        claimed: seen.setup.claimed,
        at: at.map(ToString::to_string).unwrap_or_default(),
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
