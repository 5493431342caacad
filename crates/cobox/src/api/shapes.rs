//! From the nouns beneath to JSON.

use crate::api::bytes_in_url::encode;
use crate::api::types::*;
use crate::api::{Api, health, members, time};
use crate::mounts::Shown;
use cobox_drive::drive::Drive;
use cobox_drive::path::DrivePath;
use cobox_drive::record::{Body, Kind};
use cobox_drive::tree::{Cause, Conflict, Entry, Trashed, Version, WriterInfo};
use cobox_drive::version::{Dot, WriterTag};
use cobox_keys::access::Address;
use cobox_space::members::{Member, Standing};
use cobox_space::replica::Replica;
use cobox_space::shelf::{Failed, MountPlace, Shelf, SpaceError};
use cobox_space::space::Space;
use cobox_swarm::swarm::{PeerStatus, Receipt, SyncProgress};

/// A space in a list.
pub fn space(api: &Api, space: &Space) -> Result<SpaceJson, SpaceError> {
    let (files, folders, size) = space.drive().totals()?;
    let policy = space.policy()?;
    Ok(SpaceJson {
        address: space.address().to_string(),
        name: space.name(),
        size,
        files,
        folders,
        disk_size: space.size(),
        writable: space.writable(),
        waiting: space.waits(),
        last_sync_at: space.last_sync().map(time::format_ms),
        progress: progress(api.shelf.swarm().progress(&space.address())),
        indexed: space.drive().is_indexed(),
        conflicts: space.drive().conflicts()?.len() as u64,
        mount: api
            .mounts
            .get(&space.address())
            .map(|shown| mount(api.port, &shown)),
        threshold: policy.threshold,
        tolerance: policy.tolerance_ms,
    })
}

/// What could not be opened, and what to do about it.
pub fn failed((address, failed): (&Address, &Failed)) -> FailedJson {
    let again = "nothing of it was changed, and everything else goes on. Mend what the reason names and start the program again";
    let next = match failed.is_replica {
        false => format!(
            "{again}. If it cannot be mended: cobox space delete {address} --yes, then come back by a new invite or with the space's words on paper; what was only on this machine is lost by that"
        ),
        true => format!(
            "{again}. If it cannot be mended: cobox unreplicate {address}, and replicate it again"
        ),
    };
    FailedJson {
        address: address.to_string(),
        name: failed.name.clone(),
        replica: failed.is_replica,
        reason: failed.reason.clone(),
        next,
    }
}

/// Everything about a space.
pub fn space_detail(api: &Api, of: &Space) -> Result<SpaceDetailJson, SpaceError> {
    Ok(SpaceDetailJson {
        space: space(api, of)?,
        members: of.members()?.iter().map(members::shape).collect(),
        receipts: api
            .shelf
            .swarm()
            .receipts(&of.address())
            .iter()
            .map(receipt)
            .collect(),
        refusals: of.refusals(),
    })
}

/// A space with what somebody sees first.
pub fn overview(api: &Api, of: &Space) -> Result<OverviewJson, SpaceError> {
    let members = of.members()?;
    let here = members
        .iter()
        .filter(|member| member.standing == Standing::Joined);
    Ok(OverviewJson {
        space: space(api, of)?,
        health: health::shape(&of.health()?),
        members: here.map(members::shape).collect(),
    })
}

/// How a space is mounted.
pub fn mount(port: u16, shown: &Shown) -> MountJson {
    let at = match (&shown.entry.place, &shown.prefix) {
        (MountPlace::Folder { at, .. }, _) => at.to_string_lossy().into_owned(),
        (_, prefix) => {
            let path = encode(prefix.as_deref().unwrap_or_default().as_bytes());
            // By number: where the name also means ::1, file managers would try that first.
            format!("http://127.0.0.1:{port}{path}")
        }
    };
    MountJson {
        at,
        webdav: shown.prefix.is_some(),
        read_only: shown.entry.read_only,
        as_of: shown.entry.as_of_ms.map(time::format_ms),
        problem: shown.problem.clone(),
    }
}

/// A proven copy.
pub fn receipt(receipt: &Receipt) -> ReceiptJson {
    ReceiptJson {
        peer_id: receipt.device.to_string(),
        replicator: receipt.replicator,
        complete: receipt.complete,
        last_sync_at: time::format_ms(receipt.time_ms),
        free: receipt.free,
    }
}

/// A replica in a list.
pub fn replica(shelf: &Shelf, replica: &Replica) -> ReplicaJson {
    ReplicaJson {
        address: replica.address().to_string(),
        name: replica.name(),
        size: replica.size(),
        progress: progress(shelf.swarm().progress(&replica.address())),
    }
}

