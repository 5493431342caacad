//! Commands about what people say to each other, and who they are: message, messages, members.

use crate::api::bytes_in_url::encode;
use crate::api::time;
use crate::api::types::*;
use crate::cli::output::{Output, printable, table};
use crate::cli::{CliError, Done};
use crate::client::{Client, in_space};
use clap::Subcommand;
use std::io::{self, Read};
use ureq::http::Method;

/// More than any message may have: what is longer is refused without being read to its end.
const MAX_INPUT: u64 = 1 << 20;

#[derive(Subcommand)]
pub enum Talk {
    /// Say something to all members of a space, or to one of them
    Message {
        space: String,
        /// The words, or - to read them from standard input
        text: String,
        /// Only this member can read it: name or public key
        #[arg(long, value_name = "MEMBER")]
        to: Option<String>,
    },
    /// What was said, oldest first
    Messages {
        space: String,
        /// Not what is older: 2026-11-23T09:30:00Z, "2026-11-23 09:30" (local), "2h ago"
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At most so many, the newest
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Who is in a space: names, keys, devices, who is online, who invited whom, who left
    Members { space: String },
}

/// All of them.
pub fn talk(client: &Client, command: Talk, output: &Output) -> Result<Done, CliError> {
    match command {
        Talk::Message { space, text, to } => message(client, &space, text, to, output)?,
        Talk::Messages {
            space,
            since,
            limit,
        } => messages(client, &space, since, limit, output)?,
        Talk::Members { space } => members(client, &space, output)?,
    }
    Ok(Done::Fully)
}

fn message(
    client: &Client,
    space: &str,
    text: String,
    to: Option<String>,
    output: &Output,
) -> Result<(), CliError> {
    let text = if text == "-" { from_stdin()? } else { text };
    let new = NewMessageJson { text, to };
    let sent: MessageJson = client.call(Method::POST, &in_space(space, "/messages"), &new)?;
    output.result(&sent, |sent| match &sent.to {
        Some(key) => format!(
            "Sent; only {} can read it.",
            name_or_key(&sent.to_name, key)
        ),
        None => "Sent to all members.".into(),
    });
    Ok(())
}

fn from_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    let mut input = io::stdin().lock().take(MAX_INPUT);
    input
        .read_to_string(&mut text)
        .map_err(|e| CliError::Local("standard input".into(), e))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn messages(
    client: &Client,
    space: &str,
    since: Option<String>,
    limit: Option<u32>,
    output: &Output,
) -> Result<(), CliError> {
    let mut query = Vec::new();
    if let Some(since) = since {
        let since = moment(&since)?;
        query.push(format!("since={}", encode(since.as_bytes())));
    }
    query.extend(limit.map(|limit| format!("limit={limit}")));
    let path = format!("{}?{}", in_space(space, "/messages"), query.join("&"));
    let messages: Vec<MessageJson> = client.get(&path)?;
    output.result(&messages, |messages| {
        let lines: Vec<_> = messages.iter().map(message_text).collect();
        match lines.is_empty() {
            true => "Nothing has been said.".into(),
            false => lines.join("\n"),
        }
    });
    Ok(())
}

fn moment(text: &str) -> Result<String, CliError> {
    let wrong = "--since wants a time: 2026-11-23T09:30:00Z, \"2026-11-23 09:30\", \"2h ago\"";
    let ms = time::parse_ms(text).ok_or_else(|| CliError::Usage(wrong.into()))?;
    Ok(time::format_ms(ms))
}

/// One message as a line (more if its words have more).
fn message_text(message: &MessageJson) -> String {
    let when = time::parse_ms(&message.time).map_or_else(|| message.time.clone(), time::for_people);
    format!("{when}  {}", said(message))
}

/// Who said what to whom.
fn said(message: &MessageJson) -> String {
    let from = name_or_key(&Some(message.name.clone()), &message.public_key);
    let to = match &message.to {
        Some(key) => format!(" to {} only", name_or_key(&message.to_name, key)),
        None => String::new(),
    };
    let lines: Vec<_> = message.text.lines().map(printable).collect();
    format!("{from}{to}: {}", lines.join("\n    "))
}

fn name_or_key(name: &Option<String>, key: &str) -> String {
    match name {
        Some(name) if !name.is_empty() => printable(name),
        _ => key.get(..16).unwrap_or(key).to_owned(),
    }
}

fn members(client: &Client, space: &str, output: &Output) -> Result<(), CliError> {
    let members: Vec<MemberJson> = client.get(&in_space(space, "/members"))?;
    output.result(&members, |members| {
        let rows = members.iter().flat_map(|member| rows(member, members));
        table(&rows.collect::<Vec<_>>())
    });
    Ok(())
}

/// A member and, where there are several, each device.
fn rows(member: &MemberJson, all: &[MemberJson]) -> Vec<Vec<String>> {
    let inviter = |key: &String| {
        let known = all.iter().find(|one| one.public_key == *key);
        let name = known.map(|one| one.name.clone());
        format!("invited by {}", name_or_key(&name, key))
    };
    let mut rows = vec![vec![
        name_or_key(&Some(member.name.clone()), &member.public_key),
        presence(member),
        if member.access == "read" {
            "reads only"
        } else {
            ""
        }
        .into(),
        member.invited_by.as_ref().map(inviter).unwrap_or_default(),
        member.public_key.clone(),
    ]];
    if member.devices.len() > 1 {
        rows.extend(member.devices.iter().map(device_row));
    }
    rows
}

fn device_row(device: &MemberDeviceJson) -> Vec<String> {
    let seen = seen(device.online, &device.left_at, &device.last_seen_at);
    let name = format!("  on {}", printable(&device.name));
    vec![
        name,
        seen,
        String::new(),
        String::new(),
        device.peer_id.clone(),
    ]
}

/// Where a member is, in words.
pub fn presence(member: &MemberJson) -> String {
    match (member.me, member.standing.as_str()) {
        (true, _) => "you".into(),
        (_, "invited") if member.access == "read" => "invited".into(),
        (_, "invited") => "invited, has not joined yet".into(),
        _ => seen(member.online, &member.left_at, &member.last_seen_at),
    }
}

fn seen(online: bool, left: &Option<String>, last: &Option<String>) -> String {
    match (left, online, last) {
        (Some(at), ..) => format!("left {}", shown(at)),
        (_, true, _) => "online".into(),
        (_, _, Some(at)) => format!("last seen {}", shown(at)),
        _ => "not seen yet".into(),
    }
}

fn shown(at: &str) -> String {
    time::parse_ms(at).map_or_else(|| at.to_owned(), time::for_people)
}

/// What an event about people says on one line; none for other events.
pub fn event_text(event: &EventJson) -> Option<String> {
    match event.kind.as_str() {
        "message" => {
            let message: MessageJson = serde_json::from_value(event.data.clone()).ok()?;
            Some(format!("message       {}", said(&message)))
        }
        "member/presence" | "member/left" => {
            let member: MemberJson = serde_json::from_value(event.data.clone()).ok()?;
            let name = name_or_key(&Some(member.name.clone()), &member.public_key);
            Some(format!("member        {name}: {}", presence(&member)))
        }
        _ => None,
    }
}
