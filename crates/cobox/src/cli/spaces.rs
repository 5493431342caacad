//! Commands about spaces and replicas.

use crate::api::types::*;
use crate::cli::args::{Replicate, Space};
use crate::cli::mounts::mounted;
use crate::cli::output::{Output, bytes, count, here, line_out, printable, table};
use crate::cli::people::{failed_text, replica_row, space_row};
use crate::cli::talk::presence;
use crate::cli::{CliError, Done};
use crate::client::{Client, in_space};
use serde_json::json;
use std::io::{self, BufRead, IsTerminal, Write};
use ureq::http::Method;

/// `cobox space ...`
pub fn space(client: &Client, command: Space, output: &Output) -> Result<Done, CliError> {
    match command {
        Space::Create { name } => create(client, name, output)?,
        Space::List => list(client, output)?,
        Space::Show { space } => show(client, &space, output)?,
        Space::Rename { space, name } => rename(client, &space, name, output)?,
        Space::Delete { space, yes } => delete(client, &space, yes, output)?,
    }
    Ok(Done::Fully)
}

fn create(client: &Client, name: String, output: &Output) -> Result<(), CliError> {
    let space: SpaceRef = client.call(Method::POST, "/spaces", &NameJson { name })?;
    output.result(&space, |space| {
        format!("Created {}\naddress  {}\n(The address is safe to give to whoever shall keep a copy; it does not let them read.)", output.accent(&printable(&space.name)), space.address)
    });
    Ok(())
}

fn list(client: &Client, output: &Output) -> Result<(), CliError> {
    let spaces: Vec<SpaceJson> = client.get("/spaces")?;
    let failed = match output.is_json() {
        true => Vec::new(), // programs ask for the status
        false => client.get::<StatusJson>("/status")?.failed,
    };
    output.result(&spaces, |spaces| {
        if spaces.is_empty() && failed.is_empty() {
            return "No spaces yet. Create one: cobox space create NAME".into();
        }
        let rows = table(&spaces.iter().map(space_row).collect::<Vec<_>>());
        rows + &failed_text(&failed, output)
    });
    Ok(())
}

fn show(client: &Client, space: &str, output: &Output) -> Result<(), CliError> {
    let detail: SpaceDetailJson = client.get(&in_space(space, ""))?;
    output.result(&detail, |detail| detail_text(detail, output));
    Ok(())
}

fn detail_text(detail: &SpaceDetailJson, output: &Output) -> String {
    let space = &detail.space;
    let synced = space.last_sync_at.as_deref().unwrap_or("never");
    let mut text = format!(
        "{}\naddress    {}\nsize       {} in {}, {}\non disk    {}\nhere       {}\nlast sync  {synced}\n",
        output.accent(&printable(&space.name)),
        space.address,
        bytes(space.size),
        count(space.files, "file", "files"),
        count(space.folders, "folder", "folders"),
        bytes(space.disk_size),
        here(space),
    );
    if let Some(mount) = &space.mount {
        text.push_str(&format!("folder     {}\n", mounted(mount)));
    }
    if space.conflicts > 0 {
        text.push_str(&format!(
            "conflicts  {} (cobox conflicts {:?})\n",
            space.conflicts, space.name
        ));
    }
    text.push_str("\nmembers\n");
    text.push_str(&table(
        &detail.members.iter().map(member_row).collect::<Vec<_>>(),
    ));
    if !detail.receipts.is_empty() {
        text.push_str("\ncopies elsewhere\n");
        text.push_str(&table(
            &detail.receipts.iter().map(receipt_row).collect::<Vec<_>>(),
        ));
    }
    if !detail.refusals.is_empty() {
        text.push_str("\nrefused lately\n");
        let rows: Vec<_> = detail
            .refusals
            .iter()
            .map(|why| vec![printable(why)])
            .collect();
        text.push_str(&table(&rows));
    }
    text
}

fn member_row(member: &MemberJson) -> Vec<String> {
    let presence = presence(member);
    vec![printable(&member.name), presence, member.public_key.clone()]
}

