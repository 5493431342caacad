//! Mounting and unmounting: options, threads, what to do when it cannot be.

mod point;

pub use point::{Unmounted, clear_stale};

use crate::fuse::{Files, Requests, Source};
use cobox_drive::drive::{Drive, DriveError};
use cobox_drive::overlay::{Overlay, Stale};
use fuser::{BackgroundSession, Config, INodeNo, MountOption, Notifier, Session, SessionACL};
use point::{detach, prepare, unmount};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Threads that answer the kernel. Reads that wait for peers have threads of their own.
const THREADS: usize = 4;
/// How long the end of a session takes at most.
const END: Duration = Duration::from_secs(2);
/// How far the kernel reads ahead.
const READ_AHEAD_KIB: &str = "1024";

/// What to mount where.
#[derive(Clone, Debug)]
pub struct Options {
    /// an empty folder; made if it is not there
    pub at: PathBuf,
    /// shown as the device in lists of mounts
    pub name: String,
    /// nothing may be changed
    pub read_only: bool,
    /// the space as it was, ms since 1970; read-only
    pub as_of_ms: Option<u64>,
    /// other people of this machine may enter, as far as file modes allow
    pub others: bool,
    /// a path on the disk whose free space is shown
    pub disk: PathBuf,
}

/// Why a space could not be mounted or unmounted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// No FUSE in this system.
    #[error(
        "this system has no /dev/fuse: load the kernel's fuse module (modprobe fuse), or use the folder over WebDAV"
    )]
    NoFuse,
    /// The helper for people who are not root is missing.
    #[error("mounting needs the program fusermount3: install the package fuse3")]
    NoHelper,
    /// Something is in the folder.
    #[error("{0} is not empty: choose an empty folder, so that nothing of yours is hidden")]
    NotEmpty(PathBuf),
    /// It is not a folder.
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    /// Something is mounted there.
    #[error("something is mounted at {0} already")]
    Busy(PathBuf),
    /// The system refused.
    #[error("{at} cannot be mounted or unmounted: {source}")]
    System {
        /// where
        at: PathBuf,
        /// why
        source: io::Error,
    },
    /// The drive failed.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// A mounted space. Dropped without `stop`, it is unmounted all the same; what is pending is then committed by the
/// overlay's own clock only.
pub struct Mount {
    at: PathBuf,
    session: Option<BackgroundSession>,
    overlay: Option<Arc<Overlay>>,
}

impl Mount {
    /// Mounts a drive.
    ///
    /// # Errors
    ///
    /// See [`MountError`]; nothing is changed then.
    pub fn start(drive: Arc<Drive>, options: Options) -> Result<Self, MountError> {
        prepare(&options.at)?;
        let (source, overlay) = match options.as_of_ms {
            Some(at_ms) => (Source::Frozen(Arc::new(drive.picture(at_ms)?)), None),
            None => {
                let overlay = Overlay::open(drive)?;
                (Source::Live(overlay.clone()), Some(overlay))
            }
        };
        let stale = overlay.as_ref().map(|overlay| overlay.subscribe());
        let files = Arc::new(Files::new(source, options.disk.clone()));
        let requests = Requests::new(files.clone());
        let session = Session::new(requests, &options.at, &config(&options));
        let session = session.map_err(|source| explain(&options.at, source))?;
        files.mounted(session.notifier());
        let session = session
            .spawn()
            .map_err(|source| explain(&options.at, source))?;
        if let Some(stale) = stale {
            tell_the_kernel(stale, session.notifier(), overlay.clone())?;
        }
        read_far_ahead(&options.at);
        Ok(Self {
            at: options.at,
            session: Some(session),
            overlay,
        })
    }

    /// Where.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Is it still mounted? Somebody may have called `umount`.
    pub fn is_alive(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| !session.guard.is_finished())
    }

    /// Commits what is pending and unmounts. A folder that programs still use goes away for others at once, and for
    /// them when they leave it: until then what they write is kept.
    ///
    /// # Errors
    ///
    /// `System` or `Drive`; it is unmounted all the same.
    pub fn stop(mut self) -> Result<Unmounted, MountError> {
        let Some(session) = self.session.take() else {
            return Ok(Unmounted::Whole);
        };
        let flushed = sync(&self.at);
        let unmounted = unmount(&self.at);
        let overlay = self.overlay.take();
        let committed = match unmounted {
            Ok(Unmounted::Name) => linger(session, overlay),
            // Somebody else unmounted it while programs were in it, and they still are.
            Ok(Unmounted::Whole) if !ends_soon(&session) => linger(session, overlay),
            Ok(Unmounted::Whole) => {
                // What the kernel has to tell about files that were closed a moment ago is told before it ends.
                let _ = session.join();
                close(overlay)
            }
            Err(_) => {
                drop(session);
                close(overlay)
            }
        };
        committed?;
        let system = |source| MountError::System {
            at: self.at.clone(),
            source,
        };
        flushed.and(unmounted).map_err(system)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.session.is_some() {
            let _ = detach(&self.at); // nobody to tell
        }
    }
}

