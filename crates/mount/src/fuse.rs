//! The kernel's requests, one method each: looked at, handed to the overlay, answered.
//!
//! Here: what all share, and the list of requests. `names`, `details`, `content` and `folders` hold the families.
//! Numbers with the top bit set, and all numbers of a space as it was, belong to `hidden`.

mod content;
mod details;
mod folders;
mod names;

use crate::errno;
use crate::hidden::{Hidden, is_hidden};
use crate::local::Local;
use cobox_drive::drive::{DriveError, Picture};
use cobox_drive::overlay::{FileId, OpenFile, Overlay, Stat};
use cobox_drive::path::Name;
use cobox_drive::record::{Kind, Time};
use fuser::*;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the kernel may trust what it was told: it is told of every change.
pub(crate) const TTL: Duration = Duration::from_secs(3600);
/// Largest write, and how far the kernel reads ahead.
const LARGE: u32 = 1 << 20;
/// Requests of the kernel's own (reading ahead, writing back) at a time.
const BACKGROUND: u16 = 64;
/// The same for what is put together when it is asked for.
const SOON: Duration = Duration::from_secs(1);
pub(crate) const GENERATION: Generation = Generation(0);

/// What is shown.
pub(crate) enum Source {
    /// the space now
    Live(Arc<Overlay>),
    /// the space as it was
    Frozen(Arc<Picture>),
}

/// The file system that the kernel talks to.
pub(crate) struct Files {
    overlay: Option<Arc<Overlay>>,
    hidden: Arc<Hidden>,
    local: Local,
    open: Table<Arc<OpenFile>>,
    listed: Table<Mutex<Vec<Stat>>>,
    disk: PathBuf,
    uid: u32,
    gid: u32,
}

/// Things by file handle.
pub(crate) struct Table<T> {
    next: AtomicU64,
    things: Mutex<HashMap<u64, Arc<T>>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            next: AtomicU64::new(1),
            things: Mutex::default(),
        }
    }
}

impl<T> Table<T> {
    fn things(&self) -> MutexGuard<'_, HashMap<u64, Arc<T>>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, thing: T) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.things().insert(handle, Arc::new(thing));
        FileHandle(handle)
    }

    fn get(&self, handle: FileHandle) -> Result<Arc<T>, Errno> {
        self.things().get(&handle.0).cloned().ok_or(Errno::EBADF)
    }

    fn take(&self, handle: FileHandle) -> Option<Arc<T>> {
        self.things().remove(&handle.0)
    }
}

/// What a request comes to.
pub(crate) type Answer<T> = Result<T, Errno>;

impl Files {
    pub fn new(source: Source, disk: PathBuf) -> Self {
        let (overlay, hidden) = match source {
            Source::Live(overlay) => {
                let hidden = Hidden::beside(overlay.drive().clone());
                (Some(overlay), hidden)
            }
            Source::Frozen(picture) => (None, Hidden::frozen(picture)),
        };
        Self {
            overlay,
            hidden: Arc::new(hidden),
            local: Local::default(),
            open: Table::default(),
            listed: Table::default(),
            disk,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    /// The overlay, for a number that is not hidden.
    fn live(&self, ino: INodeNo) -> Answer<&Arc<Overlay>> {
        match &self.overlay {
            Some(overlay) if !is_hidden(ino.0) => Ok(overlay),
            _ => Err(Errno::EROFS),
        }
    }

    /// Is this one of ours that nobody may change?
    fn is_hidden(&self, ino: INodeNo) -> bool {
        self.overlay.is_none() || is_hidden(ino.0)
    }

    fn attr(&self, stat: &Stat) -> FileAttr {
        let local = self.local.get(stat.id.0);
        let mtime = system_time(stat.mtime);
        let ctime = system_time(stat.ctime);
        FileAttr {
            ino: INodeNo(stat.id.0),
            size: stat.size,
            blocks: stat.held.div_ceil(512),
            atime: local.atime.unwrap_or(mtime),
            mtime,
            ctime: local.ctime.map_or(ctime, |local| local.max(ctime)),
            crtime: mtime,
            kind: file_type(stat.kind),
            perm: stat.mode as u16,
            nlink: 1,
            uid: local.uid.unwrap_or(self.uid),
            gid: local.gid.unwrap_or(self.gid),
            rdev: 0,
            blksize: LARGE,
            flags: 0,
        }
    }
}

/// How long an answer may be trusted.
fn ttl(attr: &FileAttr) -> &'static Duration {
    match is_hidden(attr.ino.0) {
        true => &SOON,
        false => &TTL,
    }
}

pub(crate) fn id(ino: INodeNo) -> FileId {
    FileId(ino.0)
}

pub(crate) fn name(name: &OsStr) -> Answer<Name> {
    Name::new(name.as_bytes()).map_err(|error| errno::of_path(&error))
}

pub(crate) fn failed(error: DriveError) -> Errno {
    errno::of(&error)
}

pub(crate) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Folder => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
    }
}

