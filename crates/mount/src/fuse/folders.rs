//! Requests about folders: list, make durable.

use super::{Files, GENERATION, NOTHING, TTL, file_type, id};
use crate::errno::{self, Answer};
use crate::hidden::Shown;
use cobox_drive::overlay::Stat;
use fuser::{FileAttr, FileHandle, FileType, INodeNo, ReplyDirectory};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

/// `.` and `..` come first.
const DOTS: u64 = 2;
/// The number of an entry that has none until somebody looks it up. 0 would hide it from programs.
const UNKNOWN: INodeNo = INodeNo(u32::MAX as u64);

/// What a program that lists a folder sees, however long it takes: the folder at the time when it began.
pub(super) enum Listing {
    /// read when the first entry is asked for
    Live(Mutex<Option<Names>>),
    Hidden(Vec<Shown>),
}

/// What a folder of the space holds, and the pipes and sockets in it.
type Names = (Vec<Stat>, Vec<(Vec<u8>, FileAttr)>);

impl Files {
    /// The kernel is not asked to keep the list: our offsets count entries of one reading of the folder, and the kernel
    /// would go on with them in another.
    pub(super) fn open_folder(&self, ino: INodeNo) -> Answer<FileHandle> {
        if self.is_hidden(ino) {
            let listing = Listing::Hidden(self.hidden.list(ino.0)?);
            return Ok(self.listed.put(listing));
        }
        Ok(self.listed.put(Listing::Live(Mutex::default())))
    }

    pub(super) fn read_folder(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        reply: &mut ReplyDirectory,
    ) -> Answer<()> {
        let add = |at, entry: Entry<'_>| match entry {
            Entry::Dot(attr, name) => reply.add(attr.ino, at, FileType::Directory, name),
            Entry::Live(stat) => {
                let name = OsStr::from_bytes(stat.name.as_bytes());
                reply.add(INodeNo(stat.id.0), at, file_type(stat.kind), name)
            }
            Entry::Special(name, attr) => {
                reply.add(attr.ino, at, attr.kind, OsStr::from_bytes(name))
            }
            Entry::Hidden(shown) => {
                reply.add(UNKNOWN, at, shown.attr.kind, OsStr::from_bytes(&shown.name))
            }
        };
        self.each(ino, fh, offset, add)
    }

    /// The same with attributes, which saves looking up each.
    pub(super) fn read_folder_plus(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        reply: &mut fuser::ReplyDirectoryPlus,
    ) -> Answer<()> {
        let add = |at, entry: Entry<'_>| match entry {
            Entry::Dot(attr, name) => reply.add(attr.ino, at, name, &TTL, &attr, GENERATION),
            Entry::Live(stat) => {
                let name = OsStr::from_bytes(stat.name.as_bytes());
                let attr = self.attr(stat);
                let full = reply.add(attr.ino, at, name, &TTL, &attr, GENERATION);
                if let (false, Ok(overlay)) = (full, self.live(ino)) {
                    overlay.keep(stat);
                }
                full
            }
            Entry::Special(name, attr) => {
                let name = OsStr::from_bytes(name);
                let full = reply.add(attr.ino, at, name, &TTL, attr, GENERATION);
                if !full {
                    self.special.keep(attr.ino);
                }
                full
            }
            Entry::Hidden(shown) => {
                let name = OsStr::from_bytes(&shown.name);
                let (attr, ttl) = self.hidden.keep(ino.0, shown);
                let full = reply.add(attr.ino, at, name, &ttl, &attr, GENERATION);
                if full {
                    self.hidden.forget(attr.ino.0, 1);
                }
                full
            }
        };
        self.each(ino, fh, offset, add)
    }

    /// Entries from an offset on, until the reply is full. From the start, what is in a folder is looked up anew.
    fn each(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut add: impl FnMut(u64, Entry<'_>) -> bool,
    ) -> Answer<()> {
        let listed = self.listed.get(fh)?;
        for (at, dot) in (1..).zip(self.dots(ino)).skip(offset as usize) {
            if add(at, Entry::Dot(dot.0, dot.1)) {
                return Ok(());
            }
        }
        let first = offset.saturating_sub(DOTS) as usize;
        match &*listed {
            Listing::Live(list) => {
                let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
                if offset == 0 || list.is_none() {
                    let kept = self.live(ino)?.list(id(ino)).map_err(errno::of)?;
                    *list = Some((kept, self.special.list(ino)));
                }
                if let Some((kept, special)) = &*list {
                    let special = special
                        .iter()
                        .map(|(name, attr)| Entry::Special(name, attr));
                    fill(kept.iter().map(Entry::Live).chain(special), first, add);
                }
            }
            Listing::Hidden(list) => fill(list.iter().map(Entry::Hidden), first, add),
        }
        Ok(())
    }

    /// The kernel takes only the numbers of these two.
    fn dots(&self, ino: INodeNo) -> [(FileAttr, &'static str); 2] {
        let above = self
            .live(ino)
            .ok()
            .and_then(|overlay| overlay.parent(id(ino)).ok());
        let folder = |ino| FileAttr {
            ino,
            kind: FileType::Directory,
            ..NOTHING
        };
        let above = above.map_or(ino, |above| INodeNo(above.0));
        [(folder(ino), "."), (folder(above), "..")]
    }

    /// Names are durable when this is answered.
    pub(super) fn sync_folder(&self, ino: INodeNo) -> Answer<()> {
        match self.is_hidden(ino) {
            true => Ok(()),
            false => self.live(ino)?.sync_names().map_err(errno::of),
        }
    }
}

/// One entry of a folder.
enum Entry<'a> {
    Dot(FileAttr, &'static str),
    Live(&'a Stat),
    Special(&'a [u8], &'a FileAttr),
    Hidden(&'a Shown),
}

fn fill<'a>(
    list: impl Iterator<Item = Entry<'a>>,
    first: usize,
    mut add: impl FnMut(u64, Entry<'a>) -> bool,
) {
    for (at, entry) in (DOTS + 1..).zip(list).skip(first) {
        if add(at, entry) {
            break;
        }
    }
}
