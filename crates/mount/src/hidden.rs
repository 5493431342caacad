//! What is shown and cannot be changed: the folder `.cobox` beside the files, and a space as it was.
//!
//! `.cobox/history/TIME/` is the space as of a time: recent ones are listed, any other can be named.
//! `.cobox/conflicts/` has a text about each open conflict, `.cobox/status/` one about each file. The folder `.cobox` is
//! not listed in the top folder, so that nothing copies it by accident; it is there when it is named.

mod numbers;
mod pictures;
mod texts;

use crate::attr::{file_type, still, system_time};
use crate::errno::{self, Answer};
use cobox_drive::drive::{Drive, DriveError, Picture};
use cobox_drive::handle::FileReader;
use cobox_drive::path::{DrivePath, Name};
use cobox_drive::record::{Body, Kind, Time};
use cobox_drive::tree::Entry;
use fuser::{Errno, FileAttr, FileType, INodeNo};
use numbers::Numbers;
pub(crate) use numbers::is_hidden;
use pictures::Pictures;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Name of the folder.
pub(crate) const NAME: &[u8] = b".cobox";
/// Root of what is mounted.
const ROOT: u64 = 1;
/// Times listed of each writer.
const TIMES: usize = 200;
/// How long the kernel may trust what is there.
const SOON: Duration = Duration::from_secs(1);

/// Something with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    Top,
    History,
    Conflicts,
    /// a folder of the space, whose files are texts about the real ones
    Status(DrivePath),
    /// the text about a file
    About(DrivePath),
    /// the text about a conflict, by its name
    Conflict(String),
    /// something in the space as of a time (ms since 1970)
    Past(u64, DrivePath),
}

/// One entry of a folder. It gets a number when somebody looks at it.
pub(crate) struct Shown {
    pub name: Vec<u8>,
    pub attr: FileAttr,
    thing: Thing,
}

/// What is open for reading.
pub(crate) enum Still {
    /// a file as it was
    Old(FileReader),
    /// put together when it was opened
    Text(String),
}

impl Still {
    /// Reads up to `buffer.len()` bytes; 0 at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DriveError> {
        match self {
            Self::Old(reader) => reader.read_at(offset, buffer),
            Self::Text(text) => {
                let from = usize::try_from(offset).map_or(text.len(), |from| from.min(text.len()));
                let length = buffer.len().min(text.len() - from);
                buffer[..length].copy_from_slice(&text.as_bytes()[from..from + length]);
                Ok(length)
            }
        }
    }
}

/// All of it.
pub(crate) struct Hidden {
    drive: Option<Arc<Drive>>,
    numbers: Numbers,
    pictures: Pictures,
}

impl Hidden {
    /// The folder beside the files of a space.
    pub fn beside(drive: Arc<Drive>) -> Self {
        Self {
            drive: Some(drive),
            numbers: Numbers::new(numbers::TOP, Thing::Top),
            pictures: Pictures::default(),
        }
    }

    /// A space as it was.
    pub fn frozen(picture: Arc<Picture>) -> Self {
        let root = Thing::Past(picture.at_ms(), DrivePath::default());
        Self {
            drive: None,
            numbers: Numbers::new(ROOT, root),
            pictures: Pictures::of(picture),
        }
    }

    /// Is everything at hand that is shown? Else answers may take long.
    pub fn is_quick(&self) -> bool {
        self.drive.is_none()
    }

    fn drive(&self) -> Answer<&Arc<Drive>> {
        self.drive.as_ref().ok_or(Errno::ENOENT)
    }

    fn picture(&self, at_ms: u64) -> Answer<Arc<Picture>> {
        self.pictures.get(at_ms, self.drive.as_ref())
    }

