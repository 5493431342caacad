//! `cobox device ...`

mod forget;
mod size;

use crate::api::bytes_in_url::encode;
use crate::api::devices::types::*;
use crate::cli::output::{Output, bytes, count, line_out, printable, table};
use crate::cli::{CliError, Done};
use crate::client::Client;
use clap::{Args, Subcommand};
use serde_json::json;
use size::size;
use ureq::http::Method;

/// How long a command waits for the device to answer, in milliseconds.
const WAIT: u64 = 10_000;

#[derive(Subcommand)]
pub enum Device {
    /// Devices that announce themselves on this network, and those you are an admin of
    List,
    /// Become the admin of a device that announces itself on this network
    Setup {
        /// Its key or name, as `cobox device list` shows it
        device: String,
        /// A name for it, if it has no admin yet
        #[arg(long)]
        name: String,
        /// What the device shows, if it was started with --code
        #[arg(long)]
        code: Option<String>,
    },
    /// Let a device keep a copy of a space, by the space's address
    Replicate(Replicate),
    /// Let it stop that and free its disk
    Unreplicate {
        device: String,
        address: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Let one more person on the device's own network become an admin
    Announce {
        device: String,
        /// For how long
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        #[command(flatten)]
        wait: Wait,
    },
    /// End that
    Hide {
        device: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Give a device another name
    Rename {
        device: String,
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// How much of one space a device keeps at most
    Quota {
        device: String,
        address: String,
        /// Such as 500MB or 20GiB; `none` for no limit
        quota: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Ask a device how it is
    Status {
        device: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Who told a device what, and what became of it
    Log { device: String },
    /// Who may command a device
    Admins { device: String },
    /// Let somebody command a device; makes a code that only they can open with `cobox join`
    AddAdmin {
        device: String,
        /// What `cobox name` prints at theirs
        public_key: String,
    },
    /// Let somebody command a device no more
    RemoveAdmin {
        device: String,
        public_key: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// A device is gone for good: its copies count no more, and it is taken from your list
    Forget {
        device: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Replicate {
    device: String,
    /// Address of the space: 64 hex digits
    address: String,
    /// A name that the device's admins see
    #[arg(long)]
    name: Option<String>,
    /// At most so much, such as 500MB or 20GiB
    #[arg(long)]
    quota: Option<String>,
    /// Hint of a peer that has the space (repeatable)
    #[arg(long, value_name = "HINT")]
    peer: Vec<String>,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Args, Clone, Copy)]
pub struct Wait {
    /// Only leave word; do not wait for the device to answer
    #[arg(long)]
    no_wait: bool,
}

/// `cobox device ...`
pub fn device(client: &Client, command: Device, output: &Output) -> Result<Done, CliError> {
    let words = |command: &str| CommandRequest {
        command: command.into(),
        ..CommandRequest::default()
    };
    let (device, request, wait) = match command {
        Device::List => return list(client, output),
        Device::Setup { device, name, code } => return setup(client, device, name, code, output),
        Device::Status { device, wait } => return status(client, &device, wait, output),
        Device::Log { device } => return log(client, &device, output),
        Device::Admins { device } => return admins(client, &device, output),
        Device::Forget { device, yes } => return forget::forget(client, &device, yes, output),
        Device::AddAdmin { device, public_key } => {
            return add_admin(client, &device, public_key, output);
        }
        Device::Replicate(what) => {
            let request = CommandRequest {
                address: Some(what.address),
                name: what.name,
                quota: what.quota.as_deref().map(size).transpose()?,
                peers: what.peer,
                ..words("replicate")
            };
            (what.device, request, what.wait)
        }
        Device::Unreplicate {
            device,
            address,
            wait,
        } => {
            let address = Some(address);
            let request = CommandRequest {
                address,
                ..words("unreplicate")
            };
            (device, request, wait)
        }
        Device::Announce {
            device,
            minutes,
            wait,
        } => {
            let minutes = Some(minutes);
            let request = CommandRequest {
                minutes,
                ..words("announce")
            };
            (device, request, wait)
        }
        Device::Hide { device, wait } => (device, words("hide"), wait),
        Device::Rename { device, name, wait } => {
            let name = Some(name);
            let request = CommandRequest {
                name,
                ..words("rename")
            };
            (device, request, wait)
        }
        Device::Quota {
            device,
            address,
            quota,
            wait,
        } => {
            let request = CommandRequest {
                address: Some(address),
                quota: match quota.as_str() {
                    "none" => None,
                    quota => Some(size(quota)?),
                },
                ..words("quota")
            };
            (device, request, wait)
        }
        Device::RemoveAdmin {
            device,
            public_key,
            wait,
        } => {
            let request = CommandRequest {
                public_key: Some(public_key),
                ..words("remove-admin")
            };
            (device, request, wait)
        }
    };
    let said = tell(client, &device, request, wait)?;
    output.result(&said, outcome);
    Ok(how_it_ended(&said))
}

/// A command that will have no effect is not done.
fn how_it_ended(said: &CommandJson) -> Done {
    match said.state.as_str() {
        "refused" | "failed" => Done::WithProblems,
        _ => Done::Fully,
    }
}

fn tell(
    client: &Client,
    device: &str,
    request: CommandRequest,
    wait: Wait,
) -> Result<CommandJson, CliError> {
    let wait = (!wait.no_wait).then_some(WAIT);
    let request = CommandRequest { wait, ..request };
    Ok(client.call(Method::POST, &of_device(device, "/commands"), &request)?)
}

pub(super) fn of_device(device: &str, rest: &str) -> String {
    let device = encode(device.as_bytes()).replace('/', "%2F");
    format!("/devices/{device}{rest}")
}

fn outcome(said: &CommandJson) -> String {
    match said.state.as_str() {
        "waiting" => "The device has not answered yet. It will do so when it hears of it, also if you are not online then: cobox device log".into(),
        "done" if said.words.is_empty() => "Done.".into(),
        "done" => format!("Done: {}.", printable(&said.words)),
        state => format!("Not done ({state}): {}.", printable(&said.words)),
    }
}

fn list(client: &Client, output: &Output) -> Result<Done, CliError> {
    let mine: Vec<DeviceJson> = client.get("/devices")?;
    let seen: Vec<SeenDeviceJson> = client.get("/devices/seen")?;
    output.result(&json!({ "mine": mine, "seen": seen }), |_| {
        let mut text = String::new();
        match mine.is_empty() {
            true => text.push_str("You are no device's admin yet.\n"),
            false => text.push_str("yours\n"),
        }
        text.push_str(&table(&mine.iter().map(device_row).collect::<Vec<_>>()));
        match seen.is_empty() {
            true => text.push_str("\nNo device announces itself on this network."),
            false => text.push_str("\non this network (cobox device setup DEVICE --name NAME)\n"),
        }
        text.push_str(&table(&seen.iter().map(seen_row).collect::<Vec<_>>()));
        text
    });
    Ok(Done::Fully)
}

fn device_row(device: &DeviceJson) -> Vec<String> {
    let presence = match (device.online, &device.last_seen_at) {
        (true, _) => "online".into(),
        (false, Some(at)) => format!("last seen {at}"),
        (false, None) => "not seen yet".into(),
    };
    vec![
        printable(&device.name),
        presence,
        count(device.replicas as u64, "space", "spaces"),
        device.address.clone(),
    ]
}

fn seen_row(seen: &SeenDeviceJson) -> Vec<String> {
    let mut notes = vec![seen.at.clone()];
    if seen.needs_code {
        notes.push("shows a code".into());
    }
    if seen.claimed {
        notes.push("has an admin".into());
    }
    vec![
        printable(&seen.name),
        notes.join(", "),
        seen.public_key.clone(),
    ]
}

fn setup(
    client: &Client,
    device: String,
    name: String,
    code: Option<String>,
    output: &Output,
) -> Result<Done, CliError> {
    let request = SetupJson {
        public_key: device,
        name,
        code,
    };
    let device: DeviceJson = client.call(Method::POST, "/devices", &request)?;
    output.result(&device, |device| {
        format!(
            "You are an admin of {} now, from anywhere. To back up a space: cobox device replicate {0:?} ADDRESS",
            printable(&device.name)
        )
    });
    Ok(Done::Fully)
}

fn status(client: &Client, device: &str, wait: Wait, output: &Output) -> Result<Done, CliError> {
    let request = CommandRequest {
        command: "status".into(),
        ..CommandRequest::default()
    };
    // Whoever may only look still sees what the device told others.
    let said = match tell(client, device, request, wait) {
        Err(CliError::Client(crate::client::ClientError::Refused(error)))
            if error.code == "not_an_admin" =>
        {
            None
        }
        said => Some(said?),
    };
    let detail: DeviceDetailJson = client.get(&of_device(device, ""))?;
    let fresh = said.is_some_and(|said| said.state == "done");
    if !fresh && !output.is_json() {
        line_out("The device has not answered now; this is what it said last.");
    }
    output.result(&detail, |detail| detail_text(detail, output));
    Ok(Done::Fully)
}

fn detail_text(detail: &DeviceDetailJson, output: &Output) -> String {
    let device = &detail.device;
    let mut text = format!(
        "{}\naddress    {}\nkey        {}\n",
        output.accent(&printable(&device.name)),
        device.address,
        device.public_key
    );
    text.push_str(match device.online {
        true => "reachable  yes\n",
        false => "reachable  not from here, now\n",
    });
    match &detail.status {
        None => text.push_str("status     not told yet\n"),
        Some(status) => {
            let free = status.free.map_or("unknown".into(), bytes);
            text.push_str(&format!(
                "told       {}\nversion    {}, up {}\ndisk       {} used, {free} free\nat         {}\n",
                status.at,
                printable(&status.version),
                count(status.uptime, "second", "seconds"),
                bytes(status.used),
                printable(&status.hint),
            ));
        }
    }
    if let Some(until) = &device.announced_until {
        text.push_str(&format!("announced  until {until}\n"));
    }
    text.push_str("\nreplicates\n");
    text.push_str(&table(
        &detail
            .replicates
            .iter()
            .map(replica_row)
            .collect::<Vec<_>>(),
    ));
    text
}

fn replica_row(replica: &DeviceReplicaJson) -> Vec<String> {
    let name = replica
        .name
        .as_deref()
        .map_or_else(|| "-".into(), printable);
    let (how_far, size) = match &replica.progress {
        None => ("not told yet".into(), "-".into()),
        Some(far) if far.over_quota => ("stopped by its quota".into(), bytes(far.size)),
        Some(far) if far.have >= far.known => ("complete".into(), bytes(far.size)),
        Some(far) => (
            format!("{} of {} blocks", far.have, far.known),
            bytes(far.size),
        ),
    };
    let quota = replica.quota.map_or_else(
        || "no quota".into(),
        |most| format!("at most {}", bytes(most)),
    );
    vec![name, how_far, size, quota, replica.address.clone()]
}

fn log(client: &Client, device: &str, output: &Output) -> Result<Done, CliError> {
    let said: Vec<CommandJson> = client.get(&of_device(device, "/commands"))?;
    output.result(&said, |said| {
        table(&said.iter().map(log_row).collect::<Vec<_>>())
    });
    Ok(Done::Fully)
}

fn log_row(said: &CommandJson) -> Vec<String> {
    let about = [&said.name, &said.address, &said.public_key];
    let about: Vec<_> = about
        .into_iter()
        .flatten()
        .map(|text| printable(text))
        .collect();
    let author = match said.author_name.is_empty() {
        true => said.author[..16.min(said.author.len())].to_owned(),
        false => printable(&said.author_name),
    };
    let state = match said.words.is_empty() {
        true => said.state.clone(),
        false => format!("{}: {}", said.state, printable(&said.words)),
    };
    vec![
        said.time.clone(),
        author,
        said.command.clone(),
        about.join(" "),
        state,
    ]
}

fn admins(client: &Client, device: &str, output: &Output) -> Result<Done, CliError> {
    let admins: Vec<AdminJson> = client.get(&of_device(device, "/admins"))?;
    output.result(&admins, |admins| {
        let row = |admin: &AdminJson| {
            let me = if admin.me { "you" } else { "" };
            vec![
                printable(&admin.name),
                me.into(),
                admin.by.clone(),
                admin.public_key.clone(),
            ]
        };
        table(&admins.iter().map(row).collect::<Vec<_>>())
    });
    Ok(Done::Fully)
}

fn add_admin(
    client: &Client,
    device: &str,
    public_key: String,
    output: &Output,
) -> Result<Done, CliError> {
    let request = NewAdminJson { public_key };
    let code: AdminCodeJson = client.call(Method::POST, &of_device(device, "/admins"), &request)?;
    output.result(&code, |code| code.code.clone());
    Ok(Done::Fully)
}
