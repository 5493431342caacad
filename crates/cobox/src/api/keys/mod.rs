//! Calls about keys on paper: print them, check what was typed, begin from them.

mod drill;
mod sheet;

use crate::api::types::*;
use crate::api::{Api, ApiError, Body, blocking, events, spaces, time};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cobox_keys::access::{Address, SpaceRoot};
use cobox_keys::identity::Identity;
use cobox_keys::invite::Grant;
use cobox_keys::paper::{Named, PaperKey, Piece, WordHint, pieces};
use cobox_sheet::Paper;
use cobox_space::shelf::{Shelf, SpaceError};
use cobox_swarm::transport::Hint;
use serde_json::json;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest text that is looked at; a sheet with a hundred spaces has 200 KiB.
const MAX_TEXT: usize = 256 << 10;
const SUGGESTED_NAME: &str = "attachment; filename=\"cobox-paper-key.pdf\"";

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(backup))
        .routes(routes!(backed_up))
        .routes(routes!(check))
        .routes(routes!(restore))
        .routes(routes!(drill::drill))
}

/// The paper key: secret key and spaces as words and QR codes, to be printed
///
/// Whoever has it can do everything that you can. It is made in memory and not kept.
#[utoipa::path(get, path = "/keys/backup.pdf", tag = "keys", operation_id = "getPaperKey",
    params(
        ("paper" = Option<String>, Query, description = "`a4` (if missing) or `letter`"),
        ("roots" = Option<bool>, Query, description = "print the roots of spaces that we created, too"),
    ),
    responses((status = 200, description = "a PDF", content_type = "application/pdf", body = String)),
    extensions(("x-codes" = json!(["bad_request", "no_name"]))))]
pub async fn backup(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let paper = match value(&query, "paper").unwrap_or("a4") {
        "a4" => Paper::A4,
        "letter" => Paper::Letter,
        _ => return Err(ApiError::bad("paper", "paper is a4 or letter")),
    };
    let roots = match value(&query, "roots").unwrap_or("false") {
        "true" => true,
        "false" => false,
        _ => return Err(ApiError::bad("roots", "roots is true or false")),
    };
    let pdf = blocking(move || {
        // Before the sheet: what is added meanwhile counts as not on it.
        let spaces = api.shelf.spaces().into_iter();
        let printed = spaces.filter(|space| matches!(space.grant(), Grant::Write(_)));
        let printed: Vec<Address> = printed.map(|space| space.address()).collect();
        let sheet = sheet::of(&api.shelf, roots)?;
        let too_long = || ApiError::inside(&"a QR code would be too large");
        let pdf = sheet.pdf(paper).ok_or_else(too_long)?;
        note_backup(&api, &printed, time::now_ms());
        Ok::<_, ApiError>(pdf)
    });
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, SUGGESTED_NAME),
    ];
    // What is sent is wiped when it has been sent.
    let body = bytes::Bytes::from_owner(pdf.await?);
    Ok((headers, body).into_response())
}

/// Which of our keys are outside of this machine
///
/// As far as this program made the paper key or the file of keys; whether somebody still has them, nobody knows here.
#[utoipa::path(get, path = "/keys/backup", tag = "keys", operation_id = "getBackup",
    responses((status = 200, description = "when, and what is not in it", body = BackedUpJson)))]
pub async fn backed_up(State(api): State<Arc<Api>>) -> Result<Json<BackedUpJson>, ApiError> {
    let shape = blocking(move || Ok::<_, ApiError>(backed_up_json(&api.shelf)));
    shape.await.map(Json)
}

fn backed_up_json(shelf: &Shelf) -> BackedUpJson {
    let known = shelf.backed_up();
    let spaces = shelf.spaces().into_iter();
    let missing = spaces.filter(|space| known.missing.contains(&space.address()));
    BackedUpJson {
        made_at: known.made_ms.map(time::format_ms),
        missing: missing.map(|space| space.name()).collect(),
    }
}

