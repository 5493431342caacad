//! Requests about bytes: open, read, write, seek, make durable.

use super::{Answer, Files, failed, id};
use cobox_drive::overlay::OpenFile;
use fuser::{Errno, FileHandle, FopenFlags, INodeNo, OpenAccMode, OpenFlags, ReplyData};
use std::sync::Arc;

impl Files {
    pub(super) fn open(&self, ino: INodeNo, flags: OpenFlags) -> Answer<(FileHandle, FopenFlags)> {
        let write = flags.acc_mode() != OpenAccMode::O_RDONLY;
        if self.is_hidden(ino) {
            return match write {
                true => Err(Errno::EROFS),
                // Texts are put together anew each time.
                false if self.hidden.is_text(ino.0) => {
                    Ok((FileHandle(0), FopenFlags::FOPEN_DIRECT_IO))
                }
                false => Ok((FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE)),
            };
        }
        let open = self.live(ino)?.open_file(id(ino), write).map_err(failed)?;
        Ok((self.open.put(open), FopenFlags::FOPEN_KEEP_CACHE))
    }

    pub(super) fn read(
        &self,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        reply: ReplyData,
    ) {
        if self.is_hidden(ino) {
            let hidden = self.hidden.clone();
            return aside(move || answer(hidden.read(ino.0, offset, size as usize), reply));
        }
        match self.open.get(fh) {
            Err(error) => reply.error(error),
            Ok(open) if open.is_here(offset..offset.saturating_add(size.into())) => {
                answer(read(&open, offset, size), reply);
            }
            // Waiting for peers keeps nobody else waiting.
            Ok(open) => aside(move || answer(read(&open, offset, size), reply)),
        }
    }

    pub(super) fn write(&self, fh: FileHandle, offset: u64, data: &[u8]) -> Answer<()> {
        self.open.get(fh)?.write_at(offset, data).map_err(failed)
    }

    pub(super) fn flush(&self, ino: INodeNo, fh: FileHandle) -> Answer<()> {
        match self.is_hidden(ino) {
            true => Ok(()),
            false => self.open.get(fh)?.flush().map_err(failed),
        }
    }

    pub(super) fn sync(&self, ino: INodeNo, fh: FileHandle) -> Answer<()> {
        match self.is_hidden(ino) {
            true => Ok(()),
            false => self.open.get(fh)?.sync().map_err(failed),
        }
    }

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
        let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
        let grow = |open: &OpenFile| match end > open.size() {
            true => open.truncate(end),
            false => Ok(()),
        };
        let done = match mode {
            0 => grow(&open),
            // Room is not set aside: bytes go to the end of a log in any case.
            KEEP => Ok(()),
            PUNCH | ZERO_KEEP => open.zero(offset..end),
            ZERO => open.zero(offset..end).and_then(|()| grow(&open)),
            _ => return Err(Errno::EOPNOTSUPP),
        };
        done.map_err(failed)
    }

    pub(super) fn seek(&self, fh: FileHandle, offset: i64, whence: i32) -> Answer<i64> {
        let open = self.open.get(fh)?;
        let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        if from >= open.size() {
            return Err(Errno::ENXIO);
        }
        let data = open.next_data(from);
        let at = match (whence, data) {
            (libc::SEEK_DATA, Some(data)) => data.start,
            (libc::SEEK_DATA, None) => return Err(Errno::ENXIO),
            (libc::SEEK_HOLE, Some(data)) if data.start <= from => data.end.min(open.size()),
            (libc::SEEK_HOLE, _) => from,
            _ => return Err(Errno::EINVAL),
        };
        i64::try_from(at).map_err(|_| Errno::EOVERFLOW)
    }
}

fn read(open: &Arc<OpenFile>, offset: u64, size: u32) -> Answer<Vec<u8>> {
    let mut data = vec![0; size as usize];
    let length = open.read_at(offset, &mut data).map_err(failed)?;
    data.truncate(length);
    Ok(data)
}

fn answer(read: Answer<Vec<u8>>, reply: ReplyData) {
    match read {
        Ok(data) => reply.data(&data),
        Err(error) => reply.error(error),
    }
}

/// On a thread of its own; the kernel asks for a bounded number of such reads at a time.
fn aside(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name("mount-read".into());
    // Without a thread the reply is dropped, which answers with an I/O error.
    if let Err(error) = thread.spawn(work) {
        tracing::warn!("no thread to wait for content: {error}");
    }
}
