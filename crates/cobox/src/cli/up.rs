//! `up` and `stop`.

use crate::api::LockedApi;
use crate::cli::args::Up;
use crate::cli::output::{Output, count, line_out};
use crate::cli::{CliError, Done};
use crate::client::Client;
use crate::config::{DEFAULT_PORT, Home};
use crate::daemon::{self, Inside, Start, UpOptions};
use crate::doors::Wanted;
use crate::logs::Logs;
use crate::settings::{self, Settings};
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use ureq::http::Method;

/// How long `stop` waits for the program to end.
const STOP_WAIT: Duration = Duration::from_secs(30);

/// Runs in the foreground until stopped.
pub fn up(home: &Home, flags: Up, verbose: u8, output: &Output) -> Result<Done, CliError> {
    home.create()?;
    settings::write_first(home)?;
    let start = flags.start.clone();
    let settings = Settings::load(home)?.under(given(flags)?);
    let logs = Logs::default();
    log(verbose, settings.log.as_deref(), logs.clone())?;
    let options = UpOptions {
        start,
        ..options(settings, logs)?
    };
    let mut warned = false;
    daemon::run(home, &options, |inside, open| {
        if !std::mem::replace(&mut warned, true) {
            warn_of(&open.others);
        }
        let api = match inside {
            Inside::Open(api) => api,
            Inside::Locked(api) => return ready_locked(api, open.port, &open.others, output),
        };
        let shelf = &api.shelf;
        let (name, port) = (shelf.name().unwrap_or_default(), open.port);
        let key = shelf.public_key().to_string();
        let ready = json!({
            "home": home.path(), "port": port, "name": name, "publicKey": key, "hint": shelf.hint().to_string(), "also": open.others,
        });
        output.result(&ready, |_| {
            let who = if name.is_empty() { "nobody yet: cobox name YOUR_NAME".into() } else { output.accent(&name) };
            let home = home.path().display();
            format!("CoBox is up.\n  you         {who}\n  public key  {key}\n  home        {home}\n  page        http://localhost:{port} (or: cobox open)\n  API         http://localhost:{port}/api (about it: /api/docs)\nStop it with Ctrl-C or: cobox stop")
        });
    })?;
    Ok(Done::Fully)
}

/// What a locked program says when it answers.
pub(super) fn ready_locked(api: &LockedApi, port: u16, also: &[String], output: &Output) {
    let ready = json!({
        "home": api.home, "port": port, "locked": true, "kept": api.kept, "hint": api.hint, "also": also,
    });
    output.result(&ready, |_| {
        let kept = count(api.kept as u64, "space", "spaces");
        format!("CoBox is up, and locked: it keeps its copies of {kept} and shows nothing.\n  home        {}\nUnlock it in the page, or with: cobox unlock", api.home)
    });
}

/// What the flags say.
fn given(flags: Up) -> Result<Settings, CliError> {
    let whole = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
    let failed = |error| CliError::Local("a path".into(), error);
    Ok(Settings {
        port: flags.port,
        lan: flags.no_lan.then_some(false),
        lan_port: flags.lan_port,
        bind: flags.bind,
        listen: flags.listen,
        tls_cert: whole(flags.tls_cert).map_err(failed)?,
        tls_key: whole(flags.tls_key).map_err(failed)?,
        socket: whole(flags.socket).map_err(failed)?,
        hosts: Some(flags.hosts).filter(|hosts| !hosts.is_empty()),
        log: None,
    })
}

fn options(settings: Settings, logs: Logs) -> Result<UpOptions, CliError> {
    let tls = match (settings.tls_cert, settings.tls_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            return Err(CliError::Usage(
                "TLS needs both: a certificate and its key".into(),
            ));
        }
    };
    Ok(UpOptions {
        doors: Wanted {
            port: settings.port.unwrap_or(DEFAULT_PORT),
            listen: settings.listen,
            tls,
            socket: settings.socket,
            hosts: settings.hosts.unwrap_or_default(),
        },
        lan: settings.lan.unwrap_or(true),
        lan_port: settings.lan_port,
        hub: None,
        bind: settings.bind,
        start: Start::default(),
        logs,
    })
}

/// Opening more than loopback is said aloud.
fn warn_of(others: &[String]) {
    for other in others {
        eprintln!(
            "cobox: warning: the API answers at {other} too: whoever gets there with the password or the token can read and change everything here"
        );
    }
}

/// Logs to standard error, and keeps the last lines.
pub(super) fn log(verbose: u8, wanted: Option<&str>, logs: Logs) -> Result<(), CliError> {
    let level = match verbose {
        // Its socket calls an end that does not wait for unreachable peers an error.
        0 => "warn,iroh=error,iroh::socket=off,noq=error",
        1 => "info,iroh=warn,noq=warn",
        _ => "debug,iroh=info,noq=info",
    };
    let wrong = |error| CliError::Usage(format!("the setting log cannot be used: {error}"));
    let filter = EnvFilter::try_new(wanted.unwrap_or(level)).map_err(wrong)?;
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(logs)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    Ok(())
}

/// Asks the program to stop and waits until it has.
pub fn stop(client: &Client, home: &Home, output: &Output) -> Result<Done, CliError> {
    client.plain(Method::POST, "/stop")?;
    let asked = Instant::now();
    while home.read_running().is_some() || home_is_busy(client) {
        if asked.elapsed() > STOP_WAIT {
            return Err(CliError::Usage(
                "the program is still busy finishing; look again with: cobox status".into(),
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if output.is_json() {
        line_out(r#"{"stopped":true}"#);
    } else {
        line_out("CoBox has stopped.");
    }
    Ok(Done::Fully)
}

fn home_is_busy(client: &Client) -> bool {
    client.plain(Method::GET, "/system").is_ok()
}
