//! Calls that take a person to a new machine: everything needed, as one file sealed with a passphrase (age format).
//!
//! Not its job: what is in it (`cobox_space`), and paper.

use crate::api::types::{ImportKeysJson, ImportedKeysJson, PassphraseJson};
use crate::api::{Api, ApiError, Body, Next, blocking, keys, time};
use crate::config::Home;
use crate::settings;
use age::secrecy::SecretString;
use age::{DecryptError, scrypt};
use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cobox_keys::access::Address;
use cobox_keys::password::is_acceptable;
use cobox_space::shelf::{Luggage, SpaceError};
use data_encoding::BASE64;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

/// Largest file that is taken: the list of a hub with its names fits.
pub const MAX_FILE: usize = 96 << 20;
/// The passphrase's cost, as a power of two: a second and 128 MiB.
const WORK: u8 = 17;
/// The most that a file may ask for.
const MOST_WORK: u8 = 20;
/// Bytes of a file's head at most. Ours has one recipient; each further one is work, and a quarter of a MiB of them took half a minute.
const MAX_HEAD: usize = 4096;

/// Why a file of keys cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It would be guessed.
    #[error("a passphrase has at least 8 characters; nothing was done")]
    BadPassphrase,
    /// Wrong passphrase, or altered.
    #[error(
        "the file does not open: the passphrase is another one, or the file was altered; nothing was changed"
    )]
    Shut,
    /// Something else.
    #[error("this is no file of keys, or not one made here: {0}; nothing was changed")]
    NotOne(String),
    /// Sealing failed.
    #[error("the keys could not be sealed: {0}")]
    Unsealed(String),
}

/// Seals luggage with a passphrase.
pub fn seal(luggage: &[u8], passphrase: &str) -> Result<Vec<u8>, KeyFileError> {
    if !is_acceptable(passphrase) {
        return Err(KeyFileError::BadPassphrase);
    }
    seal_with(luggage, passphrase, WORK)
}

fn seal_with(luggage: &[u8], passphrase: &str, work: u8) -> Result<Vec<u8>, KeyFileError> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(work);
    let sealed = age::encrypt(&recipient, luggage);
    sealed.map_err(|error| KeyFileError::Unsealed(error.to_string()))
}

/// Opens a file that [`seal`] made, or `age -d` could.
pub fn open(file: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let start = &file[..file.len().min(MAX_HEAD)];
    if !start.windows(5).any(|part| part == b"\n--- ") {
        return Err(KeyFileError::NotOne("it has no head of one".into()));
    }
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(MOST_WORK);
    let opened = age::decrypt(&identity, file).map(Zeroizing::new);
    opened.map_err(|error| match error {
        DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed
        | DecryptError::InvalidMac
        | DecryptError::Io(_) => KeyFileError::Shut,
        other => KeyFileError::NotOne(other.to_string()),
    })
}

impl From<KeyFileError> for ApiError {
    fn from(error: KeyFileError) -> Self {
        let (status, code) = match error {
            KeyFileError::BadPassphrase => (StatusCode::BAD_REQUEST, "bad_password"),
            KeyFileError::Shut => (StatusCode::BAD_REQUEST, "wrong_passphrase"),
            KeyFileError::NotOne(_) => (StatusCode::BAD_REQUEST, "bad_export"),
            KeyFileError::Unsealed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        Self::new(status, code, error.to_string())
    }
}

/// The call with a small body,
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(export))
}

/// and the one that takes a file.
pub fn large_routes() -> OpenApiRouter<Arc<Api>> {
    let limit = DefaultBodyLimit::max(MAX_FILE / 3 * 4 + 4096);
    OpenApiRouter::new().routes(routes!(import)).layer(limit)
}

/// Everything that is needed to move to a new machine, as one file
///
/// Identity, spaces with their keys, devices, copies for others and settings, sealed with the passphrase in the age format.
/// Whoever has file and passphrase is you.
#[utoipa::path(post, path = "/keys/export", tag = "keys", operation_id = "exportKeys",
    request_body = PassphraseJson,
    responses((status = 200, description = "the file", content_type = "application/octet-stream", body = String)),
    extensions(("x-codes" = json!(["bad_password"]))))]
async fn export(
    State(api): State<Arc<Api>>,
    Body(given): Body<PassphraseJson>,
) -> Result<Response, ApiError> {
    let passphrase = Zeroizing::new(given.passphrase);
    let sealed = blocking(move || {
        // Settings are a convenience: keys move also from a home whose file of settings is wrong.
        let home = Home::resolve(Some(api.home.clone().into()));
        let settings = home.ok().and_then(|home| settings::portable(&home).ok());
        let spaces = api.shelf.spaces().into_iter();
        let packed: Vec<Address> = spaces.map(|space| space.address()).collect();
        let now = time::now_ms();
        let luggage = api.shelf.luggage(&settings.unwrap_or_default(), now);
        let sealed = seal(&luggage, &passphrase)?;
        keys::note_backup(&api, &packed, now);
        Ok::<_, ApiError>(sealed)
    });
    let kind = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"cobox-keys.age\"",
        ),
    ];
    Ok((kind, sealed.await?).into_response())
}

