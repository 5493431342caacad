//! `up` and `stop`.

use crate::cli::args::Up;
use crate::cli::output::{Output, line_out};
use crate::cli::{CliError, Done};
use crate::client::Client;
use crate::config::Home;
use crate::daemon::{self, UpOptions};
use serde_json::json;
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use ureq::http::Method;

/// How long `stop` waits for the program to end.
const STOP_WAIT: Duration = Duration::from_secs(30);

/// Runs in the foreground until stopped.
pub fn up(home: &Home, options: &Up, verbose: u8, output: &Output) -> Result<Done, CliError> {
    log_to_stderr(verbose);
    let options = UpOptions {
        port: options.port,
        lan: !options.no_lan,
        lan_port: options.lan_port,
        hub: None,
        bind: options.bind,
    };
    daemon::run(home, &options, |api| {
        let (shelf, port) = (&api.shelf, api.port);
        let name = shelf.name().unwrap_or_default();
        let key = shelf.public_key().to_string();
        let ready = json!({
            "home": home.path(), "port": port, "name": name, "publicKey": key, "hint": shelf.hint().to_string(),
        });
        output.result(&ready, |_| {
            let who = if name.is_empty() { "nobody yet: cobox name YOUR_NAME".into() } else { output.accent(&name) };
            let home = home.path().display();
            format!("CoBox is up.\n  you         {who}\n  public key  {key}\n  home        {home}\n  API         http://localhost:{port}/api\nStop it with Ctrl-C or: cobox stop")
        });
    })?;
    Ok(Done::Fully)
}

pub(super) fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        // Its socket calls an end that does not wait for unreachable peers an error.
        0 => "warn,iroh=error,iroh::socket=off,noq=error",
        1 => "info,iroh=warn,noq=warn",
        _ => "debug,iroh=info,noq=info",
    };
    let filter = EnvFilter::try_from_env("COBOX_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
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
