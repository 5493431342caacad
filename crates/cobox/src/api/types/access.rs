//! Who may call.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A password, to be set or tried.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasswordJson {
    /// at least 8 characters to be set
    pub password: String,
    /// the one until now, to change it from a session
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
}

/// A ticket that opens one session.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TicketJson {
    /// 64 hex digits
    pub ticket: String,
}

/// The password that counts until now.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct OldPasswordJson {
    /// may be left out by who holds the token, where a call says so
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
}

/// What seals a file of keys.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PassphraseJson {
    /// at least 8 characters; needed again to import
    pub passphrase: String,
}

/// A file of keys, and what it was sealed with.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ImportKeysJson {
    /// its bytes, base64
    pub file: String,
    /// as given when it was made
    pub passphrase: String,
}

/// Who moves in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportedKeysJson {
    /// name
    pub name: String,
    /// public key
    pub public_key: String,
    /// how many spaces, devices' among them
    pub spaces: u64,
    /// how many copies for others
    pub replicas: u64,
}