/// Once nobody is in it, the end comes by itself.
fn ends_soon(session: &BackgroundSession) -> bool {
    let begin = Instant::now();
    while !session.guard.is_finished() && begin.elapsed() < END {
        std::thread::sleep(Duration::from_millis(1));
    }
    session.guard.is_finished()
}

fn close(overlay: Option<Arc<Overlay>>) -> Result<(), DriveError> {
    overlay.map_or(Ok(()), |overlay| overlay.close())
}

/// What programs that are still in it write is kept until they leave.
fn linger(session: BackgroundSession, overlay: Option<Arc<Overlay>>) -> Result<(), DriveError> {
    let synced = overlay.as_ref().map_or(Ok(()), |overlay| overlay.sync());
    // The rest of the session is let go of now: at its end it unmounts what is there then, and that may be a new one.
    let ended = thread_of(session);
    let wait = move || {
        let _ = ended.join(); // however it ended
        if let Err(error) = close(overlay) {
            tracing::error!("what a program wrote after its folder was unmounted is lost: {error}");
        }
    };
    let thread = std::thread::Builder::new().name("mount-leaving".into());
    thread.spawn(wait).map_err(DriveError::Source)?;
    synced
}

fn thread_of(session: BackgroundSession) -> JoinHandle<io::Result<()>> {
    session.guard
}

/// What the kernel's cache holds is written to us. An end that comes while the folder is in use keeps it as well.
fn sync(at: &Path) -> io::Result<()> {
    match fs::File::open(at).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?)) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Ok(()),
        done => done,
    }
}

fn config(options: &Options) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(device(&options.name)),
        MountOption::Subtype("cobox".into()),
        MountOption::DefaultPermissions,
        MountOption::NoDev,
        MountOption::NoSuid,
        MountOption::NoAtime,
    ];
    if options.read_only || options.as_of_ms.is_some() {
        config.mount_options.push(MountOption::RO);
    }
    if options.others {
        config.acl = SessionACL::All;
    }
    config.n_threads = Some(THREADS);
    config.clone_fd = true;
    config
}

/// A space's name as the name of a device: what separates mount options is not in it.
fn device(name: &str) -> String {
    let plain = |c: char| {
        if c.is_control() || c == ',' || c == '\\' {
            '_'
        } else {
            c
        }
    };
    name.chars().map(plain).collect()
}

/// The kernel reads ahead 128 KiB unless told otherwise, and lets only root tell it.
fn read_far_ahead(at: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Ok(found) = fs::metadata(at) else { return };
    let (major, minor) = (
        rustix::fs::major(found.dev()),
        rustix::fs::minor(found.dev()),
    );
    let setting = format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb");
    if let Err(error) = fs::write(setting, READ_AHEAD_KIB) {
        tracing::debug!("the kernel reads ahead as far as it always does: {error}");
    }
}

fn explain(at: &Path, source: io::Error) -> MountError {
    if !Path::new("/dev/fuse").exists() {
        return MountError::NoFuse;
    }
    match source.kind() {
        io::ErrorKind::NotFound => MountError::NoHelper,
        _ => MountError::System {
            at: at.to_owned(),
            source,
        },
    }
}

/// Has the kernel forget what others changed. On a thread of its own: the kernel may first write to us what it holds.
fn tell_the_kernel(
    mut stale: Receiver<Stale>,
    notifier: Notifier,
    overlay: Option<Arc<Overlay>>,
) -> Result<(), MountError> {
    let overlay = overlay.as_ref().map(Arc::downgrade);
    let run = move || {
        loop {
            let told = match stale.blocking_recv() {
                Ok(stale) => forget(&notifier, &stale, overlay.as_ref()),
                Err(RecvError::Lagged(_)) => forget(&notifier, &Stale::All, overlay.as_ref()),
                Err(RecvError::Closed) => return,
            };
            if let Err(error) = told {
                tracing::debug!("the kernel did not take a note of what changed: {error}");
            }
        }
    };
    let thread = std::thread::Builder::new().name("mount-stale".into());
    thread.spawn(run).map_err(DriveError::Source)?;
    Ok(())
}

fn forget(
    notifier: &Notifier,
    stale: &Stale,
    overlay: Option<&std::sync::Weak<Overlay>>,
) -> io::Result<()> {
    match stale {
        Stale::Entry { folder, name } => {
            notifier.inval_entry(INodeNo(folder.0), OsStr::from_bytes(name.as_bytes()))
        }
        // A negative offset leaves the pages alone.
        Stale::Attributes(id) => notifier.inval_inode(INodeNo(id.0), -1, 0),
        Stale::All => {
            let known = overlay
                .and_then(|overlay| overlay.upgrade())
                .map(|overlay| overlay.known());
            for (id, at) in known.unwrap_or_default() {
                if let Some((folder, name)) = at {
                    notifier.inval_entry(INodeNo(folder.0), OsStr::from_bytes(name.as_bytes()))?;
                }
                notifier.inval_inode(INodeNo(id.0), 0, 0)?;
            }
            Ok(())
        }
    }
}
