//! What the kernel asks about a mounted space, and the answers: of the overlay, or of `hidden`.
//!
//! Here: what all share. `requests` is the list of requests, `dispatch` says who answers them; `names`, `details`,
//! `content`, `folders` and `places` hold the families. Numbers with the top bit set belong to `hidden` or `special`, all
//! numbers of a space as it was to `hidden`.

mod around;
mod content;
mod details;
mod dispatch;
mod folders;
mod missed;
mod names;
mod places;
mod requests;
mod table;

pub(crate) use dispatch::Requests;

use crate::attr::{NOTHING, file_type, system_time};
use crate::errno::{self, Answer};
use crate::hidden::{self, Hidden};
use crate::local::Local;
use crate::special::{Special, is_special};
use around::Gate;
use cobox_drive::drive::Picture;
use cobox_drive::overlay::{FileId, Overlay, Stat};
use cobox_drive::path::Name;
use content::Open;
use folders::Listing;
use fuser::{Errno, FileAttr, Generation, INodeNo, Notifier};
use missed::Missed;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use table::Table;

/// How long the kernel may trust what it was told: it is told of every change.
const TTL: Duration = Duration::from_secs(3600);
/// The same for what is put together when it is asked for, and for names that lead nowhere.
const SOON: Duration = Duration::from_secs(1);
/// Numbers are not used again for other files.
const GENERATION: Generation = Generation(0);

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
    hidden: Hidden,
    local: Local,
    special: Special,
    open: Table<Open>,
    listed: Table<Listing>,
    missed: Missed,
    gate: Gate,
    /// For what the kernel holds and has to write to us first. Empty until it is mounted.
    kernel: OnceLock<Notifier>,
    disk: PathBuf,
    uid: u32,
    gid: u32,
}

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
            hidden,
            local: Local::default(),
            special: Special::default(),
            open: Table::default(),
            listed: Table::default(),
            missed: Missed::default(),
            gate: Gate::default(),
            kernel: OnceLock::new(),
            disk,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    /// Says where notes to the kernel go, once it is mounted.
    pub fn mounted(&self, kernel: Notifier) {
        self.kernel.set(kernel).ok(); // the same one a second time
    }

    /// Owner, group and time of last access are not kept by a space: see `local`. A folder's `nlink` of 1 says that its
    /// folders are not counted.
    fn attr(&self, stat: &Stat) -> FileAttr {
        let local = self.local.get(stat.id.0);
        let mtime = system_time(stat.mtime);
        let mtime = local.mtime.map_or(mtime, |local| local.max(mtime));
        let ctime = system_time(stat.ctime);
        FileAttr {
            ino: INodeNo(stat.id.0),
            size: stat.size,
            blocks: stat.stored.div_ceil(512),
            atime: local.atime.unwrap_or(mtime),
            mtime,
            ctime: local.ctime.map_or(ctime, |local| local.max(ctime)),
            crtime: mtime,
            kind: file_type(stat.kind),
            perm: stat.mode as u16,
            nlink: u32::from(!stat.nameless),
            uid: local.uid.unwrap_or(self.uid),
            gid: local.gid.unwrap_or(self.gid),
            ..NOTHING
        }
    }

    /// The overlay, for a number of the space's own.
    fn live(&self, ino: INodeNo) -> Answer<&Arc<Overlay>> {
        match &self.overlay {
            Some(overlay) if !hidden::is_hidden(ino.0) && !is_special(ino.0) => Ok(overlay),
            _ => Err(Errno::EROFS),
        }
    }

    /// Is this one of ours that nobody may change?
    fn is_hidden(&self, ino: INodeNo) -> bool {
        self.overlay.is_none() || hidden::is_hidden(ino.0)
    }

    /// Is this the folder `.cobox`, of which the space knows nothing?
    fn is_hidden_name(&self, parent: INodeNo, of: &OsStr) -> bool {
        parent == INodeNo::ROOT && of.as_bytes() == hidden::NAME && self.overlay.is_some()
    }

    /// May answering take long, because something is put together first?
    fn is_slow(&self, ino: INodeNo) -> bool {
        self.is_hidden(ino) && !self.hidden.is_quick()
    }
}

thread_local! {
    /// What is read passes through here: a fresh buffer each time would cost as much as the reading.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of this thread. What is in it is left over from before.
fn with_buffer(size: usize, work: impl FnOnce(&mut [u8])) {
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        work(&mut buffer[..size]);
    });
}

fn id(ino: INodeNo) -> FileId {
    FileId(ino.0)
}

fn name(name: &OsStr) -> Answer<Name> {
    Name::new(name.as_bytes()).map_err(|error| errno::of_path(&error))
}
