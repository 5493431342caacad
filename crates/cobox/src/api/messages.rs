//! Calls about messages: said to all members of a space, or sealed to one.

use crate::api::{Api, ApiError, Body, Segment, blocking, bytes_in_url, time};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use cobox_space::log::Filter;
use cobox_space::space::Said;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Messages answered if nobody says how many.
const USUAL: usize = 1000;
/// Most messages of one answer.
const MOST: usize = 10_000;

/// All routes about messages.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list, send))
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageJson {
    /// names it in its space
    pub id: String,
    /// who wrote it
    pub public_key: String,
    /// what they are called now
    pub name: String,
    /// RFC 3339, by the author's clock
    pub time: String,
    /// only the author and one other can read it
    pub private: bool,
    /// public key of the other, if private
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// what the other is called now, if known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_name: Option<String>,
    /// the words
    pub text: String,
}

/// What to say.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessageJson {
    /// the words, at most 30 000 bytes
    pub text: String,
    /// name or public key of the one member who shall read it; all members if missing
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Which messages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the query, which is read from its bytes"
)]
struct Which {
    /// RFC 3339: not before
    since: Option<String>,
    /// RFC 3339: only before
    until: Option<String>,
    /// at most so many, the newest: 1 to 10 000; 1000 if missing
    limit: Option<u32>,
}

/// For JSON and events.
pub fn shape(said: &Said) -> MessageJson {
    MessageJson {
        id: said.id.clone(),
        public_key: said.author.to_string(),
        name: said.name.clone(),
        time: time::format_ms(said.time_ms),
        private: said.private,
        to: said.text.to.map(|to| to.to_string()),
        to_name: said.to_name.clone(),
        text: said.text.text.clone(),
    }
}

/// What was said in a space to all members and to us, oldest first; the same order on every peer.
#[utoipa::path(get, path = "/spaces/{space}/messages", tag = "messages", operation_id = "listMessages",
    params(Which),
    responses((status = 200, description = "oldest first", body = Vec<MessageJson>)))]
async fn list(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<MessageJson>>, ApiError> {
    let filter = filter(query.as_deref())?;
    let said = blocking(move || api.shelf.space(&space)?.said(filter)).await?;
    Ok(Json(said.iter().map(shape).collect()))
}

/// Says something to all members, or to one: sealed to them and to us.
#[utoipa::path(post, path = "/spaces/{space}/messages", tag = "messages", operation_id = "sendMessage",
    request_body = NewMessageJson,
    responses((status = 201, description = "as it is told", body = MessageJson)),
    extensions(("x-codes" = json!(["empty_message", "no_such_member", "read_only", "disk_full"]))))]
async fn send(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    Body(new): Body<NewMessageJson>,
) -> Result<(StatusCode, Json<MessageJson>), ApiError> {
    let said = blocking(move || {
        let space = api.shelf.space(&space)?;
        let to = new.to.map(|to| space.find_member(&to)).transpose()?;
        space.say(&new.text, to)
    });
    Ok((StatusCode::CREATED, Json(shape(&said.await?))))
}

fn filter(query: Option<&str>) -> Result<Filter, ApiError> {
    let limit = match bytes_in_url::text(query, "limit") {
        None => USUAL,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
            let wrong = "a whole number from 1 to 10000 is wanted";
            limit.ok_or_else(|| ApiError::bad("limit", wrong))?
        }
    };
    Ok(Filter {
        since_ms: time_in(query, "since")?,
        until_ms: time_in(query, "until")?,
        limit,
        ..Filter::default()
    })
}

fn time_in(query: Option<&str>, name: &str) -> Result<Option<u64>, ApiError> {
    let wrong = "a time such as 2026-11-23T09:30:00Z is wanted";
    let time = |text: String| time::parse_ms(&text).ok_or_else(|| ApiError::bad(name, wrong));
    bytes_in_url::text(query, name).map(time).transpose()
}
