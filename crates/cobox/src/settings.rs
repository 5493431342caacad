//! What a person sets once: one commented file in the home folder; the environment overrides it, flags override both.
//!
//! Here: which settings there are and what they are now. `file` changes a line and leaves the rest alone.

mod file;
mod keys;

use crate::config::Home;
use keys::{KEYS, Key, Kind};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why settings cannot be used. Nothing is guessed: the program does not start on wrong ones.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file says something that is no setting.
    #[error("{path}, line {line}: {reason}")]
    Wrong {
        /// the file
        path: String,
        /// which line
        line: u64,
        /// why
        reason: String,
    },
    /// A variable of the environment does.
    #[error("the environment variable {0}: {1}")]
    Environment(String, String),
    /// There is no such setting.
    #[error("there is no setting {0:?}; there are: {1}")]
    NoSuchKey(String, String),
    /// A value that a setting cannot have.
    #[error("{0} cannot be {1:?}: {2}; nothing was changed")]
    Value(&'static str, String, String),
    /// The file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
}

/// What is set; none = as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// port of the API on loopback
    pub port: Option<u16>,
    /// use the local network
    pub lan: Option<bool>,
    /// UDP port for that
    pub lan_port: Option<u16>,
    /// where peers may connect
    pub bind: Option<SocketAddr>,
    /// where the API answers for other machines
    pub listen: Option<SocketAddr>,
    /// certificates for that
    pub tls_cert: Option<PathBuf>,
    /// private key for that
    pub tls_key: Option<PathBuf>,
    /// where the API answers at a Unix socket
    pub socket: Option<PathBuf>,
    /// further names of ours
    pub hosts: Option<Vec<String>>,
    /// what is logged
    pub log: Option<String>,
}

/// A setting as it is now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// its name
    pub key: &'static str,
    /// its value; empty = not set
    pub value: String,
    /// `default`, `file` or `environment`
    pub from: &'static str,
}

impl Settings {
    /// From the file, overridden by the environment. Paths in the file begin in the home folder.
    pub fn load(home: &Home) -> Result<Self, SettingsError> {
        let text = file::read(home)?;
        let mut settings = Self::parse(&text, &file::path(home).display().to_string())?;
        for path in [
            &mut settings.tls_cert,
            &mut settings.tls_key,
            &mut settings.socket,
        ] {
            *path = path.take().map(|path| home.path().join(path));
        }
        Ok(settings.under(Self::of_environment()?))
    }

    /// These, overridden by others.
    pub fn under(self, over: Self) -> Self {
        Self {
            port: over.port.or(self.port),
            lan: over.lan.or(self.lan),
            lan_port: over.lan_port.or(self.lan_port),
            bind: over.bind.or(self.bind),
            listen: over.listen.or(self.listen),
            tls_cert: over.tls_cert.or(self.tls_cert),
            tls_key: over.tls_key.or(self.tls_key),
            socket: over.socket.or(self.socket),
            hosts: over.hosts.or(self.hosts),
            log: over.log.or(self.log),
        }
    }

    fn parse(text: &str, name: &str) -> Result<Self, SettingsError> {
        // A file with comments only holds nothing.
        let parsed: Result<Option<Self>, _> = serde_saphyr::from_str(text);
        parsed
            .map(Option::unwrap_or_default)
            .map_err(|error| SettingsError::Wrong {
                path: name.into(),
                line: error.location().map_or(1, |at| at.line()),
                reason: plain(&error),
            })
    }

    fn of_environment() -> Result<Self, SettingsError> {
        let mut all = Self::default();
        for key in KEYS {
            let Ok(value) = std::env::var(variable(key)) else {
                continue;
            };
            let wrong = |reason| SettingsError::Environment(variable(key), reason);
            all = all.under(of_one(key, &value).map_err(wrong)?);
        }
        Ok(all)
    }
}

/// Each setting as it is now, and where that comes from.
pub fn list(home: &Home) -> Result<Vec<Setting>, SettingsError> {
    Settings::load(home)?; // wrong ones are told, not listed
    let text = file::read(home)?;
    Ok(KEYS.iter().map(|key| one(key, &text)).collect())
}

