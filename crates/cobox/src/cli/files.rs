//! Commands about what is inside a space.

use crate::api::bytes_in_url::encode;
use crate::api::time;
use crate::api::types::*;
use crate::cli::args::Files;
use crate::cli::output::{Output, bytes, count, printable, table};
use crate::cli::{CliError, Done, jobs};
use crate::client::{Client, ClientError, in_space};
use serde::Serialize;
use serde_json::json;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use ureq::http::Method;

/// A path inside a space, as typed: `SPACE:PATH` or `SPACE`.
pub(super) struct Place {
    space: String,
    path: Vec<u8>,
}

impl Place {
    pub(super) fn parse(text: &OsStr) -> Result<Self, CliError> {
        let bytes = text.as_bytes();
        let colon = bytes
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(bytes.len());
        let space = std::str::from_utf8(&bytes[..colon])
            .map_err(|_| usage("the name of a space is text"))?;
        let path = bytes.get(colon + 1..).unwrap_or_default();
        Ok(Self {
            space: space.into(),
            path: path.to_vec(),
        })
    }

    /// Path of an API call about it.
    pub(super) fn call(&self, verb: &str) -> String {
        format!(
            "{}?path={}",
            in_space(&self.space, verb),
            encode(&self.path)
        )
    }
}

/// All commands about files.
pub fn files(client: &Client, command: Files, output: &Output) -> Result<Done, CliError> {
    match command {
        Files::Import {
            space,
            paths,
            to,
            detach,
        } => return import(client, &space, (&paths, &to), detach, output),
        Files::Export {
            from,
            dir,
            at,
            detach,
        } => return export(client, (&from, &dir), at, detach, output),
        Files::Ls { path, long } => ls(client, &Place::parse(&path)?, long, output)?,
        Files::Cat { path } => get(client, &Place::parse(&path)?, None, None)?,
        Files::Put { path, file } => put(client, &Place::parse(&path)?, file.as_deref(), output)?,
        Files::Get {
            path,
            file,
            version,
        } => get(client, &Place::parse(&path)?, file.as_deref(), version)?,
        Files::Rm { path, recursive } => rm(client, &Place::parse(&path)?, recursive, output)?,
        Files::Mv { from, to } => mv(client, &Place::parse(&from)?, &Place::parse(&to)?, output)?,
        Files::Mkdir { path, parents } => mkdir(client, &Place::parse(&path)?, parents, output)?,
        Files::History { path } => history(client, &Place::parse(&path)?, output)?,
        Files::Restore { path, version, at } => {
            restore(client, &Place::parse(&path)?, version, at, output)?
        }
        Files::Conflicts { space } => conflicts(client, &space, output)?,
        Files::Resolve { path, keep } => resolve(client, &Place::parse(&path)?, keep, output)?,
    }
    Ok(Done::Fully)
}

fn import(
    client: &Client,
    space: &str,
    (paths, to): (&[PathBuf], &OsStr),
    detach: bool,
    output: &Output,
) -> Result<Done, CliError> {
    let paths = paths
        .iter()
        .map(|path| absolute(path))
        .collect::<Result<_, _>>()?;
    let request = ImportJson {
        paths,
        to: NameBytes::new(to.as_bytes()),
    };
    let call = in_space(space, "/import");
    if detach {
        return begin(client, &call, &request, output);
    }
    let bar = output.bar("importing");
    let done = client.job(&call, &request, |now| bar.show(now));
    bar.finish();
    Ok(finished(&done?, "Imported", output))
}

fn export(
    client: &Client,
    (from, dir): (&OsStr, &Path),
    at: Option<String>,
    detach: bool,
    output: &Output,
) -> Result<Done, CliError> {
    let place = Place::parse(from)?;
    let request = ExportJson {
        path: NameBytes::new(&place.path),
        dir: absolute(dir)?,
        at: at.map(exact).transpose()?,
    };
    let call = in_space(&place.space, "/export");
    if detach {
        return begin(client, &call, &request, output);
    }
    let bar = output.bar("exporting");
    let done = client.job(&call, &request, |now| bar.show(now));
    bar.finish();
    Ok(finished(&done?, "Exported", output))
}

/// Starts a job that goes on without us.
fn begin(
    client: &Client,
    call: &str,
    request: &impl Serialize,
    output: &Output,
) -> Result<Done, CliError> {
    let job: JobJson = client.call(Method::POST, &format!("{call}?detach=true"), request)?;
    jobs::begun(&job, output);
    Ok(Done::Fully)
}

