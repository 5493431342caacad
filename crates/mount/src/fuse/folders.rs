//! Requests about folders: list, make durable.

use super::{Answer, Files, GENERATION, TTL, failed, file_type, id, ttl};
use crate::hidden::Shown;
use cobox_drive::overlay::Stat;
use fuser::{FileAttr, FileHandle, FileType, INodeNo, ReplyDirectory, ReplyDirectoryPlus};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

/// `.` and `..` come first.
const DOTS: u64 = 2;

impl Files {
    pub(super) fn open_folder(&self, ino: INodeNo) -> Answer<FileHandle> {
        if self.is_hidden(ino) {
            return Ok(FileHandle(0));
        }
        let list = self.live(ino)?.list(id(ino)).map_err(failed)?;
        Ok(self.listed.put(Mutex::new(list)))
    }

    pub(super) fn read_folder(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        reply: &mut ReplyDirectory,
    ) -> Answer<()> {
        if self.is_hidden(ino) {
            return self.read_hidden(ino, offset, reply);
        }
        for (at, dot) in self
            .dots(ino)?
            .into_iter()
            .enumerate()
            .skip(offset as usize)
        {
            if reply.add(dot.0, at as u64 + 1, FileType::Directory, dot.1) {
                return Ok(());
            }
        }
        self.each(ino, fh, offset, |at, stat| {
            let name = OsStr::from_bytes(stat.name.as_bytes());
            reply.add(INodeNo(stat.id.0), at, file_type(stat.kind), name)
        })
    }

    pub(super) fn read_folder_plus(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        reply: &mut ReplyDirectoryPlus,
    ) -> Answer<()> {
        if self.is_hidden(ino) {
            return self.read_hidden_plus(ino, offset, reply);
        }
        let overlay = self.live(ino)?;
        for (at, dot) in self
            .dots(ino)?
            .into_iter()
            .enumerate()
            .skip(offset as usize)
        {
            let attr = FileAttr {
                ino: dot.0,
                ..self.details(ino)?
            };
            if reply.add(dot.0, at as u64 + 1, dot.1, &TTL, &attr, GENERATION) {
                return Ok(());
            }
        }
        self.each(ino, fh, offset, |at, stat| {
            let name = OsStr::from_bytes(stat.name.as_bytes());
            let ino = INodeNo(stat.id.0);
            let full = reply.add(ino, at, name, &TTL, &self.attr(stat), GENERATION);
            if !full {
                overlay.keep(stat);
            }
            full
        })
    }

    fn dots(&self, ino: INodeNo) -> Answer<[(INodeNo, &'static str); 2]> {
        let above = self.live(ino)?.parent(id(ino)).map_err(failed)?;
        Ok([(ino, "."), (INodeNo(above.0), "..")])
    }

    /// Entries from an offset on, until the reply is full. From the start, what is in the folder is looked up anew.
    fn each(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut add: impl FnMut(u64, &Stat) -> bool,
    ) -> Answer<()> {
        let listed = self.listed.get(fh)?;
        let mut list = listed.lock().unwrap_or_else(PoisonError::into_inner);
        if offset == 0 {
            *list = self.live(ino)?.list(id(ino)).map_err(failed)?;
        }
        let first = offset.saturating_sub(DOTS) as usize;
        for (at, stat) in list.iter().enumerate().skip(first) {
            if add(at as u64 + DOTS + 1, stat) {
                break;
            }
        }
        Ok(())
    }

    fn read_hidden(&self, ino: INodeNo, offset: u64, reply: &mut ReplyDirectory) -> Answer<()> {
        let all = self.hidden.list(ino.0)?;
        for (at, Shown { name, attr }) in all.iter().enumerate().skip(offset as usize) {
            if reply.add(attr.ino, at as u64 + 1, attr.kind, OsStr::from_bytes(name)) {
                break;
            }
        }
        Ok(())
    }

    fn read_hidden_plus(
        &self,
        ino: INodeNo,
        offset: u64,
        reply: &mut ReplyDirectoryPlus,
    ) -> Answer<()> {
        let all = self.hidden.list(ino.0)?;
        for (at, Shown { name, attr }) in all.iter().enumerate().skip(offset as usize) {
            let name = OsStr::from_bytes(name);
            if reply.add(attr.ino, at as u64 + 1, name, ttl(attr), attr, GENERATION) {
                break;
            }
        }
        Ok(())
    }

    /// Names are durable when this is answered.
    pub(super) fn sync_folder(&self, ino: INodeNo) -> Answer<()> {
        match self.is_hidden(ino) {
            true => Ok(()),
            false => self.live(ino)?.sync_names().map_err(failed),
        }
    }
}