/// One of them.
pub fn get(home: &Home, name: &str) -> Result<Setting, SettingsError> {
    let key = find(name)?;
    let all = list(home)?;
    let found = all.into_iter().find(|setting| setting.key == key.name);
    found.ok_or_else(|| no_such(name))
}

/// Changes one in the file (none: back to the usual), keeping everything else in it.
pub fn set(home: &Home, name: &str, value: Option<&str>) -> Result<Setting, SettingsError> {
    let key = find(name)?;
    let line = value.map(|value| {
        let wrong = |reason| SettingsError::Value(key.name, value.into(), reason);
        of_one(key, value).map_err(wrong)?;
        Ok(yaml(key, value))
    });
    let text = file::with(&file::read(home)?, key, line.transpose()?.as_deref());
    Settings::parse(&text, &file::path(home).display().to_string())?;
    file::write(home, &text)?;
    Ok(one(key, &text))
}

/// Settings that make sense on another machine too; others name its files and addresses.
const PORTABLE: [&str; 3] = ["port", "lan", "log"];

/// Those that are set in the file, as it would write them.
pub fn portable(home: &Home) -> Result<String, SettingsError> {
    let text = file::read(home)?;
    let portable = KEYS.iter().filter(|key| PORTABLE.contains(&key.name));
    let set = portable.filter_map(|key| Some((key, file::value(&text, key)?)));
    Ok(set
        .map(|(key, value)| format!("{}: {}\n", key.name, yaml(key, &value)))
        .collect())
}

/// Sets those again that came from another machine; what is not understood is left out.
pub fn take_over(home: &Home, text: &str) -> Result<(), SettingsError> {
    write_first(home)?;
    for key in KEYS.iter().filter(|key| PORTABLE.contains(&key.name)) {
        let Some(value) = file::value(text, key) else {
            continue;
        };
        match set(home, key.name, Some(&value)) {
            Ok(_) => {}
            Err(error @ SettingsError::File(..)) => return Err(error),
            Err(error) => tracing::warn!(%error, "a setting of the other machine is left out"),
        }
    }
    Ok(())
}

/// Writes the file if there is none, with every setting explained and none set.
pub fn write_first(home: &Home) -> Result<(), SettingsError> {
    match file::path(home).exists() {
        true => Ok(()),
        false => file::write(home, &file::fresh()),
    }
}

fn one(key: &Key, text: &str) -> Setting {
    let environment = std::env::var(variable(key)).ok();
    let in_file = file::value(text, key);
    let (value, from) = match (environment, in_file) {
        (Some(value), _) => (value, "environment"),
        (None, Some(value)) => (value, "file"),
        (None, None) => (key.usual.into(), "default"),
    };
    Setting {
        key: key.name,
        value,
        from,
    }
}

fn find(name: &str) -> Result<&'static Key, SettingsError> {
    KEYS.iter()
        .find(|key| key.name == name)
        .ok_or_else(|| no_such(name))
}

fn no_such(name: &str) -> SettingsError {
    let all: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    SettingsError::NoSuchKey(name.into(), all.join(", "))
}

fn variable(key: &Key) -> String {
    format!("COBOX_{}", key.name.to_uppercase().replace('-', "_"))
}

/// Settings with just one set, from a word of the command line or the environment.
fn of_one(key: &Key, value: &str) -> Result<Settings, String> {
    let text = format!("{}: {}", key.name, yaml(key, value));
    let parsed: Result<Settings, _> = serde_saphyr::from_str(&text);
    parsed.map_err(|error| plain(&error))
}

/// A value as it stands in the file.
fn yaml(key: &Key, value: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match key.kind {
        Kind::Bare if value.bytes().all(|byte| byte.is_ascii_alphanumeric()) => value.into(),
        Kind::Bare | Kind::Text => quoted(value),
        Kind::List => {
            let items = value
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
        }
    }
}