/// A peer.
pub fn peer(peer: &PeerStatus) -> PeerJson {
    PeerJson {
        peer_id: peer.device.to_string(),
        online: peer.connected,
        path: peer.path.clone(),
        spaces: peer
            .spaces
            .iter()
            .map(|(address, _)| address.to_string())
            .collect(),
        sent: peer.traffic.0,
        received: peer.traffic.1,
        last_sync_at: peer
            .last_sync
            .iter()
            .map(|(_, at)| *at)
            .max()
            .map(time::format_ms),
    }
}

fn progress(progress: SyncProgress) -> ProgressJson {
    ProgressJson {
        known: progress.known,
        held: progress.held,
        bytes_known: progress.bytes_known,
        bytes_held: progress.bytes_held,
    }
}

/// One entry of a folder; as far as it is here.
pub fn entry_in(drive: &Drive, of: &Entry) -> EntryJson {
    EntryJson {
        held: drive.held(of),
        ..entry(of)
    }
}

/// One entry of a folder, all of which is here.
pub fn entry(entry: &Entry) -> EntryJson {
    let target = match &entry.content.body {
        Body::Target(target) => Some(NameBytes::new(target)),
        _ => None,
    };
    EntryJson {
        name: NameBytes::new(entry.name.as_bytes()),
        kind: kind(entry.kind).into(),
        size: entry.content.size,
        mtime: time::format(entry.content.mtime.seconds, entry.content.mtime.nanos),
        mode: entry.attrs.mode,
        held: entry.content.size,
        version: entry.version.as_ref().map(Dot::to_string),
        conflict: entry.conflict,
        target,
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Folder => "folder",
        Kind::Symlink => "symlink",
    }
}

/// Name and public key of a writer, as far as they are known.
fn author(
    tag: WriterTag,
    writers: &[WriterInfo],
    members: &[Member],
) -> (Option<String>, Option<String>) {
    let claim = writers.iter().find(|w| w.tag == tag).map(|w| &w.claim);
    let author = claim.and_then(|claim| members.iter().find(|m| m.public_key == claim.identity));
    let name = author
        .map(|m| m.name.clone())
        .or_else(|| claim.map(|c| c.device_name.clone()));
    (name, claim.map(|claim| claim.identity.to_string()))
}

/// Something that was deleted.
pub fn trashed(one: &Trashed, writers: &[WriterInfo], members: &[Member]) -> TrashedJson {
    let (name, public_key) = author(one.writer, writers, members);
    TrashedJson {
        path: path(&one.path),
        kind: kind(one.kind).into(),
        size: one.size,
        id: one.dot.to_string(),
        time: time::format_ms(one.time_ms),
        author: name.unwrap_or_else(|| "somebody".into()),
        public_key,
    }
}

fn path(path: &DrivePath) -> NameBytes {
    let names = path.names().iter().map(|name| name.as_bytes());
    NameBytes::new(&names.collect::<Vec<_>>().join(&b'/'))
}

/// One version, with its author's name where the author is known.
pub fn version(version: &Version, writers: &[WriterInfo], members: &[Member]) -> VersionJson {
    let (name, public_key) = author(version.writer, writers, members);
    let what = match (version.deleted, &version.content, &version.place) {
        (true, ..) => "deleted",
        (_, Some(_), _) => "written",
        (_, None, Some(_)) => "moved",
        (_, None, None) => "changed",
    };
    VersionJson {
        id: version.dot.to_string(),
        time: time::format_ms(version.time_ms),
        author: name.unwrap_or_else(|| "somebody".into()),
        public_key,
        size: version.content.as_ref().map(|content| content.size),
        what: what.into(),
        name: version
            .place
            .as_ref()
            .map(|(_, name)| NameBytes::new(name.as_bytes())),
        current: version.head,
    }
}

/// The versions of what is at a path, `shown` being the one whose content is seen there now.
pub fn history(
    versions: &[Version],
    shown: Option<Dot>,
    writers: &[WriterInfo],
    members: &[Member],
) -> Vec<VersionJson> {
    let shape = |of: &Version| {
        let mut json = version(of, writers, members);
        // A version may still name the file though newer ones hold its bytes.
        if of.content.is_some() {
            json.current = shown == Some(of.dot);
        }
        json
    };
    versions.iter().map(shape).collect()
}

/// A conflict.
pub fn conflict(conflict: &Conflict, writers: &[WriterInfo], members: &[Member]) -> ConflictJson {
    let cause = match conflict.cause {
        Cause::Content => "content",
        Cause::Place => "place",
        Cause::Attrs => "attrs",
        Cause::Life => "life",
        Cause::Name => "name",
        Cause::Loop => "loop",
    };
    ConflictJson {
        path: path(&conflict.path),
        cause: cause.into(),
        versions: conflict
            .versions
            .iter()
            .map(|v| version(v, writers, members))
            .collect(),
    }
}
