//! Pages that fill from top to bottom: lines of text, broken where they are too long, rules and codes.
//!
//! Not its job: what stands on them.

use pdf_writer::{Content, Finish, Pdf, Rect, Ref, Str, TextStr};
use zeroize::Zeroizing;

use crate::Paper;
use crate::code;
use crate::font::{Face, Style};

/// White at the edges, in points.
pub(crate) const MARGIN: f32 = 48.0;
/// Room at the foot for the page number.
const FOOT: f32 = 22.0;
/// Line to line, in sizes.
pub(crate) const LEADING: f32 = 1.38;

/// Pages on their way.
pub(crate) struct Pages {
    size: (f32, f32),
    faces: [Face; 3],
    done: Vec<Content>,
    now: Content,
    /// how far down the page is used, from its lower edge
    y: f32,
}

impl Pages {
    /// `None` only if the built-in fonts are broken.
    pub(crate) fn new(paper: Paper) -> Option<Self> {
        let [plain, bold, mono] = Style::ALL.map(Face::load);
        let size = paper.points();
        Some(Self {
            size,
            faces: [plain?, bold?, mono?],
            done: Vec::new(),
            now: Content::new(),
            y: size.1 - MARGIN,
        })
    }

    /// Width between the margins.
    pub(crate) fn width(&self) -> f32 {
        self.size.0 - 2.0 * MARGIN
    }

    /// How far down we are.
    pub(crate) fn y(&self) -> f32 {
        self.y
    }

    /// Goes down to `y`.
    pub(crate) fn go_to(&mut self, y: f32) {
        self.y = y;
    }

    /// Goes down by some points.
    pub(crate) fn skip(&mut self, points: f32) {
        self.y -= points;
    }

    /// Begins a new page, unless so much is left on this one.
    pub(crate) fn need(&mut self, points: f32) {
        if self.y - points < MARGIN + FOOT {
            self.done
                .push(std::mem::replace(&mut self.now, Content::new()));
            self.y = self.size.1 - MARGIN;
        }
    }

    /// One line at `x` from the margin, its base `y` from the foot of the page.
    pub(crate) fn put(&mut self, style: Style, size: f32, x: f32, y: f32, text: &str) {
        let glyphs = Zeroizing::new(self.faces[style as usize].encode(text));
        self.now
            .begin_text()
            .set_font(style.name(), size)
            .next_line(MARGIN + x, y)
            .show(Str(&glyphs))
            .end_text();
    }

    /// Text from the left margin on, broken to `width`; goes down.
    pub(crate) fn text(&mut self, style: Style, size: f32, indent: f32, width: f32, text: &str) {
        for line in self.lines(style, size, width - indent, text) {
            self.need(size * LEADING);
            self.y -= size * LEADING;
            self.put(style, size, indent, self.y, &line);
        }
    }

    /// One line from the left margin on, cut where it would be longer; goes down.
    pub(crate) fn line(&mut self, style: Style, size: f32, text: &str) {
        let (width, face) = (self.width(), &self.faces[style as usize]);
        let mut line = text.to_owned();
        while face.width(&line, size) > width {
            line.truncate(line.trim_end_matches('…').len());
            line.pop();
            line.push('…');
        }
        self.text(style, size, 0.0, width, &line);
    }

    /// Whether all letters of a text can be printed.
    pub(crate) fn knows(&self, style: Style, text: &str) -> bool {
        self.faces[style as usize].knows(text)
    }

    /// How high [`Pages::text`] would be.
    pub(crate) fn height(&self, style: Style, size: f32, width: f32, text: &str) -> f32 {
        self.lines(style, size, width, text).len() as f32 * size * LEADING
    }

    /// Broken between words, and within one that is longer than a line.
    fn lines(&self, style: Style, size: f32, width: f32, text: &str) -> Vec<String> {
        let fits = |line: &str| self.faces[style as usize].width(line, size) <= width;
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(' ') {
            let longer = if line.is_empty() {
                word.to_owned()
            } else {
                format!("{line} {word}")
            };
            if fits(&longer) {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                line.push(letter);
                if !fits(&line) {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, letter.to_string()));
                }
            }
        }
        lines.push(line);
        lines
    }

    /// A thin line across.
    pub(crate) fn rule(&mut self) {
        self.now.set_line_width(0.6);
        self.now
            .move_to(MARGIN, self.y)
            .line_to(self.size.0 - MARGIN, self.y)
            .stroke();
    }

    /// A QR code whose upper right corner is at the right margin, at `y`.
    pub(crate) fn code(&mut self, text: &str, y: f32, side: f32) -> Option<()> {
        let x = self.size.0 - MARGIN - side;
        code::draw(&mut self.now, text, x, y - side, side)
    }

    /// The document. `foot` stands on each page, with its number.
    pub(crate) fn finish(mut self, title: &str, foot: &str) -> Zeroizing<Vec<u8>> {
        self.done
            .push(std::mem::replace(&mut self.now, Content::new()));
        let count = self.done.len();
        for number in 0..count {
            self.now = std::mem::replace(&mut self.done[number], Content::new());
            let text = format!("{foot} · page {} of {count}", number + 1);
            self.put(Style::Plain, 7.5, 0.0, MARGIN - 4.0, &text);
            self.done[number] = std::mem::replace(&mut self.now, Content::new());
        }
        self.write(title)
    }

    fn write(self, title: &str) -> Zeroizing<Vec<u8>> {
        let mut refs = Refs(0);
        let mut pdf = Pdf::new();
        let [catalog, tree, info] = [refs.take(1), refs.take(1), refs.take(1)];
        let fonts = Style::ALL.map(|style| (style, refs.take(5)));
        let pages: Vec<(Ref, Ref)> = self
            .done
            .iter()
            .map(|_| (refs.take(1), refs.take(1)))
            .collect();
        pdf.catalog(catalog).pages(tree);
        pdf.document_info(info)
            .title(TextStr(title))
            .creator(TextStr("CoBox"));
        let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
        pdf.pages(tree)
            .kids(pages.iter().map(|(page, _)| *page))
            .count(count);
        for ((page, stream), content) in pages.iter().zip(self.done) {
            let mut page = pdf.page(*page);
            page.parent(tree)
                .media_box(Rect::new(0.0, 0.0, self.size.0, self.size.1))
                .contents(*stream);
            let mut resources = page.resources();
            let mut named = resources.fonts();
            for (style, font) in fonts {
                named.pair(style.name(), font);
            }
            named.finish();
            resources.finish();
            page.finish();
            pdf.stream(*stream, &content.finish());
        }
        for ((_, font), face) in fonts.into_iter().zip(&self.faces) {
            face.embed(&mut pdf, font);
        }
        Zeroizing::new(pdf.finish())
    }
}

/// Numbers of a document's parts.
struct Refs(i32);

impl Refs {
    /// The first of so many.
    fn take(&mut self, count: i32) -> Ref {
        let first = self.0 + 1;
        self.0 += count;
        Ref::new(first)
    }
}
