//! The file of settings as lines: one is changed, the rest is a person's and stays as it is.

use super::SettingsError;
use super::keys::{KEYS, Key};
use crate::config::{Home, replace_private};
use std::io::ErrorKind;
use std::path::PathBuf;

/// Largest file that is read.
const MOST: u64 = 1 << 20;

/// Where it is.
pub fn path(home: &Home) -> PathBuf {
    home.path().join("config.yaml")
}

/// What is in it; nothing if there is none.
pub fn read(home: &Home) -> Result<String, SettingsError> {
    let path = path(home);
    let failed = |error| SettingsError::File(path.display().to_string(), error);
    match path.metadata() {
        Ok(found) if found.len() > MOST => {
            let error =
                std::io::Error::new(ErrorKind::FileTooLarge, "that is too large for settings");
            Err(failed(error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        _ => std::fs::read_to_string(&path).map_err(failed),
    }
}

/// Writes it in one step.
pub fn write(home: &Home, text: &str) -> Result<(), SettingsError> {
    let path = path(home);
    let failed = |error| SettingsError::File(path.display().to_string(), error);
    replace_private(&path, text.as_bytes()).map_err(failed)
}

/// A new file: every setting explained, none set.
pub fn fresh() -> String {
    let mut text = String::from(
        "# Settings of CoBox. Take the # away before a line to set it; changes count from the next start.\n# `cobox config set KEY VALUE` does the same and leaves the rest of this file alone.\n# COBOX_PORT and the like in the environment override this file; flags of `cobox up` override both.\n",
    );
    for key in KEYS {
        let usual = if key.usual.is_empty() {
            String::new()
        } else {
            format!(" {}", key.usual)
        };
        text.push_str(&format!("\n# {}\n#{}:{usual}\n", key.help, key.name));
    }
    text
}

/// The text with a setting set to a value as YAML, or not set.
pub fn with(text: &str, key: &Key, value: Option<&str>) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match (place(&lines, key), value) {
        (Some(at), Some(value)) => {
            let end = end(&lines, at);
            let new = format!("{}: {value}{}", key.name, comment(&lines[at]));
            lines.splice(at..end, [new]);
        }
        (Some(at), None) => {
            let end = end(&lines, at);
            lines[at..end]
                .iter_mut()
                .for_each(|line| line.insert(0, '#'));
        }
        (None, Some(value)) => {
            let new = format!("{}: {value}", key.name);
            let silent = lines.iter().position(|line| is_silent(line, key));
            match silent {
                Some(at) => lines[at] = new,
                None => lines.push(new),
            }
        }
        (None, None) => {}
    }
    lines.join("\n") + "\n"
}

/// The value that is set, in one line, without quotes.
pub fn value(text: &str, key: &Key) -> Option<String> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = place(&lines, key)?;
    let block = lines[at..end(&lines, at)].join("\n");
    let parsed: serde_json::Value = serde_saphyr::from_str(&block).ok()?;
    match &parsed[key.name] {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Array(items) => {
            let items = items.iter().filter_map(|item| item.as_str());
            Some(items.collect::<Vec<_>>().join(","))
        }
        other => Some(other.to_string()),
    }
}

/// Where a setting is set.
fn place(lines: &[String], key: &Key) -> Option<usize> {
    lines.iter().position(|line| is_of(line, key))
}

fn is_of(line: &str, key: &Key) -> bool {
    let rest = line.strip_prefix(key.name).map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with(':'))
}

/// A line that would set it but for the # before it.
fn is_silent(line: &str, key: &Key) -> bool {
    line.strip_prefix('#').is_some_and(|line| is_of(line, key))
}

/// Where the lines of a value end that may go over several.
fn end(lines: &[String], at: usize) -> usize {
    let goes_on = |line: &&String| line.starts_with([' ', '\t', '-']);
    at + 1 + lines[at + 1..].iter().take_while(goes_on).count()
}

/// A comment at the end of a line; one inside quotes is none.
fn comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '#') if before == ' ' => return &line[at.saturating_sub(1)..],
            _ => {}
        }
        before = c;
    }
    ""
}