fn receipt_row(receipt: &ReceiptJson) -> Vec<String> {
    let id = receipt
        .peer_id
        .get(..16)
        .unwrap_or(&receipt.peer_id)
        .to_owned();
    let role = if receipt.replicator {
        "replicator"
    } else {
        "member"
    };
    let state = if receipt.complete {
        "complete"
    } else {
        "not complete"
    };
    vec![
        id,
        role.into(),
        format!("{state} at {}", receipt.last_sync_at),
        format!("{} free", bytes(receipt.free)),
    ]
}

fn rename(client: &Client, space: &str, name: String, output: &Output) -> Result<(), CliError> {
    let space: SpaceRef = client.call(Method::PATCH, &in_space(space, ""), &NameJson { name })?;
    output.result(&space, |space| {
        format!(
            "The space is called {} now, for all its members. Where it is mounted, the folder keeps its name until it is mounted again.",
            printable(&space.name)
        )
    });
    Ok(())
}

fn delete(client: &Client, space: &str, yes: bool, output: &Output) -> Result<(), CliError> {
    if !yes && !output.is_json() {
        confirm(client, space)?;
    }
    let response = client.plain(Method::DELETE, &in_space(space, ""))?;
    drop(response);
    output.result(&json!({ "deleted": space }), |_| {
        "The space is gone from this machine.".into()
    });
    Ok(())
}

/// Says what is lost and which copies remain, then wants the name typed.
fn confirm(client: &Client, space: &str) -> Result<(), CliError> {
    let detail: SpaceDetailJson = client.get(&in_space(space, ""))?;
    if !io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "this deletes a space; say so with --yes".into(),
        ));
    }
    let copies = detail.receipts.iter().filter(|r| r.complete).count() as u64;
    let name = printable(&detail.space.name);
    println!(
        "This removes {name} ({}, {}) and its key from this machine.",
        bytes(detail.space.size),
        count(detail.space.files, "file", "files")
    );
    let copies = match copies {
        0 => "No complete copy is known elsewhere: what is only here will be lost.".into(),
        some => format!(
            "{} known elsewhere.",
            count(some, "complete copy is", "complete copies are")
        ),
    };
    println!("{copies} To come back you need a new invite from a member.");
    if detail.members.iter().any(|member| !member.me) {
        println!("The other members are told that you leave; what you wrote stays with them.");
    }
    typed("space", &detail.space.name, "not deleted")
}

/// Goes on only if the name of what will be gone is typed.
pub fn typed(what: &str, name: &str, otherwise: &str) -> Result<(), CliError> {
    print!("Type the name of the {what} to go on: ");
    let _ = io::stdout().flush();
    let mut typed = String::new();
    io::stdin()
        .lock()
        .read_line(&mut typed)
        .map_err(|e| CliError::Local("standard input".into(), e))?;
    if typed.trim() == name {
        return Ok(());
    }
    let why = format!("{otherwise}: that was not its name");
    Err(CliError::Usage(why))
}

/// `cobox replicate ADDRESS`
pub fn replicate(client: &Client, what: Replicate, output: &Output) -> Result<Done, CliError> {
    let request = ReplicateJson {
        address: what.address,
        name: what.name,
        peers: what.peer,
    };
    let replica: ReplicaJson = client.call(Method::POST, "/replicas", &request)?;
    output.result(&replica, |replica| {
        format!(
            "Keeping a copy of {} for its members. You cannot read it.",
            replica.address
        )
    });
    Ok(Done::Fully)
}

/// `cobox unreplicate ADDRESS`
pub fn unreplicate(client: &Client, address: &str, output: &Output) -> Result<Done, CliError> {
    client.plain(
        Method::DELETE,
        &format!(
            "/replicas/{}",
            crate::api::bytes_in_url::encode(address.as_bytes())
        ),
    )?;
    output.result(&json!({ "unreplicated": address }), |_| {
        "Stopped, and the disk is free again.".into()
    });
    Ok(Done::Fully)
}

/// `cobox replicas`
pub fn replicas(client: &Client, output: &Output) -> Result<Done, CliError> {
    let replicas: Vec<ReplicaJson> = client.get("/replicas")?;
    if replicas.is_empty() && !output.is_json() {
        line_out("You keep no copies for others. To do so: cobox replicate ADDRESS");
        return Ok(Done::Fully);
    }
    output.result(&replicas, |replicas| {
        table(&replicas.iter().map(replica_row).collect::<Vec<_>>())
    });
    Ok(Done::Fully)
}