/// Prints the outcome of a job, with its problems on standard error.
fn finished(done: &JobDone, verb: &str, output: &Output) -> Done {
    output.result(done, |done| {
        format!(
            "{verb} {} in {}.",
            bytes(done.bytes),
            count(done.entries, "entry", "entries")
        )
    });
    if !output.is_json() {
        for problem in &done.problems {
            eprintln!(
                "cobox: {}: {}",
                printable(&problem.path.name),
                printable(&problem.reason)
            );
        }
    }
    if done.problems.is_empty() {
        Done::Fully
    } else {
        Done::WithProblems
    }
}

fn absolute(path: &Path) -> Result<NameBytes, CliError> {
    let absolute = std::path::absolute(path).map_err(|e| local(path, e))?;
    Ok(NameBytes::new(absolute.as_os_str().as_bytes()))
}

fn ls(client: &Client, place: &Place, long: bool, output: &Output) -> Result<(), CliError> {
    let listing: ListingJson = client.get(&place.call("/drive"))?;
    let entries = if listing.entry.kind == "folder" {
        listing.children
    } else {
        vec![listing.entry]
    };
    output.result(&entries, |entries| {
        if !long {
            return entries
                .iter()
                .map(short_name)
                .collect::<Vec<_>>()
                .join("\n");
        }
        table(&entries.iter().map(long_row).collect::<Vec<_>>())
    });
    Ok(())
}

fn short_name(entry: &EntryJson) -> String {
    let mark = if entry.kind == "folder" { "/" } else { "" };
    format!("{}{mark}", printable(&entry.name.name))
}

fn long_row(entry: &EntryJson) -> Vec<String> {
    let kind = match entry.kind.as_str() {
        "folder" => 'd',
        "symlink" => 'l',
        _ => '-',
    };
    let target = entry
        .target
        .as_ref()
        .map(|t| format!(" -> {}", printable(&t.name)))
        .unwrap_or_default();
    let when = time::parse_ms(&entry.mtime).map_or_else(|| entry.mtime.clone(), time::for_people);
    vec![
        format!("{kind}{:04o}", entry.mode),
        entry.size.to_string(),
        when,
        short_name(entry) + &target,
    ]
}

fn put(
    client: &Client,
    place: &Place,
    file: Option<&Path>,
    output: &Output,
) -> Result<(), CliError> {
    let entry = match file.filter(|path| path.as_os_str() != "-") {
        Some(path) => put_file(client, place, path)?,
        None => client.upload(&place.call("/files"), io::stdin())?,
    };
    output.result(&entry, |entry| {
        format!(
            "Wrote {} ({}).",
            printable(&entry.name.name),
            bytes(entry.size)
        )
    });
    Ok(())
}

/// The running program reads the file itself if it sees the same one; else its bytes are sent.
fn put_file(client: &Client, place: &Place, path: &Path) -> Result<EntryJson, CliError> {
    let file = File::open(path).map_err(|e| local(path, e))?;
    let metadata = file.metadata().map_err(|e| local(path, e))?;
    if metadata.is_file() {
        let request = LocalFileJson {
            file: absolute(path)?,
            device: metadata.dev(),
            inode: metadata.ino(),
        };
        match client.call(Method::POST, &place.call("/put"), &request) {
            Err(ClientError::Refused(error)) if error.code == "not_seen" => {}
            done => return Ok(done?),
        }
    }
    Ok(client.upload(&place.call("/files"), file)?)
}

fn get(
    client: &Client,
    place: &Place,
    file: Option<&Path>,
    version: Option<String>,
) -> Result<(), CliError> {
    let mut call = place.call("/files");
    if let Some(version) = version {
        call.push_str(&format!("&version={}", encode(version.as_bytes())));
    }
    let mut source = client.download(&call)?;
    match file.filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            let mut out = File::create(path).map_err(|e| local(path, e))?;
            io::copy(&mut source, &mut out)
                .and_then(|_| out.sync_all())
                .map_err(|e| local(path, e))
        }
        None => {
            let mut out = io::stdout().lock();
            let copied = io::copy(&mut source, &mut out).and_then(|_| out.flush());
            copied.map_err(|e| CliError::Local("while reading".into(), e))
        }
    }
}

fn rm(client: &Client, place: &Place, recursive: bool, output: &Output) -> Result<(), CliError> {
    let mut call = place.call("/files");
    if recursive {
        call.push_str("&recursive=true");
    }
    client.plain(Method::DELETE, &call)?;
    said(
        output,
        "removed",
        &place.path,
        "Removed; it stays in the history.",
    );
    Ok(())
}

