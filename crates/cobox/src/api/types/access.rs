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
