//! Words: each 32 bytes are the 24 words of BIP 39 in its English list, then come four check words for all.
//!
//! Words are taken in any case and by their first four letters, which no two words of the list share. Not its job:
//! finding them among other text.

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::check::{self, CHECKS, Syndromes};
use super::{PaperKey, PaperKind};

/// Bytes and words that go together.
const BYTES: usize = 32;
const WORDS: usize = 24;
/// So many letters tell a word from all others.
const LETTERS: usize = 4;
/// Offers for one word.
const OFFERS: usize = 5;
/// Letters that may differ between a word and an offer.
const DISTANCE: usize = 2;
/// Longer than any word with two letters too many.
const LONGEST: usize = 10;

/// A key in words. Wiped when dropped.
pub struct Words(Zeroizing<Vec<u16>>);

/// One word that is not right, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordHint {
    /// Its number, from 1. Of a missing word, the number it will have.
    pub at: usize,
    /// As typed; empty if a word is missing here.
    pub typed: String,
    /// Words it may be, likeliest first; none if it is one too many, or like no word.
    pub offers: Vec<&'static str>,
    /// The check words leave no doubt: `offers` is the one word that it was, or nothing if it is one too many.
    pub certain: bool,
}

/// Why words give no key. They never give another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
    /// No such number of words.
    #[error("{0} words are here; a secret key has 28 words and a space has 52")]
    Count(usize),
    /// A word is missing or too many, and the check words say which.
    #[error("{}", said(.0, "a word is missing or too many"))]
    Shifted(Vec<WordHint>),
    /// Some are no words of the list, or not the right ones.
    #[error("{}", said(.0, "not all words are right"))]
    Wrong(Vec<WordHint>),
    /// All are words of the list, but they do not belong together.
    #[error(
        "these are words of the list, but not the ones on the paper: more than two are wrong or out of place; compare each with the paper"
    )]
    Unlike,
}

impl WordsError {
    /// Hints, word by word.
    pub fn hints(&self) -> &[WordHint] {
        match self {
            Self::Shifted(hints) | Self::Wrong(hints) => hints,
            Self::Count(_) | Self::Unlike => &[],
        }
    }
}

impl PaperKey {
    /// Its words: 28 of a person or root, 52 of a space.
    pub fn words(&self) -> Words {
        let bytes = self.bytes();
        let mut words = Zeroizing::new(Vec::with_capacity(bytes.len() / BYTES * WORDS + CHECKS));
        for part in bytes.chunks(BYTES) {
            words.extend(bip39_words(part));
        }
        let checks = check::checks(self.kind() as u16, &words);
        words.extend(checks);
        Words(words)
    }

    /// What these words give, if they are all right.
    ///
    /// # Errors
    ///
    /// See [`WordsError`]. A change of up to four words is always noticed.
    pub fn from_words(typed: &[impl AsRef<str>]) -> Result<Self, WordsError> {
        let lengths = PaperKind::ALL.map(length);
        if !lengths.contains(&typed.len()) {
            return Err(shifted(typed).unwrap_or(WordsError::Count(typed.len())));
        }
        let known = indices(typed);
        let whole: Option<Zeroizing<Vec<u16>>> = known
            .iter()
            .copied()
            .collect::<Option<_>>()
            .map(Zeroizing::new);
        if let Some(key) = whole.as_ref().and_then(|words| of_any_kind(words)) {
            return Ok(key);
        }
        Err(wrong(typed, &known))
    }
}

impl Words {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|word| list()[usize::from(*word)])
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line, with blanks between.
    pub fn line(&self) -> Zeroizing<String> {
        // Grown once, so that no shorter copy is left behind.
        let mut line = Zeroizing::new(String::with_capacity(self.len() * LONGEST));
        for word in self.iter() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        line
    }
}

/// Whether this is a word of the list, or its first four letters.
pub fn is_word(text: &str) -> bool {
    index(text).is_some()
}

fn list() -> &'static [&'static str; 2048] {
    Language::English.word_list()
}

/// Number of a word in the list.
fn index(typed: &str) -> Option<u16> {
    let typed = Zeroizing::new(typed.to_ascii_lowercase());
    let found = list().binary_search(&typed.as_str());
    let at = found.or_else(|at| {
        let next = list().get(at).copied().unwrap_or_default();
        let is_start = typed.len() >= LETTERS && next.starts_with(typed.as_str());
        if is_start { Ok(at) } else { Err(at) }
    });
    u16::try_from(at.ok()?).ok()
}

