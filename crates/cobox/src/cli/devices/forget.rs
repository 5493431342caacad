//! `cobox device forget`: a device is gone for good.

use super::of_device;
use crate::api::devices::types::{DeviceDetailJson, ForgottenJson};
use crate::cli::output::{Output, count, printable};
use crate::cli::spaces::typed;
use crate::cli::{CliError, Done};
use crate::client::Client;
use std::io::{self, IsTerminal};

pub fn forget(client: &Client, device: &str, yes: bool, output: &Output) -> Result<Done, CliError> {
    if !yes && !output.is_json() {
        confirm(client, device)?;
    }
    let forgotten: ForgottenJson = client.delete(&of_device(device, ""))?;
    output.result(&forgotten, |forgotten| {
        let name = printable(&forgotten.device.name);
        let spaces: Vec<_> = forgotten.spaces.iter().map(|one| printable(&one.name)).collect();
        match spaces.is_empty() {
            true => format!("{name} is forgotten. It kept no copy that counted."),
            false => format!(
                "{name} is forgotten. Its copies count no more: {}. See what is left with: cobox health SPACE",
                spaces.join(", ")
            ),
        }
    });
    Ok(Done::Fully)
}

/// Says what is lost, then wants the name typed.
fn confirm(client: &Client, device: &str) -> Result<(), CliError> {
    let detail: DeviceDetailJson = client.get(&of_device(device, ""))?;
    if !io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "this forgets a device; say so with --yes".into(),
        ));
    }
    let name = printable(&detail.device.name);
    println!(
        "{name} keeps {}. From now on these copies count no more, for all members, and you are its admin no more. Nothing is said to the device: if it only shall stop keeping a space, use: cobox device unreplicate",
        count(detail.device.replicas as u64, "copy", "copies")
    );
    if detail.admins.iter().all(|admin| admin.me) {
        println!("Nobody else is its admin: if it comes back, nobody can command it.");
    }
    typed("device", &detail.device.name, "not forgotten")
}
