//! What is shown and cannot be changed: the folder `.cobox` beside the files, and a space as it was.
//!
//! `.cobox/history/TIME/` is the space as of a time: recent ones are listed, any other can be named.
//! `.cobox/conflicts/` has a text about each open conflict, `.cobox/status/` one about each file. The kernel does not
//! list `.cobox` in the top folder, so that nothing copies it by accident; it is there when it is named.

mod texts;

use crate::fuse::{Answer, failed, file_type, system_time};
use cobox_drive::drive::{Drive, Picture};
use cobox_drive::handle::FileReader;
use cobox_drive::path::{DrivePath, Name};
use cobox_drive::record::{Body, Kind, Time};
use cobox_drive::tree::Entry;
use fuser::{Errno, FileAttr, FileType, INodeNo};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Name of the folder.
pub(crate) const NAME: &[u8] = b".cobox";
/// Its number, and those of everything in it, have this bit.
const TOP: u64 = 1 << 63;
/// Root of what is mounted.
const ROOT: u64 = 1;
/// Times listed of each writer.
const TIMES: usize = 200;
/// Files kept open for reading.
const READERS: usize = 64;

/// Does a number belong here?
pub(crate) fn is_hidden(ino: u64) -> bool {
    ino & TOP != 0
}

/// One entry of a folder.
pub(crate) struct Shown {
    pub name: Vec<u8>,
    pub attr: FileAttr,
}

/// Something with a number.
#[derive(Clone)]
enum Thing {
    Top,
    History,
    Conflicts,
    /// a folder of the space, whose files are texts about the real ones
    Status(DrivePath),
    /// the space as of a time that nobody has entered yet
    Time(u64),
    Frozen(Arc<Picture>, DrivePath),
    Text(Arc<str>),
}

/// All of it.
pub(crate) struct Hidden {
    drive: Option<Arc<Drive>>,
    numbers: Mutex<Numbers>,
    readers: Mutex<Vec<(u64, Arc<FileReader>)>>,
    uid: u32,
    gid: u32,
}

#[derive(Default)]
struct Numbers {
    things: HashMap<u64, Thing>,
    by_name: HashMap<(u64, Vec<u8>), u64>,
}

impl Hidden {
    /// The folder beside the files of a space.
    pub fn beside(drive: Arc<Drive>) -> Self {
        let hidden = Self::empty(Some(drive));
        hidden.numbers().things.insert(TOP, Thing::Top);
        hidden
    }

    /// A space as it was.
    pub fn frozen(picture: Arc<Picture>) -> Self {
        let hidden = Self::empty(None);
        let root = Thing::Frozen(picture, DrivePath::default());
        hidden.numbers().things.insert(ROOT, root);
        hidden
    }