pub(crate) fn system_time(time: Time) -> SystemTime {
    let nanos = Duration::from_nanos(time.nanos.into());
    let whole = Duration::from_secs(time.seconds.unsigned_abs());
    let start = match time.seconds >= 0 {
        true => UNIX_EPOCH.checked_add(whole),
        false => UNIX_EPOCH.checked_sub(whole),
    };
    start
        .and_then(|start| start.checked_add(nanos))
        .unwrap_or(UNIX_EPOCH)
}

pub(crate) fn drive_time(time: SystemTime) -> Time {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Time {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: since.subsec_nanos(),
        },
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => Time {
                    seconds: -seconds,
                    nanos: 0,
                },
                nanos => Time {
                    seconds: -seconds - 1,
                    nanos: 1_000_000_000 - nanos,
                },
            }
        }
    }
}

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

impl Filesystem for Files {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let wanted = [
            InitFlags::FUSE_WRITEBACK_CACHE,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_CACHE_SYMLINKS,
            InitFlags::FUSE_EXPLICIT_INVAL_DATA,
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
        answer!(reply, self.look_up(parent, name), attr => reply.entry(ttl(&attr), &attr, GENERATION))
    }

    fn forget(&self, _: &Request, ino: INodeNo, count: u64) {
        self.forget(ino, count);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer!(reply, self.details(ino), attr => reply.attr(ttl(&attr), &attr))
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
        answer!(reply, self.set(request, ino, set, fh), attr => reply.attr(&TTL, &attr))
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        answer!(reply, self.target(ino), target => reply.data(&target))
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        let made = self.make_node(request, parent, name, mode);
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
        let made = self.make_folder(request, parent, name, mode);
        answer!(reply, made, attr => reply.entry(&TTL, &attr, GENERATION))
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.remove(parent, name, false))
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.remove(parent, name, true))
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let made = self.make_symlink(request, parent, name, target);
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
            self.rename((parent, name), (newparent, newname), flags)
        )
    }

    /// A file has one place in a space. Tools that try hard links first (`cp -al`, `git`) copy when they may not.
    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        answer!(reply, self.open(ino, flags), open => reply.opened(open.0, open.1))
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
        self.read(ino, fh, offset, size, reply);
    }

    fn write(
        &self,
        _: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        answer!(reply, self.write(fh, offset, data), _done => reply.written(data.len() as u32))
    }

    fn flush(&self, _: &Request, ino: INodeNo, fh: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        answer!(reply, self.flush(ino, fh))
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
        drop(self.open.take(fh));
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, fh: FileHandle, _data: bool, reply: ReplyEmpty) {
        answer!(reply, self.sync(ino, fh))
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        answer!(reply, self.open_folder(ino), handle => reply.opened(handle, FopenFlags::empty()))
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        answer!(reply, self.read_folder(ino, fh, offset, &mut reply))
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        answer!(reply, self.read_folder_plus(ino, fh, offset, &mut reply))
    }

    fn releasedir(
        &self,
        _: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        drop(self.listed.take(fh));
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _data: bool, reply: ReplyEmpty) {
        answer!(reply, self.sync_folder(ino))
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        self.room(reply);
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
        answer!(reply, self.set_xattr(ino, name, Some(value), flags))
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        details::xattr(self.xattr(ino, name), size, reply);
    }

    fn listxattr(&self, _: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        details::xattr(self.xattr_names(ino), size, reply);
    }

    fn removexattr(&self, _: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.set_xattr(ino, name, None, 0))
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.create(request, parent, name, mode);
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
        answer!(reply, self.allocate(fh, offset, length, mode))
    }

    fn lseek(
        &self,
        _: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        answer!(reply, self.seek(fh, offset, whence), at => reply.offset(at))
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
