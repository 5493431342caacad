//! Requests about names: look up, make, remove, rename.

use super::{Files, id, name};
use crate::errno::{self, Answer};
use cobox_drive::drive::DriveError;
use cobox_drive::overlay::{Replace, Stat};
use cobox_drive::path::Name;
use fuser::{Errno, FileAttr, INodeNo, RenameFlags, Request};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

type At<'a> = (INodeNo, &'a OsStr);

impl Files {
    pub(super) fn look_up(&self, parent: INodeNo, of: &OsStr) -> Answer<FileAttr> {
        if self.is_hidden(parent) || self.is_hidden_name(parent, of) {
            return self.hidden.look_up(parent.0, of.as_bytes());
        }
        let stat = self
            .live(parent)?
            .lookup(id(parent), &name(of)?)
            .map_err(errno::of)?;
        Ok(self.attr(&stat))
    }

    pub(super) fn forget(&self, ino: INodeNo, count: u64) {
        match self.live(ino) {
            Ok(overlay) => overlay.forget(id(ino), count),
            Err(_) => self.hidden.forget(ino.0, count),
        }
    }

    /// Files only: a space keeps no devices, pipes or sockets.
    pub(super) fn make_node(
        &self,
        request: &Request,
        parent: INodeNo,
        of: &OsStr,
        mode: u32,
    ) -> Answer<FileAttr> {
        if !matches!(mode & libc::S_IFMT, 0 | libc::S_IFREG) {
            return Err(Errno::EPERM);
        }
        let of = self.free_name(parent, of)?;
        let made = self.live(parent)?.create(id(parent), &of, mode);
        let (stat, _closed) = made.map_err(errno::of)?;
        Ok(self.born(request, &stat))
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
        Ok(self.born(request, &stat.map_err(errno::of)?))
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
        Ok(self.born(request, &stat.map_err(errno::of)?))
    }

    /// A name that somebody may give to something new.
    pub(super) fn free_name(&self, parent: INodeNo, of: &OsStr) -> Answer<Name> {
        match self.is_hidden_name(parent, of) {
            true => Err(Errno::EEXIST),
            false => name(of),
        }
    }

    /// What is new belongs to whoever made it.
    pub(super) fn born(&self, request: &Request, stat: &Stat) -> FileAttr {
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
        if self.is_hidden_name(parent, of) {
            return Err(Errno::EROFS);
        }
        let of = name(of)?;
        let removed = match folder {
            true => overlay.remove_folder(id(parent), &of),
            false => overlay.remove_file(id(parent), &of),
        };
        removed.map_err(errno::of)
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
            other => errno::of(other),
        })
    }

    pub(super) fn touch(&self, ino: INodeNo) {
        self.local
            .change(ino.0, |local| local.ctime = Some(SystemTime::now()));
    }
}
