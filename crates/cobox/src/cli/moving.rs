//! `export-keys` and `import-keys`: a person moves to a new machine with one sealed file.

use crate::api::moving::{MAX_FILE, imported, open};
use crate::api::types::{ImportKeysJson, ImportedKeysJson, PassphraseJson};
use crate::cli::output::{Output, count, printable};
use crate::cli::password::{ask, ask_twice};
use crate::cli::{CliError, Done};
use crate::client::{Client, ClientError};
use crate::config::Home;
use crate::settings;
use cobox_space::shelf::Luggage;
use data_encoding::BASE64;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use ureq::http::Method;

/// `cobox export-keys FILE`
pub fn export(client: &Client, path: &Path, output: &Output) -> Result<Done, CliError> {
    let passphrase = ask_twice("Passphrase for the file: ")?;
    let failed = |error| CliError::Local(path.display().to_string(), error);
    let mut file = new_file(path).map_err(failed)?;
    let exported = exported(client, &passphrase).and_then(|sealed| {
        let written = file.write_all(&sealed).and_then(|()| file.sync_all());
        written.map_err(failed)
    });
    if exported.is_err() {
        let _ = std::fs::remove_file(path); // nothing is in it yet
    }
    exported?;
    output.result(&json!({ "file": path }), |_| {
        format!(
            "Everything that is needed to move is in {}, sealed with the passphrase: whoever has both is you.\nOn the new machine, with this cobox: cobox import-keys FILE",
            printable(&path.display().to_string())
        )
    });
    Ok(Done::Fully)
}

fn exported(client: &Client, passphrase: &str) -> Result<Vec<u8>, CliError> {
    let request = PassphraseJson {
        passphrase: passphrase.to_owned(),
    };
    let body = serde_json::to_vec(&request).map_err(|error| failed_local(error.into()))?;
    let mut sealed = Vec::new();
    let answer = client.post_bytes("/keys/export", &body)?;
    let read = answer.take(MAX_FILE as u64).read_to_end(&mut sealed);
    read.map_err(|error| ClientError::Broken(error.to_string()))?;
    Ok(sealed)
}

fn failed_local(error: io::Error) -> CliError {
    CliError::Local("the request".into(), error)
}

/// Never over another file, and for its owner only.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// `cobox import-keys FILE`: by the running program, or into a home where none runs.
pub fn import(home: &Home, path: &Path, output: &Output) -> Result<Done, CliError> {
    let file = read(path).map_err(|error| CliError::Local(path.display().to_string(), error))?;
    let passphrase = ask("Passphrase of the file: ")?;
    let moved_in = match Client::connect(home) {
        Ok(client) => {
            let request = ImportKeysJson {
                file: BASE64.encode(&file),
                passphrase: passphrase.to_string(),
            };
            client.call(Method::POST, "/keys/import", &request)?
        }
        Err(ClientError::NotRunning(_)) => into_home(home, &file, &passphrase)?,
        Err(other) => return Err(other.into()),
    };
    output.result(&moved_in, |who| text(who, output));
    Ok(Done::Fully)
}

fn into_home(home: &Home, file: &[u8], passphrase: &str) -> Result<ImportedKeysJson, CliError> {
    let luggage = Luggage::unpack(&open(file, passphrase)?)?;
    home.create()?;
    luggage.move_in(home.path())?;
    settings::take_over(home, luggage.settings())?;
    Ok(imported(&luggage))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = Vec::new();
    File::open(path)?
        .take(MAX_FILE as u64)
        .read_to_end(&mut file)?;
    Ok(file)
}

fn text(who: &ImportedKeysJson, output: &Output) -> String {
    format!(
        "This home is {}'s now, as a further device with writer keys of its own.\n  public key  {}\n  spaces      {}, fetched from other members and replicators as they are met\n  copies      {} for others\nHere is no password yet: set one with cobox password set. If you have left the old machine for good, remove its home there.",
        output.accent(&printable(&who.name)),
        who.public_key,
        count(who.spaces, "space", "spaces"),
        who.replicas,
    )
}
