//! What a power cut may leave of what programs did, against a plain model: of each name what was there when it was last
//! made durable, or anything that was there since, and nothing else. A name that always led to a file is never gone, and
//! a file that was synced and that nobody removed is somewhere.

mod common;

use cobox_drive::overlay::{FileId, OpenFile, Overlay, Replace};
use cobox_drive::path::Name;
use common::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const ROOT: FileId = FileId::ROOT;
const NAMES: u8 = 5;
const IN_ROOT: u8 = 3;
/// New files that are open beside: more than are kept as drafts one by one.
const MANY: u8 = 10;
/// Bytes of a file that goes into a version at once when it is synced.
const LARGE: usize = 2 << 20;

#[derive(Clone, Debug)]
enum Act {
    Create(u8),
    Write(u8),
    Close(u8),
    Fsync(u8),
    Remove(u8),
    Rename(u8, u8),
    Exchange(u8, u8),
    SyncNames,
    CommitAnother,
    Pause,
    PowerCut,
}

fn act() -> impl Strategy<Value = Act> {
    let at = 0..NAMES;
    let two = (at.clone(), at.clone());
    prop_oneof![
        6 => at.clone().prop_map(Act::Create),
        6 => at.clone().prop_map(Act::Write),
        2 => at.clone().prop_map(Act::Close),
        6 => at.clone().prop_map(Act::Fsync),
        2 => at.prop_map(Act::Remove),
        8 => two.clone().prop_map(|(from, to)| Act::Rename(from, to)),
        2 => two.prop_map(|(one, two)| Act::Exchange(one, two)),
        3 => Just(Act::SyncNames),
        2 => Just(Act::CommitAnother),
        1 => Just(Act::Pause),
        3 => Just(Act::PowerCut),
    ]
}

fn name(at: u8) -> Name {
    Name::new(format!("file-{at}").as_bytes()).expect("a good name")
}

/// The last of them are in a folder, which is new at first.
fn text(at: u8) -> String {
    match at < IN_ROOT {
        true => format!("file-{at}"),
        false => format!("folder/file-{at}"),
    }
}

/// All that a file says is one number, so that half of a write is seen.
fn data(number: u64) -> Vec<u8> {
    noise(3000, number)
}

/// A file, under whatever name.
struct File {
    open: Option<Arc<OpenFile>>,
    /// What it may say after a power cut: since it was last synced.
    may_say: Vec<Vec<u8>>,
    was_synced: bool,
}

/// What may be under a name after a power cut: these files, or none.
#[derive(Clone, Default)]
struct Allowed {
    files: BTreeSet<usize>,
    nothing: bool,
}

struct World<'a> {
    space: &'a Space,
    peer: &'a Peer,
    overlay: Arc<Overlay>,
    folder: FileId,
    files: Vec<File>,
    now: BTreeMap<u8, usize>,
    allowed: Vec<Allowed>,
    number: u64,
    others: Vec<Arc<OpenFile>>,
}

impl<'a> World<'a> {
    fn new(space: &'a Space, peer: &'a Peer, others: u8) -> Self {
        let overlay = Overlay::open(peer.drive.clone()).expect("an overlay");
        let folder = Name::new(b"folder").expect("a good name");
        let folder = overlay.create_folder(ROOT, &folder, 0o755);
        let nothing = Allowed {
            nothing: true,
            ..Allowed::default()
        };
        let mut world = Self {
            space,
            peer,
            overlay,
            folder: folder.expect("created").id,
            files: Vec::new(),
            now: BTreeMap::new(),
            allowed: vec![nothing; NAMES.into()],
            number: 0,
            others: Vec::new(),
        };
        (0..others).for_each(|other| world.other(&format!("other-{other}"), 10));
        world
    }

    fn other(&mut self, at: &str, length: usize) {
        let at = Name::new(at.as_bytes()).expect("a good name");
        let (_, file) = self.overlay.create(ROOT, &at, 0o644).expect("created");
        file.write_at(0, &noise(length, 1)).expect("written");
        file.sync().expect("durable");
        self.others.push(file);
    }

    fn folder(&self, at: u8) -> FileId {
        match at < IN_ROOT {
            true => ROOT,
            false => self.folder,
        }
    }

    /// What is under a name now may be found there as well.
    fn note(&mut self, at: u8) {
        let allowed = &mut self.allowed[usize::from(at)];
        match self.now.get(&at) {
            Some(file) => drop(allowed.files.insert(*file)),
            None => allowed.nothing = true,
        }
    }