/// What is wrong, in one line without the place, which is named otherwise, and in words of ours.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.split(" at line ").next().unwrap_or_default();
    let first = first.trim_start_matches("error: ");
    match first {
        "invalid u16" => "a number from 0 to 65535 is wanted".into(),
        "invalid bool" => "true or false is wanted".into(),
        "invalid socket address syntax" => {
            "an address with a port is wanted, as in 127.0.0.1:4711".into()
        }
        other => other.split(", set ").next().unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().into())).unwrap();
        (dir, home)
    }

    #[test]
    fn settings_move_but_not_those_of_one_machine() {
        let (_old, old) = home();
        for (key, value) in [("port", "9000"), ("log", "info"), ("bind", "127.0.0.1:1")] {
            set(&old, key, Some(value)).unwrap();
        }
        let moved = portable(&old).unwrap();
        let (_new, new) = home();
        take_over(&new, &format!("{moved}lan: perhaps\n")).unwrap();
        let settings = Settings::load(&new).unwrap();
        let expected = Settings {
            port: Some(9000),
            log: Some("info".into()),
            ..Settings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn the_first_file_explains_every_setting_and_sets_none() {
        let (_dir, home) = home();
        write_first(&home).unwrap();
        let text = std::fs::read_to_string(home.path().join("config.yaml")).unwrap();
        assert_eq!(Settings::parse(&text, "").unwrap(), Settings::default());
        for key in KEYS {
            assert!(
                text.contains(&format!("\n#{}:", key.name)),
                "{} in {text}",
                key.name
            );
        }
        // Each line without its # is right.
        let all = text
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')));
        let all: Vec<_> = all.filter(|line| !line.ends_with(':')).collect();
        Settings::parse(&all.join("\n"), "").unwrap();
    }

    #[test]
    fn set_changes_one_line_and_keeps_the_rest() {
        let (_dir, home) = home();
        let before = "# mine\nport: 1 # one\n\n# two\nhosts:\n  - a\n  - b\nlan: false\n";
        std::fs::write(home.path().join("config.yaml"), before).unwrap();
        set(&home, "port", Some("2")).unwrap();
        set(&home, "hosts", Some("x.example, y")).unwrap();
        set(&home, "lan", None).unwrap();
        set(&home, "bind", Some("[::1]:7")).unwrap();
        let text = std::fs::read_to_string(home.path().join("config.yaml")).unwrap();
        let after = "# mine\nport: 2 # one\n\n# two\nhosts: [\"x.example\", \"y\"]\n#lan: false\nbind: \"[::1]:7\"\n";
        assert_eq!(text, after);
        let settings = Settings::load(&home).unwrap();
        assert_eq!(
            (settings.port, settings.lan, settings.bind),
            (Some(2), None, Some("[::1]:7".parse().unwrap()))
        );
        assert_eq!(settings.hosts.unwrap(), ["x.example", "y"]);
        set(&home, "lan", Some("true")).unwrap();
        let text = std::fs::read_to_string(home.path().join("config.yaml")).unwrap();
        assert_eq!(text, after.replace("#lan: false", "lan: true"));
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line_and_changes_nothing() {
        let (_dir, home) = home();
        let path = home.path().join("config.yaml");
        for (text, line) in [
            ("port: 1\nprot: 2\n", 2),
            ("# x\n\nport: many\n", 3),
            ("lan: perhaps\n", 1),
            ("port: 1\nport: 2\n", 2),
            ("port: 70000\n", 1),
            ("lan-port: -1\n", 1),
            ("lan: true\nlisten: here\n", 2),
            ("port: [\n", 1),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Settings::load(&home).unwrap_err();
            let SettingsError::Wrong { line: said, .. } = &error else {
                panic!("{error}")
            };
            assert!(said.abs_diff(line) == 0, "{text}: {error}");
            assert!(error.to_string().contains("config.yaml, line"), "{error}");
        }
        std::fs::write(&path, "port: 1\n").unwrap();
        for (key, value) in [
            ("port", "x"),
            ("port", "1\nlan: true"),
            ("lan", "2"),
            ("bind", "nowhere"),
            ("colour", "red"),
        ] {
            assert!(set(&home, key, Some(value)).is_err(), "{key} {value}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "port: 1\n");
    }

    #[test]
    fn later_ones_override_earlier_ones() {
        let one = Settings {
            port: Some(1),
            lan: Some(false),
            ..Settings::default()
        };
        let two = Settings {
            port: Some(2),
            ..Settings::default()
        };
        let both = one.under(two);
        assert_eq!((both.port, both.lan), (Some(2), Some(false)));
    }
}
