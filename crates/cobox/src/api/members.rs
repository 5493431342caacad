//! Calls about the people of a space.

use crate::api::{Api, ApiError, Segment, blocking, time};
use axum::Json;
use axum::extract::State;
use cobox_space::members::{Member, MemberDevice, Standing};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// All routes about members.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A member of a space.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberJson {
    /// who
    pub public_key: String,
    /// name; empty for who was only invited
    pub name: String,
    /// it is us
    pub me: bool,
    /// `joined`, `invited` (nothing of theirs is here: whoever only reads stays so) or `left`
    pub standing: String,
    /// `write`, or `read` for who was invited to read only
    pub access: String,
    /// connected now
    pub online: bool,
    /// RFC 3339
    pub last_seen_at: Option<String>,
    /// RFC 3339: when they said that they leave
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<String>,
    /// public key of who invited them, if anybody told
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<String>,
    /// where they write
    pub devices: Vec<MemberDeviceJson>,
    /// writers they had before, as in the ids of versions and messages: of a device that left and came back, or began anew
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

/// A device of a member.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberDeviceJson {
    /// device key
    pub peer_id: String,
    /// its name
    pub name: String,
    /// its writer, as in the ids of versions and messages
    pub writer: String,
    /// connected now
    pub online: bool,
    /// RFC 3339
    pub last_seen_at: Option<String>,
    /// RFC 3339: when it said that it leaves
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<String>,
}

/// For JSON and events.
pub fn shape(member: &Member) -> MemberJson {
    let (standing, left) = match member.standing {
        Standing::Joined => ("joined", None),
        Standing::Invited => ("invited", None),
        Standing::Left(at) => ("left", Some(at)),
    };
    let access = if member.reads_only { "read" } else { "write" };
    MemberJson {
        public_key: member.public_key.to_string(),
        name: member.name.clone(),
        me: member.me,
        standing: standing.into(),
        access: access.into(),
        online: member.online,
        last_seen_at: member.last_seen.map(time::format_ms),
        left_at: left.map(time::format_ms),
        invited_by: member.invited_by.map(|by| by.to_string()),
        devices: member.devices.iter().map(device).collect(),
        earlier: member.earlier.iter().map(ToString::to_string).collect(),
    }
}

fn device(device: &MemberDevice) -> MemberDeviceJson {
    MemberDeviceJson {
        peer_id: device.device.to_string(),
        name: device.name.clone(),
        writer: device.writer.to_string(),
        online: device.online,
        last_seen_at: device.last_seen.map(time::format_ms),
        left_at: device.left.map(time::format_ms),
    }
}

/// Who is in a space, who was invited and who has left.
#[utoipa::path(get, path = "/spaces/{space}/members", tag = "people", operation_id = "listMembers",
    responses((status = 200, description = "by name; behind them who was only invited", body = Vec<MemberJson>)))]
async fn list(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
) -> Result<Json<Vec<MemberJson>>, ApiError> {
    let people = blocking(move || api.shelf.space(&space)?.people()).await?;
    Ok(Json(people.iter().map(shape).collect()))
}
