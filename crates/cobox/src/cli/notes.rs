//! Commands about annotations: annotate, annotations.

use crate::api::time;
use crate::api::types::*;
use crate::cli::files::Place;
use crate::cli::output::{Output, printable, table};
use crate::cli::{CliError, Done};
use crate::client::Client;
use clap::Subcommand;
use serde_json::Value;
use std::ffi::OsString;
use ureq::http::Method;

#[derive(Subcommand)]
pub enum Notes {
    /// Note something on a file or folder; it stays with it when it is moved or renamed
    Annotate {
        /// SPACE:PATH, or SPACE for the space itself
        path: OsString,
        /// KEY=VALUE, where VALUE is JSON or plain text; KEY=null takes yours away
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
    },
    /// What was noted on a file or folder, and by whom
    Annotations {
        /// SPACE:PATH, or SPACE for the space itself
        path: OsString,
    },
}

/// All of them.
pub fn notes(client: &Client, command: Notes, output: &Output) -> Result<Done, CliError> {
    let annotations: Vec<AnnotationJson> = match command {
        Notes::Annotate { path, values } => {
            let values = values
                .iter()
                .map(|text| pair(text))
                .collect::<Result<_, _>>()?;
            let path = Place::parse(&path)?.call("/annotations");
            client.call(Method::PATCH, &path, &AnnotateJson { values })?
        }
        Notes::Annotations { path } => client.get(&Place::parse(&path)?.call("/annotations"))?,
    };
    output.result(&annotations, |annotations| {
        if annotations.is_empty() {
            return "Nothing is noted there.".into();
        }
        table(&annotations.iter().map(row).collect::<Vec<_>>())
    });
    Ok(Done::Fully)
}

/// A value that is not JSON is plain text.
fn pair(text: &str) -> Result<(String, Value), CliError> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| CliError::Usage(format!("{text:?} is not KEY=VALUE, such as stars=5")))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((key.to_owned(), value))
}

fn row(annotation: &AnnotationJson) -> Vec<String> {
    let when = time::parse_ms(&annotation.time);
    vec![
        printable(&annotation.key),
        shown(&annotation.value),
        printable(&annotation.name),
        when.map_or_else(|| annotation.time.clone(), time::for_people),
    ]
}

/// Text as it is, other values as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

/// What an event about annotations says on one line; none for other events.
pub fn event_text(event: &EventJson) -> Option<String> {
    if event.kind != "file/annotation" {
        return None;
    }
    let noted: AnnotatedJson = serde_json::from_value(event.data.clone()).ok()?;
    let place = noted.path.map_or(noted.node, |path| path.name);
    let pair = |(key, value): (&String, &Value)| format!("{}={}", printable(key), shown(value));
    let pairs: Vec<_> = noted.values.iter().map(pair).collect();
    let at = printable(place.trim_start_matches('/'));
    Some(format!("annotated     /{at}  {}", pairs.join(" ")))
}
