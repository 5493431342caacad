//! Every secret of a home, as somebody could find it: on its disk, in the memory of its program, on its sheet.

use crate::common::Node;
use crate::common::lost::text_of;
use cobox_keys::access::{Address, EncryptionKey};
use cobox_keys::cbor::Fields;
use cobox_keys::derive::ParentKey;
use cobox_keys::identity::Identity;
use cobox_keys::paper::{PaperKey, Piece, pieces};
use data_encoding::{
    BASE32, BASE32_NOPAD, BASE32HEX, BASE64, BASE64URL, HEXLOWER, HEXUPPER, Specification,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Secrets by name, and each in every form in which somebody could have written it.
pub struct Wanted(pub BTreeMap<String, Vec<Vec<u8>>>);

impl Wanted {
    /// Of secrets that are known.
    pub fn of(secrets: &BTreeMap<String, Vec<u8>>) -> Self {
        let forms = secrets
            .iter()
            .map(|(name, secret)| (name.clone(), forms(secret)));
        Self(forms.collect())
    }

    /// Which of them are in these bytes: one pass, since memory is large.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let all = || {
            let all = self.0.iter();
            all.flat_map(|(name, forms)| forms.iter().map(move |form| (name, form)))
        };
        let begins = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
        let mut is_begin = vec![false; 1 << 16];
        all().for_each(|(_, form)| is_begin[begins(form)] = true);
        let mut found = BTreeSet::new();
        for at in 0..bytes.len().saturating_sub(1) {
            if is_begin[begins(&bytes[at..])] {
                let here = all().filter(|(_, form)| bytes[at..].starts_with(form));
                found.extend(here.map(|(name, _)| name.clone()));
            }
        }
        found.into_iter().collect()
    }
}

/// Raw, backwards, and in the alphabets in use; of texts without their ends, which depend on what follows.
pub fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut z_base_32 = Specification::new();
    z_base_32
        .symbols
        .push_str("ybndrfg8ejkmcpqxot1uwisza345h769");
    let mut bech32 = Specification::new();
    bech32.symbols.push_str("qpzry9x8gf2tvdw0s3jn54khce6mua7l");
    let (z_base_32, bech32) = (z_base_32.encoding().unwrap(), bech32.encoding().unwrap());
    let encodings = [
        &HEXLOWER,
        &HEXUPPER,
        &BASE64,
        &BASE64URL,
        &BASE32,
        &BASE32_NOPAD,
        &BASE32HEX,
        &z_base_32,
        &bech32,
    ];
    let texts = encodings.iter().flat_map(|encoding| {
        let text = encoding.encode(secret).into_bytes();
        let end = text.len() - 8;
        let lower = text[..end].to_ascii_lowercase();
        [text[..end].to_vec(), lower]
    });
    let backwards = secret.iter().rev().copied().collect();
    texts.chain([secret.to_vec(), backwards]).collect()
}

/// All files below a folder.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let below = |path: PathBuf| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(below).collect()
}

/// Secrets that are somewhere in a home, with the file.
pub fn found_on_disk(home: &Path, wanted: &Wanted) -> Vec<String> {
    let in_file = |path: PathBuf| {
        let found = wanted.found_in(&fs::read(&path).unwrap());
        found
            .into_iter()
            .map(move |name| format!("{name} in {}", path.display()))
    };
    files_below(home).into_iter().flat_map(in_file).collect()
}

/// A small file's body, as `docs/format.md` says.
fn body(home: &Path, name: &str) -> Vec<u8> {
    let whole = fs::read(home.join(name)).unwrap();
    whole[13..whole.len() - 4].to_vec()
}

/// What whoever reads the disk gets without a password: everything, or nothing at all.
pub fn thief(home: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut loot = BTreeMap::new();
    let identity = body(home, "identity");
    let Ok(seed) = Fields::read(&identity, "identity", 9).unwrap().fixed(1) else {
        return loot;
    };
    loot.insert("identity".into(), seed.to_vec());
    let person = Identity::from_seed(&seed);
    let storage = person.storage_key("spaces");
    loot.insert("storage key".into(), storage.expose().to_vec());
    let list = storage.open(&body(home, "spaces.cbor")).unwrap();
    let fields = Fields::read(&list, "list", 9).unwrap();
    let entries = fields.list(1, 99, |decoder| decoder.bytes().ok()).unwrap();
    for entry in entries {
        let entry = Fields::read(entry, "entry", 9).unwrap();
        let name = entry.text(2, 255).unwrap();
        let admin = person.admin_pair(&Address(entry.fixed(1).unwrap()));
        let admin = admin.expose_seed().to_vec();
        loot.insert(format!("admin pair of {name}"), admin);
        let key = EncryptionKey::from_bytes(&entry.fixed(4).unwrap());
        loot.insert(format!("encryption key of {name}"), key.expose().to_vec());
        loot.insert(
            format!("read key of {name}"),
            key.read_key().expose().to_vec(),
        );
        let writer = key.writer_pair().expose_seed().to_vec();
        loot.insert(format!("writer pair of {name}"), writer);
    }
    let device = body(home, "device");
    let device = Fields::read(&device, "device", 9).unwrap();
    let inside = person.storage_key("device");
    let inside = inside.open(device.bytes(4, 200).unwrap()).unwrap();
    let parent = ParentKey::from_bytes(&inside[..32].try_into().unwrap());
    loot.insert("parent key".into(), parent.expose().to_vec());
    loot
}

/// The text of the sheet, which is not kept in the home.
pub fn printed(node: &Node) -> String {
    let pdf = node.scratch("paper.pdf");
    let words = ["backup", "identity", "--roots", "--pdf"].map(OsStr::new);
    node.ok(&[&words[..], &[pdf.as_os_str()]].concat());
    text_of(&pdf)
}

/// The last root on a sheet.
pub fn root_on(paper: &str) -> Vec<u8> {
    let mut roots = pieces(paper).into_iter().filter_map(|piece| match piece {
        Piece::Key(named) => match named.key {
            PaperKey::Root(seed) => Some(seed.expose().to_vec()),
            _ => None,
        },
        _ => None,
    });
    roots.next_back().expect("it is printed")
}

/// The first words of the secret key, as they are typed and as they go over the API.
pub fn words_on(paper: &str) -> Vec<Vec<u8>> {
    let lines = paper.lines().skip_while(|line| !line.starts_with("1 "));
    let words: Vec<_> = lines.take(5).collect();
    let forms = ["\n", "\\n"].map(|between| words.join(between).into_bytes());
    forms.into()
}

/// Secrets, names and texts that are somewhere in the memory of a process.
///
/// Only root may look: that is part of what is shown.
pub fn found_in_memory(pid: u32, wanted: &Wanted) -> (u64, Vec<String>) {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let (mut read, mut found) = (0, Vec::new());
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with('r') || rest.contains("[vvar") || rest.contains("[vsyscall") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let number = |hex| u64::from_str_radix(hex, 16).unwrap();
        let mut part = vec![0; (number(to) - number(from)) as usize];
        memory.seek(SeekFrom::Start(number(from))).unwrap();
        if memory.read_exact(&mut part).is_ok() {
            read += part.len() as u64;
            let here = wanted.found_in(&part).into_iter();
            found.extend(here.map(|name| format!("{name} at {line}")));
        }
    }
    (read, found)
}
