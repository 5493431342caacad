//! Calls about notes on files and folders.

use crate::api::types::NameBytes;
use crate::api::{Api, ApiError, Body, Segment, blocking, bytes_in_url, time};
use axum::Json;
use axum::extract::{RawQuery, State};
use cobox_drive::path::DrivePath;
use cobox_space::log::types::{Real, Value};
use cobox_space::space::{Note, Noted};
use serde::{Deserialize, Serialize};
use serde_json::Value as Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// All routes about annotations.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list, annotate))
}

/// One annotation: the newest value that its author gave it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnnotationJson {
    /// what it is called
    pub key: String,
    /// what it says: any JSON
    pub value: Any,
    /// who made it
    pub public_key: String,
    /// what they are called now
    pub name: String,
    /// RFC 3339, by the author's clock
    pub time: String,
}

/// What to note.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnotateJson {
    /// any JSON by name; null takes an annotation of ours away
    #[schema(value_type = Object)]
    pub values: BTreeMap<String, Any>,
}

/// Somebody annotated something (an event).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnnotatedJson {
    /// id of the file or folder: it stays whatever it is called
    pub node: String,
    /// where it is now, unless it is gone
    pub path: Option<NameBytes>,
    /// who
    pub public_key: String,
    /// what they are called now
    pub name: String,
    /// what they noted
    #[schema(value_type = Object)]
    pub values: BTreeMap<String, Any>,
}

/// On what.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the query, which is read from its bytes"
)]
struct OnWhat {
    /// path in the space, percent-encoded bytes; the space itself if missing
    path: Option<String>,
}

/// Annotations on a file or folder, by name, then by author. They stay with it when it is moved or renamed.
#[utoipa::path(get, path = "/spaces/{space}/annotations", tag = "annotations", operation_id = "listAnnotations",
    params(OnWhat),
    responses((status = 200, description = "by name, then by author", body = Vec<AnnotationJson>)),
    extensions(("x-codes" = json!(["@read"]))))]
async fn list(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<AnnotationJson>>, ApiError> {
    let path = path_in(query.as_deref())?;
    let notes = blocking(move || api.shelf.space(&space)?.annotations(&path)).await?;
    Ok(Json(notes.iter().map(shape).collect()))
}

/// Annotates a file or folder; answers all annotations on it.
#[utoipa::path(patch, path = "/spaces/{space}/annotations", tag = "annotations", operation_id = "annotate",
    params(OnWhat),
    request_body = AnnotateJson,
    responses((status = 200, description = "all annotations on it", body = Vec<AnnotationJson>)),
    extensions(("x-codes" = json!(["@read", "bad_annotation", "read_only", "disk_full"]))))]
async fn annotate(
    State(api): State<Arc<Api>>,
    Segment(space): Segment,
    RawQuery(query): RawQuery,
    Body(new): Body<AnnotateJson>,
) -> Result<Json<Vec<AnnotationJson>>, ApiError> {
    let path = path_in(query.as_deref())?;
    let values = values_in(new.values)?;
    let notes = blocking(move || {
        let space = api.shelf.space(&space)?;
        space.annotate(&path, values)?;
        space.annotations(&path)
    });
    Ok(Json(notes.await?.iter().map(shape).collect()))
}

fn path_in(query: Option<&str>) -> Result<DrivePath, ApiError> {
    let bytes = bytes_in_url::parameter(query, "path").unwrap_or_default();
    DrivePath::parse(&bytes).map_err(|why| ApiError::bad("path", why.to_string()))
}

fn values_in(values: BTreeMap<String, Any>) -> Result<BTreeMap<String, Value>, ApiError> {
    let too_large = "a number does not fit: whole numbers have at most 63 bits, others are finite";
    let value = |(key, json): (String, Any)| Some((key, value_of(json)?));
    let values: Option<_> = values.into_iter().map(value).collect();
    values.ok_or_else(|| ApiError::bad("values", too_large))
}

fn shape(note: &Note) -> AnnotationJson {
    AnnotationJson {
        key: note.key.clone(),
        value: json_of(&note.value),
        public_key: note.author.to_string(),
        name: note.name.clone(),
        time: time::format_ms(note.time_ms),
    }
}

/// For events.
pub fn event(noted: &Noted) -> AnnotatedJson {
    let values = noted.annotation.values.iter();
    AnnotatedJson {
        node: noted.annotation.node.to_string(),
        path: noted
            .path
            .as_ref()
            .map(|path| NameBytes::new(&path.to_bytes())),
        public_key: noted.author.to_string(),
        name: noted.name.clone(),
        values: values
            .map(|(key, value)| (key.clone(), json_of(value)))
            .collect(),
    }
}

/// `None` for a number that cannot be kept exactly.
fn value_of(json: Any) -> Option<Value> {
    Some(match json {
        Any::Null => Value::Null,
        Any::Bool(value) => Value::Bool(value),
        Any::Number(number) => match number.as_i64() {
            Some(whole) => Value::Whole(whole),
            None if number.is_u64() => return None,
            None => Value::Real(Real::new(number.as_f64()?)?),
        },
        Any::String(text) => Value::Text(text),
        Any::Array(items) => Value::List(items.into_iter().map(value_of).collect::<Option<_>>()?),
        Any::Object(fields) => {
            let field = |(key, value)| Some((key, value_of(value)?));
            Value::Map(fields.into_iter().map(field).collect::<Option<_>>()?)
        }
    })
}

fn json_of(value: &Value) -> Any {
    match value {
        Value::Null => Any::Null,
        Value::Bool(value) => (*value).into(),
        Value::Whole(value) => (*value).into(),
        Value::Real(value) => value.get().into(),
        Value::Text(value) => value.clone().into(),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(fields) => {
            let field = |(key, value): (&String, &Value)| (key.clone(), json_of(value));
            Any::Object(fields.iter().map(field).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_as_it_is_and_numbers_that_do_not_fit_are_refused() {
        let all = json!({ "a": null, "b": [true, -1, 0.5, "x"], "c": { "d": i64::MAX, "e": {} } });
        assert_eq!(json_of(&value_of(all.clone()).unwrap()), all);
        assert_eq!(value_of(json!(u64::MAX)), None);
    }
}
