//! `password`, `unlock`, `lock`: asked for without showing it, or read from standard input.

use crate::api::types::{OldPasswordJson, PasswordJson, System};
use crate::cli::args::Password;
use crate::cli::output::Output;
use crate::cli::{CliError, Done};
use crate::client::{Client, ClientError};
use crate::config::Home;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::json;
use std::io::{self, BufRead, IsTerminal, Stdin};
use std::time::{Duration, Instant};
use ureq::http::Method;
use zeroize::Zeroizing;

/// Bytes of a line that are read from standard input at most.
const MOST: u64 = 4096;
/// How long `lock` waits for the program to be locked: it commits and unmounts first.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// `cobox password [set|change|remove]`
pub fn password(
    client: &Client,
    what: Option<Password>,
    output: &Output,
) -> Result<Done, CliError> {
    match what.unwrap_or(Password::Set) {
        Password::Set => set(client, output),
        Password::Change => change(client, output),
        Password::Remove => remove(client, output),
    }
}

fn set(client: &Client, output: &Output) -> Result<Done, CliError> {
    let request = new_password(None)?;
    match client.tell(Method::POST, "/register", &request) {
        Err(ClientError::Refused(error)) if error.code == "has_password" => {
            client.tell(Method::PUT, "/auth/password", &request)?;
        }
        registered => registered?,
    }
    output.result(&json!({ "password": "set" }), |_| {
        "The password is set. The keys on disk are sealed with it, and the page asks for it; whoever was logged in is logged out.\nAfter the next start the program is locked until somebody unlocks it (cobox unlock). A forgotten password cannot be brought back:\nkeep the paper copy of your identity. What lay on the disk in the clear before may still be found in free blocks and old back-ups.".into()
    });
    Ok(Done::Fully)
}

fn change(client: &Client, output: &Output) -> Result<Done, CliError> {
    let old = ask("Password until now: ")?;
    let request = new_password(Some(old))?;
    client.tell(Method::PUT, "/auth/password", &request)?;
    output.result(&json!({ "password": "changed" }), |_| {
        "The password is changed. Whoever was logged in is logged out.".into()
    });
    Ok(Done::Fully)
}

fn remove(client: &Client, output: &Output) -> Result<Done, CliError> {
    let old = ask("Password: ")?;
    let request = OldPasswordJson {
        old: Some(old.to_string()),
    };
    client.tell(Method::POST, "/auth/password/remove", &request)?;
    output.result(&json!({ "password": "removed" }), |_| {
        "The password is removed: whoever reads this disk can read everything.".into()
    });
    Ok(Done::Fully)
}

/// `cobox unlock`
pub fn unlock(client: &Client, output: &Output) -> Result<Done, CliError> {
    if client.get::<System>("/system")?.locked {
        let request = PasswordJson {
            password: ask("Password: ")?.to_string(),
            old: None,
        };
        client.tell(Method::POST, "/unlock", &request)?;
    }
    output.result(&json!({ "locked": false }), |_| "CoBox is unlocked.".into());
    Ok(Done::Fully)
}

/// `cobox lock`: waits until it is so.
pub fn lock(client: &Client, home: &Home, output: &Output) -> Result<Done, CliError> {
    if !client.get::<System>("/system")?.locked {
        client.plain(Method::POST, "/lock")?;
    }
    let asked = Instant::now();
    while !is_locked(client, home) {
        if asked.elapsed() > LOCK_WAIT {
            return Err(CliError::Usage(
                "the program is still busy putting everything down; look again with: cobox status"
                    .into(),
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    output.result(&json!({ "locked": true }), |_| {
        "CoBox is locked: it keeps its copies and shows nothing.".into()
    });
    Ok(Done::Fully)
}

/// And other commands find it again.
fn is_locked(client: &Client, home: &Home) -> bool {
    let system: Result<System, _> = client.get("/system");
    system.is_ok_and(|system| system.locked) && home.read_running().is_some()
}

/// A new one, and the old one if that was asked for.
fn new_password(old: Option<Zeroizing<String>>) -> Result<PasswordJson, CliError> {
    let password = ask_twice("New password: ")?;
    Ok(PasswordJson {
        password: password.to_string(),
        old: old.map(|old| old.to_string()),
    })
}

/// The same, twice at a terminal: nobody sees what they typed.
pub(super) fn ask_twice(question: &str) -> Result<Zeroizing<String>, CliError> {
    let answer = ask(question)?;
    if io::stdin().is_terminal() && *answer != *ask("The same again: ")? {
        return Err(CliError::Usage(
            "the two are not the same; nothing was changed".into(),
        ));
    }
    Ok(answer)
}

/// Asks at a terminal without showing the answer; else reads the next line.
pub(super) fn ask(question: &str) -> Result<Zeroizing<String>, CliError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return line(stdin.lock());
    }
    let silence = Silence::begin(&stdin).map_err(failed)?;
    eprint!("{question}");
    let answer = line(stdin.lock());
    eprintln!();
    drop(silence);
    answer
}

fn line(from: impl BufRead) -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::with_capacity(MOST as usize)); // it must not have to move
    from.take(MOST).read_line(&mut text).map_err(failed)?;
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(text)
}

fn failed(error: io::Error) -> CliError {
    CliError::Local("standard input".into(), error)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence<'a> {
    terminal: &'a Stdin,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(terminal: &'a Stdin) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before); // the terminal has gone
    }
}
