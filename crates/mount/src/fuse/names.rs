//! Requests about names: look up, make, remove, rename.

use super::{Answer, Files, failed, id, name};
use crate::hidden;
use cobox_drive::drive::DriveError;
use cobox_drive::overlay::{Replace, Stat};
use fuser::{Errno, FileAttr, FileHandle, INodeNo, RenameFlags, Request};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

type At<'a> = (INodeNo, &'a OsStr);

impl Files {
    pub(super) fn look_up(&self, parent: INodeNo, of: &OsStr) -> Answer<FileAttr> {
        if self.is_hidden(parent) || (parent == INodeNo::ROOT && of.as_bytes() == hidden::NAME) {
            return self.hidden.look_up(parent.0, of.as_bytes());
        }
        let stat = self
            .live(parent)?
            .lookup(id(parent), &name(of)?)
            .map_err(failed)?;
        Ok(self.attr(&stat))
    }

    pub(super) fn forget(&self, ino: INodeNo, count: u64) {
        if let Ok(overlay) = self.live(ino) {
            overlay.forget(id(ino), count);
        }
    }

    pub(super) fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        of: &OsStr,
        mode: u32,
    ) -> Answer<(FileAttr, FileHandle)> {
        let (stat, open) = {
            let of = self.free_name(parent, of)?;
            self.live(parent)?
                .create(id(parent), &of, mode)
                .map_err(failed)?
        };
        let handle = self.open.put(open);
        Ok((self.born(request, parent, &stat), handle))
    }

    /// Files only: a space keeps no devices, pipes or sockets.
    pub(super) fn make_node(
        &self,
        request: &Request,
        parent: INodeNo,
        of: &OsStr,
        mode: u32,
    ) -> Answer<FileAttr> {
        match mode & libc::S_IFMT {
            0 | libc::S_IFREG => {
                Ok(self
                    .create(request, parent, of, mode)
                    .map(|(attr, handle)| {
                        drop(self.open.take(handle));
                        attr
                    })?)
            }
            _ => Err(Errno::EPERM),
        }
    }

    pub(super) fn make_folder(
        &self,
        request: &Request,
        parent: INodeNo,
        of: &OsStr,
        mode: u32,
    ) -> Answer<FileAttr> {
        let of = self.free_name(parent, of)?;
        let stat = self.live(parent)?.create_folder(id(parent), &of, mode);
        Ok(self.born(request, parent, &stat.map_err(failed)?))
    }

    pub(super) fn make_symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        of: &OsStr,
        target: &Path,
    ) -> Answer<FileAttr> {
        let of = self.free_name(parent, of)?;
        let target = target.as_os_str().as_bytes();
        let stat = self.live(parent)?.symlink(id(parent), &of, target);
        Ok(self.born(request, parent, &stat.map_err(failed)?))
    }

    /// A name that somebody may give to something new.
    fn free_name(&self, parent: INodeNo, of: &OsStr) -> Answer<cobox_drive::path::Name> {
        match parent == INodeNo::ROOT && of.as_bytes() == hidden::NAME {
            true => Err(Errno::EEXIST),
            false => name(of),
        }
    }

    /// What is new belongs to whoever made it.
    fn born(&self, request: &Request, _parent: INodeNo, stat: &Stat) -> FileAttr {
        self.local.forget(stat.id.0);
        if (request.uid(), request.gid()) != (self.uid, self.gid) {
            self.local.change(stat.id.0, |local| {
                (local.uid, local.gid) = (Some(request.uid()), Some(request.gid()));
            });
        }
        self.attr(stat)
    }

    pub(super) fn remove(&self, parent: INodeNo, of: &OsStr, folder: bool) -> Answer<()> {
        let overlay = self.live(parent)?;
        if parent == INodeNo::ROOT && of.as_bytes() == hidden::NAME {
            return Err(Errno::EROFS);
        }
        let of = name(of)?;
        let removed = match folder {
            true => overlay.remove_folder(id(parent), &of),
            false => overlay.remove_file(id(parent), &of),
        };
        removed.map_err(failed)
    }

    pub(super) fn rename(&self, from: At<'_>, to: At<'_>, flags: RenameFlags) -> Answer<()> {
        let overlay = self.live(from.0)?;
        self.live(to.0)?;
        let replace = match flags {
            _ if flags.is_empty() => Replace::Allowed,
            RenameFlags::RENAME_NOREPLACE => Replace::Refused,
            RenameFlags::RENAME_EXCHANGE => Replace::Exchange,
            _ => return Err(Errno::EINVAL),
        };
        let (old, new) = (self.free_name(from.0, from.1)?, self.free_name(to.0, to.1)?);
        let done = overlay.rename((id(from.0), &old), (id(to.0), &new), replace);
        done.map_err(|error| match error {
            // `mv` copies then, and removing the copy settles the conflict.
            DriveError::ConflictCopy(_) => Errno::EXDEV,
            other => failed(other),
        })
    }

    pub(super) fn touch(&self, ino: INodeNo) {
        self.local
            .change(ino.0, |local| local.ctime = Some(SystemTime::now()));
    }
}