fn mv(client: &Client, from: &Place, to: &Place, output: &Output) -> Result<(), CliError> {
    if from.space != to.space {
        return Err(usage(
            "both paths must be in the same space; to copy between spaces, export and import",
        ));
    }
    let request = MoveJson {
        from: NameBytes::new(&from.path),
        to: NameBytes::new(&to.path),
    };
    client.tell(Method::POST, &in_space(&from.space, "/move"), &request)?;
    said(output, "moved", &to.path, "Moved.");
    Ok(())
}

fn mkdir(client: &Client, place: &Place, parents: bool, output: &Output) -> Result<(), CliError> {
    let mut call = place.call("/folders");
    if parents {
        call.push_str("&parents=true");
    }
    client.plain(Method::POST, &call)?;
    said(output, "created", &place.path, "Created.");
    Ok(())
}

fn said(output: &Output, verb: &str, path: &[u8], text: &str) {
    output.result(&json!({ verb: String::from_utf8_lossy(path) }), |_| {
        text.into()
    });
}

fn history(client: &Client, place: &Place, output: &Output) -> Result<(), CliError> {
    let versions: Vec<VersionJson> = client.get(&place.call("/history"))?;
    output.result(&versions, |versions| {
        table(&versions.iter().map(version_row).collect::<Vec<_>>())
    });
    Ok(())
}

fn version_row(version: &VersionJson) -> Vec<String> {
    let when = time::parse_ms(&version.time).map_or_else(|| version.time.clone(), time::for_people);
    let size = version.size.map(bytes).unwrap_or_default();
    let name = version
        .name
        .as_ref()
        .map(|n| printable(&n.name))
        .unwrap_or_default();
    let mark = if version.current { "current" } else { "" };
    vec![
        version.id.clone(),
        when,
        printable(&version.author),
        version.what.clone(),
        size,
        name,
        mark.into(),
    ]
}

fn restore(
    client: &Client,
    place: &Place,
    version: Option<String>,
    at: Option<String>,
    output: &Output,
) -> Result<(), CliError> {
    let request = RestoreJson {
        version,
        to: None,
        at: at.map(exact).transpose()?,
    };
    let restored: RestoredJson = client.call(Method::POST, &place.call("/restore"), &request)?;
    output.result(&restored, |r| {
        format!("Brought back {}.", count(r.restored, "entry", "entries"))
    });
    Ok(())
}

fn conflicts(client: &Client, space: &str, output: &Output) -> Result<(), CliError> {
    let conflicts: Vec<ConflictJson> = client.get(&in_space(space, "/conflicts"))?;
    output.result(&conflicts, |conflicts| {
        if conflicts.is_empty() {
            return "No conflicts.".into();
        }
        conflicts
            .iter()
            .map(conflict_text)
            .collect::<Vec<_>>()
            .join("\n")
    });
    Ok(())
}

fn conflict_text(conflict: &ConflictJson) -> String {
    let why = match conflict.cause.as_str() {
        "content" => "written by several people at once; the first is shown",
        "place" => "moved by several people at once; the first place is used",
        "attrs" => "attributes changed by several people at once; the first are used",
        "life" => "deleted by one and changed by another; it is kept",
        "name" => "several things of one name; the first has the plain name",
        _ => "folders moved into each other; one was put into the root",
    };
    let rows: Vec<_> = conflict.versions.iter().map(version_row).collect();
    format!(
        "{}: {why}\n{}",
        printable(&conflict.path.name),
        table(&rows)
    )
}

fn resolve(client: &Client, place: &Place, keep: String, output: &Output) -> Result<(), CliError> {
    client.tell(Method::POST, &place.call("/resolve"), &KeepJson { keep })?;
    said(
        output,
        "resolved",
        &place.path,
        "Settled; the other versions stay in the history.",
    );
    Ok(())
}

/// A time as typed, made exact here: the person's clock and time zone count.
fn exact(text: String) -> Result<String, CliError> {
    let ms = time::parse_ms(&text).ok_or_else(|| {
        usage("that is not a time: use 2026-11-23T09:30:00Z, \"2026-11-23 09:30\" or \"2h ago\"")
    })?;
    Ok(time::format_ms(ms))
}

fn local(path: &Path, error: io::Error) -> CliError {
    CliError::Local(path.display().to_string(), error)
}

fn usage(text: &str) -> CliError {
    CliError::Usage(text.into())
}
