//! Queries over the messages of a space. Read-only; the language is described in `docs/query.md`.

use crate::api::{Api, ApiError, Segment, Session, blocking};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query as Parameters, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Extension, Json};
use cobox_space::log::{Live, LiveQuery};
use cobox_space::shelf::SpaceError;
use cobox_view::query::{Outcome, Query};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Answer of `POST /api/spaces/{space}/query`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QueryJson {
    /// rows, or the one value that they were reduced to
    pub result: Value,
    /// there are more rows than an answer may have
    pub more: bool,
    /// how it was found, if that was asked for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<ExplainJson>,
}

/// How an answer was found.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExplainJson {
    /// in words
    pub text: String,
    /// index, its values, range, order, whether it sorts in memory, whether it reads everything
    pub plan: Value,
    /// messages that were read
    pub touched: u64,
}

/// Parameters of a query.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct QueryOptions {
    /// say how the answer was found
    #[serde(default)]
    pub explain: bool,
}

/// Parameters of a live query by GET.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LiveOptions {
    /// the query, as JSON
    pub query: String,
}

/// The routes of this topic.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(ask))
        .routes(routes!(follow, follow_by_url))
}

/// Ask the messages of a space.
#[utoipa::path(
    post,
    path = "/spaces/{space}/query",
    tag = "query",
    params(QueryOptions),
    request_body(content = Value, description = "the query; see docs/query.md"),
    responses(
        (status = 200, body = QueryJson),
    ),
    extensions(("x-codes" = json!(["bad_query", "query_too_large"])))
)]
pub async fn ask(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    options: Result<Parameters<QueryOptions>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<QueryJson>, ApiError> {
    let body = text(body)?;
    let Parameters(options) = options.map_err(|e| ApiError::bad("explain", e.body_text()))?;
    let answer = blocking(move || {
        let query = Query::parse(&body)?;
        api.shelf.space(&space)?.query(&query)
    });
    let answer = answer.await?;
    let explain = options.explain.then(|| ExplainJson {
        text: answer.plan.to_string(),
        plan: answer.plan.explain(),
        touched: answer.touched,
    });
    let result = match answer.outcome {
        Outcome::Rows(rows) => Value::Array(rows),
        Outcome::Value(value) => value,
    };
    Ok(Json(QueryJson {
        result,
        more: answer.more,
        explain,
    }))
}

/// Ask the messages of a space and go on: server-sent events, one row each, then each new one; `ready` between the two.
#[utoipa::path(
    post,
    path = "/spaces/{space}/query/live",
    tag = "query",
    request_body(content = Value, description = "the query; see docs/query.md"),
    responses(
        (status = 200, description = "server-sent events", body = String, content_type = "text/event-stream"),
    ),
    extensions(("x-codes" = json!(["bad_query", "query_too_large"])))
)]
pub async fn follow(
    State(api): State<Arc<Api>>,
    Extension(by): Extension<Session>,
    Segment(space): Segment,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, ApiError> {
    begin(api, space, text(body)?, by).await
}

/// The same for programs that can only GET, such as a page's EventSource.
#[utoipa::path(
    get,
    path = "/spaces/{space}/query/live",
    tag = "query",
    params(LiveOptions),
    responses(
        (status = 200, description = "server-sent events", body = String, content_type = "text/event-stream"),
    ),
    extensions(("x-codes" = json!(["bad_query", "query_too_large"])))
)]
pub async fn follow_by_url(
    State(api): State<Arc<Api>>,
    Extension(by): Extension<Session>,
    Segment(space): Segment,
    options: Result<Parameters<LiveOptions>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Parameters(options) = options.map_err(|e| ApiError::bad("query", e.body_text()))?;
    begin(api, space, options.query.into_bytes().into(), by).await
}

fn text(body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    body.map_err(|refused| ApiError::new(refused.status(), "too_large", refused.body_text()))
}

async fn begin(
    api: Arc<Api>,
    space: String,
    text: Bytes,
    by: Session,
) -> Result<impl IntoResponse, ApiError> {
    let end = End {
        stop: api.stop.subscribe(),
        by,
    };
    let live = blocking(move || {
        let query = Query::parse(&text)?;
        api.shelf.space(&space)?.query_live(&query)
    });
    let state = Some((live.await?, end));
    let events = futures_util::stream::unfold(state, |state| async move {
        let (mut live, mut end) = state?;
        let (event, goes_on) = next(&mut live, &mut end).await?;
        Some((Ok::<_, Infallible>(event), goes_on.then_some((live, end))))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// What ends a live query.
struct End {
    stop: watch::Receiver<bool>,
    by: Session,
}

/// The next event, and whether others may follow.
async fn next(live: &mut LiveQuery, end: &mut End) -> Option<(Event, bool)> {
    let told = tokio::select! {
        told = live.next() => told?,
        _ = end.stop.wait_for(|stop| *stop) => return None,
        () = end.by.over() => return None,
    };
    Some(match told {
        Ok(Live::Row(row)) => (data(&row), true),
        Ok(Live::CaughtUp { more }) => (data(&json!({ "more": more })).event("ready"), true),
        Err(error) => (data(&failure(error)).event("error"), false),
    })
}

fn failure(error: SpaceError) -> Value {
    let error = ApiError::from(error).into_json();
    json!({ "errors": [error] })
}

fn data(value: &Value) -> Event {
    Event::default().data(value.to_string())
}
