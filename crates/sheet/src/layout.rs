//! What stands where: for whom the sheet is and how to use it, each key with its words and its code, and at the end how it
//! is used without this program.

use zeroize::Zeroizing;

use crate::font::Style;
use crate::page::{LEADING, Pages};
use crate::{Key, Paper, Sheet, code};

/// Sides of QR codes, in points: 5 to 6.7 cm, and between them so large that a module is 0.55 mm, which a phone reads from a
/// hand's breadth away and a scanner with 150 dots per inch sees as three dots.
const SMALL: f32 = 142.0;
const LARGE: f32 = 190.0;
const MODULE: f32 = 0.55 * MM;
/// Points.
const MM: f32 = 72.0 / 25.4;
const TITLE: f32 = 12.5;
const WORD: f32 = 9.0;
const WORD_LEADING: f32 = 13.2;
const COLUMNS: usize = 4;
const TEXT: f32 = 9.5;
const SMALL_TEXT: f32 = 8.0;
/// So small that a device key with an address of any form fits on one line.
const FACT: f32 = 7.0;

const STEPS: &[&str] = &[
    "1. Install CoBox on a computer that is not yet used with it, and start it:  cobox up",
    "2. In a second window type:  cobox restore  and then the words below, or scan the square codes and paste what they say.",
    "3. Leave the computer on, connected, and near the devices named below if you can. Folders come back by themselves as soon as one of those devices is reached; one of them is enough.",
];

const CARE: &str = "Whoever has this paper can read and change these folders, and can speak in this person's name. Keep it like a passport: dry, away from the computer, and with nobody whom you would not give your house key. Do not photograph it. Print a new one when folders were added; destroy the old one.";

const UNPRINTED: &str = "(Its name has letters that cannot be printed here, shown as \"?\"; the square code has all of them.)";

const TYPING: &str = "Capitals do not matter, and the first four letters of a word are enough. The last four words of each key check the others: a wrong, missing or misplaced word is found, and never opens something else.";

const WITHOUT: &[&str] = &[
    "Should CoBox no longer exist, any programmer can read what is stored, with the free library libsodium and this paper:",
    "The words are those of BIP 39 (English), each a number from 0 to 2047, 11 bits. Each 24 words are 264 bits: 256 bits of key, then 8 bits of checksum (first byte of SHA-256 of the key). Words 1 to 24 of a secret key are the seed of an Ed25519 pair (crypto_sign_seed_keypair gives the public key above). Of a space, words 1 to 24 are its address and words 25 to 48 its encryption key. The last four words only check the others.",
    "The read key of a space is crypto_kdf_derive_from_key(32 bytes, id 0, context \"cboxread\", encryption key). The key of one feed's blocks is crypto_generichash(32 bytes, message \"cobox/1/block key\", a zero byte, the feed's 32-byte key; keyed with the read key). A stored block is a 24-byte nonce and what crypto_secretbox_open_easy opens. Feeds are those of hypercore 11. What the opened blocks say is written down in the file docs/format.md of CoBox, as is everything else.",
    "A square code says COBOX1: and then, in base32 (RFC 4648): 1, kind (1 secret key, 2 space, 3 root), the same 32 or 64 bytes, name and hints, each behind its length, how far the folder was written, and 8 bytes of checksum.",
];

/// The whole document. `None` if a code is too long.
pub(crate) fn document(sheet: &Sheet, paper: Paper) -> Option<Zeroizing<Vec<u8>>> {
    let mut pages = Pages::new(paper)?;
    head(&mut pages, sheet);
    for key in &sheet.keys {
        section(&mut pages, key)?;
    }
    without(&mut pages);
    let title = format!("Paper key of {}", sheet.person);
    let foot = format!("{title} · {}", sheet.date);
    Some(pages.finish(&title, &foot))
}

fn head(pages: &mut Pages, sheet: &Sheet) {
    let width = pages.width();
    let title = format!("Paper key of {}", sheet.person);
    pages.text(Style::Bold, 19.0, 0.0, width, &title);
    pages.skip(4.0);
    let printed = format!("Printed on {}. Public key (safe to show):", sheet.date);
    pages.text(Style::Plain, TEXT, 0.0, width, &printed);
    pages.text(Style::Mono, SMALL_TEXT, 0.0, width, &sheet.public_key);
    pages.skip(6.0);
    pages.text(Style::Plain, TEXT, 0.0, width, CARE);
    pages.skip(8.0);
    pages.text(
        Style::Bold,
        11.0,
        0.0,
        width,
        "If the computer is lost or broken",
    );
    for step in STEPS {
        pages.skip(1.5);
        pages.text(Style::Plain, TEXT, 0.0, width, step);
    }
    pages.skip(4.0);
    pages.text(Style::Plain, TEXT, 0.0, width, TYPING);
    pages.skip(4.0);
}

