//! How a space is mounted.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a space is mounted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UnmountedJson {
    /// where it was mounted
    pub at: String,
    /// programs still have something open in it: for them it goes on until they close it or the program ends
    pub busy: bool,
}
