//! Spaces and replicas, and how far they are.

use super::mounts::MountJson;
use crate::api::health::HealthJson;
use crate::api::members::MemberJson;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A space or replica, in short.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SpaceRef {
    /// 64 hex digits
    pub address: String,
    /// its name
    pub name: String,
}

/// What shall be different about a space.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SpaceChangeJson {
    /// its name, for all its members
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// how many replicators shall hold everything, 0 to 1000
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// how old their last proof may be, in milliseconds, at least 1000
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<u64>,
}

/// A space, and what is wanted of its copies.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SpaceTermsJson {
    /// which
    #[serde(flatten)]
    pub space: SpaceRef,
    /// how many replicators shall hold everything
    pub threshold: u32,
    /// how old their last proof may be, in milliseconds
    pub tolerance: u64,
}

/// How far a space or replica is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
    /// begun from a paper key, and no device that has it was reached yet
    #[serde(default)]
    pub waiting: bool,
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
    /// how many replicators shall hold everything
    pub threshold: u32,
    /// how old their last proof may be, in milliseconds
    pub tolerance: u64,
}

/// A proven copy elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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

/// A space with what somebody sees first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OverviewJson {
    /// as in the list
    pub space: SpaceJson,
    /// how safe it is
    pub health: HealthJson,
    /// people who are in it
    pub members: Vec<MemberJson>,
}

/// A replica.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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

/// What to replicate.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
