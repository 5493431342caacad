//! The words of the command line.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

const FIRST_STEPS: &str = "\
SPACE is a name or an address. Paths inside a space are written SPACE:PATH, e.g. photos:2026/may.jpg
Exit status: 0 done, 1 failed, 2 not understood, 3 done but for the problems listed.

First steps:
  cobox up                          start it, in a terminal of its own
  cobox open                        do the rest in a browser, or go on here:
  cobox name \"Your Name\"            say who you are
  cobox space create photos         make a space
  cobox import photos ~/Pictures    put something into it
  cobox mount photos                see it as a folder: ~/cobox/photos
  cobox invite photos PUBLIC_KEY    let somebody in; they type: cobox join CODE";

/// Encrypted folders that live on your friends' machines and yours, with no server in the middle.
///
/// Start the program with `cobox up` and leave it running; all other commands talk to it.
#[derive(Parser)]
#[command(
    name = "cobox",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(after_help = FIRST_STEPS)]
pub struct Cli {
    /// Folder that holds everything (default: the XDG data folder, or COBOX_HOME)
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more about what happens (with `up`)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Start CoBox here and stay in the foreground
    Up(Up),
    /// Be a device: replicate for others, and obey its admins
    Hub(super::hub::Hub),
    /// Devices: set up, and command from anywhere
    #[command(subcommand)]
    Device(super::devices::Device),
    /// What is running, which spaces, which peers, and the hint by which others reach you
    Status,
    /// Stop the running program in an orderly way
    Stop,
    /// Show your name and public key, or give yourself a new name
    Name {
        /// New name; everybody in your spaces sees it
        name: Option<String>,
    },
    /// Create, list, show, rename or delete spaces
    #[command(subcommand)]
    Space(Space),
    /// Make an invite code that only one person can open
    Invite {
        space: String,
        /// What `cobox name` prints at the invited person's
        public_key: String,
        /// They shall read and not write
        #[arg(long)]
        read_only: bool,
    },
    /// Join a space by an invite code
    Join(Join),
    /// Keep a copy of a space for others, by its address, without being able to read it
    Replicate(Replicate),
    /// Stop keeping that copy and free the disk
    Unreplicate { address: String },
    /// What you replicate for others
    Replicas,
    /// Let a space appear as a folder
    Mount(Mount),
    /// Let that folder disappear; what was written through it is safe in the space
    Unmount { space: String },
    /// Follow what happens in a space, one line per event
    Watch { space: String },
    /// Long work: list it, stop it
    #[command(args_conflicts_with_subcommands = true)]
    Jobs {
        #[command(subcommand)]
        what: Option<Jobs>,
    },
    /// Open the page in a browser, and let that browser in
    Open {
        /// Only print the address
        #[arg(long)]
        print: bool,
    },
    /// Keep your keys where no computer can lose them
    #[command(subcommand)]
    Backup(crate::cli::paper::Backup),
    /// Rehearse: get files back from one replicator alone, with the key as on paper
    Drill(crate::cli::paper::Drill),
    /// One password for the keys on disk and for the page: set, change, remove; asked for or from standard input
    #[command(args_conflicts_with_subcommands = true)]
    Password {
        #[command(subcommand)]
        what: Option<Password>,
    },
    /// Unlock the running program: the password is asked for, or read from standard input
    Unlock,
    /// Lock the running program: unmount, close all spaces, forget all keys; it goes on keeping its copies
    Lock,
    /// Write everything that is needed to move to a new machine into one file, sealed with a passphrase (age format)
    ExportKeys {
        /// A new file
        file: PathBuf,
    },
    /// Move in: become the person of such a file, in a home where nobody lives yet; the passphrase is asked for, or read from
    /// standard input
    ImportKeys { file: PathBuf },
    /// Settings of this home
    #[command(subcommand)]
    Config(Config),
    /// Print a script that completes these words in a shell
    Completions { shell: clap_complete::Shell },
    /// Ask the messages of a space: filter, map, reduce, sort, limit
    Query(Query),
    #[command(flatten)]
    Talk(crate::cli::talk::Talk),
    /// How safe a space is: its copies on replicators, how many are wanted, how new
    Health(crate::cli::health::Health),
    #[command(flatten)]
    Notes(crate::cli::notes::Notes),
    #[command(flatten)]
    Files(Files),
}