    fn empty(drive: Option<Arc<Drive>>) -> Self {
        Self {
            drive,
            numbers: Mutex::default(),
            readers: Mutex::default(),
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn thing(&self, ino: u64) -> Answer<Thing> {
        self.numbers()
            .things
            .get(&ino)
            .cloned()
            .ok_or(Errno::ESTALE)
    }

    fn drive(&self) -> Answer<&Arc<Drive>> {
        self.drive.as_ref().ok_or(Errno::ENOENT)
    }

    /// Is it a text that is put together when it is asked for?
    pub fn is_text(&self, ino: u64) -> bool {
        matches!(self.thing(ino), Ok(Thing::Text(_)))
    }

    /// Gives what is under a name its number, the same as before if it had one.
    fn number(&self, parent: u64, name: &[u8], thing: Thing) -> u64 {
        let mut numbers = self.numbers();
        let next = TOP + 1 + numbers.by_name.len() as u64;
        let ino = *numbers
            .by_name
            .entry((parent, name.to_vec()))
            .or_insert(next);
        numbers.things.insert(ino, thing);
        ino
    }

    /// What is under a name.
    pub fn look_up(&self, parent: u64, name: &[u8]) -> Answer<FileAttr> {
        if parent == ROOT && name == NAME && self.drive.is_some() {
            return self.details(TOP);
        }
        let thing = match self.entered(parent)? {
            Thing::Top => match name {
                b"history" => Thing::History,
                b"conflicts" => Thing::Conflicts,
                b"status" => Thing::Status(DrivePath::default()),
                _ => return Err(Errno::ENOENT),
            },
            Thing::History => self.as_of(parent, name)?,
            Thing::Conflicts => self.conflict(name)?,
            Thing::Status(folder) => self.status(&folder, name)?,
            Thing::Frozen(picture, folder) => {
                let path = folder.join(Name::new(name).map_err(|_| Errno::ENOENT)?);
                picture.stat(&path).map_err(failed)?;
                Thing::Frozen(picture, path)
            }
            Thing::Text(_) | Thing::Time(_) => return Err(Errno::ENOTDIR),
        };
        self.details(self.number(parent, name, thing))
    }

    /// A picture is made when somebody enters it, not when times are listed.
    fn entered(&self, ino: u64) -> Answer<Thing> {
        let thing = self.thing(ino)?;
        let Thing::Time(at_ms) = thing else {
            return Ok(thing);
        };
        let picture = self.drive()?.picture(at_ms).map_err(failed)?;
        let made = Thing::Frozen(Arc::new(picture), DrivePath::default());
        self.numbers().things.insert(ino, made.clone());
        Ok(made)
    }

    /// What is called like a time; a picture that was made before is not made again.
    fn as_of(&self, parent: u64, name: &[u8]) -> Answer<Thing> {
        let numbers = self.numbers();
        let known = numbers.by_name.get(&(parent, name.to_vec()));
        match known.and_then(|ino| numbers.things.get(ino)) {
            Some(known) => Ok(known.clone()),
            None => Ok(Thing::Time(texts::parse_time(name).ok_or(Errno::ENOENT)?)),
        }
    }

    fn conflict(&self, name: &[u8]) -> Answer<Thing> {
        let all = texts::conflicts(self.drive()?)?;
        let found = all.into_iter().find(|(one, _)| one.as_bytes() == name);
        let (_, text) = found.ok_or(Errno::ENOENT)?;
        Ok(Thing::Text(text.into()))
    }

    fn status(&self, folder: &DrivePath, name: &[u8]) -> Answer<Thing> {
        let drive = self.drive()?;
        let path = |name: &[u8]| Some(folder.join(Name::new(name).ok()?));
        if let Some(path) = path(name)
            && drive
                .stat(&path)
                .is_ok_and(|entry| entry.kind == Kind::Folder)
        {
            return Ok(Thing::Status(path));
        }
        let of = name
            .strip_suffix(texts::SUFFIX)
            .and_then(path)
            .ok_or(Errno::ENOENT)?;
        Ok(Thing::Text(texts::status(drive, &of)?.into()))
    }

    /// Attributes of a number.
    pub fn details(&self, ino: u64) -> Answer<FileAttr> {
        let folder = |time| self.attr(ino, FileType::Directory, 0o555, 0, time);
        Ok(match self.thing(ino)? {
            Thing::Top | Thing::History | Thing::Conflicts | Thing::Status(_) => folder(UNIX_EPOCH),
            Thing::Text(text) => {
                let now = SystemTime::now();
                self.attr(ino, FileType::RegularFile, 0o444, text.len() as u64, now)
            }
            Thing::Time(at_ms) => folder(time_of(at_ms)),
            Thing::Frozen(picture, path) if path.is_root() => folder(time_of(picture.at_ms())),
            Thing::Frozen(picture, path) => {
                let entry = picture.stat(&path).map_err(failed)?;
                self.attr_of(ino, &entry)
            }
        })
    }

    fn attr_of(&self, ino: u64, entry: &Entry) -> FileAttr {
        let mode = entry.attrs.mode as u16 & 0o7555;
        let time = system_time(entry.content.mtime);
        self.attr(ino, file_type(entry.kind), mode, entry.content.size, time)
    }

    fn attr(&self, ino: u64, kind: FileType, perm: u16, size: u64, time: SystemTime) -> FileAttr {
        FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm,
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            rdev: 0,
            blksize: 1 << 20,
            flags: 0,
        }
    }

    /// Everything in a folder, `.` and `..` first.
    pub fn list(&self, ino: u64) -> Answer<Vec<Shown>> {
        let own = self.details(ino)?;
        let dot = |name: &[u8]| Shown {
            name: name.to_vec(),
            attr: own,
        };
        let mut shown = vec![dot(b"."), dot(b"..")];
        for name in self.names(ino)? {
            // What went away between the two looks is left out.
            if let Ok(attr) = self.look_up(ino, &name) {
                shown.push(Shown { name, attr });
            }
        }
        Ok(shown)
    }

    fn names(&self, ino: u64) -> Answer<Vec<Vec<u8>>> {
        Ok(match self.entered(ino)? {
            Thing::Top => [&b"conflicts"[..], b"history", b"status"]
                .map(<[u8]>::to_vec)
                .into(),
            Thing::History => {
                let times = self.drive()?.commit_times(TIMES).map_err(failed)?;
                let mut names: Vec<_> = times.into_iter().map(texts::format_time).collect();
                names.dedup();
                names.into_iter().map(String::into_bytes).collect()
            }
            Thing::Conflicts => {
                let all = texts::conflicts(self.drive()?)?;
                all.into_iter().map(|(name, _)| name.into_bytes()).collect()
            }
            Thing::Status(folder) => {
                let entries = self.drive()?.list(&folder).map_err(failed)?;
                let name = |entry: &Entry| match entry.kind {
                    Kind::Folder => entry.name.as_bytes().to_vec(),
                    _ => [entry.name.as_bytes(), texts::SUFFIX].concat(),
                };
                entries.iter().map(name).collect()
            }
            Thing::Frozen(picture, folder) => {
                let entries = picture.list(&folder).map_err(failed)?;
                entries
                    .iter()
                    .map(|entry| entry.name.as_bytes().to_vec())
                    .collect()
            }
            Thing::Text(_) | Thing::Time(_) => return Err(Errno::ENOTDIR),
        })
    }

    /// A symlink's target.
    pub fn target(&self, ino: u64) -> Answer<Vec<u8>> {
        let Thing::Frozen(picture, path) = self.thing(ino)? else {
            return Err(Errno::EINVAL);
        };
        match picture.stat(&path).map_err(failed)?.content.body {
            Body::Target(target) => Ok(target),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Reads up to `size` bytes.
    pub fn read(&self, ino: u64, offset: u64, size: usize) -> Answer<Vec<u8>> {
        match self.thing(ino)? {
            Thing::Text(text) => {
                let from = text.len().min(offset as usize);
                let to = text.len().min(from + size);
                Ok(text.as_bytes()[from..to].to_vec())
            }
            Thing::Frozen(picture, path) => {
                let reader = self.reader(ino, &picture, &path)?;
                let mut data = vec![0; size];
                let length = reader.read_at(offset, &mut data).map_err(failed)?;
                data.truncate(length);
                Ok(data)
            }
            _ => Err(Errno::EISDIR),
        }
    }

    fn reader(&self, ino: u64, picture: &Picture, path: &DrivePath) -> Answer<Arc<FileReader>> {
        let readers = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reader)) = readers().iter().find(|(one, _)| *one == ino) {
            return Ok(reader.clone());
        }
        let reader = Arc::new(picture.open(path).map_err(failed)?);
        let mut readers = readers();
        if readers.len() >= READERS {
            readers.remove(0);
        }
        readers.push((ino, reader.clone()));
        Ok(reader)
    }
}

fn time_of(ms: u64) -> SystemTime {
    let seconds = (ms / 1000) as i64;
    system_time(Time { seconds, nanos: 0 })
}
