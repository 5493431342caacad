//! One space that is mounted now: as a folder, or as a WebDAV share of this machine.

use super::{MountsError, place, web};
use cobox_drive::drive::Drive;
use cobox_mount::webdav::{WebDav, WebOptions};
use cobox_mount::{Mount, Options, Unmounted};
use cobox_space::shelf::{MountEntry, MountPlace};
use cobox_space::space::Space;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A mount and what it shows.
pub(super) struct Live {
    way: Way,
    drive: Arc<Drive>,
}

enum Way {
    Folder(Mount),
    Web(Arc<WebDav>),
}

impl Live {
    /// Mounts as the entry says; answers how it is in fact.
    pub fn start(
        space: &Space,
        entry: MountEntry,
        disk: PathBuf,
    ) -> Result<(Self, MountEntry), MountsError> {
        let drive = space.drive().clone();
        let (way, place) = match &entry.place {
            MountPlace::Folder { at, made } => {
                let folder = place::prepare(at)?;
                let made = *made || folder.made;
                let options = options(space, &entry, folder.at.clone(), disk);
                let started = Mount::start(drive.clone(), options);
                let mount = started.inspect_err(|_| place::tidy(&folder.at, made))?;
                let at = folder.at;
                (Way::Folder(mount), MountPlace::Folder { at, made })
            }
            MountPlace::Web { secret } => {
                let options = WebOptions {
                    prefix: web::prefix(secret, space),
                    read_only: entry.read_only,
                    disk,
                };
                let web = WebDav::start(drive.clone(), options)?;
                (Way::Web(Arc::new(web)), entry.place.clone())
            }
        };
        Ok((Self { way, drive }, MountEntry { place, ..entry }))
    }

    /// Is it still there?
    pub fn is_alive(&self) -> bool {
        match &self.way {
            Way::Folder(mount) => mount.is_alive(),
            Way::Web(_) => true,
        }
    }

    /// Is what it shows the space as it is open now? Another drive takes its place when the device begins anew.
    pub fn shows(&self, space: &Space) -> bool {
        Arc::ptr_eq(&self.drive, space.drive())
    }

    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.way {
            Way::Folder(mount) => Some(mount.at()),
            Way::Web(_) => None,
        }
    }

    /// The share, if it is one.
    pub fn web(&self) -> Option<&Arc<WebDav>> {
        match &self.way {
            Way::Folder(_) => None,
            Way::Web(web) => Some(web),
        }
    }

    /// Commits everything and unmounts. True when programs still have something open.
    pub fn stop(self, entry: &MountEntry) -> Result<bool, MountsError> {
        let stopped = match self.way {
            Way::Folder(mount) => mount.stop(),
            Way::Web(web) => web.stop().map(|()| Unmounted::Whole),
        };
        if let MountPlace::Folder { at, made } = &entry.place {
            place::tidy(at, *made);
        }
        Ok(stopped? == Unmounted::Name)
    }
}

fn options(space: &Space, entry: &MountEntry, at: PathBuf, disk: PathBuf) -> Options {
    Options {
        at,
        name: space.name(),
        read_only: entry.read_only,
        as_of_ms: entry.as_of_ms,
        others: false,
        disk,
    }
}