    /// What is under a name now, and nothing that was there before, is found there from now on.
    fn is_durable(&mut self, at: u8) {
        self.allowed[usize::from(at)] = Allowed::default();
        self.note(at);
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Create(at) => self.create(*at),
            Act::Write(at) => self.write(*at),
            Act::Close(at) => {
                if let Some(file) = self.now.get(at) {
                    self.files[*file].open = None;
                }
            }
            Act::Fsync(at) => self.fsync(*at),
            Act::Remove(at) => {
                if self.now.remove(at).is_some() {
                    self.overlay
                        .remove_file(self.folder(*at), &name(*at))
                        .expect("removed");
                    self.note(*at);
                }
            }
            Act::Rename(from, to) => self.rename(*from, *to),
            Act::Exchange(one, two) => self.exchange(*one, *two),
            Act::SyncNames => self.sync_names(),
            Act::CommitAnother => {
                self.number += 1;
                self.other(&format!("another-{}", self.number), LARGE);
            }
            Act::Pause => std::thread::sleep(Duration::from_millis(150)),
            Act::PowerCut => self.cut(),
        }
        for at in 0..NAMES {
            let found = self.overlay.lookup(self.folder(at), &name(at));
            assert_eq!(found.is_ok(), self.now.contains_key(&at), "{}", text(at));
        }
    }

    /// Everything is committed when it ends.
    fn end(mut self) {
        self.overlay.close().expect("closed");
        (0..NAMES).for_each(|at| self.is_durable(at));
        for file in &mut self.files {
            file.may_say = file.may_say.split_off(file.may_say.len() - 1);
        }
        self.cut();
    }

    fn create(&mut self, at: u8) {
        if self.now.contains_key(&at) {
            return;
        }
        let (_, open) = self
            .overlay
            .create(self.folder(at), &name(at), 0o644)
            .expect("new");
        self.now.insert(at, self.files.len());
        self.files.push(File {
            open: Some(open),
            may_say: vec![Vec::new()],
            was_synced: false,
        });
        self.note(at);
        self.write(at);
    }

    fn open(&mut self, at: u8) -> Option<Arc<OpenFile>> {
        let folder = self.folder(at);
        let file = &mut self.files[*self.now.get(&at)?];
        if file.open.is_none() {
            let id = self.overlay.lookup(folder, &name(at)).expect("there").id;
            file.open = Some(self.overlay.open_file(id, true).expect("open"));
        }
        file.open.clone()
    }

    fn write(&mut self, at: u8) {
        self.number += 1;
        let bytes = data(self.number);
        let Some(open) = self.open(at) else { return };
        open.write_at(0, &bytes).expect("written");
        self.files[self.now[&at]].may_say.push(bytes);
    }

    fn fsync(&mut self, at: u8) {
        let Some(open) = self.open(at) else { return };
        open.sync().expect("durable");
        let file = &mut self.files[self.now[&at]];
        file.may_say = file.may_say.split_off(file.may_say.len() - 1);
        file.was_synced = true;
    }

    fn rename(&mut self, from: u8, to: u8) {
        if from == to || !self.now.contains_key(&from) {
            return;
        }
        let (one, two) = (
            (self.folder(from), &name(from)),
            (self.folder(to), &name(to)),
        );
        let done = self.overlay.rename(one, two, Replace::Allowed);
        done.expect("renamed");
        let file = self.now.remove(&from).expect("there");
        self.now.insert(to, file);
        [from, to].into_iter().for_each(|at| self.note(at));
    }

    fn exchange(&mut self, one: u8, two: u8) {
        let (Some(first), Some(second)) = (self.now.get(&one), self.now.get(&two)) else {
            return;
        };
        let (first, second) = (*first, *second);
        let (a, b) = (
            (self.folder(one), &name(one)),
            (self.folder(two), &name(two)),
        );
        let done = self.overlay.rename(a, b, Replace::Exchange);
        done.expect("exchanged");
        self.now.extend([(one, second), (two, first)]);
        [one, two].into_iter().for_each(|at| self.note(at));
    }

    /// Names of files that were never synced are not waited for.
    fn sync_names(&mut self) {
        self.overlay.sync_names().expect("durable");
        for at in 0..NAMES {
            let is_kept = |file: &usize| self.files[*file].was_synced;
            if self.now.get(&at).is_none_or(is_kept) {
                self.is_durable(at);
            }
        }
    }

    fn cut(&self) {
        let crashed = self.peer.after_a_crash(self.space);
        let mut found = Vec::new();
        for at in 0..NAMES {
            let allowed = &self.allowed[usize::from(at)];
            let place = path(&text(at));
            if crashed.drive.stat(&place).is_err() {
                assert!(allowed.nothing, "{place} is gone");
                continue;
            }
            let bytes = read(&crashed.drive, &place);
            let mut may = allowed.files.iter().map(|file| &self.files[*file]);
            assert!(
                may.any(|file| file.may_say.contains(&bytes)),
                "{place} says something else"
            );
            found.push(bytes);
        }
        for (at, file) in &self.now {
            let file = &self.files[*file];
            let is_there = found.iter().any(|bytes| file.may_say.contains(bytes));
            assert!(is_there || !file.was_synced, "what is now {at} is nowhere");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_power_cut_leaves_under_each_name_what_was_there_when_it_was_durable_or_since(
        acts in prop::collection::vec(act(), 1..50),
        is_crowded in any::<bool>(),
    ) {
        let space = Space::new();
        let peer = Peer::new(&space, 1);
        let others = if is_crowded { MANY } else { 0 };
        let mut world = World::new(&space, &peer, others);
        acts.iter().for_each(|act| world.act(act));
        world.cut();
        world.end();
    }
}
