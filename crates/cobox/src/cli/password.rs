//! `password`: asked for without showing it, or read from standard input.

use crate::api::types::PasswordJson;
use crate::cli::output::Output;
use crate::cli::{CliError, Done};
use crate::client::{Client, ClientError};
use serde_json::json;
use std::io::{self, BufRead, IsTerminal, Stdin};
use std::process::Command;
use ureq::http::Method;

/// Bytes that are read from standard input at most.
const MOST: u64 = 4096;

/// `cobox password`
pub fn password(client: &Client, output: &Output) -> Result<Done, CliError> {
    let stdin = io::stdin();
    let password = match stdin.is_terminal() {
        true => asked_twice(&stdin)?,
        false => line(stdin.lock())?,
    };
    let request = PasswordJson {
        password,
        old: None,
    };
    match client.tell(Method::POST, "/register", &request) {
        Err(ClientError::Refused(error)) if error.code == "has_password" => {
            client.tell(Method::PUT, "/auth/password", &request)?;
        }
        registered => registered?,
    }
    output.result(&json!({ "password": "set" }), |_| {
        "The password is set. Whoever was logged in is logged out.".into()
    });
    Ok(Done::Fully)
}

fn asked_twice(stdin: &Stdin) -> Result<String, CliError> {
    let _silence = Silence::begin()?;
    eprint!("New password: ");
    let first = line(stdin.lock())?;
    eprint!("\nThe same again: ");
    let second = line(stdin.lock())?;
    eprintln!();
    match first == second {
        true => Ok(first),
        false => Err(CliError::Usage(
            "the two are not the same; nothing was changed".into(),
        )),
    }
}

fn line(from: impl BufRead) -> Result<String, CliError> {
    let mut text = String::new();
    from.take(MOST).read_line(&mut text).map_err(failed)?;
    Ok(text.trim_end_matches(['\n', '\r']).into())
}

fn failed(error: io::Error) -> CliError {
    CliError::Local("standard input".into(), error)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence;

impl Silence {
    fn begin() -> Result<Self, CliError> {
        stty("-echo").map_err(failed)?;
        Ok(Self)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = stty("echo"); // the terminal has gone
    }
}

/// Tells the terminal at our standard input; every Unix has the program.
fn stty(how: &str) -> io::Result<()> {
    match Command::new("stty").arg(how).status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(
            "the terminal cannot be told to hide what is typed",
        )),
    }
}
