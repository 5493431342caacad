//! What calls about devices take and answer.

use crate::api::types::SpaceRef;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device whose admins we are.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceJson {
    /// its name
    pub name: String,
    /// address of its admin space, 64 hex digits
    pub address: String,
    /// its identity, 64 hex digits
    pub public_key: String,
    /// its device key, as in health and among peers, 64 hex digits; absent: it has not told of itself yet
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<String>,
    /// connected now
    pub online: bool,
    /// RFC 3339; absent: never seen
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<String>,
    /// we may command it
    pub admin: bool,
    /// spaces it was told to replicate
    pub replicas: usize,
    /// RFC 3339: until then it lets one more person on its local network become an admin
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced_until: Option<String>,
}

/// A device that announces itself on the local network.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenDeviceJson {
    /// its device key, 64 hex digits
    pub public_key: String,
    /// its name
    pub name: String,
    /// the code that it shows is needed
    pub needs_code: bool,
    /// it has an admin already
    pub claimed: bool,
    /// where it was heard, `ip:port`
    pub at: String,
}

/// Becoming an admin of a device seen on the local network.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetupJson {
    /// its device key, or the name it announces
    pub public_key: String,
    /// name for it, if it has no admin yet
    pub name: String,
    /// what it shows, if it was started with `--code`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Everything known about a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceDetailJson {
    /// as in the list
    #[serde(flatten)]
    pub device: DeviceJson,
    /// who may command it
    pub admins: Vec<AdminJson>,
    /// what it replicates
    pub replicates: Vec<DeviceReplicaJson>,
    /// what it last said of itself
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DeviceStatusJson>,
}

/// An admin of a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminJson {
    /// 64 hex digits
    pub public_key: String,
    /// name, once known
    pub name: String,
    /// it is us
    pub me: bool,
    /// `claimed`, `announced` or `added`
    pub by: String,
    /// who added them, 64 hex digits
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_by: Option<String>,
}

/// A space that a device replicates.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceReplicaJson {
    /// 64 hex digits
    pub address: String,
    /// what admins call it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// most bytes of its signed trees
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// who asked for it, 64 hex digits
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_by: Option<String>,
    /// RFC 3339, by their clock
    pub added_at: String,
    /// how far it was when the device last told; absent: not told yet
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<DeviceProgressJson>,
}

/// How far one space is on a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceProgressJson {
    /// blocks known to exist
    pub known: u64,
    /// of those, held
    pub have: u64,
    /// bytes known
    pub bytes_known: u64,
    /// bytes held
    pub bytes_have: u64,
    /// bytes on the device's disk
    pub size: u64,
    /// something was left out because of the quota
    pub over_quota: bool,
    /// RFC 3339: when a peer of this space was last connected to the device
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_contact_at: Option<String>,
}

/// What a device says of itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStatusJson {
    /// RFC 3339, by its clock: when it said so
    pub at: String,
    /// version of its program
    pub version: String,
    /// seconds since its program was started
    pub uptime: u64,
    /// bytes it keeps for others
    pub used: u64,
    /// bytes left on its disk
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// how to reach it: device key and addresses
    pub hint: String,
}

/// A command to a device. Which fields it takes depends on `command`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandRequest {
    /// `replicate`, `unreplicate`, `quota`, `announce`, `hide`, `rename`, `status` or `remove-admin`
    pub command: String,
    /// replicate, unreplicate, quota: of the space
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// replicate, rename
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// replicate, quota: bytes; absent: no limit
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// replicate: further peers that have the space
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// announce: for how long, 1 to 1440; absent: 10
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u64>,
    /// remove-admin
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// 32 hex digits of the caller's choice: the same again gives no second command
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// how long to wait for the device's answer, in milliseconds, at most 60000; absent: not at all
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<u64>,
}

/// A command and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandJson {
    /// 32 hex digits
    pub id: String,
    /// `replicate`, `unreplicate`, `quota`, `announce`, `hide`, `rename`, `status`, `add-admin` or `remove-admin`
    pub command: String,
    /// who gave it, 64 hex digits
    pub author: String,
    /// their name, once known
    pub author_name: String,
    /// RFC 3339, by their clock
    pub time: String,
    /// `waiting` (the device has not heard of it), `done`, `superseded`, `refused` or `failed`
    pub state: String,
    /// more about that, for people
    pub words: String,
    /// RFC 3339, by the device's clock: when it answered
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// of the space it is about
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// a name in it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// a quota in it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// a person in it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// Whom to add as an admin.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAdminJson {
    /// their public key, 64 hex digits
    pub public_key: String,
}

/// A code that only they can open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminCodeJson {
    /// one line, for `cobox join`
    pub code: String,
}

/// A device that was forgotten.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ForgottenJson {
    /// its admin space
    pub device: SpaceRef,
    /// where its copies count no more
    pub spaces: Vec<SpaceRef>,
}

/// The device that runs here.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubJson {
    /// its name
    pub name: String,
    /// address of its admin space
    pub address: String,
    /// its device key, as it announces it
    pub public_key: String,
    /// it announces itself on the local network
    pub announced: bool,
    /// it has an admin
    pub claimed: bool,
    /// what whoever sets it up must type
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
