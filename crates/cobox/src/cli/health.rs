//! `cobox health`: how safe a space is, and what is wanted of its copies.

use crate::api::devices::types::DeviceJson;
use crate::api::time;
use crate::api::types::*;
use crate::cli::output::{Output, bytes, table};
use crate::cli::{CliError, Done};
use crate::client::{Client, in_space};
use clap::Args;
use cobox_space::health::duration;
use ureq::http::Method;

#[derive(Args)]
pub struct Health {
    pub space: String,
    /// For all members: how many replicators shall hold everything
    #[arg(long, value_name = "N")]
    pub threshold: Option<u32>,
    /// For all members: how old their last proof may be, such as 7d, 12h or 90s
    #[arg(long, value_name = "DURATION")]
    pub tolerance: Option<String>,
    /// For all members: this replicator is gone for good, its copy counts no more. The first digits of its key are enough
    #[arg(long, value_name = "KEY", conflicts_with_all = ["threshold", "tolerance"])]
    pub gone: Option<String>,
}

/// Shows it; with a wish, changes that first.
pub fn health(client: &Client, command: Health, output: &Output) -> Result<Done, CliError> {
    let path = in_space(&command.space, "/health");
    if let Some(key) = &command.gone {
        return lose(client, &path, key, output);
    }
    let tolerance = command.tolerance.as_deref().map(span).transpose()?;
    let wish = PolicyJson {
        threshold: command.threshold,
        tolerance,
    };
    let health: HealthJson = match wish.threshold.is_some() || wish.tolerance.is_some() {
        true => client.call(Method::PATCH, &path, &wish)?,
        false => client.get(&path)?,
    };
    show(client, &health, output);
    Ok(Done::Fully)
}

/// Says of one replicator that it is gone.
fn lose(client: &Client, path: &str, key: &str, output: &Output) -> Result<Done, CliError> {
    let known: HealthJson = client.get(path)?;
    let key = key.trim().to_ascii_lowercase();
    let is_it = |copy: &&CopyJson| copy.peer_id.starts_with(&key);
    let mut found = known.copies.iter().filter(is_it);
    let why = match (found.next(), found.next()) {
        (Some(copy), None) => {
            let health: HealthJson = client.delete(&format!("{path}/{}", copy.peer_id))?;
            show(client, &health, output);
            return Ok(Done::Fully);
        }
        (None, _) => "no replicator of this space has a key that begins with",
        (Some(_), Some(_)) => "more than one replicator of this space has a key that begins with",
    };
    let hint = "see them with: cobox health SPACE";
    Err(CliError::Usage(format!("{why} {key:?}; {hint}")))
}

fn span(text: &str) -> Result<u64, CliError> {
    let wrong = "--tolerance wants a number with s, m, h, d or w, such as 7d";
    time::parse_span(text)
        .and_then(|seconds| seconds.checked_mul(1000))
        .ok_or_else(|| CliError::Usage(wrong.into()))
}

/// Devices of ours are shown by their names; who has none, and who is locked out of them, sees keys.
fn show(client: &Client, health: &HealthJson, output: &Output) {
    let devices: Vec<DeviceJson> = client.get("/devices").unwrap_or_default();
    output.result(health, |health| text(health, &devices, output));
}

fn text(health: &HealthJson, devices: &[DeviceJson], output: &Output) -> String {
    let mut text = format!(
        "{}: {}\nwanted  {} complete, proven within the last {}\n",
        output.accent(&health.colour),
        health.reason,
        crate::cli::output::count(health.threshold.into(), "copy", "copies"),
        duration(health.tolerance),
    );
    let rows = health.copies.iter().map(|copy| row(copy, devices));
    text.push_str(&table(&rows.collect::<Vec<_>>()));
    text
}

fn row(copy: &CopyJson, devices: &[DeviceJson]) -> Vec<String> {
    let is_it = |device: &&DeviceJson| device.peer_id.as_ref() == Some(&copy.peer_id);
    let name = devices.iter().find(is_it).map(|device| &device.name);
    let seen = copy.last_sync_at.as_deref().and_then(time::parse_ms);
    let synced = seen.map(|at| format!("in sync {}", time::for_people(at)));
    vec![
        copy.peer_id.get(..16).unwrap_or(&copy.peer_id).to_owned(),
        name.cloned().unwrap_or_default(),
        copy.words.clone(),
        if copy.online {
            "connected"
        } else {
            "not connected"
        }
        .into(),
        synced.unwrap_or_default(),
        proven(copy),
        format!("{} free", bytes(copy.free)),
    ]
}

fn proven(copy: &CopyJson) -> String {
    let at = copy.proven_at.as_deref().and_then(time::parse_ms);
    let at = at.map(|at| format!("last proven {}", time::for_people(at)));
    at.unwrap_or_else(|| "never proven".into())
}

/// What an event about health says on one line; none for other events.
pub fn event_text(event: &EventJson) -> Option<String> {
    if event.kind != "space/health" {
        return None;
    }
    let health: HealthJson = serde_json::from_value(event.data.clone()).ok()?;
    Some(format!(
        "health        {}: {}",
        health.colour, health.reason
    ))
}
