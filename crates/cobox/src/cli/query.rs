//! `cobox query`: questions to the messages of a space.

use crate::api::query::QueryJson;
use crate::api::time;
use crate::cli::args::Query;
use crate::cli::output::{Output, line_out, printable};
use crate::cli::{CliError, Done};
use crate::client::{Client, ClientError, in_space};
use serde_json::Value;
use std::io::{self, Read};

/// `cobox query SPACE JSON`
pub fn query(client: &Client, query: Query, output: &Output) -> Result<Done, CliError> {
    let text = match query.query.as_str() {
        "-" => from_stdin()?,
        text => text.as_bytes().to_vec(),
    };
    if query.live {
        return follow(client, &query.space, &text, output);
    }
    let explain = if query.explain { "?explain=true" } else { "" };
    let path = in_space(&query.space, &format!("/query{explain}"));
    let answer: QueryJson = client.post(&path, &text)?;
    output.result(&answer, answer_text);
    Ok(Done::Fully)
}

fn follow(client: &Client, space: &str, text: &[u8], output: &Output) -> Result<Done, CliError> {
    let mut failed = None;
    client.follow(&in_space(space, "/query/live"), text, |kind, data| {
        match kind {
            "error" => failed = Some(data.to_owned()),
            "ready" => {}
            _ if output.is_json() => line_out(data),
            _ => line_out(
                &serde_json::from_str(data).map_or_else(|_| printable(data), |row| row_text(&row)),
            ),
        }
        true
    })?;
    match failed {
        Some(error) => Err(ClientError::Broken(error).into()),
        None => Ok(Done::Fully),
    }
}

fn from_stdin() -> Result<Vec<u8>, CliError> {
    // One byte more than is understood: the program then says that it is too long.
    const MOST: u64 = (64 << 10) + 1;
    let mut text = Vec::new();
    let read = io::stdin().lock().take(MOST).read_to_end(&mut text);
    read.map_err(|error| CliError::Local("standard input".into(), error))?;
    Ok(text)
}

fn answer_text(answer: &QueryJson) -> String {
    let mut lines = match &answer.result {
        Value::Array(rows) => rows.iter().map(row_text).collect(),
        value => vec![row_text(value)],
    };
    if answer.more {
        lines.push("There are more: narrow the filter, or ask for a part with $limit.".into());
    }
    if let Some(explain) = &answer.explain {
        lines.push(format!(
            "-- {}; messages read: {}",
            printable(&explain.text),
            explain.touched
        ));
    }
    lines.join("\n")
}

/// A whole message as time, author, type and content; what a query made of it as JSON.
fn row_text(row: &Value) -> String {
    let (Some(at), Some(author), Some(kind)) = (
        row["timestamp"].as_u64(),
        row["author"].as_str(),
        row["type"].as_str(),
    ) else {
        return value_text(row);
    };
    let short = author.get(..16).unwrap_or(author);
    let who = row["name"].as_str().unwrap_or(short);
    format!(
        "{}  {}  {}  {}",
        time::for_people(at),
        printable(who),
        printable(kind),
        value_text(&row["content"])
    )
}

/// JSON escapes control characters, but not all that turn a line around.
fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}
