//! `open`: the page in a browser, with a ticket that lets it in.

use crate::api::types::TicketJson;
use crate::cli::output::Output;
use crate::cli::{CliError, Done};
use crate::client::Client;
use crate::config::Home;
use serde_json::json;
use std::process::{Command, Stdio};
use ureq::http::Method;

/// Programs that open an address in the person's browser, the usual one first.
const OPENERS: &[&str] = &["xdg-open", "open"];

/// `cobox open`
pub fn open(client: &Client, home: &Home, print: bool, output: &Output) -> Result<Done, CliError> {
    let ticket: TicketJson = client.call(Method::POST, "/auth/tickets", &json!({}))?;
    let running = home.read_running();
    let port = running.map(|running| running.port).unwrap_or_default();
    // By number: whoever else of this machine answers to the name "localhost" does not get the ticket. What is behind the #
    // is never sent over a network.
    let address = format!("http://127.0.0.1:{port}/#ticket={}", ticket.ticket);
    let opened = !print && has_screen() && OPENERS.iter().any(|opener| start(opener, &address));
    output.result(&json!({ "url": address, "opened": opened }), |_| match opened {
        true => "The page opens in your browser.".into(),
        false => format!("Open this in a browser on this machine. It lets one browser in, once, within two minutes:\n{address}"),
    });
    Ok(Done::Fully)
}

/// Without one, an opener would start a browser in the terminal, or wait for nothing.
fn has_screen() -> bool {
    cfg!(target_os = "macos")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn start(opener: &str, address: &str) -> bool {
    let mut command = Command::new(opener);
    command
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
