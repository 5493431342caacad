//! The command line: reads words, calls the API, prints for people or (`--json`) for programs.

mod args;
mod devices;
mod files;
mod hub;
mod mounts;
mod output;
mod people;
mod spaces;
mod up;

use crate::client::{Client, ClientError};
use crate::config::{ConfigError, Home};
use crate::daemon::DaemonError;
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
    let home = Home::resolve(cli.home)?;
    if let Command::Up(options) = cli.command {
        return up::up(&home, &options, cli.verbose, output);
    }
    if let Command::Hub(options) = cli.command {
        return hub::hub(&home, &options, cli.verbose, output);
    }
    let client = Client::connect(&home)?;
    match cli.command {
        Command::Up(_) | Command::Hub(_) => unreachable!("handled above"),
        Command::Device(command) => devices::device(&client, command, output),
        Command::Status => people::status(&client, output),
        Command::Stop => up::stop(&client, &home, output),
        Command::Name { name } => people::name(&client, name, output),
        Command::Space(command) => spaces::space(&client, command, output),
        Command::Invite { space, public_key } => {
            people::invite(&client, &space, public_key, output)
        }
        Command::Join(join) => people::join(&client, join, output),
        Command::Replicate(replicate) => spaces::replicate(&client, replicate, output),
        Command::Unreplicate { address } => spaces::unreplicate(&client, &address, output),
        Command::Replicas => spaces::replicas(&client, output),
        Command::Mount(mount) => mounts::mount(&client, mount, output),
        Command::Unmount { space } => mounts::unmount(&client, &space, output),
        Command::Watch { space } => people::watch(&client, &space, output),
        Command::Files(command) => files::files(&client, command, output),
    }
}
