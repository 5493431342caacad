//! The sheet as other programs read it: its text, and its codes from the rendered picture (Debian: poppler-utils, zbar-tools).

use cobox_sheet::{Key, Paper, Sheet};
use std::io::Write;
use std::path::Path;
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

/// Grey, speckled, unsharp, askew, or in pure black and white: what old scanners and copiers make of it.
#[test]
fn codes_are_read_from_bad_scans() {
    let sheet = sheet(2);
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("page");
    let arguments = ["-r", DPI, "-gray", "-", root.to_str().unwrap()];
    piped("pdftoppm", &arguments, &sheet.pdf(Paper::A4).unwrap());
    let mut pages: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| Picture::read(&entry.unwrap().path()))
        .collect();
    assert!(pages.len() > 1);
    let mut codes: Vec<_> = sheet.keys.iter().map(|key| key.code.to_string()).collect();
    codes.sort();
    let ways: [(&str, Spoil); 4] = [
        ("speckled", |page| page.unsharp().speckled(20)),
        ("a copy", |page| {
            page.unsharp().speckled(60).black_and_white()
        }),
        ("askew", |page| page.askew(0.035).speckled(40)),
        ("pale", |page| page.mapped(|value| 150 + value / 4)),
    ];
    for (way, spoil) in ways {
        let mut read: Vec<String> = Vec::new();
        for page in &mut pages {
            let path = dir.path().join("spoilt.pgm");
            spoil(page).write(&path);
            // It fails where it finds nothing, and the last page has no code.
            let mut scan = Command::new("zbarimg");
            let found = scan.args(["-q", "--raw"]).arg(&path).output().unwrap();
            let lines = String::from_utf8(found.stdout).unwrap();
            read.extend(lines.lines().map(str::to_owned));
        }
        read.sort();
        assert!(read == codes, "{way}: {} of {}", read.len(), codes.len());
    }
}

type Spoil = fn(&Picture) -> Picture;

/// A grey picture.
struct Picture {
    width: usize,
    grey: Vec<u8>,
}

impl Picture {
    /// What `pdftoppm` wrote: `P5 WIDTH HEIGHT 255`, then the bytes.
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let mut fields = bytes.splitn(4, |byte| byte.is_ascii_whitespace());
        assert_eq!(fields.next().unwrap(), b"P5");
        let number = |field: &[u8]| {
            std::str::from_utf8(field)
                .unwrap()
                .parse::<usize>()
                .unwrap()
        };
        let (width, height) = (
            number(fields.next().unwrap()),
            number(fields.next().unwrap()),
        );
        let grey = bytes[bytes.len() - width * height..].to_vec();
        Self { width, grey }
    }

    fn write(&self, path: &Path) {
        let head = format!("P5\n{} {}\n255\n", self.width, self.grey.len() / self.width);
        std::fs::write(path, [head.as_bytes(), &self.grey].concat()).unwrap();
    }

    /// White beyond the edges.
    fn at(&self, x: isize, y: isize) -> u8 {
        let is_inside = x >= 0 && y >= 0 && (x as usize) < self.width;
        let place = y * self.width as isize + x;
        let value = is_inside.then(|| self.grey.get(place as usize));
        value.flatten().copied().unwrap_or(255)
    }

    fn redrawn(&self, grey: impl Fn(isize, isize) -> u8) -> Self {
        let places = (0..self.grey.len()).map(|at| (at % self.width, at / self.width));
        Self {
            width: self.width,
            grey: places.map(|(x, y)| grey(x as isize, y as isize)).collect(),
        }
    }

    fn mapped(&self, change: impl Fn(u8) -> u8) -> Self {
        self.redrawn(|x, y| change(self.at(x, y)))
    }

    fn unsharp(&self) -> Self {
        let near = |x: isize, y: isize| {
            let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
            let sum: u32 = around
                .map(|(dx, dy)| u32::from(self.at(x + dx, y + dy)))
                .sum();
            (sum / 9) as u8
        };
        self.redrawn(near)
    }

    /// Each point up to `most` lighter or darker.
    fn speckled(&self, most: i32) -> Self {
        let noise = |x: isize, y: isize| {
            let mixed = (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ (y as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed.wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) as i32 % (2 * most + 1) - most
        };
        self.redrawn(|x, y| (i32::from(self.at(x, y)) + noise(x, y)).clamp(0, 255) as u8)
    }

    fn black_and_white(&self) -> Self {
        self.mapped(|value| if value < 128 { 0 } else { 255 })
    }

    /// Turned by an angle in radians.
    fn askew(&self, angle: f32) -> Self {
        let (sine, cosine) = angle.sin_cos();
        let middle = (self.width / 2) as f32;
        self.redrawn(|x, y| {
            let (x, y) = (x as f32 - middle, y as f32 - middle);
            let (from_x, from_y) = (x * cosine + y * sine, y * cosine - x * sine);
            self.at((from_x + middle) as isize, (from_y + middle) as isize)
        })
    }
}

#[test]
fn long_and_foreign_names_stay_on_their_line_and_say_what_is_missing() {
    let mut sheet = sheet(2);
    sheet.keys[1].title = format!("Space {}", "Wide Words 1 zoo 2 able ".repeat(5));
    sheet.keys[2].title = "Space 家族の写真".into();
    let pdf = sheet.pdf(Paper::Letter).unwrap();
    let text = String::from_utf8(piped("pdftotext", &["-", "-"], &pdf)).unwrap();
    // A page begins with a form feed.
    let titles: Vec<_> = text
        .split(['\n', '\u{c}'])
        .filter(|line| line.starts_with("Space "))
        .collect();
    assert!(
        titles[0].ends_with('…') && titles[0].len() < 80,
        "{titles:?}"
    );
    assert_eq!(titles[1], "Space ?????");
    assert_eq!(text.matches("cannot be printed here").count(), 1);
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
