//! Requests about pipes, sockets and device files, and what those mean for the folders they are in.

use super::{Files, id, name};
use crate::attr::NOTHING;
use crate::errno::{self, Answer};
use crate::special;
use cobox_drive::overlay::Stat;
use cobox_drive::record::Kind;
use fuser::{Errno, FileAttr, FileType, INodeNo, RenameFlags, Request};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

/// Folder and name, as the kernel has them.
pub(super) type At<'a> = (INodeNo, &'a OsStr);

fn at(of: At<'_>) -> special::At<'_> {
    (of.0, of.1.as_bytes())
}

impl Files {
    pub(super) fn make_special(
        &self,
        request: &Request,
        to: At<'_>,
        kind: FileType,
        (mode, device): (u32, u32),
    ) -> Answer<FileAttr> {
        self.free_name(to.0, to.1)?;
        if !self.live(to.0)?.drive().is_writable() {
            return Err(Errno::EROFS);
        }
        let attr = FileAttr {
            perm: (mode & 0o7777) as u16,
            rdev: device,
            uid: request.uid(),
            gid: request.gid(),
            ..NOTHING
        };
        let made = self.special.make(at(to), kind, attr)?;
        self.touch_names(to.0);
        Ok(made)
    }

    /// A file of the space has one place in it. Programs that try links first (`cp -al`, `git`) copy when they may not.
    pub(super) fn link(&self, ino: INodeNo, to: At<'_>) -> Answer<FileAttr> {
        if !special::is_special(ino.0) {
            return Err(Errno::EPERM);
        }
        self.free_name(to.0, to.1)?;
        let attr = self.special.link(ino, at(to))?;
        self.touch_names(to.0);
        Ok(attr)
    }

    pub(super) fn special_at(&self, of: At<'_>) -> Option<FileAttr> {
        self.special.look_up(at(of))
    }

    /// Removes what is under a name if it is one of these; else false.
    pub(super) fn remove_special(&self, of: At<'_>) -> bool {
        let removed = self.special.remove(at(of));
        if removed {
            self.touch_names(of.0);
        }
        removed
    }

    /// A folder that has some of these in it is not empty, though the overlay thinks so.
    pub(super) fn check_empty(&self, of: At<'_>) -> Answer<()> {
        if self.special.is_unused() {
            return Ok(());
        }
        match self.peek(of)? {
            Some(stat) if !self.special.is_empty(INodeNo(stat.id.0)) => Err(Errno::ENOTEMPTY),
            _ => Ok(()),
        }
    }

    /// A rename in which one of these takes part; none if it is an ordinary one.
    pub(super) fn rename_special(
        &self,
        from: At<'_>,
        to: At<'_>,
        flags: RenameFlags,
    ) -> Option<Answer<()>> {
        let (old, new) = (self.special.is_at(at(from)), self.special.is_at(at(to)));
        let done = match (old, new) {
            (false, false) => return None,
            _ if flags.contains(RenameFlags::RENAME_EXCHANGE) => {
                self.special.exchange(at(from), at(to))
            }
            (_, true) if flags.contains(RenameFlags::RENAME_NOREPLACE) => Err(Errno::EEXIST),
            // The place goes once the file has its name.
            (false, true) => {
                let done = self.rename_kept(from, to, RenameFlags::empty());
                done.map(|()| {
                    self.special.remove(at(to));
                })
            }
            (true, _) => self
                .clear(to, flags)
                .map(|()| self.special.rename(at(from), at(to))),
        };
        if done.is_ok() {
            self.touch_names(from.0);
            self.touch_names(to.0);
        }
        Some(done)
    }

    /// Makes room for one of these where a file is.
    fn clear(&self, to: At<'_>, flags: RenameFlags) -> Answer<()> {
        let of = self.free_name(to.0, to.1)?;
        match self.peek(to)? {
            None => Ok(()),
            Some(_) if flags.contains(RenameFlags::RENAME_NOREPLACE) => Err(Errno::EEXIST),
            Some(stat) if stat.kind == Kind::Folder => Err(Errno::EISDIR),
            Some(_) => {
                let removed = self.live(to.0)?.remove_file(id(to.0), &of);
                removed.map_err(errno::of)
            }
        }
    }

    /// What the space has under a name, without a reference.
    fn peek(&self, of: At<'_>) -> Answer<Option<Stat>> {
        let overlay = self.live(of.0)?;
        match overlay.lookup(id(of.0), &name(of.1)?) {
            Ok(stat) => {
                overlay.forget(stat.id, 1);
                Ok(Some(stat))
            }
            Err(error) => match errno::of(error) {
                Errno::ENOENT => Ok(None),
                other => Err(other),
            },
        }
    }

    /// The names in a folder changed, of which the overlay knows nothing.
    fn touch_names(&self, folder: INodeNo) {
        let now = Some(SystemTime::now());
        self.local
            .change(folder.0, |local| (local.mtime, local.ctime) = (now, now));
    }
}