    /// What is under a name. Counts one reference.
    pub fn look_up(&self, parent: u64, name: &[u8]) -> Answer<FileAttr> {
        if parent == ROOT && name == NAME && self.drive.is_some() {
            return self.details(numbers::TOP);
        }
        let thing = match self.numbers.get(parent)? {
            Thing::Top => match name {
                b"history" => Thing::History,
                b"conflicts" => Thing::Conflicts,
                b"status" => Thing::Status(DrivePath::default()),
                _ => return Err(Errno::ENOENT),
            },
            Thing::History => {
                let at_ms = texts::parse_time(name).ok_or(Errno::ENOENT)?;
                Thing::Past(at_ms, DrivePath::default())
            }
            Thing::Conflicts => Thing::Conflict(String::from_utf8_lossy(name).into_owned()),
            Thing::Status(folder) => self.status(&folder, name)?,
            Thing::Past(at_ms, folder) => {
                let path = folder.join(Name::new(name).map_err(|_| Errno::ENOENT)?);
                Thing::Past(at_ms, path)
            }
            Thing::About(_) | Thing::Conflict(_) => return Err(Errno::ENOTDIR),
        };
        let attr = self.attr(&thing)?;
        let ino = INodeNo(self.numbers.keep((parent, name), thing, attr.size));
        Ok(FileAttr { ino, ..attr })
    }

    /// Counts one reference to an entry of a list. Also says how long its attributes may be trusted.
    pub fn keep(&self, parent: u64, shown: &Shown) -> (FileAttr, Duration) {
        let at = (parent, &shown.name[..]);
        let number = self.numbers.keep(at, shown.thing.clone(), shown.attr.size);
        let attr = FileAttr {
            ino: INodeNo(number),
            ..shown.attr
        };
        let ttl = match shown.thing {
            // How long they are is found out when somebody wants to know.
            Thing::About(_) | Thing::Conflict(_) => Duration::ZERO,
            _ => SOON,
        };
        (attr, ttl)
    }

    /// The kernel forgot some references.
    pub fn forget(&self, ino: u64, count: u64) {
        self.numbers.forget(ino, count);
    }

    /// A folder or a text about a file.
    fn status(&self, folder: &DrivePath, name: &[u8]) -> Answer<Thing> {
        let path = |name: &[u8]| Some(folder.join(Name::new(name).ok()?));
        let is_folder = |path: &DrivePath| {
            let entry = self.drive().map(|drive| drive.stat(path));
            matches!(entry, Ok(Ok(entry)) if entry.kind == Kind::Folder)
        };
        if let Some(path) = path(name).filter(is_folder) {
            return Ok(Thing::Status(path));
        }
        let of = name.strip_suffix(texts::SUFFIX).and_then(path);
        of.map(Thing::About).ok_or(Errno::ENOENT)
    }

    /// Attributes of a number.
    pub fn details(&self, ino: u64) -> Answer<FileAttr> {
        let attr = self.attr(&self.numbers.get(ino)?)?;
        let ino = INodeNo(ino);
        Ok(FileAttr { ino, ..attr })
    }

    fn attr(&self, thing: &Thing) -> Answer<FileAttr> {
        match thing {
            Thing::Top | Thing::History | Thing::Conflicts | Thing::Status(_) => {
                Ok(folder(UNIX_EPOCH))
            }
            Thing::About(_) | Thing::Conflict(_) => Ok(text(self.text(thing)?.len() as u64)),
            Thing::Past(at_ms, path) if path.is_root() => Ok(folder(time_of(*at_ms))),
            Thing::Past(at_ms, path) => {
                let entry = self.picture(*at_ms)?.stat(path).map_err(errno::of)?;
                Ok(old(&entry))
            }
        }
    }

