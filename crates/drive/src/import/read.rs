//! Reading one local entry: what it is, its bytes and holes, its extended attributes.

use crate::content::chunk::{Chunker, fill};
use crate::record::Time;
use rustix::fs::{OFlags, SeekFrom, seek};
use rustix::io::Errno;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Take};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use xattr::FileExt as _;

/// Below this size holes are not looked for.
const SPARSE_FROM: u64 = 8 << 10;
/// Names and values of extended attributes in all; more does not fit a record.
const MAX_XATTRS: usize = 48 << 10;
/// An attribute that belongs to the machine, not to the file.
const NOT_KEPT: &[u8] = b"security.selinux";

/// Extended attributes, sorted by name.
pub(crate) type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// Opens a regular file without following a symlink and without waiting for a pipe's other end.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(io::Error::other("it is not a regular file any more")),
    }
}

/// Modification time, to the nanosecond.
pub(crate) fn mtime(metadata: &Metadata) -> Time {
    Time {
        seconds: metadata.mtime(),
        nanos: metadata.mtime_nsec().clamp(0, 999_999_999) as u32,
    }
}

/// Permission bits.
pub(crate) fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

/// What changes when a file is written to.
pub(super) fn stamp(metadata: &Metadata) -> (u64, Time) {
    (metadata.len(), mtime(metadata))
}

/// Does it take less room than it is long?
pub(super) fn is_sparse(metadata: &Metadata) -> bool {
    metadata.len() >= SPARSE_FROM && metadata.blocks().saturating_mul(512) < metadata.len()
}

/// All of a small file. Reads one byte more than expected, so that growth shows.
pub(super) fn small(mut file: &File, length: u64) -> io::Result<Vec<u8>> {
    let mut data = Vec::with_capacity(length as usize + 1);
    fill(&mut file, &mut data, length + 1)?;
    Ok(data)
}

/// A stretch of a large file.
pub(super) enum Segment<'a> {
    /// Zeros that take no room.
    Hole(u64),
    /// Its chunks.
    Data(Chunker<Take<&'a File>>),
}

/// The stretches of a file up to its size when it was opened.
pub(super) fn segments<'a>(
    file: &'a File,
    metadata: &Metadata,
) -> impl Iterator<Item = io::Result<Segment<'a>>> {
    let (size, sparse) = (metadata.len(), is_sparse(metadata));
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= size {
            return None;
        }
        let segment = next_segment(file, at, size, sparse);
        at = segment.as_ref().map_or(size, |(_, end)| *end);
        Some(segment.map(|(segment, _)| segment))
    })
}

fn next_segment(file: &File, at: u64, size: u64, sparse: bool) -> io::Result<(Segment<'_>, u64)> {
    let data = if sparse {
        next(file, SeekFrom::Data(at), at, size)?
    } else {
        at
    };
    if data > at {
        return Ok((Segment::Hole(data - at), data));
    }
    let end = if sparse {
        next(file, SeekFrom::Hole(at), size, size)?
    } else {
        size
    };
    // A file system that says nonsense gets one plain stretch.
    let end = if end > at { end } else { size };
    seek(file, SeekFrom::Start(at))?;
    Ok((Segment::Data(Chunker::new(file.take(end - at))), end))
}

/// Where the next data or hole begins; `otherwise` where the file system cannot tell, the end where there is none.
fn next(file: &File, to: SeekFrom, otherwise: u64, size: u64) -> io::Result<u64> {
    match seek(file, to) {
        Ok(at) => Ok(at.min(size)),
        Err(Errno::NXIO) => Ok(size),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(otherwise),
        Err(error) => Err(error.into()),
    }
}

/// Extended attributes of an open file.
pub(super) fn xattrs(file: &File) -> io::Result<Xattrs> {
    collect(file.list_xattr(), |name| file.get_xattr(name))
}

/// Extended attributes of a folder or of a symlink itself.
pub(super) fn xattrs_at(path: &Path) -> io::Result<Xattrs> {
    collect(xattr::list(path), |name| xattr::get(path, name))
}

fn collect(
    names: io::Result<xattr::XAttrs>,
    get: impl Fn(&std::ffi::OsStr) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<Xattrs> {
    let names = match names {
        Ok(names) => names,
        Err(error) if is_unsupported(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for name in names.filter(|name| name.as_bytes() != NOT_KEPT) {
        if let Some(value) = get(&name)? {
            all.push((name.into_vec(), value));
        }
    }
    let size: usize = all
        .iter()
        .map(|(name, value)| name.len() + value.len() + 8)
        .sum();
    if size > MAX_XATTRS {
        return Err(io::Error::other("they are too large"));
    }
    all.sort();
    Ok(all)
}

fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| {
        [Errno::OPNOTSUPP, Errno::NOSYS]
            .iter()
            .any(|errno| errno.raw_os_error() == code)
    })
}
