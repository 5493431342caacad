//! `cobox`: encrypted peer-to-peer folders and distributed back-up, in one program.

mod api;
mod cli;
mod client;
mod config;
mod daemon;
mod doors;
mod logs;
mod memory;
mod mounts;
mod settings;

fn main() -> std::process::ExitCode {
    memory::keep_private();
    memory::give_back();
    cli::run()
}
