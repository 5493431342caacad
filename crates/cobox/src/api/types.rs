//! The JSON that goes over the API, used by both ends. Field names are the original API's.

pub use crate::api::annotations::{AnnotateJson, AnnotatedJson, AnnotationJson};
pub use crate::api::health::{CopyJson, HealthJson, PolicyJson};
pub use crate::api::members::{MemberDeviceJson, MemberJson};
pub use crate::api::messages::{MessageJson, NewMessageJson};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// Answer of `GET /api/system`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct System {
    /// version of the program
    pub version: String,
}

/// Who we are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityJson {
    /// empty until given
    pub name: String,
    /// 64 hex digits, safe to share
    pub public_key: String,
}

/// A name to give.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NameJson {
    /// the name
    pub name: String,
}

/// A space or replica, in short.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpaceRef {
    /// 64 hex digits
    pub address: String,
    /// its name
    pub name: String,
}

/// How far a space or replica is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressJson {
    /// blocks known to exist and wanted here
    pub known: u64,
    /// of those, held
    pub held: u64,
    /// bytes known
    pub bytes_known: u64,
    /// bytes held
    pub bytes_held: u64,
}

/// A space in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpaceJson {
    /// 64 hex digits
    pub address: String,
    /// its name
    pub name: String,
    /// bytes of the files in it
    pub size: u64,
    /// files
    pub files: u64,
    /// folders
    pub folders: u64,
    /// bytes on this machine's disk
    pub disk_size: u64,
    /// may we write
    pub writable: bool,
    /// RFC 3339
    pub last_sync_at: Option<String>,
    /// how far
    pub progress: ProgressJson,
    /// everything held here is shown (what has just come is read first)
    pub indexed: bool,
    /// open conflicts
    pub conflicts: u64,
    /// how it is mounted
    pub mount: Option<MountJson>,
}

/// How a space is mounted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountJson {
    /// the folder, or the URL
    pub at: String,
    /// it is a WebDAV share of this machine, not a folder
    pub webdav: bool,
    /// nothing can be changed through it
    pub read_only: bool,
    /// RFC 3339: the space as it was then
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// why it is not mounted though it shall be
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How to mount a space.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MountRequest {
    /// a folder, by its whole path; `~/cobox/<space name>` if missing
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// a WebDAV share of this machine instead of a folder
    #[serde(default)]
    pub webdav: bool,
    /// nothing can be changed through it
    #[serde(default)]
    pub read_only: bool,
    /// RFC 3339: the space as it was then; read-only
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// What came of unmounting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnmountedJson {
    /// where it was mounted
    pub at: String,
    /// programs still have something open in it: for them it goes on until they close it or the program ends
    pub busy: bool,
}

/// A proven copy elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptJson {
    /// device key
    pub peer_id: String,
    /// holds only the address
    pub replicator: bool,
    /// holds everything it knows of
    pub complete: bool,
    /// RFC 3339, by its clock
    pub last_sync_at: String,
    /// bytes it has left
    pub free: u64,
}

/// Everything about one space.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpaceDetailJson {
    /// as in the list
    #[serde(flatten)]
    pub space: SpaceJson,
    /// people
    pub members: Vec<MemberJson>,
    /// copies
    pub receipts: Vec<ReceiptJson>,
    /// what was refused lately, in words
    pub refusals: Vec<String>,
}

/// A replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicaJson {
    /// 64 hex digits
    pub address: String,
    /// name given here
    pub name: Option<String>,
    /// bytes on disk
    pub size: u64,
    /// how far
    pub progress: ProgressJson,
}

/// A peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerJson {
    /// device key
    pub peer_id: String,
    /// connected now
    pub online: bool,
    /// where it is, in words
    pub path: String,
    /// addresses of spaces and replicas shared in this connection
    pub spaces: Vec<String>,
    /// bytes sent
    pub sent: u64,
    /// bytes received
    pub received: u64,
    /// RFC 3339, newest over its spaces
    pub last_sync_at: Option<String>,
}

/// Answer of `GET /api/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusJson {
    /// version of the program
    pub version: String,
    /// home folder
    pub home: String,
    /// our name
    pub name: String,
    /// our public key
    pub public_key: String,
    /// how peers reach us: device key and addresses
    pub hint: String,
    /// spaces
    pub spaces: Vec<SpaceJson>,
    /// replicas
    pub replicas: Vec<ReplicaJson>,
    /// peers
    pub peers: Vec<PeerJson>,
}

/// Whom to invite.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteJson {
    /// their public key
    pub public_key: String,
    /// they shall read and not write
    #[serde(default)]
    pub read_only: bool,
}

/// An invite code, or the request to join by one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CodeJson {
    /// one line
    pub code: String,
    /// local name instead of the suggested one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// further peer hints
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
}

/// What to replicate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicateJson {
    /// 64 hex digits
    pub address: String,
    /// name for it here
    #[serde(default)]
    pub name: Option<String>,
    /// peer hints
    #[serde(default)]
    pub peers: Vec<String>,
}

