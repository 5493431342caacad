//! The sheet as other programs read it: its text, and its codes from the rendered picture (Debian: poppler-utils, zbar-tools).

use cobox_sheet::{Key, Paper, Sheet};
use std::io::Write;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// Dots per inch of an ordinary scanner.
const DPI: &str = "150";

fn key(title: &str, words: usize, letters: usize) -> Key {
    const LIST: [&str; 5] = ["abandon", "zoo", "mushroom", "ability", "ice"];
    Key {
        title: title.into(),
        about: "It opens the folder.".into(),
        facts: vec![
            ("Address (safe to show)".into(), "ab".repeat(32)),
            (
                "Devices that had a copy".into(),
                format!("attic, {}@192.168.1.7:40000\nnone", "cd".repeat(32)),
            ),
        ],
        words: LIST.into_iter().cycle().take(words).collect(),
        code: Zeroizing::new(format!("COBOX1:{title}{}", "A7".repeat(letters / 2)).to_uppercase()),
    }
}

fn sheet(spaces: usize) -> Sheet {
    let mut keys = vec![key("Secret key", 28, 100)];
    keys.extend((0..spaces).map(|number| key(&format!("Space {number}"), 52, 480)));
    Sheet {
        person: "Zoë Łukasz Δάφνη Ольга".into(),
        public_key: "ef".repeat(32),
        date: "30 November 2026".into(),
        keys,
    }
}

fn piped(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}");
    output.stdout
}

#[test]
fn text_and_codes_are_read_by_other_programs() {
    let dir = tempfile::tempdir().unwrap();
    for (paper, spaces) in [(Paper::A4, 1), (Paper::Letter, 5)] {
        let sheet = sheet(spaces);
        let pdf = sheet.pdf(paper).unwrap();
        let text = String::from_utf8(piped("pdftotext", &["-", "-"], &pdf)).unwrap();
        for expected in [
            "Paper key of Zoë Łukasz Δάφνη Ольга",
            "28 ",
            "52 zoo",
            "Space 0",
            &"ef".repeat(32),
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let root = dir.path().join("page");
        piped(
            "pdftoppm",
            &["-r", DPI, "-gray", "-png", "-", root.to_str().unwrap()],
            &pdf,
        );
        let mut pages: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        pages.sort();
        let read = pages.iter().flat_map(|page| {
            let found = piped("zbarimg", &["-q", "--raw", page.to_str().unwrap()], b"");
            std::fs::remove_file(page).unwrap();
            let lines = String::from_utf8(found).unwrap();
            lines.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        let mut read: Vec<_> = read.collect();
        let mut codes: Vec<_> = sheet.keys.iter().map(|key| key.code.to_string()).collect();
        read.sort();
        codes.sort();
        assert_eq!(read, codes);
    }
}

#[test]
fn a_sheet_with_many_spaces_has_many_pages_and_tears_no_key_apart() {
    let sheet = sheet(40);
    let pdf = sheet.pdf(Paper::A4).unwrap();
    let text = String::from_utf8(piped("pdftotext", &["-", "-"], &pdf)).unwrap();
    let pages: Vec<_> = text
        .split('\u{c}')
        .filter(|page| !page.trim().is_empty())
        .collect();
    assert!(pages.len() >= 14, "{}", pages.len());
    let has = |page: &str, space: usize| page.lines().any(|line| line == format!("Space {space}"));
    for space in 0..40 {
        let page = pages.iter().find(|page| has(page, space)).unwrap();
        let keys = (0..40).filter(|other| has(page, *other)).count()
            + usize::from(page.contains("Secret key"));
        let last_words = page.matches("52 ").count() + page.matches("28 mush").count();
        assert!(last_words >= keys, "page with space {space}");
    }
}

#[test]
fn what_no_code_can_hold_is_no_sheet() {
    let mut sheet = sheet(1);
    sheet.keys[1].code = Zeroizing::new("A".repeat(9000));
    assert!(sheet.pdf(Paper::A4).is_none());
}