/// Remembers that keys were put on paper or into a file, and tells those who follow. What was made is good also if that fails.
pub fn note_backup(api: &Api, of: &[Address], now_ms: u64) {
    if let Err(error) = api.shelf.note_backup(of, now_ms) {
        tracing::warn!(%error, "keys were backed up, which could not be noted");
        return;
    }
    let now = json!(backed_up_json(&api.shelf));
    events::tell(api, "keys/backup", String::new(), now);
}

fn value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .next()
}

/// What a typed or scanned paper key gives, with hints word by word; changes nothing
#[utoipa::path(post, path = "/keys/check", tag = "keys", operation_id = "checkPaperKey",
    request_body = PaperTextJson,
    responses((status = 200, description = "keys that are right, and what is wrong with the others", body = PaperCheckJson)),
    extensions(("x-codes" = json!(["bad_paper"]))))]
pub async fn check(
    State(api): State<Arc<Api>>,
    Body(typed): Body<PaperTextJson>,
) -> Result<Json<PaperCheckJson>, ApiError> {
    let checked = blocking(move || Found::read(&typed).map(|found| found.shape(&api.shelf)));
    checked.await.map(Json)
}

/// Begin from a paper key: be that person again, and get the spaces back
///
/// With a secret key in it, this home becomes that person's; it must not have spaces yet. Without one, the spaces are added
/// to who lives here. What is in them arrives as devices that have them are found.
#[utoipa::path(post, path = "/keys/restore", tag = "keys", operation_id = "restorePaperKey",
    request_body = PaperTextJson,
    responses((status = 201, description = "who we are, and what begins to come back", body = PaperRestoredJson)),
    extensions(("x-codes" = json!(["bad_paper", "bad_name", "no_name", "not_empty_home", "disk_full"]))))]
pub async fn restore(
    State(api): State<Arc<Api>>,
    Body(typed): Body<PaperTextJson>,
) -> Result<(StatusCode, Json<PaperRestoredJson>), ApiError> {
    let restored = blocking(move || {
        let found = Found::read(&typed)?;
        let is_whole = found.has_person();
        let restored = found.restore(&api.shelf, typed.name.as_deref())?;
        if is_whole {
            note_backup(&api, &[], time::now_ms()); // they hold it in their hands
        }
        Ok::<_, ApiError>(restored)
    });
    Ok((StatusCode::CREATED, Json(restored.await?)))
}

/// What was found in a text.
struct Found {
    keys: Vec<Named>,
    faults: Vec<PaperFaultJson>,
    peers: Vec<Hint>,
}

impl Found {
    fn read(typed: &PaperTextJson) -> Result<Self, ApiError> {
        if typed.text.len() > MAX_TEXT {
            return Err(bad(format!(
                "that is more than {MAX_TEXT} letters; nothing was done"
            )));
        }
        let (mut keys, mut faults, mut peers) = (Vec::new(), Vec::new(), Vec::new());
        for piece in pieces(&typed.text) {
            match piece {
                Piece::Key(named) => keys.push(named),
                Piece::Words(error) => faults.push(PaperFaultJson {
                    msg: error.to_string(),
                    words: error.hints().iter().map(hint).collect(),
                }),
                Piece::Code => faults.push(PaperFaultJson {
                    msg: "the text of a QR code was misread or cut; scan it again, or type the words beside it".into(),
                    words: Vec::new(),
                }),
                Piece::Hint(text) => peers.extend(text.parse::<Hint>().ok()),
            }
        }
        let wrong = |_| {
            let msg = "that is not a peer hint: use a line from the paper, or what `cobox status` prints on the other machine";
            ApiError::bad("peers", msg)
        };
        for text in &typed.peers {
            peers.push(text.trim().parse::<Hint>().map_err(wrong)?);
        }
        Ok(Self {
            keys,
            faults,
            peers,
        })
    }

    fn has_person(&self) -> bool {
        self.keys.iter().any(is_person)
    }