#[derive(Args)]
pub struct Up {
    /// Port of the API on this machine (0 = any free one; default 9112)
    #[arg(long, overrides_with = "port")]
    pub port: Option<u16>,
    /// Neither announce on the local network nor listen there
    #[arg(long)]
    pub no_lan: bool,
    /// UDP port for that, if not the usual one; the same for all that shall hear each other
    #[arg(long, value_name = "PORT")]
    pub lan_port: Option<u16>,
    /// Where peers may connect (default: every interface, any free port)
    #[arg(long, value_name = "IP:PORT")]
    pub bind: Option<SocketAddr>,
    /// Let the API answer here too, for other machines; needs --tls-cert and --tls-key
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Certificates (PEM) for --listen, ours first
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) for --listen
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Let the API answer at this Unix socket too, for its owner only
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Further name by which browsers call us through --listen or --socket (repeatable)
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,
    #[command(flatten)]
    pub start: crate::daemon::Start,
}

#[derive(Clone, Copy, Subcommand)]
pub enum Password {
    /// Set a password, or another one if the old one is forgotten while the program is unlocked
    Set,
    /// Change the password; asks for the old one first
    Change,
    /// Remove the password: whoever reads the disk can read everything; asks for it first
    Remove,
}

#[derive(Subcommand)]
pub enum Config {
    /// What a setting is
    Get { key: String },
    /// Change a setting in the file, keeping everything else in it; counts from the next start
    Set {
        key: String,
        /// Nothing = as usual
        value: Option<String>,
    },
    /// All settings, and where each comes from
    List,
}

#[derive(Subcommand)]
pub enum Jobs {
    /// Long work that runs or has ended lately
    List,
    /// Stop a job, or forget one that has ended
    Stop { id: String },
}

