//! Finds keys in what somebody typed or pasted: QR texts, blocks of words, with or without the numbers they were
//! printed with, among whatever else stands on the sheet.
//!
//! A line counts as words if it consists of numbers and words in turn, and as QR texts if it has nothing else; words
//! without any numbers are one block, or one per paragraph. Not its job: whether the words are right.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::code::{Named, PREFIX};
use super::words::{WordsError, is_word};
use super::{PaperKey, PaperKind};

/// Lines of text that are looked at, and letters of each.
const MAX_LINES: usize = 20_000;
const MAX_LINE: usize = 32 * 1024;
/// Blocks found in one text.
const MAX_PIECES: usize = 2_000;
/// What `zbarimg` says before the text of a QR code.
const SCANNED: &str = "QR-Code:";
/// Words of one block; longer ones have no right number anyway.
const MAX_WORDS: usize = 256;

/// Something found.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// a key, from words or a QR text (only that has a name and hints)
    Key(Named),
    /// words that give no key, and why
    Words(WordsError),
    /// a QR text that was misread or cut
    Code,
    /// what may be a hint: a word with an @ in it
    Hint(String),
}

/// A block on its way: numbered words by number, or words in order.
#[derive(Default)]
struct Block {
    numbered: BTreeMap<usize, Zeroizing<String>>,
    plain: Vec<Zeroizing<String>>,
}

/// Everything in a text, in order.
pub fn pieces(text: &str) -> Vec<Piece> {
    let lines = text
        .lines()
        .take(MAX_LINES)
        .filter(|line| line.len() <= MAX_LINE);
    let lines: Vec<&str> = lines.collect();
    let has_numbers = lines.iter().any(|line| numbered(line).is_some());
    let mut found = Vec::new();
    let mut block = Block::default();
    let mut paragraphs: Vec<Block> = Vec::new();
    for line in lines {
        if let Some(words) = numbered(line) {
            for (number, word) in words {
                if block.numbered.contains_key(&number) {
                    found.extend(std::mem::take(&mut block).piece());
                }
                block.numbered.insert(number, word);
            }
            continue;
        }
        let is_of_codes = line.split_whitespace().all(|token| code(token).is_some());
        for token in line.split_whitespace() {
            match code(token).filter(|_| is_of_codes) {
                Some(code) => found.push(Named::read(code).map_or(Piece::Code, Piece::Key)),
                None if token.contains('@') => found.push(hint(token)),
                None if !has_numbers => block.add_plain(token),
                None => {}
            }
        }
        if line.trim().is_empty() && !block.plain.is_empty() {
            paragraphs.push(std::mem::take(&mut block));
        }
    }
    if !block.plain.is_empty() {
        paragraphs.push(std::mem::take(&mut block));
    }
    found.extend(block.piece());
    found.extend(of_paragraphs(paragraphs));
    found.truncate(MAX_PIECES);
    found
}

/// A key may be typed with empty lines in it, and several may stand below each other.
fn of_paragraphs(paragraphs: Vec<Block>) -> Vec<Piece> {
    let count: usize = paragraphs.iter().map(|block| block.plain.len()).sum();
    let is_one_key = PaperKind::ALL
        .iter()
        .any(|kind| kind.bytes() / 32 * 24 + 4 == count);
    if !is_one_key {
        return paragraphs.into_iter().filter_map(Block::piece).collect();
    }
    let plain = paragraphs.into_iter().flat_map(|block| block.plain);
    let all = Block {
        plain: plain.collect(),
        ..Block::default()
    };
    all.piece().into_iter().collect()
}

/// A token that may be a QR text, without what some scanners put before it. The prefix by itself is how a sheet speaks of
/// codes. Only lines of nothing else count: whoever names a space shall not spoil the sheets of others by that.
fn code(token: &str) -> Option<&str> {
    let begins = |text: &str, with: &str| {
        let start = text.get(..with.len());
        text.len() > with.len() && start.is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let token = if begins(token, SCANNED) {
        &token[SCANNED.len()..]
    } else {
        token
    };
    begins(token, PREFIX).then_some(token)
}

fn hint(token: &str) -> Piece {
    Piece::Hint(token.trim_matches(|c| ",;".contains(c)).to_owned())
}

/// The words of a line that consists of numbers and words in turn, as printed: `1 abandon 2. ability`.
fn numbered(line: &str) -> Option<Vec<(usize, Zeroizing<String>)>> {
    let mut words = Vec::new();
    let mut tokens = line.split_whitespace();
    while let Some(number) = tokens.next() {
        let digits = number.trim_end_matches(['.', ')', ':']);
        let number: usize = digits.parse().ok()?;
        let word = tokens.next()?;
        let is_letters = word.bytes().all(|byte| byte.is_ascii_alphabetic());
        if number == 0 || number > MAX_WORDS || !is_letters {
            return None;
        }
        words.push((number, Zeroizing::new(word.to_ascii_lowercase())));
    }
    // A line such as "1 of" on a sheet is no word of a key, unless it stands among others.
    let is_key = words.len() > 1
        || words
            .iter()
            .any(|(_, word)| word.len() > 2 || is_word(word));
    (is_key && !words.is_empty()).then_some(words)
}

impl Block {
    fn add_plain(&mut self, token: &str) {
        let letters = token.trim_matches(|c: char| !c.is_ascii_alphabetic());
        if !letters.is_empty() && self.plain.len() < MAX_WORDS {
            self.plain
                .push(Zeroizing::new(letters.to_ascii_lowercase()));
        }
    }

    /// What it is; `None` if there is nothing in it.
    fn piece(self) -> Option<Piece> {
        let words = match self.numbered.last_key_value() {
            Some((last, _)) => (1..=*last)
                .map(|number| self.numbered.get(&number).cloned().unwrap_or_default())
                .collect(),
            None => self.plain,
        };
        if words.is_empty() {
            return None;
        }
        let words: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
        Some(match PaperKey::from_words(&words) {
            Ok(key) => Piece::Key(Named {
                key,
                name: String::new(),
                hints: Vec::new(),
                head: None,
            }),
            Err(error) => Piece::Words(error),
        })
    }
}
