//! Commands about mounts.

use crate::api::types::*;
use crate::cli::args::Mount;
use crate::cli::output::{Output, printable};
use crate::cli::{CliError, Done};
use crate::client::{Client, in_space};
use std::path::{Path, PathBuf};
use ureq::http::Method;

/// `cobox mount SPACE`
pub fn mount(client: &Client, what: Mount, output: &Output) -> Result<Done, CliError> {
    let request = MountRequest {
        at: what.at.map(|at| whole(&at)).transpose()?,
        webdav: what.webdav,
        read_only: what.read_only,
        as_of: what.as_of,
    };
    let mount: MountJson = client.call(Method::POST, &in_space(&what.space, "/mount"), &request)?;
    output.result(&mount, |mount| {
        let how = match mount.webdav {
            true => {
                "Give this address to your file manager (\"Connect to server\"). Keep it to yourself: whoever on this machine knows it may use the space.\n"
            }
            false => "",
        };
        format!(
            "{} is {}\n{how}To take it away again: cobox unmount {:?}",
            printable(&what.space),
            mounted(mount),
            what.space
        )
    });
    Ok(Done::Fully)
}

/// The path from the top: the program has another current folder.
fn whole(at: &Path) -> Result<String, CliError> {
    let failed = |error| CliError::Local(at.display().to_string(), error);
    let unreadable = |at: PathBuf| {
        CliError::Usage(format!(
            "{} cannot be mounted on: its path is not text",
            at.display()
        ))
    };
    let whole = std::path::absolute(at).map_err(failed)?;
    whole
        .into_os_string()
        .into_string()
        .map_err(|at| unreadable(at.into()))
}

/// `cobox unmount SPACE`
pub fn unmount(client: &Client, space: &str, output: &Output) -> Result<Done, CliError> {
    let unmounted: UnmountedJson = client.call(Method::DELETE, &in_space(space, "/mount"), &())?;
    output.result(&unmounted, |unmounted| {
        let at = printable(&unmounted.at);
        match unmounted.busy {
            false => format!("Unmounted {at}. What was written is safe in the space."),
            true => format!(
                "Unmounted {at}. What was written is safe in the space, but programs still have something open there: until they close it, what they write is kept as long as CoBox runs."
            ),
        }
    });
    Ok(Done::Fully)
}

/// Where a space is mounted and how, or why it is not.
pub fn mounted(mount: &MountJson) -> String {
    let mut text = format!("mounted at {}", printable(&mount.at));
    match &mount.as_of {
        Some(time) => text.push_str(&format!(", as of {time}")),
        None if mount.read_only => text.push_str(", read-only"),
        None => {}
    }
    match &mount.problem {
        Some(why) => format!("not {text}: {}", printable(why)),
        None => text,
    }
}
