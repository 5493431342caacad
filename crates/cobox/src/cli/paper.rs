//! Keys on paper: `backup identity` and `restore` without a path.

mod ask;

use crate::api::devices::types::DeviceJson;
use crate::api::types::*;
use crate::cli::output::{Output, count, printable};
use crate::cli::{CliError, Done};
use crate::client::{Client, in_space};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ureq::http::Method;
use zeroize::Zeroizing;

/// Largest PDF and largest text that are taken.
const MAX_PDF: u64 = 64 << 20;
const MAX_TEXT: u64 = 256 << 10;
/// How often to look how far spaces have come.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// After so long without anybody who has a space, it is said what can be done.
const ALONE: Duration = Duration::from_secs(10);
/// How long names may take that come with the spaces, once all else is here.
const NAMES: Duration = Duration::from_secs(5);

#[derive(Subcommand)]
pub enum Backup {
    /// Print your secret key and your spaces as a paper key: a PDF with words and QR codes
    ///
    /// Whoever has the paper can do everything that you can. Print the file, put the paper where your passport is, and delete the
    /// file. With it and one device that replicates your spaces everything comes back: cobox restore
    Identity(Identity),
}

#[derive(Args)]
pub struct Identity {
    /// Where to write it; only you will be able to read it
    #[arg(long, value_name = "FILE")]
    pub pdf: PathBuf,
    /// Size of the paper
    #[arg(long, value_enum, default_value = "a4")]
    pub paper: PaperSize,
    /// Print the roots of spaces that you created, too: they name new admins when none is left
    #[arg(long)]
    pub roots: bool,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum PaperSize {
    A4,
    Letter,
}

/// What `drill` is told.
#[derive(Args)]
pub struct Drill {
    pub space: String,
    /// The replicator: a device's name, the first digits of its key, or a hint (default: the best copy that is known)
    #[arg(long, value_name = "REPLICATOR")]
    pub from: Option<String>,
    /// How many files, picked at random
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub sample: usize,
    /// All files instead
    #[arg(long, conflicts_with = "sample")]
    pub all: bool,
    /// Read the space's words from standard input, as you type them from the paper
    #[arg(long)]
    pub typed: bool,
}

/// What `restore` without a path is told.
pub struct FromPaper {
    pub name: Option<String>,
    pub peer: Vec<String>,
    pub no_wait: bool,
}

/// `cobox backup identity`
pub fn backup(client: &Client, command: Backup, output: &Output) -> Result<Done, CliError> {
    let Backup::Identity(wanted) = command;
    let paper = match wanted.paper {
        PaperSize::A4 => "a4",
        PaperSize::Letter => "letter",
    };
    if wanted.pdf.exists() && !wanted.force {
        return Err(taken(&wanted.pdf));
    }
    let call = format!("/keys/backup.pdf?paper={paper}&roots={}", wanted.roots);
    // Read into one piece of memory, so that wiping it wipes all of it.
    let mut pdf = Zeroizing::new(Vec::with_capacity(1 << 20));
    let answer = client.download(&call)?;
    answer
        .take(MAX_PDF)
        .read_to_end(&mut pdf)
        .map_err(|error| local(&wanted.pdf, error))?;
    write(&wanted.pdf, &pdf, wanted.force)?;
    let path = wanted.pdf.display().to_string();
    output.result(&json!({ "pdf": path }), |_| {
        format!("Written to {path}. Print it, put the paper where your passport is, and delete the file:\nwhoever has either can do everything that you can. Print a new one when you have new spaces.")
    });
    Ok(Done::Fully)
}

fn taken(path: &Path) -> CliError {
    let path = path.display();
    CliError::Usage(format!(
        "{path} is there already; nothing was written. To write over it: --force"
    ))
}

fn local(path: &Path, error: io::Error) -> CliError {
    CliError::Local(path.display().to_string(), error)
}

/// Whole or not at all, for its owner only. Without `force` a file that appeared meanwhile is not replaced.
fn write(path: &Path, pdf: &[u8], force: bool) -> Result<(), CliError> {
    let failed = |error| local(path, error);
    let name = path
        .file_name()
        .ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
    let mut new = path.to_owned();
    new.set_file_name(format!(
        ".{}.{}.new",
        name.to_string_lossy(),
        std::process::id()
    ));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(pdf)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| match force {
        true => fs::rename(&new, path),
        false => fs::hard_link(&new, path), // fails if there is one
    });
    let _ = fs::remove_file(&new); // gone already, if it was renamed
    placed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => taken(path),
        _ => failed(error),
    })
}

/// `cobox drill`
pub fn drill(client: &Client, command: Drill, output: &Output) -> Result<Done, CliError> {
    let stdin = io::stdin();
    let text = match (command.typed, stdin.is_terminal()) {
        (false, _) => None,
        (true, true) => Some(ask::keys(client)?),
        (true, false) => Some(piped(stdin.lock())?),
    };
    let request = DrillJson {
        from: command.from,
        sample: Some(command.sample),
        all: command.all,
        text: text.map(|text| text.to_string()),
    };
    let bar = output.bar("Comparing");
    let done = client.job(&in_space(&command.space, "/drill"), &request, |now| {
        bar.show(now)
    });
    bar.finish();
    let done = done?;
    output.result(&done, |done| {
        let files = count(done.entries, "file came", "files came");
        let size = crate::cli::output::bytes(done.bytes);
        let mut text =
            format!("{files} back from that replicator alone, equal bit by bit ({size}).\n");
        for problem in &done.problems {
            text.push_str(&format!(
                "  {}: {}\n",
                printable(&problem.path.name),
                problem.reason
            ));
        }
        text
    });
    match done.problems.is_empty() {
        true => Ok(Done::Fully),
        false => Ok(Done::WithProblems),
    }
}

