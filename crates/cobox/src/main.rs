//! `cobox`: encrypted peer-to-peer folders and distributed back-up, in one program.

mod api;
mod cli;
mod client;
mod config;
mod daemon;
mod memory;
mod mounts;

fn main() -> std::process::ExitCode {
    memory::give_back();
    cli::run()
}
