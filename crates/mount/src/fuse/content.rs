//! Requests about bytes: open, read, write, seek, make durable.

use super::around::Around;
use super::{Files, id, with_buffer};
use crate::errno::{self, Answer};
use crate::hidden::Still;
use cobox_drive::drive::DriveError;
use cobox_drive::overlay::OpenFile;
use fuser::{
    Errno, FileAttr, FileHandle, FopenFlags, INodeNo, OpenAccMode, OpenFlags, ReplyData, Request,
    WriteFlags,
};
use std::ffi::OsStr;
use std::ops::Range;
use std::sync::Arc;

/// What the kernel has open.
pub(super) enum Open {
    /// a file of the space
    File {
        file: Arc<OpenFile>,
        write: bool,
        around: Around,
    },
    /// one that nobody may change
    Still(Still),
}

impl Open {
    fn new(file: Arc<OpenFile>, write: bool) -> Self {
        Self::File {
            file,
            write,
            around: Around::default(),
        }
    }

    /// A file of the space; the others cannot be changed.
    fn file(&self) -> Answer<&Arc<OpenFile>> {
        match self {
            Self::File { file, .. } => Ok(file),
            Self::Still(_) => Err(Errno::EROFS),
        }
    }

    /// Can these bytes be read without waiting for a peer?
    pub fn is_here(&self, range: Range<u64>) -> bool {
        match self {
            Self::File { file, .. } => file.is_here(range),
            Self::Still(Still::Old(reader)) => reader.holds(range),
            Self::Still(Still::Text(_)) => true,
        }
    }

    /// Reads and answers; what goes wrong is told before that.
    pub fn read(&self, range: &Range<u64>, reply: ReplyData, failed: impl FnOnce(&DriveError)) {
        let size = (range.end - range.start) as usize;
        with_buffer(size, |buffer| match self.read_into(range.start, buffer) {
            Ok(length) => reply.data(&buffer[..length]),
            Err(error) => {
                failed(&error);
                reply.error(errno::of(error));
            }
        });
    }

    /// Should what lies around this be given to the kernel as well?
    pub fn wants_around(&self, range: &Range<u64>) -> bool {
        matches!(self, Self::File { file, write: false, around } if around.is_wanted(file, range))
    }

    fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DriveError> {
        match self {
            Self::File { file, .. } => file.read_at(offset, buffer),
            Self::Still(still) => still.read_at(offset, buffer),
        }
    }
}

impl Files {
    pub(super) fn open(&self, ino: INodeNo, flags: OpenFlags) -> Answer<(FileHandle, FopenFlags)> {
        let write = flags.acc_mode() != OpenAccMode::O_RDONLY;
        if !self.is_hidden(ino) {
            let opened = self.live(ino)?.open_file(id(ino), write);
            let open = Open::new(opened.map_err(errno::of)?, write);
            let _begins = write.then(|| self.gate.change());
            return Ok((self.open.put(open), FopenFlags::FOPEN_KEEP_CACHE));
        }
        if write {
            return Err(Errno::EROFS);
        }
        let still = self.hidden.open(ino.0)?;
        let keep = match still {
            // Its length was a guess.
            Still::Text(_) => FopenFlags::FOPEN_DIRECT_IO,
            Still::Old(_) => FopenFlags::FOPEN_KEEP_CACHE,
        };
        Ok((self.open.put(Open::Still(still)), keep))
    }

    /// Reads what is not here: waits for peers, so not on a thread that answers the kernel.
    pub(super) fn read_far(&self, ino: INodeNo, open: &Open, range: Range<u64>, reply: ReplyData) {
        if !open.is_here(range.clone()) && self.missed.was(ino.0, &range) {
            return reply.error(Errno::EIO);
        }
        // Noted before it is answered: the kernel asks again at once.
        open.read(&range, reply, |error| {
            if let DriveError::NotHere(_) = error {
                self.missed.put(ino.0, range.clone());
            }
        });
    }