/// `cobox restore`
pub fn restore(client: &Client, from: FromPaper, output: &Output) -> Result<Done, CliError> {
    let stdin = io::stdin();
    let text = match stdin.is_terminal() {
        true => ask::keys(client)?,
        false => piped(stdin.lock())?,
    };
    let request = PaperTextJson {
        text: text.to_string(),
        name: from.name,
        peers: from.peer,
    };
    drop(text);
    let restored: PaperRestoredJson = client.call(Method::POST, "/keys/restore", &request)?;
    drop(request);
    output.result(&restored, |restored| said(restored, output));
    if output.is_json() || from.no_wait || restored.spaces.is_empty() {
        return Ok(Done::Fully);
    }
    eprintln!(
        "They come back while cobox is up. You may end this command (Ctrl-C); it only looks on."
    );
    watch(client, &restored.spaces, output)?;
    if restored.name.is_empty() {
        let me: IdentityJson = client.get("/identities/current")?;
        eprintln!("You are {}.", printable(&me.name));
    }
    Ok(Done::Fully)
}

fn piped(from: impl Read) -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::with_capacity(1 << 16));
    let read = from.take(MAX_TEXT).read_to_string(&mut text);
    read.map_err(|error| CliError::Local("standard input".into(), error))?;
    Ok(text)
}

fn said(restored: &PaperRestoredJson, output: &Output) -> String {
    let who = match restored.name.as_str() {
        "" => "(your name comes back with the first space)".into(),
        name => output.accent(&printable(name)),
    };
    let mut text = format!("You are {who}\npublic key  {}\n", restored.public_key);
    for space in &restored.here {
        text.push_str(&format!("{} was here already.\n", printable(&space.name)));
    }
    let coming = restored.spaces.len() as u64;
    if coming > 0 {
        text.push_str(&format!(
            "{} to come back.",
            count(coming, "space has", "spaces have")
        ));
    }
    text
}

/// How far all spaces are together.
#[derive(Default)]
struct Far {
    bytes: JobProgress,
    /// of which nothing has come
    waiting: usize,
    /// of which more will come
    coming: usize,
    /// that have no name yet, nor has the person
    unnamed: usize,
}

impl Far {
    fn look(client: &Client, spaces: &[SpaceRef]) -> Result<Self, CliError> {
        let mut far = Self::default();
        for space in spaces {
            let now: SpaceDetailJson = client.get(&in_space(&space.address, ""))?;
            far.add(&now);
        }
        let me: IdentityJson = client.get("/identities/current")?;
        far.unnamed += usize::from(me.name.is_empty());
        Ok(far)
    }

    fn add(&mut self, now: &SpaceDetailJson) {
        let (space, progress) = (&now.space, now.space.progress);
        self.bytes.bytes += progress.bytes_held;
        self.bytes.total_bytes += progress.bytes_known;
        self.bytes.entries += progress.held;
        self.bytes.total_entries += progress.known;
        self.waiting += usize::from(space.waiting);
        let is_here = !space.waiting && space.indexed && space.last_sync_at.is_some();
        let is_whole = is_here && progress.held >= progress.known;
        self.coming += usize::from(!is_whole && !is_refused(now));
        self.unnamed += usize::from(space.address.starts_with(&space.name) && !is_refused(now));
    }
}

/// Nothing of it will come, and why is known.
fn is_refused(now: &SpaceDetailJson) -> bool {
    now.space.waiting && !now.refusals.is_empty()
}

/// Shows how far the spaces are until all of them are here.
fn watch(client: &Client, spaces: &[SpaceRef], output: &Output) -> Result<(), CliError> {
    let bar = output.bar("Restoring");
    let mut alone_since = Some(Instant::now());
    let mut whole_since = None;
    loop {
        let far = Far::look(client, spaces)?;
        bar.show(far.bytes);
        alone_since = alone_since.filter(|_| far.waiting == spaces.len());
        if alone_since.is_some_and(|since| since.elapsed() > ALONE) {
            bar.say("No device that has any of it was reached yet. Turn on one that the paper names, near this computer; or say where one is,\nwith the hint that cobox status prints there: cobox restore --peer HINT, and the keys again.");
            alone_since = None;
        }
        let whole = *whole_since.get_or_insert_with(Instant::now);
        match (far.coming, far.unnamed) {
            (0, 0) => break,
            (0, _) if whole.elapsed() > NAMES => break,
            (0, _) => {}
            _ => whole_since = None,
        }
        std::thread::sleep(LOOK_EVERY);
    }
    bar.finish();
    spaces.iter().try_for_each(|space| report(client, space))
}

/// What has come of one.
fn report(client: &Client, space: &SpaceRef) -> Result<(), CliError> {
    let now: SpaceDetailJson = client.get(&in_space(&space.address, ""))?;
    let devices: Vec<DeviceJson> = client.get("/devices")?;
    let name = printable(&now.space.name);
    let files = count(now.space.files, "file", "files");
    let size = crate::cli::output::bytes(now.space.size);
    if devices.iter().any(|device| device.address == space.address) {
        eprintln!("{name}: a device that you command.");
    } else if now.space.waiting {
        eprintln!("{name}: nothing has come back.");
    } else {
        eprintln!("{name}: {files}, {size}, all here.");
    }
    for reason in &now.refusals {
        eprintln!("  But: {}", printable(reason));
    }
    Ok(())
}