    fn shape(&self, shelf: &Shelf) -> PaperCheckJson {
        PaperCheckJson {
            keys: self.keys.iter().map(|named| shape(shelf, named)).collect(),
            faults: self.faults.clone(),
            peers: self.peers.iter().map(Hint::to_string).collect(),
        }
    }

    fn restore(self, shelf: &Shelf, name: Option<&str>) -> Result<PaperRestoredJson, ApiError> {
        if let Some(fault) = self.faults.first() {
            return Err(bad(format!("{}; nothing was done", fault.msg)));
        }
        if self.keys.is_empty() {
            return Err(bad(
                "there is no key in that: type the words, or paste the texts of QR codes",
            ));
        }
        let mut people = self.keys.iter().filter(|named| is_person(named));
        match (people.next(), people.next()) {
            (Some(_), Some(_)) => {
                return Err(bad("these are secret keys of two people; nothing was done"));
            }
            (Some(person), None) => become_person(shelf, person, name)?,
            (None, _) => be_somebody(shelf, name)?,
        }
        let (mut spaces, mut here) = (Vec::new(), Vec::new());
        for named in &self.keys {
            let PaperKey::Space { address, key } = &named.key else {
                continue;
            };
            let hints = named
                .hints
                .iter()
                .filter_map(|hint| hint.parse::<Hint>().ok());
            let hints: Vec<Hint> = hints.chain(self.peers.iter().cloned()).collect();
            if let Ok(space) = shelf.space(&address.to_string()) {
                // It may be waiting for just these peers.
                for hint in hints {
                    shelf.swarm().introduce(*address, hint);
                }
                match space.waits() {
                    true => spaces.push(spaces::short(&space)),
                    false => here.push(spaces::short(&space)),
                }
                continue;
            }
            let called = Some(named.name.as_str()).filter(|name| !name.is_empty());
            let head = named.head.clone();
            let space = shelf.recover(*address, key.clone(), called, &hints, head)?;
            spaces.push(spaces::short(&space));
        }
        Ok(PaperRestoredJson {
            public_key: shelf.public_key().to_string(),
            name: shelf.name().unwrap_or_default(),
            spaces,
            here,
        })
    }
}

fn is_person(named: &Named) -> bool {
    matches!(named.key, PaperKey::Person(_))
}

fn become_person(shelf: &Shelf, person: &Named, name: Option<&str>) -> Result<(), ApiError> {
    let PaperKey::Person(seed) = &person.key else {
        return Ok(());
    };
    let on_paper = Some(person.name.as_str()).filter(|name| !name.is_empty());
    Ok(shelf.become_person(Identity::from_seed(seed.expose()), name.or(on_paper))?)
}

/// Spaces alone are added to who lives here; others will want to know who that is.
fn be_somebody(shelf: &Shelf, name: Option<&str>) -> Result<(), SpaceError> {
    match (shelf.name(), name) {
        (Some(_), None) => Ok(()),
        (_, Some(name)) => shelf.set_name(name),
        (None, None) => Err(SpaceError::NoName),
    }
}

fn bad(msg: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_paper", msg)
}

fn shape(shelf: &Shelf, named: &Named) -> PaperKeyJson {
    let (kind, public_key, here) = match &named.key {
        PaperKey::Person(seed) => {
            let key = Identity::from_seed(seed.expose()).public_key();
            ("person", key.to_string(), key == shelf.public_key())
        }
        PaperKey::Space { address, .. } => {
            let address = address.to_string();
            let here = shelf.space(&address).is_ok();
            ("space", address, here)
        }
        PaperKey::Root(seed) => {
            let address = SpaceRoot::from_seed(seed.expose()).address().to_string();
            let here = shelf.space(&address).is_ok();
            ("root", address, here)
        }
    };
    PaperKeyJson {
        kind: kind.into(),
        name: named.name.clone(),
        public_key,
        here,
    }
}

fn hint(hint: &WordHint) -> WordHintJson {
    WordHintJson {
        at: hint.at,
        typed: hint.typed.clone(),
        offers: hint.offers.iter().map(|word| (*word).to_owned()).collect(),
        certain: hint.certain,
    }
}
