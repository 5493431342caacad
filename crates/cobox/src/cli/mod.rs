//! The command line: reads words, calls the API, prints for people or (`--json`) for programs.

mod args;
mod config;
mod devices;
mod files;
mod health;
mod hub;
mod jobs;
mod mounts;
mod notes;
mod open;
mod output;
mod password;
mod people;
mod query;
mod spaces;
mod talk;
mod up;

use crate::client::{Client, ClientError};
use crate::config::{ConfigError, Home};
use crate::daemon::DaemonError;
use crate::settings::SettingsError;
use args::{Cli, Command};
use clap::Parser;
use output::Output;
use std::io;
use std::process::ExitCode;

/// Exit status when the work was done but for the problems listed.
const WITH_PROBLEMS: u8 = 3;

/// Why a command failed, in words for the person.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A local file.
    #[error("{0}: {1}")]
    Local(String, io::Error),
    /// The words on the command line do not make sense together.
    #[error("{0}")]
    Usage(String),
}

/// How a command that did not fail ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Fully,
    WithProblems,
}

/// The whole program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    match command(cli, &output) {
        Ok(Done::Fully) => ExitCode::SUCCESS,
        Ok(Done::WithProblems) => ExitCode::from(WITH_PROBLEMS),
        Err(error) => {
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn command(cli: Cli, output: &Output) -> Result<Done, CliError> {
    if let Command::Completions { shell } = cli.command {
        return Ok(config::completions(shell));
    }
    let home = Home::resolve(cli.home)?;
    match cli.command {
        Command::Up(options) => up::up(&home, options, cli.verbose, output),
        Command::Hub(options) => hub::hub(&home, &options, cli.verbose, output),
        Command::Config(command) => config::config(&home, command, output),
        command => running(&home, command, output),
    }
}

/// Commands that talk to the running program.
fn running(home: &Home, command: Command, output: &Output) -> Result<Done, CliError> {
    let client = Client::connect(home)?;
    match command {
        Command::Up(_) | Command::Hub(_) | Command::Config(_) | Command::Completions { .. } => {
            unreachable!("handled by the caller")
        }
        Command::Device(command) => devices::device(&client, command, output),
        Command::Jobs { what } => jobs::jobs(&client, what, output),
        Command::Open { print } => open::open(&client, home, print, output),
        Command::Password => password::password(&client, output),
        Command::Status => people::status(&client, output),
        Command::Stop => up::stop(&client, home, output),
        Command::Name { name } => people::name(&client, name, output),
        Command::Space(command) => spaces::space(&client, command, output),
        Command::Invite {
            space,
            public_key,
            read_only,
        } => people::invite(&client, &space, public_key, read_only, output),
        Command::Join(join) => people::join(&client, join, output),
        Command::Replicate(replicate) => spaces::replicate(&client, replicate, output),
        Command::Unreplicate { address } => spaces::unreplicate(&client, &address, output),
        Command::Replicas => spaces::replicas(&client, output),
        Command::Mount(mount) => mounts::mount(&client, mount, output),
        Command::Unmount { space } => mounts::unmount(&client, &space, output),
        Command::Query(query) => query::query(&client, query, output),
        Command::Watch { space } => people::watch(&client, &space, output),
        Command::Talk(command) => talk::talk(&client, command, output),
        Command::Health(command) => health::health(&client, command, output),
        Command::Notes(command) => notes::notes(&client, command, output),
        Command::Files(command) => files::files(&client, command, output),
    }
}
