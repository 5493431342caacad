//! The list of requests: each is handed to its family, at once or on a thread beside, and answered.

use super::dispatch::{Requests, found, ttl};
use super::{GENERATION, TTL, details};
use fuser::*;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Largest write, and how far the kernel reads ahead.
const LARGE: u32 = 1 << 20;
/// Requests of the kernel's own (reading ahead, writing back) at a time. While a program reads ahead of what peers send,
/// others must still be able to write; what is written is copied so many times at most.
const BACKGROUND: u16 = 24;
macro_rules! answer {
    ($reply:ident, $done:expr, $value:ident => $ok:expr) => {
        match $done {
            Ok($value) => $ok,
            Err(error) => $reply.error(error),
        }
    };
    ($reply:ident, $done:expr) => {
        answer!($reply, $done, _done => $reply.ok())
    };
}

impl Filesystem for Requests {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let wanted = [
            InitFlags::FUSE_WRITEBACK_CACHE,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_CACHE_SYMLINKS,
            InitFlags::FUSE_EXPLICIT_INVAL_DATA,
            InitFlags::FUSE_HANDLE_KILLPRIV_V2,
        ];
        for flag in wanted {
            let _ = config.add_capabilities(flag); // an older kernel: slower, as right
        }
        // The kernel may allow less, and says how much.
        let _ = config.set_max_write(LARGE);
        let _ = config
            .set_max_readahead(LARGE)
            .or_else(|most| config.set_max_readahead(most));
        let _ = config.set_max_background(BACKGROUND);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if !self.files.is_slow(parent) && !self.files.is_hidden_name(parent, name) {
            return found(reply, self.files.look_up(parent, name));
        }
        let name = name.to_owned();
        self.run(true, move |files| {
            found(reply, files.look_up(parent, &name))
        });
    }

    fn forget(&self, _: &Request, ino: INodeNo, count: u64) {
        self.files.forget(ino, count);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.run(
            self.files.is_slow(ino),
            move |files| answer!(reply, files.details(ino), attr => reply.attr(ttl(&attr), &attr)),
        );
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = details::Set {
            mode,
            uid,
            gid,
            size,
            atime,
            mtime,
        };
        let uid = request.uid();
        // Cutting a file may wait for those who read around in it.
        self.run(size.is_some(), move |files| {
            answer!(reply, files.set(uid, ino, set, fh), attr => reply.attr(&TTL, &attr))
        });
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        self.run(
            self.files.is_slow(ino),
            move |files| answer!(reply, files.target(ino), target => reply.data(&target)),
        );
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let made = self.files.make_node(request, parent, name, (mode, rdev));
        answer!(reply, made, attr => reply.entry(&TTL, &attr, GENERATION))
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let made = self.files.make_folder(request, parent, name, mode);
        answer!(reply, made, attr => reply.entry(&TTL, &attr, GENERATION))
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.files.remove(parent, name, false))
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.files.remove(parent, name, true))
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let made = self.files.make_symlink(request, parent, name, target);
        answer!(reply, made, attr => reply.entry(&TTL, &attr, GENERATION))
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        answer!(
            reply,
            self.files
                .rename((parent, name), (newparent, newname), flags)
        )
    }

    fn link(&self, _: &Request, ino: INodeNo, to: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer!(reply, self.files.link(ino, (to, name)), attr => reply.entry(&TTL, &attr, GENERATION))
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let writes = flags.acc_mode() != OpenAccMode::O_RDONLY;
        self.run(writes || self.files.is_slow(ino), move |files| {
            answer!(reply, files.open(ino, flags), open => reply.opened(open.0, open.1))
        });
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let range = offset..offset.saturating_add(size.into());
        answer!(reply, self.files.open.get(fh), open => self.read(ino, open, range, reply));
    }

    fn write(
        &self,
        _: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.write(fh, offset, data, write_flags, reply);
    }

    fn flush(&self, _: &Request, _: INodeNo, fh: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        answer!(reply, self.files.flush(fh))
    }

    fn release(
        &self,
        _: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        drop(self.files.open.take(fh));
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, fh: FileHandle, _data: bool, reply: ReplyEmpty) {
        self.run(true, move |files| answer!(reply, files.sync(fh)));
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.run(self.files.is_slow(ino), move |files| {
            answer!(reply, files.open_folder(ino), handle => reply.opened(handle, FopenFlags::empty()))
        });
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        answer!(reply, self.files.read_folder(ino, fh, offset, &mut reply))
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        answer!(
            reply,
            self.files.read_folder_plus(ino, fh, offset, &mut reply)
        )
    }

    fn releasedir(
        &self,
        _: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        drop(self.files.listed.take(fh));
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _data: bool, reply: ReplyEmpty) {
        self.run(true, move |files| answer!(reply, files.sync_folder(ino)));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        self.files.room(reply);
    }

    fn setxattr(
        &self,
        _: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        answer!(reply, self.files.set_xattr(ino, name, Some(value), flags))
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        details::xattr(self.files.xattr(ino, name), size, reply);
    }

    fn listxattr(&self, _: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        details::xattr(self.files.xattr_names(ino), size, reply);
    }

    fn removexattr(&self, _: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.files.set_xattr(ino, name, None, 0))
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.files.create(request, parent, name, mode, flags);
        let keep = FopenFlags::FOPEN_KEEP_CACHE;
        answer!(reply, made, made => reply.created(&TTL, &made.0, GENERATION, made.1, keep))
    }

    fn fallocate(
        &self,
        _: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        // Zeros are written, and writers may have to wait for room.
        self.run(true, move |files| {
            answer!(reply, files.allocate(fh, offset, length, mode))
        });
    }

    fn lseek(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        self.run(self.files.is_written(ino), move |files| {
            answer!(reply, files.seek(ino, fh, offset, whence), at => reply.offset(at))
        });
    }

    /// The kernel copies by reading and writing then.
    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::ENOSYS);
    }
}