fn section(pages: &mut Pages, key: &Key) -> Option<()> {
    let width = pages.width();
    let side = side(&key.code)?;
    pages.need(height(pages, key, side));
    pages.skip(8.0);
    pages.rule();
    pages.skip(4.0);
    pages.line(Style::Bold, TITLE, &key.title);
    pages.text(Style::Plain, TEXT, 0.0, width, &about(pages, key));
    for (name, fact) in &key.facts {
        pages.skip(2.0);
        pages.text(Style::Plain, SMALL_TEXT, 0.0, width, name);
        for line in fact.lines() {
            pages.text(Style::Mono, FACT, 10.0, width, line);
        }
    }
    pages.skip(6.0);
    let top = pages.y();
    pages.code(&key.code, top + 4.0, side)?;
    let room = (width - side) / COLUMNS as f32;
    let rows = key.words.len().div_ceil(COLUMNS);
    for (at, word) in key.words.iter().enumerate() {
        let (column, row) = (at / rows, at % rows);
        let y = top - (row + 1) as f32 * WORD_LEADING;
        let text = Zeroizing::new(format!("{} {word}", at + 1));
        let indent = if at < 9 { WORD * 0.602 } else { 0.0 }; // one letter of the fixed width
        pages.put(Style::Mono, WORD, column as f32 * room + indent, y, &text);
    }
    let lower = (rows as f32 * WORD_LEADING).max(side);
    pages.go_to(top - lower - 4.0);
    Some(())
}

fn side(text: &str) -> Option<f32> {
    Some((code::modules(text)? as f32 * MODULE).clamp(SMALL, LARGE))
}

/// Also why a title has question marks in it.
fn about(pages: &Pages, key: &Key) -> String {
    match pages.knows(Style::Bold, &key.title) {
        true => key.about.clone(),
        false => format!("{} {UNPRINTED}", key.about),
    }
}

/// A key is not torn apart by the end of a page.
fn height(pages: &Pages, key: &Key, side: f32) -> f32 {
    let width = pages.width();
    let fact = |(name, fact): &(String, String)| {
        let lines = fact.lines();
        let lines = lines.map(|line| pages.height(Style::Mono, FACT, width - 10.0, line));
        2.0 + pages.height(Style::Plain, SMALL_TEXT, width, name) + lines.sum::<f32>()
    };
    let rows = key.words.len().div_ceil(COLUMNS) as f32;
    24.0 + TITLE * LEADING
        + pages.height(Style::Plain, TEXT, width, &about(pages, key))
        + key.facts.iter().map(fact).sum::<f32>()
        + side.max(rows * WORD_LEADING)
}

fn without(pages: &mut Pages) {
    let width = pages.width();
    let texts = WITHOUT.iter();
    let heights = texts.map(|text| pages.height(Style::Plain, SMALL_TEXT, width, text) + 3.0);
    pages.need(heights.sum::<f32>() + 40.0);
    pages.skip(10.0);
    pages.rule();
    pages.skip(4.0);
    pages.text(Style::Bold, 11.0, 0.0, width, "Without CoBox");
    for text in WITHOUT {
        pages.skip(3.0);
        pages.text(Style::Plain, SMALL_TEXT, 0.0, width, text);
    }
    pages.skip(SMALL_TEXT * LEADING);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person; a space that nobody keeps, one that a hub keeps; the most that is printed: a name of 255 bytes and two peers with
    /// three long addresses each.
    #[test]
    fn modules_of_codes_are_large_enough_for_phones_and_scanners() {
        for (letters, millimetres) in [(90, 0.75), (310, 0.55), (500, 0.55), (1330, 0.45)] {
            let text = format!("COBOX1:{}", "A7".repeat(letters / 2));
            let module = side(&text).unwrap() / code::modules(&text).unwrap() as f32 / MM;
            assert!(module > millimetres - 0.001, "{letters}: {module} mm");
        }
    }
}