    pub(super) fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        of: &OsStr,
        mode: u32,
        flags: i32,
    ) -> Answer<(FileAttr, FileHandle)> {
        let of = self.free_name(parent, of)?;
        let made = self.live(parent)?.create(id(parent), &of, mode);
        match made {
            Ok((stat, file)) => {
                let handle = self.open.put(Open::new(file, true));
                Ok((self.born(request, &stat), handle))
            }
            // Somebody else made it since the kernel looked; at this answer it looks again.
            Err(DriveError::Exists(_)) if flags & libc::O_EXCL == 0 => Err(Errno::ESTALE),
            Err(error) => Err(errno::of(error)),
        }
    }

    pub(super) fn write(
        &self,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        flags: WriteFlags,
    ) -> Answer<()> {
        let open = self.open.get(fh)?;
        let file = open.file()?;
        file.write_at(offset, data).map_err(errno::of)?;
        if flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID) {
            self.strip(file.id())?;
        }
        Ok(())
    }

    pub(super) fn flush(&self, fh: FileHandle) -> Answer<()> {
        match &*self.open.get(fh)? {
            Open::File { file, .. } => file.flush().map_err(errno::of),
            Open::Still(_) => Ok(()),
        }
    }

    pub(super) fn sync(&self, fh: FileHandle) -> Answer<()> {
        match &*self.open.get(fh)? {
            Open::File { file, .. } => file.sync().map_err(errno::of),
            Open::Still(_) => Ok(()),
        }
    }

    pub(super) fn cut(&self, fh: FileHandle, size: u64) -> Answer<()> {
        let open = self.open.get(fh)?;
        open.file()?.truncate(size).map_err(errno::of)
    }

    /// Room is not set aside: bytes go to the end of a log in any case. But what cannot fit is refused.
    pub(super) fn allocate(
        &self,
        fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
    ) -> Answer<()> {
        const KEEP: i32 = libc::FALLOC_FL_KEEP_SIZE;
        const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | KEEP;
        const ZERO: i32 = libc::FALLOC_FL_ZERO_RANGE;
        const ZERO_KEEP: i32 = ZERO | KEEP;
        let open = self.open.get(fh)?;
        let file = open.file()?;
        let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
        if matches!(mode, 0 | KEEP) && end.saturating_sub(file.size()) > self.free().0 {
            return Err(Errno::ENOSPC);
        }
        let grow = || match end > file.size() {
            true => file.truncate(end),
            false => Ok(()),
        };
        let done = match mode {
            0 => grow(),
            KEEP => Ok(()),
            PUNCH | ZERO_KEEP => file.zero(offset..end),
            ZERO => file.zero(offset..end).and_then(|()| grow()),
            _ => return Err(Errno::EOPNOTSUPP),
        };
        done.map_err(errno::of)
    }

    /// Is a program writing this file? Then the kernel may hold bytes of it that we do not know.
    pub(super) fn is_written(&self, ino: INodeNo) -> bool {
        let writes = |open: &Arc<Open>| matches!(&**open, Open::File { file, write: true, .. } if file.id() == id(ino));
        self.open.any(writes)
    }

    /// Finds data or a hole. The kernel asks without having written what it holds, so it is told to forget the file,
    /// which has it write first. May wait for that: not on a thread that answers the kernel.
    pub(super) fn seek(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: i64,
        whence: i32,
    ) -> Answer<i64> {
        let open = self.open.get(fh)?;
        if let (true, Some(kernel)) = (self.is_written(ino), self.kernel.get()) {
            kernel.inval_inode(ino, 0, 0).map_err(Errno::from)?;
        }
        let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        let (size, data) = match &*open {
            Open::File { file, .. } => (file.size(), file.next_data(from)),
            Open::Still(Still::Old(reader)) => (reader.size(), reader.next_data(from)),
            Open::Still(Still::Text(_)) => return Err(Errno::EINVAL),
        };
        if from >= size {
            return Err(Errno::ENXIO);
        }
        let at = match (whence, data) {
            (libc::SEEK_DATA, Some(data)) => data.start,
            (libc::SEEK_DATA, None) => return Err(Errno::ENXIO),
            (libc::SEEK_HOLE, Some(data)) if data.start <= from => data.end.min(size),
            (libc::SEEK_HOLE, _) => from,
            _ => return Err(Errno::EINVAL),
        };
        i64::try_from(at).map_err(|_| Errno::EOVERFLOW)
    }
}
