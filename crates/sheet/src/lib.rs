//! The sheet that a paper key is printed on: one PDF, black on white, made in memory.
//!
//! Not its job: keys (it prints the words and codes it is given), files, and dates. What is handed to it is not copied to
//! disk; the buffers of the PDF writer beneath are not wiped when they are dropped, the finished document is.
//!
//! Order of the modules, top first; each imports only from those below it: `layout`, `page`, `code`, `font`.
//! The fonts are subsets of DejaVu (Latin, Greek, Cyrillic); their licence lies beside them in `fonts/`.

mod code;
mod font;
mod layout;
mod page;

use zeroize::Zeroizing;

/// Size of the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paper {
    /// 210 x 297 mm
    #[default]
    A4,
    /// 8.5 x 11 inches
    Letter,
}

/// What is printed.
pub struct Sheet {
    /// whose it is
    pub person: String,
    /// their public key, in hex
    pub public_key: String,
    /// when it was printed, for people
    pub date: String,
    /// the keys, in order
    pub keys: Vec<Key>,
}

/// One key: its words and its QR code, with what is worth knowing about it.
pub struct Key {
    /// what it is: `Space photos`
    pub title: String,
    /// a sentence on what it does
    pub about: String,
    /// what is known about it, by name
    pub facts: Vec<(String, String)>,
    /// its words
    pub words: Vec<&'static str>,
    /// what the QR code says
    pub code: Zeroizing<String>,
}

impl Paper {
    /// Width and height in points (1/72 inch).
    pub fn points(self) -> (f32, f32) {
        match self {
            Self::A4 => (595.28, 841.89),
            Self::Letter => (612.0, 792.0),
        }
    }
}

impl Sheet {
    /// The document. `None` if a code is too long for any QR code.
    pub fn pdf(&self, paper: Paper) -> Option<Zeroizing<Vec<u8>>> {
        layout::document(self, paper)
    }
}
