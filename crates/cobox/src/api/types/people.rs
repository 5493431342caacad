//! People: who we are, who is in a space, how they get in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who we are.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityJson {
    /// empty until given
    pub name: String,
    /// 64 hex digits, safe to share
    pub public_key: String,
}

/// A name to give.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NameJson {
    /// the name
    pub name: String,
}

/// Whom to invite.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InviteJson {
    /// their public key
    pub public_key: String,
    /// they shall read and not write
    #[serde(default)]
    pub read_only: bool,
}

/// An invite code, or the request to join by one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CodeJson {
    /// one line
    pub code: String,
    /// local name instead of the suggested one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// further peer hints
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// in answers: the code again, where the original's page looks for it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<CodeContentJson>,
}

/// Just the code.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CodeContentJson {
    /// one line
    pub code: String,
}

/// A peer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
