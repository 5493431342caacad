//! Which settings there are: one table, from which the first file is written.

/// What kind of value a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number or a switch: written as it is.
    Bare,
    /// Text.
    Text,
    /// Several texts, separated by commas on the command line and in the environment.
    List,
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// as in the file
    pub name: &'static str,
    /// what kind of value it has
    pub kind: Kind,
    /// its value when not set; empty: none
    pub usual: &'static str,
    /// for people, above it in the file
    pub help: &'static str,
}

/// All settings, in the order of the file.
pub const KEYS: &[Key] = &[
    Key {
        name: "port",
        kind: Kind::Bare,
        usual: "9112",
        help: "Port of the API on this machine; 0 = any free one.",
    },
    Key {
        name: "lan",
        kind: Kind::Bare,
        usual: "true",
        help: "Announce on the local network and listen there.",
    },
    Key {
        name: "lan-port",
        kind: Kind::Bare,
        usual: "39112",
        help: "UDP port for that, the same on all machines that shall hear each other.",
    },
    Key {
        name: "bind",
        kind: Kind::Text,
        usual: "",
        help: "Where peers may connect, e.g. \"0.0.0.0:4711\"; every interface and any free port if not set.",
    },
    Key {
        name: "listen",
        kind: Kind::Text,
        usual: "",
        help: "Let the API answer here too, over TLS, for other machines, e.g. \"192.0.2.7:9443\".\n# Whoever has the password or the token can then do everything from there.",
    },
    Key {
        name: "tls-cert",
        kind: Kind::Text,
        usual: "",
        help: "Certificates (PEM) for `listen`, ours first. Relative paths begin in the home folder.",
    },
    Key {
        name: "tls-key",
        kind: Kind::Text,
        usual: "",
        help: "Private key (PEM) for `listen`.",
    },
    Key {
        name: "socket",
        kind: Kind::Text,
        usual: "",
        help: "Let the API answer at this Unix socket too, for its owner only (0600).",
    },
    Key {
        name: "hosts",
        kind: Kind::List,
        usual: "",
        help: "Further names by which browsers call us through `listen` or `socket`, e.g. [\"box.example\"].",
    },
    Key {
        name: "log",
        kind: Kind::Text,
        usual: "",
        help: "What is logged, e.g. \"info\" or \"warn,cobox=debug\"; warnings if not set.",
    },
];