/// Move in: become the person of such a file, on this machine as a further device
///
/// Only where nobody has said who they are and there are no spaces yet. The program begins anew; what the spaces hold is
/// fetched from other members and replicators.
#[utoipa::path(post, path = "/keys/import", tag = "keys", operation_id = "importKeys",
    request_body = ImportKeysJson,
    responses((status = 202, description = "the program begins anew as this person", body = ImportedKeysJson)),
    extensions(("x-codes" = json!(["wrong_passphrase", "bad_export", "inhabited"]))))]
async fn import(
    State(api): State<Arc<Api>>,
    Body(given): Body<ImportKeysJson>,
) -> Result<(StatusCode, Json<ImportedKeysJson>), ApiError> {
    let of = api.clone();
    let luggage = blocking(move || {
        let passphrase = Zeroizing::new(given.passphrase);
        if !of.shelf.is_uninhabited() {
            return Err(ApiError::from(SpaceError::Inhabited));
        }
        let file = BASE64.decode(given.file.as_bytes());
        let file = file.map_err(|error| ApiError::bad("file", error.to_string()))?;
        Ok(Luggage::unpack(&open(&file, &passphrase)?)?)
    });
    let luggage = luggage.await?;
    let imported = imported(&luggage);
    api.end(Next::MoveIn(Box::new(luggage)));
    Ok((StatusCode::ACCEPTED, Json(imported)))
}

/// What is told of luggage.
pub fn imported(luggage: &Luggage) -> ImportedKeysJson {
    let (spaces, replicas) = luggage.counts();
    ImportedKeysJson {
        name: luggage.name().unwrap_or_default().to_owned(),
        public_key: luggage.public_key().to_string(),
        spaces: spaces as u64,
        replicas: replicas as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_by_its_passphrase_only_and_unaltered_only() {
        let sealed = seal(b"secret things", "correct horse").unwrap();
        assert!(sealed.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(**open(&sealed, "correct horse").unwrap(), *b"secret things");
        assert!(matches!(
            open(&sealed, "wrong horse"),
            Err(KeyFileError::Shut)
        ));
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(matches!(
            open(&altered, "correct horse"),
            Err(KeyFileError::Shut)
        ));
        assert!(matches!(
            open(b"hello", "correct horse"),
            Err(KeyFileError::NotOne(_))
        ));
        let dear = String::from_utf8_lossy(&sealed[..60]).replacen(" 17\n", " 30\n", 1);
        let dear = [dear.as_bytes(), &sealed[60..]].concat();
        assert!(matches!(
            open(&dear, "correct horse"),
            Err(KeyFileError::NotOne(_))
        ));
        assert!(matches!(
            seal(b"", "short"),
            Err(KeyFileError::BadPassphrase)
        ));
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_does_not_open() {
        let things: Vec<u8> = (0..70_000_u32).map(|n| n as u8).collect();
        let whole = seal_with(&things, "correct horse", 1).unwrap();
        assert_eq!(**open(&whole, "correct horse").unwrap(), things);
        // All of the head, the edges of the two pieces of the body, and places in between.
        let near = |place: usize| place.saturating_sub(20)..(place + 20).min(whole.len());
        let places = (0..400).chain(near(65_752)).chain(near(whole.len()));
        for at in places.chain((400..whole.len()).step_by(997)) {
            let cut = open(&whole[..at], "correct horse");
            assert!(cut.is_err(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            let opened = open(&changed, "correct horse");
            assert!(opened.is_err(), "changed at {at}");
        }
        let more = [&whole[..], b"x"].concat();
        assert!(open(&more, "correct horse").is_err());
    }

    /// Whoever sends one must not be able to end the program, or to keep it busy.
    #[test]
    fn large_files_that_are_none_are_refused_soon() {
        const LARGE: usize = 8 << 20;
        let head = b"age-encryption.org/v1\n".to_vec();
        let filled = |part: &[u8]| [&head[..], &part.repeat(LARGE / part.len())].concat();
        let begun = std::time::Instant::now();
        for large in [
            vec![0; LARGE],
            filled(b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n"),
            filled(b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"),
            filled(b"a"),
            filled(b"-> a "),
            filled(b"\n"),
        ] {
            let refused = open(&large, "correct horse");
            assert!(matches!(refused, Err(KeyFileError::NotOne(_) | KeyFileError::Shut)));
        }
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    }
}
