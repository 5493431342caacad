//! A QR code as rectangles.

use pdf_writer::Content;
use qrcode::{Color, EcLevel, QrCode};

/// White around it, in modules, that scanners need.
const QUIET: usize = 4;

/// Modules along a side of the code of a text, white border included. `None` if the text is too long.
pub(crate) fn modules(text: &str) -> Option<usize> {
    encoded(text).map(|code| code.width() + 2 * QUIET)
}

/// A quarter of it may be lost and it still reads (level Q).
fn encoded(text: &str) -> Option<QrCode> {
    QrCode::with_error_correction_level(text, EcLevel::Q).ok()
}

/// Draws a code into a square whose lower left corner is at (`x`, `y`); `side` in points, white border included.
/// `None` if the text is too long.
pub(crate) fn draw(content: &mut Content, text: &str, x: f32, y: f32, side: f32) -> Option<()> {
    let code = encoded(text)?;
    let width = code.width();
    let colours = code.into_colors();
    let module = side / (width + 2 * QUIET) as f32;
    // In units of modules, from the lower left corner: short numbers.
    content
        .save_state()
        .transform([module, 0.0, 0.0, module, x, y]);
    for (row, line) in colours.chunks(width).enumerate() {
        let bottom = (width + QUIET - 1 - row) as f32;
        for (start, length) in runs(line) {
            // Neighbours overlap by a hair, so that no renderer leaves a white line between them.
            content.rect((start + QUIET) as f32, bottom, length as f32, 1.02);
        }
    }
    content.fill_nonzero().restore_state();
    Some(())
}

/// Dark runs of a row: where and how long.
fn runs(line: &[Color]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in line
        .iter()
        .enumerate()
        .filter(|(_, colour)| **colour == Color::Dark)
    {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == at => *length += 1,
            _ => runs.push((at, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_dark_modules() {
        let line = [Color::Dark, Color::Dark, Color::Light, Color::Dark];
        assert_eq!(runs(&line), [(0, 2), (3, 1)]);
        assert_eq!(runs(&[Color::Light]), []);
    }

    #[test]
    fn what_no_code_can_hold_is_refused() {
        assert!(draw(&mut Content::new(), &"A".repeat(5000), 0.0, 0.0, 100.0).is_none());
    }
}