fn length(kind: PaperKind) -> usize {
    kind.bytes() / BYTES * WORDS + CHECKS
}

fn bip39_words(part: &[u8]) -> impl Iterator<Item = u16> {
    // 32 bytes are one of the lengths it takes, so there always is one.
    let mnemonic = Mnemonic::from_entropy_in(Language::English, part).ok();
    let indices: Zeroizing<Vec<u16>> = Zeroizing::new(
        mnemonic
            .iter()
            .flat_map(|mnemonic| mnemonic.word_indices())
            .map(|index| index as u16)
            .collect(),
    );
    (0..indices.len()).map(move |at| indices[at])
}

/// The key of whatever kind these words are whole for.
fn of_any_kind(words: &[u16]) -> Option<PaperKey> {
    let kinds = PaperKind::ALL.into_iter();
    let mut fitting = kinds.filter(|kind| length(*kind) == words.len());
    fitting.find_map(|kind| key_of(kind, words))
}

fn key_of(kind: PaperKind, words: &[u16]) -> Option<PaperKey> {
    if !Syndromes::of(kind as u16, words).are_zero() {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(kind.bytes()));
    for part in words[..words.len() - CHECKS].chunks(WORDS) {
        let entropy = unpack(part);
        if !bip39_words(&entropy[..]).eq(part.iter().copied()) {
            return None; // its own check does not hold
        }
        bytes.extend_from_slice(&entropy[..]);
    }
    PaperKey::from_bytes(kind, &bytes)
}

/// 24 words of 11 bits, the first 256 bits of them.
fn unpack(words: &[u16]) -> Zeroizing<[u8; BYTES]> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    for bit in 0..8 * BYTES {
        let word = words[bit / 11];
        let is_set = word >> (10 - bit % 11) & 1;
        bytes[bit / 8] |= (is_set as u8) << (7 - bit % 8);
    }
    bytes
}

/// What was meant, where at most two words are wrong or unknown.
fn corrected(known: &[Option<u16>]) -> Option<Zeroizing<Vec<u16>>> {
    let unknown: Vec<usize> = (0..known.len()).filter(|at| known[*at].is_none()).collect();
    if unknown.len() > 2 {
        return None;
    }
    let words: Zeroizing<Vec<u16>> =
        Zeroizing::new(known.iter().map(|word| word.unwrap_or(0)).collect());
    let kinds = PaperKind::ALL.into_iter();
    let mut fitting = kinds.filter(|kind| length(*kind) == known.len());
    fitting.find_map(|kind| corrected_as(kind, &words, &unknown))
}

fn corrected_as(kind: PaperKind, words: &[u16], unknown: &[usize]) -> Option<Zeroizing<Vec<u16>>> {
    let last = words.len() - 1;
    let syndromes = Syndromes::of(kind as u16, words);
    let pairs = (0..last).flat_map(|one| (one + 1..=last).map(move |other| (one, other)));
    let covers = |(one, other): &(usize, usize)| unknown.iter().all(|at| at == one || at == other);
    pairs.filter(covers).find_map(|(one, other)| {
        let (a, b) = syndromes.solve(last - one, last - other)?;
        let mut right = Zeroizing::new(words.to_vec());
        right[one] ^= a;
        right[other] ^= b;
        key_of(kind, &right).map(|_| right)
    })
}

fn indices(typed: &[impl AsRef<str>]) -> Zeroizing<Vec<Option<u16>>> {
    Zeroizing::new(typed.iter().map(|one| index(one.as_ref())).collect())
}

fn wrong(typed: &[impl AsRef<str>], known: &[Option<u16>]) -> WordsError {
    let certain = corrected(known);
    let is_right = |at: usize| match &certain {
        Some(right) => known[at] == Some(right[at]),
        None => known[at].is_some(),
    };
    let hint = |at: usize| WordHint {
        at: at + 1,
        typed: typed[at].as_ref().to_owned(),
        offers: match &certain {
            Some(right) => vec![list()[usize::from(right[at])]],
            None => near(typed[at].as_ref()),
        },
        certain: certain.is_some(),
    };
    let hints: Vec<_> = (0..typed.len())
        .filter(|at| !is_right(*at))
        .map(hint)
        .collect();
    match hints.is_empty() {
        true => WordsError::Unlike,
        false => WordsError::Wrong(hints),
    }
}

