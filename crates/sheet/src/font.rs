//! Three faces of DejaVu: how wide text is, which glyphs it takes, and how a face goes into a PDF.

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish, Name, Pdf, Rect, Ref, Str};
use ttf_parser::{Face as Parsed, GlyphId};

const SANS: &[u8] = include_bytes!("../fonts/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/DejaVuSans-Bold.ttf");
const MONO: &[u8] = include_bytes!("../fonts/DejaVuSansMono.ttf");
/// Shown for letters that no face has; keys have none of those.
const UNKNOWN: char = '?';
const SYSTEM: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};

/// Which face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// what is read
    Plain,
    /// what is looked for
    Bold,
    /// what is copied letter by letter
    Mono,
}

impl Style {
    pub(crate) const ALL: [Style; 3] = [Self::Plain, Self::Bold, Self::Mono];

    /// Name among the resources of a page.
    pub(crate) fn name(self) -> Name<'static> {
        Name(match self {
            Self::Plain => b"P",
            Self::Bold => b"B",
            Self::Mono => b"M",
        })
    }
}

/// A face, and what of it was used.
pub(crate) struct Face {
    bytes: &'static [u8],
    base: Name<'static>,
    parsed: Parsed<'static>,
    used: BTreeMap<u16, char>,
}

impl Face {
    /// `None` only if the bytes built into the program are no font, which a test rules out.
    pub(crate) fn load(style: Style) -> Option<Self> {
        let (bytes, base) = match style {
            Style::Plain => (SANS, Name(b"CBXAAA+DejaVuSans")),
            Style::Bold => (BOLD, Name(b"CBXAAB+DejaVuSans-Bold")),
            Style::Mono => (MONO, Name(b"CBXAAC+DejaVuSansMono")),
        };
        let parsed = Parsed::parse(bytes, 0).ok()?;
        let used = BTreeMap::new();
        Some(Self {
            bytes,
            base,
            parsed,
            used,
        })
    }

    fn glyph(&self, letter: char) -> (GlyphId, char) {
        let found = self.parsed.glyph_index(letter).map(|id| (id, letter));
        let unknown = || {
            (
                self.parsed.glyph_index(UNKNOWN).unwrap_or_default(),
                UNKNOWN,
            )
        };
        found.unwrap_or_else(unknown)
    }

    /// Whether it has all letters of a text.
    pub(crate) fn knows(&self, text: &str) -> bool {
        let mut letters = text.chars();
        letters.all(|letter| self.parsed.glyph_index(letter).is_some())
    }

    /// Advance in thousandths of the size.
    fn advance(&self, glyph: GlyphId) -> f32 {
        let units = self.parsed.glyph_hor_advance(glyph).unwrap_or_default();
        f32::from(units) * self.scale()
    }

    fn scale(&self) -> f32 {
        1000.0 / f32::from(self.parsed.units_per_em())
    }

    /// Width of a text of this size, in points.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        let advances = text
            .chars()
            .map(|letter| self.advance(self.glyph(letter).0));
        advances.sum::<f32>() * size / 1000.0
    }

    /// The glyphs of a text as they stand in a page, two bytes each.
    pub(crate) fn encode(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * text.len());
        for letter in text.chars() {
            let (glyph, letter) = self.glyph(letter);
            self.used.insert(glyph.0, letter);
            bytes.extend(glyph.0.to_be_bytes());
        }
        bytes
    }

    /// Puts the face into a document, under five references from `first` on.
    pub(crate) fn embed(&self, pdf: &mut Pdf, first: Ref) {
        let part = |number| Ref::new(first.get() + number);
        let [whole, cid, descriptor, unicode, file] = [0, 1, 2, 3, 4].map(part);
        pdf.type0_font(whole)
            .base_font(self.base)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(unicode);
        let mut font = pdf.cid_font(cid);
        font.subtype(CidFontType::Type2)
            .base_font(self.base)
            .system_info(SYSTEM)
            .font_descriptor(descriptor)
            .default_width(0.0)
            .cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = font.widths();
        for glyph in self.used.keys() {
            widths.consecutive(*glyph, [self.advance(GlyphId(*glyph))]);
        }
        widths.finish();
        font.finish();
        self.describe(pdf, descriptor, file);
        let mut map = UnicodeCmap::new(Name(b"Custom"), SYSTEM);
        for (glyph, letter) in &self.used {
            map.pair(*glyph, *letter);
        }
        pdf.cmap(unicode, &map.finish());
        let length = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX);
        pdf.stream(file, self.bytes).pair(Name(b"Length1"), length);
    }

    fn describe(&self, pdf: &mut Pdf, descriptor: Ref, file: Ref) {
        let scaled = |units: i16| f32::from(units) * self.scale();
        let bounds = self.parsed.global_bounding_box();
        let bounds = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(scaled);
        pdf.font_descriptor(descriptor)
            .name(self.base)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(bounds[0], bounds[1], bounds[2], bounds[3]))
            .italic_angle(0.0)
            .ascent(scaled(self.parsed.ascender()))
            .descent(scaled(self.parsed.descender()))
            .cap_height(scaled(self.parsed.capital_height().unwrap_or(1493)))
            .stem_v(80.0)
            .font_file2(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_are_there_and_know_the_letters_of_names() {
        for style in Style::ALL {
            let mut face = Face::load(style).unwrap();
            assert!(face.width("iii", 10.0) <= face.width("mmm", 10.0));
            let text = if style == Style::Mono {
                "abandon 0123"
            } else {
                "Zoë Łukasz Δάφνη Ольга ß"
            };
            face.encode(text);
            assert!(
                text.chars()
                    .all(|letter| face.used.values().any(|used| *used == letter))
            );
        }
    }

    #[test]
    fn a_letter_that_no_face_has_is_shown_as_unknown() {
        let mut face = Face::load(Style::Plain).unwrap();
        assert_eq!(face.encode("語"), face.encode("?"));
    }
}
