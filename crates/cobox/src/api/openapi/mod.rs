//! The description of the API (OpenAPI 3.1), made from the routes themselves, and the answers that show it.
//!
//! A handler says what it takes and what it answers when all goes well, and names in `x-codes` what of its own can go
//! wrong. What any call can be refused with is added here. Not its job: deciding anything.

pub mod codes;
mod page;

use crate::api::guard;
use crate::api::types::ErrorsJson;
use axum::Extension;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use codes::Row;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The description, finished.
pub type Document = Arc<Value>;

/// What the routes do not say themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "CoBox",
        description = "Encrypted folders that live on your friends' machines and yours. Times are RFC 3339; sizes are bytes; keys and addresses are hex. A failed call is answered with `ErrorsJson`; programs look at `code`, people read `msg`.",
    ),
    components(schemas(ErrorsJson)),
    servers((url = "/", description = "this program"))
)]
struct Base;

/// A router that carries its description.
pub fn router<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// The calls that show the description.
pub fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new()
        .routes(routes!(document))
        .routes(routes!(docs))
}

/// This description
#[utoipa::path(get, path = "/openapi.json", tag = "program", operation_id = "getOpenApi",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object)))]
async fn document(Extension(document): Extension<Document>) -> Response {
    axum::Json(&*document).into_response()
}

/// The same for people
#[utoipa::path(get, path = "/docs", tag = "program", operation_id = "getDocs",
    responses((status = 200, description = "a page", content_type = "text/html", body = String)))]
async fn docs(Extension(document): Extension<Document>) -> Response {
    let mut response = Html(page::of(&document)).into_response();
    let policy = HeaderValue::from_static(page::POLICY);
    let name: HeaderName = header::CONTENT_SECURITY_POLICY;
    response.headers_mut().insert(name, policy);
    response
}

/// Adds what every call has in common: who may call, path parameters, refusals by status.
pub fn finish(document: &utoipa::openapi::OpenApi) -> Document {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "what is in the file `token` in the home folder" },
        "session": { "type": "apiKey", "in": "cookie", "name": "cobox_session", "description": "given by POST /api/auth" },
    });
    for (path, calls) in members(&mut document["paths"]) {
        for (method, call) in calls.as_object_mut().into_iter().flatten() {
            complete(path, method, call);
        }
    }
    Arc::new(document)
}

fn complete(path: &str, method: &str, call: &mut Value) {
    let is_open = guard::is_open(&method.to_uppercase(), path);
    call["security"] = match is_open {
        true => json!([]),
        false => json!([{ "token": [] }, { "session": [] }]),
    };
    let names: Vec<&str> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect();
    names.iter().for_each(|name| add_parameter(call, name));
    let rows = rows_of(call, &names, is_open);
    let names: BTreeSet<&str> = rows.iter().map(|row| row.1).collect();
    call["x-codes"] = json!(names);
    add_refusals(call, &rows);
}

fn add_parameter(call: &mut Value, name: &str) {
    let description = match name {
        "space" => "name or address of the space",
        "device" => "name, address or public key of the device",
        "publicKey" => "64 hex digits",
        "address" => "64 hex digits",
        _ => "its id",
    };
    let parameter = json!({
        "name": name, "in": "path", "required": true,
        "schema": { "type": "string" }, "description": description,
    });
    match call["parameters"].as_array_mut() {
        Some(all) if all.iter().any(|p| p["in"] == "path" && p["name"] == name) => {}
        Some(all) => all.insert(0, parameter),
        None => call["parameters"] = json!([parameter]),
    }
}

/// Everything that a call can be refused with.
fn rows_of(call: &Value, names: &[&str], is_open: bool) -> BTreeSet<Row> {
    let mut rows: BTreeSet<Row> = [codes::DOOR, codes::BENEATH].concat().into_iter().collect();
    if is_open {
        rows.retain(|row| row.1 != "wrong_token" && row.1 != "locked");
    }
    if call["requestBody"]["content"]["application/json"].is_object() {
        rows.extend(codes::BODY);
    }
    if names.contains(&"space") {
        rows.extend(codes::SPACE);
    }
    if names.contains(&"device") {
        rows.extend(codes::DEVICE);
    }
    let named = call["x-codes"].as_array().into_iter().flatten();
    rows.extend(named.filter_map(Value::as_str).flat_map(codes::rows));
    rows
}

fn add_refusals(call: &mut Value, rows: &BTreeSet<Row>) {
    let mut said: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (status, code, meaning) in rows {
        let of_status = said.entry(*status).or_default();
        of_status.push(format!("`{code}`: {meaning}"));
    }
    for (status, lines) in said {
        let answers = call["responses"].as_object_mut();
        let free = answers.map(|answers| answers.entry(status.to_string()));
        if let Some(free) = free {
            free.or_insert_with(|| refusal(&lines.join("; ")));
        }
    }
}

fn refusal(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/ErrorsJson" });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}