/// A name of any bytes: text where it is text, and the exact bytes where it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameBytes {
    /// readable form
    pub name: String,
    /// base64 of the exact bytes, only where `name` does not carry them
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_bytes: Option<String>,
}

impl NameBytes {
    /// From exact bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let name = String::from_utf8_lossy(bytes).into_owned();
        let name_bytes = (name.as_bytes() != bytes).then(|| BASE64.encode(bytes));
        Self { name, name_bytes }
    }

    /// The exact bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let exact = self
            .name_bytes
            .as_ref()
            .and_then(|text| BASE64.decode(text.as_bytes()).ok());
        exact.unwrap_or_else(|| self.name.clone().into_bytes())
    }
}

/// One entry of a folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryJson {
    /// its name
    #[serde(flatten)]
    pub name: NameBytes,
    /// `file`, `folder` or `symlink`
    pub kind: String,
    /// bytes
    pub size: u64,
    /// RFC 3339
    pub mtime: String,
    /// permission bits
    pub mode: u32,
    /// names the shown version
    pub version: Option<String>,
    /// a version or file that competes with the one shown under the plain name
    pub conflict: bool,
    /// target of a symlink
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<NameBytes>,
}

/// Answer of `GET /api/spaces/:space/drive`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListingJson {
    /// what is at the path
    pub entry: EntryJson,
    /// its children, if it is a folder
    pub children: Vec<EntryJson>,
}

/// A move.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MoveJson {
    /// from this path
    pub from: NameBytes,
    /// to that path
    pub to: NameBytes,
}

/// One version of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionJson {
    /// names it
    pub id: String,
    /// RFC 3339, by its author's clock
    pub time: String,
    /// name of the author
    pub author: String,
    /// author's public key
    #[serde(rename = "publicKey")]
    pub public_key: Option<String>,
    /// bytes, for a version of the content
    pub size: Option<u64>,
    /// what happened: `written`, `deleted`, `moved` or `changed`
    pub what: String,
    /// new name, where it was created or moved
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub name: Option<NameBytes>,
    /// it counts now
    pub current: bool,
}

/// What to bring back: one of the two.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RestoreJson {
    /// a version's id
    #[serde(default)]
    pub version: Option<String>,
    /// RFC 3339
    #[serde(default)]
    pub at: Option<String>,
}

/// How many things were brought back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RestoredJson {
    /// files and folders
    pub restored: u64,
}

/// An open conflict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConflictJson {
    /// where it is shown
    pub path: NameBytes,
    /// `content`, `place`, `attrs`, `life`, `name` or `loop`
    pub cause: String,
    /// the one shown first, then the others
    pub versions: Vec<VersionJson>,
}

/// Which version to keep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeepJson {
    /// a version's id
    pub keep: String,
}

/// What to import.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportJson {
    /// local paths on the machine of the program
    pub paths: Vec<NameBytes>,
    /// folder in the space
    pub to: NameBytes,
}

/// A file on this machine to put into a space: which one, so that nobody takes another for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LocalFileJson {
    /// absolute path
    pub file: NameBytes,
    /// device number
    pub device: u64,
    /// inode number
    pub inode: u64,
}

/// What to export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportJson {
    /// path in the space
    pub path: NameBytes,
    /// local folder on the machine of the program
    pub dir: NameBytes,
    /// RFC 3339; now if missing
    #[serde(default)]
    pub at: Option<String>,
}

/// One line of a long job's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobLine {
    /// on the way
    Progress(JobProgress),
    /// the end
    Done(JobDone),
    /// the end, not reached
    Error(ErrorJson),
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobProgress {
    /// entries done
    pub entries: u64,
    /// bytes done
    pub bytes: u64,
    /// entries expected
    pub total_entries: u64,
    /// bytes expected
    pub total_bytes: u64,
}

/// What a job did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobDone {
    /// files and folders
    pub entries: u64,
    /// bytes of files
    pub bytes: u64,
    /// what could not be done
    pub problems: Vec<ProblemJson>,
}

/// One thing a job could not do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProblemJson {
    /// which file
    pub path: NameBytes,
    /// why
    pub reason: String,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorJson {
    /// for people: what happened, what it means, what to do
    pub msg: String,
    /// for programs
    pub code: String,
    /// which input, if one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
}

/// Body of every failed call.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorsJson {
    /// at least one
    pub errors: Vec<ErrorJson>,
}

/// A live event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventJson {
    /// `drive/changed`, `drive/conflicts`, `peer/about`, `space/about`, `peer/connection`, `space/last-sync`, `space/mount`, `refused`
    #[serde(rename = "type")]
    pub kind: String,
    /// space
    pub address: String,
    /// RFC 3339, when it was told
    pub time: String,
    /// what is special to the type
    pub data: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_of_any_bytes_survive_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let json = serde_json::to_string(&NameBytes::new(&bytes)).unwrap();
            let back: NameBytes = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.bytes(), bytes);
        }
    }

    #[test]
    fn plain_names_stay_plain() {
        let json = serde_json::to_string(&NameBytes::new("schön.txt".as_bytes())).unwrap();
        assert_eq!(json, r#"{"name":"schön.txt"}"#);
    }
}
