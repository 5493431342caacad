//! The program itself: its state, its errors, what it tells.

use super::people::PeerJson;
use super::spaces::{ReplicaJson, SpaceJson};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Answer of `GET /api/system`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct System {
    /// version of the program
    pub version: String,
    /// it shows nothing until somebody unlocks it or logs in
    #[serde(default)]
    pub locked: bool,
    /// a password is set: it unlocks, and opens sessions
    #[serde(default)]
    pub password: bool,
}

/// Answer of `GET /api/status`. Of a locked program: only `version`, `home`, `locked`, `kept` and `hint` say something.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusJson {
    /// version of the program
    pub version: String,
    /// home folder
    pub home: String,
    /// the program is locked
    #[serde(default)]
    pub locked: bool,
    /// spaces and replicas whose feeds are kept
    #[serde(default)]
    pub kept: u64,
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
    /// spaces and replicas that could not be opened at the start; the others go on
    #[serde(default)]
    pub failed: Vec<FailedJson>,
}

/// A space or replica that could not be opened at the start. It is left on disk as it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FailedJson {
    /// 64 hex digits
    pub address: String,
    /// its name, as far as it had one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// it is a copy for others
    pub replica: bool,
    /// why, in words
    pub reason: String,
    /// what to do, in words
    pub next: String,
}

/// A setting as it is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingJson {
    /// its name
    pub key: String,
    /// its value; empty: not set
    pub value: String,
    /// where that comes from: `default`, `file`, or `environment`, which the file does not override
    pub from: String,
}

/// What a setting shall be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SetSettingJson {
    /// as on the command line; null or missing: as usual
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorsJson {
    /// at least one
    pub errors: Vec<ErrorJson>,
}

/// Types of events.
pub const EVENTS: &[&str] = &[
    "device/changed",
    "device/command",
    "device/gone",
    "device/removed",
    "device/seen",
    "drive/changed",
    "drive/conflicts",
    "events/missed",
    "file/annotation",
    "hub/changed",
    "identity/changed",
    "job/changed",
    "job/removed",
    "keys/backup",
    "member/changed",
    "member/left",
    "member/presence",
    "message",
    "peer/about",
    "peer/changed",
    "peer/connection",
    "peer/removed",
    "refused",
    "replica/changed",
    "replica/removed",
    "space/about",
    "space/changed",
    "space/health",
    "space/last-sync",
    "space/message",
    "space/mount",
    "space/receipt",
    "space/removed",
    "system/hint",
];

fn event_types() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("what each means and carries is in docs/api.md"))
        .enum_values(Some(EVENTS.iter().copied()))
        .build()
}

/// A live event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventJson {
    /// one of [`EVENTS`]
    #[serde(rename = "type")]
    #[schema(schema_with = event_types)]
    pub kind: String,
    /// space; empty if it is about all
    pub address: String,
    /// RFC 3339, when it was told
    pub time: String,
    /// what is special to the type
    pub data: serde_json::Value,
    /// of `peer/connection`: the same as in `data`, for the original's page
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub peer: Option<PresenceJson>,
}

/// A peer came or went.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceJson {
    /// device key
    pub peer_id: String,
    /// connected now
    pub online: bool,
    /// RFC 3339
    pub last_seen_at: String,
}
