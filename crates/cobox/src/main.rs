//! `cobox`: encrypted peer-to-peer folders and distributed back-up, in one program.

mod api;
mod cli;
mod client;
mod config;
mod daemon;

fn main() -> std::process::ExitCode {
    cli::run()
}