    /// Everything in a folder.
    pub fn list(&self, ino: u64) -> Answer<Vec<Shown>> {
        let shown = |name: &[u8], attr, thing| Shown {
            name: name.to_vec(),
            attr,
            thing,
        };
        Ok(match self.numbers.get(ino)? {
            Thing::Top => vec![
                shown(b"conflicts", folder(UNIX_EPOCH), Thing::Conflicts),
                shown(b"history", folder(UNIX_EPOCH), Thing::History),
                shown(
                    b"status",
                    folder(UNIX_EPOCH),
                    Thing::Status(DrivePath::default()),
                ),
            ],
            Thing::History => self.times()?,
            Thing::Conflicts => {
                let all = texts::conflicts(self.drive()?)?.into_iter();
                all.map(|(name, about)| {
                    let attr = text(about.len() as u64);
                    shown(name.as_bytes(), attr, Thing::Conflict(name.clone()))
                })
                .collect()
            }
            Thing::Status(at) => {
                let entries = self.drive()?.list(&at).map_err(errno::of)?;
                entries.iter().map(|entry| about(&at, entry)).collect()
            }
            Thing::Past(at_ms, at) => {
                let entries = self.picture(at_ms)?.list(&at).map_err(errno::of)?;
                let past = |entry: &Entry| {
                    let thing = Thing::Past(at_ms, at.join(entry.name.clone()));
                    shown(entry.name.as_bytes(), old(entry), thing)
                };
                entries.iter().map(past).collect()
            }
            Thing::About(_) | Thing::Conflict(_) => return Err(Errno::ENOTDIR),
        })
    }

    /// Commits of one second have one name.
    fn times(&self) -> Answer<Vec<Shown>> {
        let times = self.drive()?.commit_times(TIMES).map_err(errno::of)?;
        let mut shown: Vec<Shown> = Vec::new();
        for name in times.into_iter().map(texts::format_time) {
            let name = name.into_bytes();
            let known = shown.last().is_some_and(|last| last.name == name);
            if let Some(at_ms) = texts::parse_time(&name).filter(|_| !known) {
                shown.push(Shown {
                    name,
                    attr: folder(time_of(at_ms)),
                    thing: Thing::Past(at_ms, DrivePath::default()),
                });
            }
        }
        Ok(shown)
    }

    /// A symlink's target.
    pub fn target(&self, ino: u64) -> Answer<Vec<u8>> {
        let Thing::Past(at_ms, path) = self.numbers.get(ino)? else {
            return Err(Errno::EINVAL);
        };
        let entry = self.picture(at_ms)?.stat(&path).map_err(errno::of)?;
        match entry.content.body {
            Body::Target(target) => Ok(target),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Opens a file for reading.
    pub fn open(&self, ino: u64) -> Answer<Still> {
        match self.numbers.get(ino)? {
            Thing::Past(at_ms, path) => {
                let reader = self.picture(at_ms)?.open(&path).map_err(errno::of)?;
                Ok(Still::Old(reader))
            }
            thing => Ok(Still::Text(self.text(&thing)?)),
        }
    }

    fn text(&self, thing: &Thing) -> Answer<String> {
        match thing {
            Thing::About(path) => texts::status(self.drive()?, path),
            Thing::Conflict(name) => {
                let all = texts::conflicts(self.drive()?)?;
                let found = all.into_iter().find(|(one, _)| one == name);
                found.map(|(_, text)| text).ok_or(Errno::ENOENT)
            }
            _ => Err(Errno::EISDIR),
        }
    }
}

fn about(folder_path: &DrivePath, entry: &Entry) -> Shown {
    let path = folder_path.join(entry.name.clone());
    let name = entry.name.as_bytes();
    match entry.kind {
        Kind::Folder => Shown {
            name: name.to_vec(),
            attr: folder(UNIX_EPOCH),
            thing: Thing::Status(path),
        },
        _ => Shown {
            name: [name, texts::SUFFIX].concat(),
            attr: text(0),
            thing: Thing::About(path),
        },
    }
}

fn folder(time: SystemTime) -> FileAttr {
    still(FileType::Directory, 0o555, 0, time)
}

fn text(length: u64) -> FileAttr {
    still(FileType::RegularFile, 0o444, length, SystemTime::now())
}

fn old(entry: &Entry) -> FileAttr {
    let mode = entry.attrs.mode as u16 & 0o7555;
    let time = system_time(entry.content.mtime);
    still(file_type(entry.kind), mode, entry.content.size, time)
}

fn time_of(ms: u64) -> SystemTime {
    let seconds = (ms / 1000) as i64;
    system_time(Time { seconds, nanos: 0 })
}
