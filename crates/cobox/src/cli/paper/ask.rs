//! Asks a person at a terminal for the keys on their paper, one after the other, and for single words again.
//!
//! What is typed is shown: 52 words cannot be typed blindly. Nothing is changed until all of it is right.

use crate::api::types::*;
use crate::cli::CliError;
use crate::cli::output::printable;
use crate::client::Client;
use cobox_keys::paper::PaperKey;
use std::io::{self, BufRead};
use std::time::{Duration, Instant};
use ureq::http::Method;
use zeroize::Zeroizing;

/// Numbers of words that a key has.
const LENGTHS: [usize; 2] = [28, 52];
const MAX_LINE: u64 = 64 << 10;
/// Within so long the next line of something pasted is there.
const PASTED: Duration = Duration::from_millis(60);

/// Everything that was typed, with its faults mended.
pub(super) fn keys(client: &Client) -> Result<Zeroizing<String>, CliError> {
    eprintln!(
        "Type the words of one key, or paste the text of a QR code; lines with peers (KEY@ADDRESS) too."
    );
    eprintln!(
        "First the secret key, then each space. Capitals do not matter, and four letters of a word are enough."
    );
    eprintln!("An empty line ends a key; one more ends it all. Nothing is changed before that.");
    let mut all = Zeroizing::new(String::with_capacity(super::MAX_TEXT as usize));
    let mut found = 0;
    loop {
        eprintln!();
        eprintln!("Key {} (or an empty line, if that was all):", found + 1);
        let typed = block()?;
        if typed.trim().is_empty() {
            return Ok(all);
        }
        if let Some((right, keys)) = mended(client, typed)? {
            found += keys;
            all.push_str(&right);
            all.push_str("\n\n");
        }
    }
}

/// Lines up to an empty one, or until they are a whole key. What is pasted stays together, with its empty lines.
fn block() -> Result<Zeroizing<String>, CliError> {
    let mut block = Zeroizing::new(String::with_capacity(super::MAX_TEXT as usize));
    loop {
        let line = line()?;
        block.push_str(&line);
        let has_room = block.len() as u64 + MAX_LINE < super::MAX_TEXT;
        if has_room && more_follows() {
            continue;
        }
        if line.trim().is_empty() || is_complete(&block) || !has_room {
            return Ok(block);
        }
    }
}

/// A terminal gives one line at a time; nobody types the next one as fast as it comes of a paste.
fn more_follows() -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PASTED {
        if rustix::io::ioctl_fionread(io::stdin()).is_ok_and(|waiting| waiting > 0) {
            return true;
        }
        std::thread::sleep(PASTED / 6);
    }
    false
}

fn is_complete(block: &str) -> bool {
    let last = block.lines().last().unwrap_or_default();
    let is_code = last.trim().to_ascii_uppercase().starts_with("COBOX1:");
    let words = block.split_whitespace();
    let words = words.filter(|token| token.bytes().all(|b| b.is_ascii_alphabetic()));
    let words: Vec<&str> = words.collect();
    is_code || words.len() == LENGTHS[1] || (words.len() == LENGTHS[0] && is_person(&words))
}

/// A secret key ends with 28 words, a space goes on: only the check words know, also where a word or two are wrong.
fn is_person(words: &[&str]) -> bool {
    match PaperKey::from_words(words) {
        Ok(_) => true,
        Err(error) => {
            let mut hints = error.hints().iter();
            hints.len() > 0 && hints.all(|hint| hint.certain)
        }
    }
}

/// One line. The end of the input is no answer: who leaves wants nothing done.
fn line() -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    let failed = |error| CliError::Local("standard input".into(), error);
    let read = io::Read::take(io::stdin().lock(), MAX_LINE)
        .read_line(&mut text)
        .map_err(failed)?;
    match read {
        0 => Err(CliError::Usage("nothing was changed".into())),
        _ => Ok(text),
    }
}

/// What is right of it with the number of keys, after asking for what is not; `None` if it is to be typed again.
fn mended(
    client: &Client,
    mut typed: Zeroizing<String>,
) -> Result<Option<(Zeroizing<String>, usize)>, CliError> {
    loop {
        let checked = check(client, &typed)?;
        let Some(fault) = checked.faults.first() else {
            checked.keys.iter().for_each(tell);
            if checked.keys.is_empty() && checked.peers.is_empty() {
                eprintln!("There is no key in that. Type the words as they stand on the paper.");
                return Ok(None);
            }
            return Ok(Some((typed, checked.keys.len())));
        };
        for fault in &checked.faults {
            eprintln!("{}", printable(&fault.msg));
        }
        // Words are asked for one by one only where it is clear of which key they are.
        let is_one = checked.faults.len() + checked.keys.len() == 1;
        let better = match is_one {
            true => asked_again(&typed, fault)?,
            false => None,
        };
        match better {
            Some(better) => typed = better,
            None => {
                let again = if is_one {
                    "Type this key again."
                } else {
                    "None of these was taken. Type one key after the other."
                };
                eprintln!("{again}");
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