/// Which word is missing or too many in a block that is one short or long, if only one key explains it.
fn shifted(typed: &[impl AsRef<str>]) -> Option<WordsError> {
    let known = indices(typed);
    let is_length = |count: usize| PaperKind::ALL.iter().any(|kind| length(*kind) == count);
    let mut found: Vec<(Zeroizing<Vec<u16>>, WordHint)> = Vec::new();
    if is_length(known.len() + 1) {
        let missing = (0..=known.len()).filter_map(|at| missing(&known, at));
        found.extend(missing);
    } else if known.len().checked_sub(1).is_some_and(is_length) {
        let spare = (0..known.len()).filter_map(|at| spare(&known, at, typed[at].as_ref()));
        found.extend(spare);
    }
    let (block, hint) = found.first()?;
    let is_only = found.iter().all(|(other, _)| other == block);
    is_only.then(|| WordsError::Shifted(vec![hint.clone()]))
}

fn missing(known: &[Option<u16>], at: usize) -> Option<(Zeroizing<Vec<u16>>, WordHint)> {
    let mut fuller = Zeroizing::new(known.to_vec());
    fuller.insert(at, None);
    let right = corrected(&fuller)?;
    let hint = WordHint {
        at: at + 1,
        typed: String::new(),
        offers: vec![list()[usize::from(right[at])]],
        certain: true,
    };
    let others_are_right = (0..fuller.len()).all(|n| n == at || fuller[n] == Some(right[n]));
    others_are_right.then_some((right, hint))
}

fn spare(known: &[Option<u16>], at: usize, typed: &str) -> Option<(Zeroizing<Vec<u16>>, WordHint)> {
    let mut shorter = Zeroizing::new(known.to_vec());
    shorter.remove(at);
    let words: Option<Vec<u16>> = shorter.iter().copied().collect();
    let words = Zeroizing::new(words?);
    of_any_kind(&words)?;
    let hint = WordHint {
        at: at + 1,
        typed: typed.to_owned(),
        offers: Vec::new(),
        certain: true,
    };
    Some((words, hint))
}

/// Words that differ from what was typed by a letter or two, nearest first.
fn near(typed: &str) -> Vec<&'static str> {
    let typed = Zeroizing::new(typed.to_ascii_lowercase());
    if typed.len() > LONGEST {
        return Vec::new();
    }
    let mut offers: Vec<_> = list()
        .iter()
        .map(|word| (distance(typed.as_bytes(), word.as_bytes()), *word))
        .filter(|(distance, _)| *distance <= DISTANCE)
        .collect();
    offers.sort();
    let nearest = offers.into_iter().take(OFFERS);
    nearest.map(|(_, word)| word).collect()
}

/// Letters to be changed, added, left out or exchanged with their neighbour (optimal string alignment).
fn distance(one: &[u8], other: &[u8]) -> usize {
    const SIDE: usize = LONGEST + 1;
    let mut table = [[0; SIDE]; SIDE];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            table[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let is_other = usize::from(one[i - 1] != other[j - 1]);
                    let changed = table[i - 1][j - 1] + is_other;
                    let nearer = changed.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                    let exchanged =
                        i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
                    match exchanged {
                        true => nearer.min(table[i - 2][j - 2] + 1),
                        false => nearer,
                    }
                }
            };
        }
    }
    table[one.len()][other.len()]
}

fn said(hints: &[WordHint], what: &str) -> String {
    let one = |hint: &WordHint| match (hint.typed.as_str(), hint.offers.as_slice()) {
        ("", [word, ..]) => format!("word {} is missing: it is \"{word}\"", hint.at),
        (typed, [word]) if hint.certain => {
            format!("word {} is \"{word}\", not \"{typed}\"", hint.at)
        }
        (typed, []) if hint.certain => format!("word {}, \"{typed}\", is one too many", hint.at),
        ("", []) => format!("word {} is missing", hint.at),
        (typed, []) => format!("word {}, \"{typed}\", is no word of the list", hint.at),
        (typed, offers) => format!(
            "word {}, \"{typed}\", is no word of the list; perhaps: {}",
            hint.at,
            offers.join(", ")
        ),
    };
    let each: Vec<_> = hints.iter().map(one).collect();
    format!("{what}: {}", each.join("; "))
}
