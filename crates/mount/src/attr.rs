//! Attributes and times as the kernel has them.

use cobox_drive::record::{Kind, Time};
use fuser::{FileAttr, FileType, INodeNo};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What programs should read and write at a time.
const BLOCK: u32 = 1 << 20;

/// No file: the kernel remembers for a while that there is nothing under a name.
pub(crate) const NOTHING: FileAttr = FileAttr {
    ino: INodeNo(0),
    size: 0,
    blocks: 0,
    atime: UNIX_EPOCH,
    mtime: UNIX_EPOCH,
    ctime: UNIX_EPOCH,
    crtime: UNIX_EPOCH,
    kind: FileType::RegularFile,
    perm: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: BLOCK,
    flags: 0,
};

/// Of something that nobody may change and that has no number yet.
pub(crate) fn still(kind: FileType, perm: u16, size: u64, time: SystemTime) -> FileAttr {
    FileAttr {
        size,
        blocks: size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind,
        perm,
        nlink: 1,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        ..NOTHING
    }
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

/// A time that the kernel sent. Before 1970 fuser 0.18 takes the nanoseconds, which count forwards, away from the
/// seconds as well; here they are put back.
pub(crate) fn sent_time(time: SystemTime) -> Time {
    let (since, sign) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (since, 1),
        Err(before) => (before.duration(), -1),
    };
    Time {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX) * sign,
        nanos: since.subsec_nanos(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_keep_their_nanoseconds() {
        let time = Time {
            seconds: -2,
            nanos: 800_000_000,
        };
        assert_eq!(system_time(time), UNIX_EPOCH - Duration::from_millis(1_200));
        // What fuser 0.18 makes of it on its way in.
        let sent = UNIX_EPOCH - Duration::new(2, 800_000_000);
        assert_eq!(sent_time(sent), time);
        let now = SystemTime::now();
        assert_eq!(system_time(sent_time(now)), now);
    }
}
