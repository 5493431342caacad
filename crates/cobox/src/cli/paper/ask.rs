//! Asks a person at a terminal for the keys on their paper, one after the other, and for single words again.
//!
//! What is typed is shown: 52 words cannot be typed blindly. Nothing is changed until all of it is right.

use crate::api::types::*;
use crate::cli::CliError;
use crate::cli::output::printable;
use crate::client::Client;
use std::io::{self, BufRead};
use ureq::http::Method;
use zeroize::Zeroizing;

/// Numbers of words that a key has.
const LENGTHS: [usize; 2] = [28, 52];
const MAX_LINE: u64 = 64 << 10;

/// Everything that was typed, with its faults mended.
pub(super) fn keys(client: &Client) -> Result<Zeroizing<String>, CliError> {
    eprintln!(
        "Type the words of one key, or paste the text of a QR code; lines with peers (KEY@ADDRESS) too."
    );
    eprintln!(
        "First the secret key, then each space. Capitals do not matter, and four letters of a word are enough."
    );
    eprintln!("An empty line ends a key; one more ends it all. Nothing is changed before that.");
    let mut all = Zeroizing::new(String::new());
    let mut found = 0;
    loop {
        eprintln!();
        eprintln!("Key {} (or an empty line, if that was all):", found + 1);
        let typed = block()?;
        if typed.trim().is_empty() {
            return Ok(all);
        }
        if let Some(right) = mended(client, typed)? {
            found += 1;
            all.push_str(&right);
            all.push_str("\n\n");
        }
    }
}

/// Lines up to an empty one, or until they are a whole key.
fn block() -> Result<Zeroizing<String>, CliError> {
    let mut block = Zeroizing::new(String::with_capacity(4096));
    loop {
        let line = line()?;
        if line.trim().is_empty() {
            return Ok(block);
        }
        block.push_str(&line);
        block.push('\n');
        let words = block
            .split_whitespace()
            .filter(|token| token.bytes().all(|b| b.is_ascii_alphabetic()));
        let is_code = line.trim().to_ascii_uppercase().starts_with("COBOX1:");
        if is_code || LENGTHS[1] == words.clone().count() {
            return Ok(block);
        }
        // A person's key is whole with 28 words; a space's goes on. Only the check words know.
        if words.clone().count() == LENGTHS[0] && is_whole(&words.collect::<Vec<_>>()) {
            return Ok(block);
        }
    }
}

fn is_whole(words: &[&str]) -> bool {
    cobox_keys::paper::PaperKey::from_words(words).is_ok()
}

fn line() -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    let failed = |error| CliError::Local("standard input".into(), error);
    io::Read::take(io::stdin().lock(), MAX_LINE)
        .read_line(&mut text)
        .map_err(failed)?;
    Ok(text)
}

/// What is right of it, after asking for what is not; `None` if it is to be typed again.
fn mended(
    client: &Client,
    mut typed: Zeroizing<String>,
) -> Result<Option<Zeroizing<String>>, CliError> {
    loop {
        let checked = check(client, &typed)?;
        let Some(fault) = checked.faults.first() else {
            checked.keys.iter().for_each(tell);
            if checked.keys.is_empty() && checked.peers.is_empty() {
                eprintln!("There is no key in that. Type the words as they stand on the paper.");
                return Ok(None);
            }
            return Ok(Some(typed));
        };
        eprintln!("{}", printable(&fault.msg));
        let asked = asked_again(&typed, fault)?;
        match asked {
            Some(better) => typed = better,
            None => {
                eprintln!("Type this key again.");
                return Ok(None);
            }
        }
    }
}

fn check(client: &Client, typed: &str) -> Result<PaperCheckJson, CliError> {
    let request = PaperTextJson {
        text: typed.to_owned(),
        name: None,
        peers: Vec::new(),
    };
    Ok(client.call(Method::POST, "/keys/check", &request)?)
}

fn tell(key: &PaperKeyJson) {
    let what = match key.kind.as_str() {
        "person" => "That is the secret key that belongs to the public key",
        "space" => "That is the space at the address",
        _ => "That is the root of the space at the address (it is not needed for restoring)",
    };
    let name = match key.name.as_str() {
        "" => String::new(),
        name => format!(" ({})", printable(name)),
    };
    eprintln!(
        "{what}\n  {}{name}\nCompare it with the paper.",
        key.public_key
    );
}

/// The words with those replaced that were asked for; `None` if that cannot be done word by word.
fn asked_again(typed: &str, fault: &PaperFaultJson) -> Result<Option<Zeroizing<String>>, CliError> {
    if fault.words.is_empty() {
        return Ok(None);
    }
    let letters = typed
        .split_whitespace()
        .filter(|token| token.bytes().any(|b| b.is_ascii_alphabetic()));
    let mut words: Vec<Zeroizing<String>> = letters
        .map(|word| Zeroizing::new(word.to_owned()))
        .collect();
    for hint in &fault.words {
        let place = hint.at.saturating_sub(1);
        let is_spare = hint.certain && hint.offers.is_empty();
        let is_missing =
            hint.typed.is_empty() && words.len() != LENGTHS[0] && words.len() != LENGTHS[1];
        if place > words.len() || (place == words.len() && !is_missing) {
            return Ok(None);
        }
        if is_spare {
            words.remove(place);
            continue;
        }
        let word = ask_for(hint)?;
        if is_missing {
            words.insert(place, word);
        } else {
            words[place] = word;
        }
    }
    let mut text = Zeroizing::new(String::with_capacity(typed.len() + 64));
    for word in words {
        text.push_str(&word);
        text.push(' ');
    }
    Ok(Some(text))
}

fn ask_for(hint: &WordHintJson) -> Result<Zeroizing<String>, CliError> {
    let offer = hint
        .offers
        .first()
        .filter(|_| hint.certain || hint.offers.len() == 1);
    match offer {
        Some(word) => eprint!("Word {} [{word}, if the paper says so: Enter]: ", hint.at),
        None => eprint!("Word {}: ", hint.at),
    }
    let answer = Zeroizing::new(line()?.trim().to_owned());
    match (answer.is_empty(), offer) {
        (true, Some(word)) => Ok(Zeroizing::new(word.clone())),
        (true, None) => Err(CliError::Usage("nothing was changed".into())),
        (false, _) => Ok(answer),
    }
}
