//! `config` and `completions`: what needs no running program.

use crate::cli::args::{Cli, Config};
use crate::cli::output::{Output, printable, table};
use crate::cli::{CliError, Done};
use crate::config::Home;
use crate::settings::{self, Setting};
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::{self, Write};

/// `cobox config ...`
pub fn config(home: &Home, command: Config, output: &Output) -> Result<Done, CliError> {
    match command {
        Config::Get { key } => {
            let setting = settings::get(home, &key)?;
            output.result(&setting, |setting| printable(&setting.value));
        }
        Config::Set { key, value } => {
            home.create()?;
            settings::write_first(home)?;
            let setting = settings::set(home, &key, value.as_deref())?;
            output.result(&setting, set_text);
        }
        Config::List => {
            let all = settings::list(home)?;
            output.result(&all, |all| table(&all.iter().map(row).collect::<Vec<_>>()));
        }
    }
    Ok(Done::Fully)
}

fn set_text(setting: &Setting) -> String {
    match (setting.from, setting.value.as_str()) {
        ("environment", _) => format!("Written, but the environment overrides {}.", setting.key),
        (_, "") => format!("{} is not set now, from the next start.", setting.key),
        (_, value) => format!(
            "{} is {} now, from the next start.",
            setting.key,
            printable(value)
        ),
    }
}

fn row(setting: &Setting) -> Vec<String> {
    let value = if setting.value.is_empty() {
        "-".into()
    } else {
        printable(&setting.value)
    };
    vec![setting.key.into(), value, setting.from.into()]
}

/// `cobox completions SHELL`
pub fn completions(shell: Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cobox", &mut script);
    let _ = io::stdout().write_all(&script); // a closed pipe is no error
    Done::Fully
}
