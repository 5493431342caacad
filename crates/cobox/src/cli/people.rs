//! Commands about people: name, status, invite, join, watch.

use crate::api::types::*;
use crate::cli::args::Join;
use crate::cli::mounts::mounted;
use crate::cli::output::{Output, bytes, count, here, line_out, printable, progress, table};
use crate::cli::{CliError, Done, health, notes, talk};
use crate::client::{Client, in_space};
use serde_json::json;
use std::io::{self, BufRead};
use ureq::http::Method;

/// `cobox name [NEW]`
pub fn name(client: &Client, name: Option<String>, output: &Output) -> Result<Done, CliError> {
    let identity: IdentityJson = match name {
        Some(name) => client.call(Method::PATCH, "/identities/current", &NameJson { name })?,
        None => client.get("/identities/current")?,
    };
    output.result(&identity, |who| {
        let name = if who.name.is_empty() {
            "(no name yet: cobox name YOUR_NAME)".into()
        } else {
            output.accent(&printable(&who.name))
        };
        format!("name        {name}\npublic key  {}", who.public_key)
    });
    Ok(Done::Fully)
}

/// `cobox status`
pub fn status(client: &Client, output: &Output) -> Result<Done, CliError> {
    let status: StatusJson = client.get("/status")?;
    output.result(&status, |status| status_text(status, output));
    Ok(Done::Fully)
}

fn status_text(status: &StatusJson, output: &Output) -> String {
    if status.locked {
        return format!(
            "CoBox {} is running, locked: it keeps its copies of {} and shows nothing.\nhome        {}\nhint        {}\nUnlock it in the page, or with: cobox unlock",
            status.version,
            count(status.kept, "space", "spaces"),
            status.home,
            status.hint,
        );
    }
    let mut text = format!(
        "CoBox {} is running.\nname        {}\npublic key  {}\nhome        {}\nhint        {}\n",
        status.version,
        output.accent(&printable(&status.name)),
        status.public_key,
        status.home,
        status.hint
    );
    text.push_str(&format!(
        "\n{}\n",
        count(status.spaces.len() as u64, "space", "spaces")
    ));
    text.push_str(&table(
        &status
            .spaces
            .iter()
            .map(space_row)
            .map(short)
            .collect::<Vec<_>>(),
    ));
    if !status.replicas.is_empty() {
        text.push_str(&format!(
            "\n{}\n",
            count(
                status.replicas.len() as u64,
                "replica for others",
                "replicas for others"
            )
        ));
        text.push_str(&table(
            &status.replicas.iter().map(replica_row).collect::<Vec<_>>(),
        ));
    }
    let online: Vec<_> = status.peers.iter().filter(|peer| peer.online).collect();
    text.push_str(&format!(
        "\n{} connected\n",
        count(online.len() as u64, "peer", "peers")
    ));
    let rows: Vec<_> = online
        .iter()
        .map(|peer| {
            vec![
                peer.peer_id[..16.min(peer.peer_id.len())].to_owned(),
                peer.path.clone(),
            ]
        })
        .collect();
    text.push_str(&table(&rows));
    text.push_str(&failed_text(&status.failed, output));
    text
}

/// What could not be opened, why, and what to do.
pub fn failed_text(failed: &[FailedJson], output: &Output) -> String {
    let one = |failed: &FailedJson| {
        let what = if failed.replica { "replica" } else { "space" };
        let name = failed.name.as_deref().unwrap_or(&failed.address);
        format!(
            "\n{} {what} {} cannot be opened: {}\n  {}; {}.\n",
            output.accent("!"),
            printable(name),
            printable(&failed.reason),
            failed.address,
            failed.next
        )
    };
    failed.iter().map(one).collect()
}

/// The row without the address at its end: short enough for a line.
fn short(mut row: Vec<String>) -> Vec<String> {
    row.pop();
    row
}

/// A space in a list.
pub fn space_row(space: &SpaceJson) -> Vec<String> {
    let mut notes = vec![here(space)];
    if !space.writable {
        notes.push("read only".into());
    }
    if space.conflicts > 0 {
        notes.push(count(space.conflicts, "conflict", "conflicts"));
    }
    notes.extend(space.mount.as_ref().map(mounted));
    vec![
        printable(&space.name),
        bytes(space.size),
        count(space.files, "file", "files"),
        notes.join(", "),
        space.address.clone(),
    ]
}

/// A replica in a list.
pub fn replica_row(replica: &ReplicaJson) -> Vec<String> {
    let name = replica
        .name
        .as_deref()
        .map_or_else(|| "-".into(), printable);
    vec![
        name,
        bytes(replica.size),
        progress(&replica.progress),
        replica.address.clone(),
    ]
}

/// `cobox invite SPACE PUBLIC_KEY`
pub fn invite(
    client: &Client,
    space: &str,
    public_key: String,
    read_only: bool,
    output: &Output,
) -> Result<Done, CliError> {
    let request = InviteJson {
        public_key,
        read_only,
    };
    let code: CodeJson = client.call(Method::POST, &in_space(space, "/invites"), &request)?;
    output.result(&json!({ "code": code.code }), |_| code.code.clone());
    Ok(Done::Fully)
}

/// `cobox join CODE`
pub fn join(client: &Client, join: Join, output: &Output) -> Result<Done, CliError> {
    let code = if join.code == "-" {
        from_stdin()?
    } else {
        join.code
    };
    let request = CodeJson {
        code,
        name: join.name,
        peers: join.peer,
        content: None,
    };
    let space: SpaceRef = client.call(Method::POST, "/spaces/join", &request)?;
    output.result(&space, |space| {
        format!("You are a member of {} now. What is in it arrives as peers are found: cobox space show {0:?}", printable(&space.name))
    });
    Ok(Done::Fully)
}

fn from_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    for line in io::stdin().lock().lines() {
        text.push_str(&line.map_err(|e| CliError::Local("standard input".into(), e))?);
    }
    Ok(text)
}

/// `cobox watch SPACE`
pub fn watch(client: &Client, space: &str, output: &Output) -> Result<Done, CliError> {
    client.events(&in_space(space, "/events"), |event| {
        if output.is_json() {
            line_out(&serde_json::to_string(&event).unwrap_or_default());
        } else {
            line_out(&event_text(&event));
        }
        true
    })?;
    Ok(Done::Fully)
}

fn event_text(event: &EventJson) -> String {
    let known = talk::event_text(event)
        .or_else(|| notes::event_text(event))
        .or_else(|| health::event_text(event));
    if let Some(what) = known {
        return format!("{}  {what}", event.time);
    }
    let data = |key: &str| {
        event
            .data
            .get(key)
            .and_then(|v| v.as_str())
            .map(printable)
            .unwrap_or_default()
    };
    let peer = data("peerId");
    let peer = peer.get(..16).unwrap_or(&peer);
    let what = match event.kind.as_str() {
        "drive/changed" => format!("changed       /{}", data("path").trim_start_matches('/')),
        "drive/conflicts" => "conflicts     see: cobox conflicts".into(),
        "peer/about" => format!(
            "member        {}",
            event.data["content"]["name"]
                .as_str()
                .map(printable)
                .unwrap_or_default()
        ),
        "space/about" => format!("renamed       {}", data("name")),
        "peer/connection" if event.data["online"] == true => format!("connected     {peer}"),
        "peer/connection" => format!("disconnected  {peer}"),
        "space/last-sync" => format!("in sync with  {peer}"),
        "refused" => format!("refused       {}", data("reason")),
        other => other.into(),
    };
    format!("{}  {what}", event.time)
}
