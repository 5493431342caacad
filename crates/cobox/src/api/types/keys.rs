//! Keys on paper: what was typed, what is right about it, what came of it.

use super::spaces::SpaceRef;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroize;

/// What somebody typed, pasted or scanned: words, QR texts and hints, in any order and number. Wiped when dropped.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PaperTextJson {
    /// at most 256 KiB
    pub text: String,
    /// the person's name, if the paper does not say it
    #[serde(default)]
    pub name: Option<String>,
    /// further hints of peers that have the spaces
    #[serde(default)]
    pub peers: Vec<String>,
}

impl Drop for PaperTextJson {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// Which of our keys are outside of this machine, on paper or in a file of keys that were made here.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackedUpJson {
    /// RFC 3339: when keys were last put on paper or into a file; null: never
    pub made_at: Option<String>,
    /// spaces and devices, by name, whose keys are in none: begun or joined since
    pub missing: Vec<String>,
}

/// What was found in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaperCheckJson {
    /// keys that are right
    pub keys: Vec<PaperKeyJson>,
    /// blocks that give no key, and why; nothing can be restored while there are any
    pub faults: Vec<PaperFaultJson>,
    /// hints of peers
    pub peers: Vec<String>,
}

/// A key that is right; its secret is not repeated.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaperKeyJson {
    /// `person` (a secret key), `space` or `root`
    pub kind: String,
    /// name, if a QR text said it; else empty
    pub name: String,
    /// public key of a person, address of a space or root: to be compared with the paper
    pub public_key: String,
    /// it is here already
    pub here: bool,
}

/// Words or a QR text that give no key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaperFaultJson {
    /// what is wrong
    pub msg: String,
    /// word by word
    pub words: Vec<WordHintJson>,
}

/// One word that is not right.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WordHintJson {
    /// its number in its key, from 1
    pub at: usize,
    /// as typed; empty if a word is missing here
    pub typed: String,
    /// what it may be, likeliest first; none if it is one too many, or like no word
    pub offers: Vec<String>,
    /// there is no doubt: `offers` is the word, or nothing if it is one too many
    pub certain: bool,
}

/// What to rehearse.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillJson {
    /// the replicator: a device's name, the first digits of its key, or a hint; if missing, the best copy that is known
    #[serde(default)]
    pub from: Option<String>,
    /// how many files, picked at random; 20 if missing
    #[serde(default)]
    pub sample: Option<usize>,
    /// all files instead
    #[serde(default)]
    pub all: bool,
    /// the space's key as typed from the paper; if missing, the one of this home as it would be printed
    #[serde(default)]
    pub text: Option<String>,
}

impl Drop for DrillJson {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// What a paper key brought back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaperRestoredJson {
    /// who we are now
    pub public_key: String,
    /// our name; empty if it will be learnt from the first space that comes back
    pub name: String,
    /// spaces that begin to come back
    pub spaces: Vec<SpaceRef>,
    /// spaces that were here before
    pub here: Vec<SpaceRef>,
}
