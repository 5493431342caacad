//! `cobox hub`.

use crate::api::devices::{hub_json, types::HubJson};
use crate::cli::output::{Output, line_out, printable};
use crate::cli::up::{log, ready_locked};
use crate::cli::{CliError, Done};
use crate::config::Home;
use crate::daemon::{self, Inside, Start, UpOptions};
use crate::doors::Wanted;
use crate::logs::Logs;
use crate::settings::Settings;
use clap::Args;
use cobox_space::hub::{HubOptions, Shown};
use serde_json::json;
use std::net::SocketAddr;
use tokio::sync::watch;

/// Port of a hub's API, as the original's.
const PORT: u16 = 9113;

#[derive(Args)]
pub struct Hub {
    /// Its name until whoever sets it up gives it one
    #[arg(long, default_value_t = machine_name())]
    pub name: String,
    /// Port of the API on this machine (0 = any free one)
    #[arg(long, default_value_t = PORT, overrides_with = "port")]
    pub port: u16,
    /// Show a code that whoever sets it up must type, so that no stranger on the local network is first
    #[arg(long)]
    pub code: bool,
    /// UDP port for the local network, if not the usual one; the same for all that shall hear each other
    #[arg(long, value_name = "PORT")]
    pub lan_port: Option<u16>,
    /// Where peers may connect (default: every interface, any free port)
    #[arg(long, value_name = "IP:PORT")]
    pub bind: Option<SocketAddr>,
    #[command(flatten)]
    pub start: Start,
}

fn machine_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().trim().replace('/', " ");
    match name.is_empty() {
        true => "hub".into(),
        false => name.chars().take(60).collect(),
    }
}

/// Runs in the foreground until stopped.
pub fn hub(home: &Home, options: &Hub, verbose: u8, output: &Output) -> Result<Done, CliError> {
    // Of the settings of a home these are a device's too; others can be changed by nobody from afar.
    let settings = Settings::load(home)?;
    let logs = Logs::default();
    log(verbose, settings.log.as_deref(), logs.clone())?;
    let options = UpOptions {
        doors: Wanted {
            port: options.port,
            ..Wanted::default()
        },
        logs,
        lan: true,
        lan_port: options.lan_port.or(settings.lan_port),
        bind: options.bind.or(settings.bind),
        start: options.start.clone(),
        hub: Some(HubOptions {
            name: options.name.clone(),
            code: options.code,
            version: env!("CARGO_PKG_VERSION").into(),
        }),
    };
    daemon::run(home, &options, |inside, open| {
        let api = match inside {
            Inside::Open(api) => api,
            Inside::Locked(api) => return ready_locked(api, open.port, &open.others, output),
        };
        let Some(hub) = &api.hub else {
            return; // it was asked for above
        };
        let shown = hub_json(&api.shelf, hub);
        let mut ready = json!(shown);
        ready["home"] = json!(home.path());
        ready["port"] = json!(open.port);
        ready["hint"] = json!(api.shelf.hint().to_string());
        output.result(&ready, |_| text(&shown, output));
        tokio::spawn(show_changes(hub.shown(), output.is_json()));
    })?;
    Ok(Done::Fully)
}

fn text(hub: &HubJson, output: &Output) -> String {
    let mut text = format!(
        "This device is on. It keeps copies for others and can read none of them.\n  name     {}\n  key      {}\n",
        output.accent(&printable(&hub.name)),
        hub.public_key,
    );
    let how = match (hub.claimed, &hub.code) {
        (true, None) => "It has an admin. Stop it with Ctrl-C.".into(),
        (true, Some(code)) => format!(
            "It has an admin. The code for further ones on this network: {}",
            output.accent(&spaced(code))
        ),
        (false, None) => "Nobody commands it yet. On another machine of this network:\n  cobox device list\n  cobox device setup DEVICE --name NAME".into(),
        (false, Some(code)) => format!(
            "Nobody commands it yet. On another machine of this network:\n  cobox device setup DEVICE --name NAME --code {}",
            output.accent(&spaced(code))
        ),
    };
    text.push_str(&how);
    text
}

/// People read eight digits more easily in two halves.
fn spaced(code: &str) -> String {
    match code.split_at_checked(4) {
        Some((one, other)) => format!("{one}-{other}"),
        None => code.to_owned(),
    }
}

/// A line whenever there is something new to see.
async fn show_changes(mut shown: watch::Receiver<Shown>, json: bool) {
    let mut before = shown.borrow_and_update().clone();
    while shown.changed().await.is_ok() {
        let now = shown.borrow_and_update().clone();
        if json {
            let line =
                json!({ "code": now.code, "announced": now.announced, "claimed": now.claimed });
            line_out(&line.to_string());
        } else {
            changes(&before, &now)
                .iter()
                .for_each(|line| line_out(line));
        }
        before = now;
    }
}

fn changes(before: &Shown, now: &Shown) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(code) = now.code.as_ref().filter(|_| now.code != before.code) {
        let code = spaced(code);
        lines.push(format!(
            "Somebody tried wrong codes. The new code is {code}"
        ));
    }
    if now.claimed && !before.claimed {
        lines.push("The device has an admin now.".into());
    }
    match (before.announced, now.announced) {
        (true, false) => lines.push("It does not announce itself any more.".into()),
        (false, true) => lines.push("It announces itself on the local network.".into()),
        _ => {}
    }
    lines
}
