//! Requests about names: look up, make, remove, rename.

use super::places::At;
use super::{Files, id, name};
use crate::errno::{self, Answer};
use crate::special::{self, is_special};
use cobox_drive::drive::DriveError;
use cobox_drive::overlay::{Replace, Stat};
use cobox_drive::path::Name;
use fuser::{Errno, FileAttr, INodeNo, RenameFlags, Request};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

impl Files {
    pub(super) fn look_up(&self, parent: INodeNo, of: &OsStr) -> Answer<FileAttr> {
        if self.is_hidden(parent) || self.is_hidden_name(parent, of) {
            return self.hidden.look_up(parent.0, of.as_bytes());
        }
        if let Some(attr) = self.special_at((parent, of)) {
            return Ok(attr);
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
            Err(_) if is_special(ino.0) => self.special.forget(ino, count),
            Err(_) => self.hidden.forget(ino.0, count),
        }
    }

    pub(super) fn make_node(
        &self,
        request: &Request,
        parent: INodeNo,
        of: &OsStr,
        (mode, device): (u32, u32),
    ) -> Answer<FileAttr> {
        if let Some(kind) = special::kind(mode) {
            return self.make_special(request, (parent, of), kind, (mode, device));
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
        if !folder && self.remove_special((parent, of)) {
            return Ok(());
        }
        if folder {
            self.check_empty((parent, of))?;
        }
        let of = name(of)?;
        let removed = match folder {
            true => overlay.remove_folder(id(parent), &of),
            false => overlay.remove_file(id(parent), &of),
        };
        removed.map_err(errno::of)
    }

    pub(super) fn rename(&self, from: At<'_>, to: At<'_>, flags: RenameFlags) -> Answer<()> {
        if let Some(done) = self.rename_special(from, to, flags) {
            return done;
        }
        if !flags.contains(RenameFlags::RENAME_EXCHANGE) {
            self.check_empty(to)?;
        }
        self.rename_kept(from, to, flags)
    }

    /// A rename of what the space keeps.
    pub(super) fn rename_kept(&self, from: At<'_>, to: At<'_>, flags: RenameFlags) -> Answer<()> {
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