#[derive(Subcommand)]
pub enum Space {
    /// Create a space
    Create { name: String },
    /// List your spaces
    List,
    /// Members, size, sync state and copies of a space
    Show { space: String },
    /// Rename a space for all its members
    Rename { space: String, name: String },
    /// Leave a space and remove it from this machine
    Delete {
        space: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Join {
    /// The code, or - to read it from standard input
    pub code: String,
    /// Call the space something else here
    #[arg(long)]
    pub name: Option<String>,
    /// Hint of a peer that has the space (repeatable)
    #[arg(long, value_name = "HINT")]
    pub peer: Vec<String>,
}

#[derive(Args)]
pub struct Query {
    pub space: String,
    /// The query, such as '{"type": "message"}' or '[{"$filter": {}}, {"$reduce": {"$count": true}}]'; - reads it from standard
    /// input. docs/query.md describes it
    #[arg(value_name = "JSON")]
    pub query: String,
    /// Go on: print each new message that matches, until Ctrl-C
    #[arg(long, conflicts_with = "explain")]
    pub live: bool,
    /// Say which index was used and how many messages were read
    #[arg(long)]
    pub explain: bool,
}

#[derive(Args)]
pub struct Mount {
    pub space: String,
    /// Folder, empty or not there yet (default: ~/cobox/<name of the space>)
    #[arg(long, value_name = "DIR")]
    pub at: Option<PathBuf>,
    /// Let nothing be changed through it
    #[arg(long)]
    pub read_only: bool,
    /// Not as a folder but over WebDAV, for file managers of this machine where there is no FUSE
    #[arg(long, conflicts_with_all = ["at", "as_of"])]
    pub webdav: bool,
    /// As the space was at a time: 2026-11-23T09:30:00Z, "2026-11-23 09:30" (local), "2h ago"; read-only
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
}

#[derive(Args)]
pub struct Replicate {
    /// Address of the space: 64 hex digits
    pub address: String,
    /// A name for it here
    #[arg(long)]
    pub name: Option<String>,
    /// Hint of a peer that has the space (repeatable)
    #[arg(long, value_name = "HINT")]
    pub peer: Vec<String>,
}

#[derive(Subcommand)]
pub enum Files {
    /// Bring files and folders of this machine into a space
    Import {
        space: String,
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Folder in the space
        #[arg(long, default_value = "")]
        to: OsString,
        /// Go on without this command; see: cobox jobs
        #[arg(long)]
        detach: bool,
    },
    /// Write a space, or a part of it, into a folder of this machine
    Export {
        /// SPACE or SPACE:PATH
        from: OsString,
        dir: PathBuf,
        /// As it was at a time: 2026-11-23T09:30:00Z, "2026-11-23 09:30" (local), "2h ago"
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Go on without this command; see: cobox jobs
        #[arg(long)]
        detach: bool,
    },
    /// List a folder
    Ls {
        /// SPACE or SPACE:PATH
        path: OsString,
        /// With mode, size and time
        #[arg(short)]
        long: bool,
    },
    /// Print a file
    Cat { path: OsString },
    /// Write a file from a local file or standard input
    Put {
        path: OsString,
        /// Local file; - or nothing = standard input
        file: Option<PathBuf>,
    },
    /// Read a file into a local file or standard output
    Get {
        path: OsString,
        /// Local file; - or nothing = standard output
        file: Option<PathBuf>,
        /// An older version, by the id that `history` prints
        #[arg(long, value_name = "ID")]
        version: Option<String>,
    },
    /// Remove a file or folder (it stays in the history)
    Rm {
        path: OsString,
        /// A folder with everything inside
        #[arg(short)]
        recursive: bool,
    },
    /// Move or rename within a space
    Mv {
        from: OsString,
        /// SPACE:PATH in the same space
        to: OsString,
    },
    /// Create a folder
    Mkdir {
        path: OsString,
        /// Missing folders above it too
        #[arg(short)]
        parents: bool,
    },
    /// Versions of a file or folder, newest first; works for deleted ones
    History { path: OsString },
    /// Everything, from a paper key; with a path: a version, or all below a folder as of a time
    ///
    /// Without a path, the words or QR texts of a paper key are asked for, or read from standard input. With the secret key in
    /// them you are the same person again, on a new device; without it the spaces are added to who you are here.
    #[command(group = clap::ArgGroup::new("what").args(["version", "at"]).requires("path"))]
    Restore {
        #[arg(requires = "what", value_name = "SPACE:PATH")]
        path: Option<OsString>,
        /// Id that `history` prints
        #[arg(long, value_name = "ID")]
        version: Option<String>,
        /// 2026-11-23T09:30:00Z, "2026-11-23 09:30" (local), "2h ago"
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// From paper: your name, if only words are typed and no other device of yours is left
        #[arg(long, conflicts_with = "path")]
        name: Option<String>,
        /// From paper: hint of a peer that has the spaces (repeatable)
        #[arg(long, value_name = "HINT", conflicts_with = "path")]
        peer: Vec<String>,
        /// From paper: do not wait until everything is here
        #[arg(long, conflicts_with = "path")]
        no_wait: bool,
        /// Go on without this command; see: cobox jobs
        #[arg(long, requires = "path")]
        detach: bool,
    },
    /// Versions that compete because people worked apart
    Conflicts { space: String },
    /// Settle a conflict: keep one version, the others stay in the history
    Resolve {
        path: OsString,
        /// Id that `conflicts` prints
        #[arg(long, value_name = "ID")]
        keep: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_words_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn restore_needs_exactly_one_aim() {
        let parse = |words: &[&str]| Cli::try_parse_from([&["cobox"], words].concat()).is_ok();
        assert!(parse(&["restore", "s:a", "--version", "x-1"]));
        assert!(parse(&["restore", "s:a", "--at", "2h ago"]));
        assert!(parse(&["restore", "s:a", "--at", "2h ago", "--detach"]));
        assert!(!parse(&["restore", "s:a"]));
        assert!(!parse(&[
            "restore",
            "s:a",
            "--version",
            "x-1",
            "--at",
            "2h ago"
        ]));
    }
}
