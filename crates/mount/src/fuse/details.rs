//! Requests about details: attributes, extended attributes, symlink targets, free space.

use super::{Files, id};
use crate::attr::{sent_time, system_time};
use crate::errno::{self, Answer};
use crate::special::is_special;
use cobox_drive::overlay::{FileId, Must, Set as Change, Stat};
use cobox_drive::record::Kind;
use fuser::{Errno, FileAttr, FileHandle, INodeNo, ReplyStatfs, ReplyXattr, TimeOrNow};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

/// Unit in which room is counted.
const BLOCK: u32 = 4096;
const NAME_MAX: u32 = 255;

/// What is to be set.
pub(super) struct Set {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<TimeOrNow>,
    pub mtime: Option<TimeOrNow>,
}

impl Files {
    pub(super) fn details(&self, ino: INodeNo) -> Answer<FileAttr> {
        if self.is_hidden(ino) {
            return self.hidden.details(ino.0);
        }
        if is_special(ino.0) {
            return self.special.attr(ino);
        }
        let stat = self.live(ino)?.stat(id(ino)).map_err(errno::of)?;
        Ok(self.attr(&stat))
    }

    pub(super) fn set(
        &self,
        uid: u32,
        ino: INodeNo,
        set: Set,
        fh: Option<FileHandle>,
    ) -> Answer<FileAttr> {
        let now = SystemTime::now();
        let time = |time| match time {
            TimeOrNow::SpecificTime(time) => sent_time(time),
            TimeOrNow::Now => sent_time(now),
        };
        if is_special(ino.0) {
            let time = |set: TimeOrNow| system_time(time(set));
            return self.special.change(ino, |attr| {
                attr.perm = set.mode.map_or(attr.perm, |mode| (mode & 0o7777) as u16);
                attr.uid = set.uid.unwrap_or(attr.uid);
                attr.gid = set.gid.unwrap_or(attr.gid);
                attr.atime = set.atime.map_or(attr.atime, time);
                attr.mtime = set.mtime.map_or(attr.mtime, time);
            });
        }
        let overlay = self.live(ino)?;
        let _begins = set.size.map(|_| self.gate.change());
        // An open file is cut through its handle: it may have no name any more.
        let mut size = set.size;
        if let (Some(fh), Some(to)) = (fh, size) {
            self.cut(fh, to)?;
            size = None;
        }
        let change = Change {
            mode: set.mode.map(|mode| mode & 0o7777),
            mtime: set.mtime.map(time),
            size,
        };
        let stat = overlay.set(id(ino), change).map_err(errno::of)?;
        let is_local = set.uid.is_some() || set.gid.is_some() || set.atime.is_some();
        if is_local || set.mtime.is_some() && self.local.get(ino.0).mtime.is_some() {
            self.local.change(ino.0, |local| {
                local.mtime = local.mtime.filter(|_| set.mtime.is_none());
                local.uid = set.uid.or(local.uid);
                local.gid = set.gid.or(local.gid);
                local.atime = set
                    .atime
                    .map(|atime| system_time(time(atime)))
                    .or(local.atime);
                local.ctime = Some(now);
            });
        }
        let is_given_away = set.uid.is_some() || set.gid.is_some();
        if set.mode.is_none() && (is_given_away || set.size.is_some() && uid != 0) {
            return Ok(self.attr(&self.strip(stat.id)?));
        }
        Ok(self.attr(&stat))
    }

    /// Takes away the bits that let a file run with its owner's rights, after somebody changed it. The kernel leaves
    /// that to us, since we save it asking before every write whether there is anything of the kind.
    pub(super) fn strip(&self, of: FileId) -> Answer<Stat> {
        let overlay = self.live(INodeNo(of.0))?;
        let stat = overlay.stat(of).map_err(errno::of)?;
        let mut mode = stat.mode & !libc::S_ISUID;
        if mode & libc::S_IXGRP != 0 {
            mode &= !libc::S_ISGID;
        }
        if stat.kind != Kind::File || mode == stat.mode {
            return Ok(stat);
        }
        let mode = Some(mode);
        let change = Change {
            mode,
            ..Change::default()
        };
        overlay.set(of, change).map_err(errno::of)
    }

    pub(super) fn target(&self, ino: INodeNo) -> Answer<Vec<u8>> {
        match self.is_hidden(ino) {
            true => self.hidden.target(ino.0),
            false => self.live(ino)?.target(id(ino)).map_err(errno::of),
        }
    }

    pub(super) fn xattr(&self, ino: INodeNo, name: &OsStr) -> Answer<Vec<u8>> {
        if self.is_hidden(ino) || is_special(ino.0) || !is_kept(name) {
            return Err(Errno::ENODATA);
        }
        let all = self.live(ino)?.xattrs(id(ino)).map_err(errno::of)?;
        let found = all.into_iter().find(|(one, _)| one == name.as_bytes());
        found.map(|(_, value)| value).ok_or(Errno::ENODATA)
    }

    pub(super) fn xattr_names(&self, ino: INodeNo) -> Answer<Vec<u8>> {
        if self.is_hidden(ino) || is_special(ino.0) {
            return Ok(Vec::new());
        }
        let all = self.live(ino)?.xattrs(id(ino)).map_err(errno::of)?;
        let names = all
            .into_iter()
            .filter(|(name, _)| is_kept(OsStr::from_bytes(name)));
        Ok(names
            .flat_map(|(name, _)| [&name[..], b"\0"].concat())
            .collect())
    }

    pub(super) fn set_xattr(
        &self,
        ino: INodeNo,
        name: &OsStr,
        value: Option<&[u8]>,
        flags: i32,
    ) -> Answer<()> {
        let overlay = self.live(ino)?;
        if !is_kept(name) {
            return Err(Errno::EOPNOTSUPP);
        }
        let must = match flags {
            libc::XATTR_CREATE => Must::New,
            libc::XATTR_REPLACE => Must::Exist,
            _ => Must::Any,
        };
        let name = name.as_bytes();
        overlay
            .change_xattr(id(ino), name, value, must)
            .map_err(errno::of)?;
        self.touch(ino);
        Ok(())
    }

    /// Used is what the space takes of the disk that keeps it, free what is left there.
    pub(super) fn room(&self, reply: ReplyStatfs) {
        let drive = self.overlay.as_ref().map(|overlay| overlay.drive());
        let totals = drive.and_then(|drive| drive.totals().ok());
        let (files, folders, _) = totals.unwrap_or_default();
        let bytes = drive.map_or(0, |drive| drive.disk_size());
        let (free, nodes) = self.free();
        let free = free / u64::from(BLOCK);
        let total = free.saturating_add(bytes.div_ceil(u64::from(BLOCK)));
        let all = nodes.saturating_add(files + folders + 1);
        reply.statfs(total, free, free, all, nodes, BLOCK, NAME_MAX, BLOCK);
    }

    /// Bytes and files that the disk has room for.
    pub(super) fn free(&self) -> (u64, u64) {
        match rustix::fs::statvfs(&self.disk) {
            Ok(disk) => (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_favail),
            Err(_) => (0, 0),
        }
    }
}

/// The ones of programs are kept; those of a system (capabilities, access lists) mean nothing elsewhere.
fn is_kept(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"user.")
}

/// Answers with a value, or with its length when none was asked for.
pub(super) fn xattr(found: Answer<Vec<u8>>, room: u32, reply: ReplyXattr) {
    match found {
        Err(error) => reply.error(error),
        Ok(value) if room == 0 => reply.size(value.len() as u32),
        Ok(value) if value.len() > room as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
    }
}
