//! Finding and changing by path.

use super::details::Details;
use super::failure::{blocking, of};
use super::file::Reading;
use super::properties;
use crate::hidden;
use cobox_drive::drive::DriveError;
use cobox_drive::overlay::{FileId, Must, OpenFile, Overlay, Replace, Set, Stat};
use cobox_drive::path::{Name, PathError};
use dav_server::davpath::DavPath;
use dav_server::fs::*;
use futures_util::stream;
use http::StatusCode;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

/// Permission bits of what clients create.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;
type Entry = Box<dyn DavDirEntry>;

/// Bytes copied at a time.
const CHUNK: usize = 1 << 20;

/// A space as the protocol's file system.
#[derive(Clone)]
pub(super) struct Files(Arc<Shared>);

struct Shared {
    overlay: Arc<Overlay>,
    read_only: bool,
    disk: PathBuf,
}

/// A file that was looked up, with its number kept as long as this lives.
pub(super) struct Found {
    pub overlay: Arc<Overlay>,
    pub stat: Stat,
    /// The folders above and itself; the top folder needs no counting.
    counted: Vec<FileId>,
}

impl Drop for Found {
    fn drop(&mut self) {
        for id in self.counted.drain(..) {
            self.overlay.forget(id, 1);
        }
    }
}

impl Files {
    pub fn new(overlay: Arc<Overlay>, read_only: bool, disk: PathBuf) -> Self {
        Self(Arc::new(Shared {
            overlay,
            read_only,
            disk,
        }))
    }

    /// Runs a verb away from the threads that serve connections.
    fn run<'a, T: Send + 'static>(
        &self,
        path: &DavPath,
        verb: impl FnOnce(&Shared, &[Name]) -> Result<T, DriveError> + Send + 'static,
    ) -> FsFuture<'a, T> {
        let (shared, path) = (self.0.clone(), path.as_bytes().to_vec());
        Box::pin(blocking(move || verb(&shared, &names(&path)?)))
    }

    /// The same for a verb that changes something.
    fn change<'a, T: Send + 'static>(
        &self,
        path: &DavPath,
        verb: impl FnOnce(&Shared, &[Name]) -> Result<T, DriveError> + Send + 'static,
    ) -> FsFuture<'a, T> {
        self.run(path, move |shared, names| match shared.read_only {
            true => Err(DriveError::ReadOnly),
            false => verb(shared, names),
        })
    }
}

fn names(path: &[u8]) -> Result<Vec<Name>, DriveError> {
    let parts = path.split(|byte| *byte == b'/');
    let names = parts.filter(|part| !part.is_empty()).map(Name::new);
    Ok(names.collect::<Result<_, PathError>>()?)
}

impl Shared {
    fn find(&self, names: &[Name]) -> Result<Found, DriveError> {
        let mut found = Found {
            overlay: self.overlay.clone(),
            stat: self.overlay.stat(FileId::ROOT)?,
            counted: Vec::new(),
        };
        for name in names {
            found.stat = self.overlay.lookup(found.stat.id, name)?;
            found.counted.push(found.stat.id);
        }
        Ok(found)
    }

    /// The folder that something is in, and its name there.
    fn place<'a>(&self, names: &'a [Name]) -> Result<(Found, &'a Name), DriveError> {
        let (name, above) = names.split_last().ok_or(DriveError::Root)?;
        if above.is_empty() && name.as_bytes() == hidden::NAME {
            return Err(DriveError::ReadOnly); // on a mounted folder this name is taken
        }
        Ok((self.find(above)?, name))
    }

    fn open(&self, names: &[Name], options: &OpenOptions) -> Result<Reading, DriveError> {
        let writes = options.write || options.append || options.truncate;
        if writes && self.read_only {
            return Err(DriveError::ReadOnly);
        }
        let (found, open) = match self.find(names) {
            Ok(_) if options.create_new => return Err(exists(names)),
            Ok(found) => {
                let open = self.overlay.open_file(found.stat.id, writes)?;
                (found, open)
            }
            Err(DriveError::NotFound(_)) if options.create || options.create_new => {
                self.create(names)?
            }
            Err(error) => return Err(error),
        };
        if options.truncate && open.size() > 0 {
            open.truncate(0)?;
        }
        Ok(Reading {
            open,
            found,
            at: 0,
            append: options.append,
        })
    }

    fn create(&self, names: &[Name]) -> Result<(Found, Arc<OpenFile>), DriveError> {
        let (mut folder, name) = self.place(names)?;
        let (stat, open) = self.overlay.create(folder.stat.id, name, FILE_MODE)?;
        folder.counted.push(stat.id);
        folder.stat = stat;
        Ok((folder, open))
    }

    fn create_folder(&self, names: &[Name]) -> Result<(), DriveError> {
        let (folder, name) = self.place(names)?;
        let id = folder.stat.id;
        let made = self.overlay.create_folder(id, name, FOLDER_MODE)?;
        self.overlay.forget(made.id, 1);
        Ok(())
    }

    fn rename(&self, from: &[Name], to: &[Name]) -> Result<(), DriveError> {
        let ((old, from), (new, to)) = (self.place(from)?, self.place(to)?);
        let (from, to) = ((old.stat.id, from), (new.stat.id, to));
        self.overlay.rename(from, to, Replace::Allowed)
    }

    /// A file with its bytes, mode and attributes.
    fn copy(&self, from: &[Name], to: &[Name]) -> Result<(), DriveError> {
        let source = self.find(from)?;
        let reader = self.overlay.open_file(source.stat.id, false)?;
        let options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            ..OpenOptions::default()
        };
        let target = self.open(to, &options)?;
        let (mut at, mut buffer) = (0, vec![0; CHUNK]);
        loop {
            let read = reader.read_at(at, &mut buffer)?;
            if read == 0 {
                break;
            }
            target.open.write_at(at, &buffer[..read])?;
            at += read as u64;
        }
        let id = target.open.id();
        let set = Set {
            mode: Some(source.stat.mode),
            ..Set::default()
        };
        self.overlay.set(id, set)?;
        self.copy_attributes(source.stat.id, id)
    }

    fn copy_attributes(&self, from: FileId, to: FileId) -> Result<(), DriveError> {
        let attributes = self.overlay.xattrs(from)?;
        for (name, _) in self.overlay.xattrs(to)? {
            if !attributes.iter().any(|(kept, _)| *kept == name) {
                self.overlay.change_xattr(to, &name, None, Must::Any)?;
            }
        }
        for (name, value) in &attributes {
            self.overlay
                .change_xattr(to, name, Some(value), Must::Any)?;
        }
        Ok(())
    }

    /// Bytes of the files here, and those and what the disk has left together.
    fn room(&self) -> Result<(u64, Option<u64>), DriveError> {
        let (_, _, used) = self.overlay.drive().totals()?;
        let disk = rustix::fs::statvfs(&self.disk).map_err(|e| DriveError::Source(e.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok((used, Some(used.saturating_add(free))))
    }
}

fn exists(names: &[Name]) -> DriveError {
    DriveError::Exists(names.last().map(Name::to_string).unwrap_or_default())
}

impl DavFileSystem for Files {
    fn open<'a>(
        &'a self,
        path: &'a DavPath,
        options: OpenOptions,
    ) -> FsFuture<'a, Box<dyn DavFile>> {
        self.run(path, move |shared, names| {
            let open = shared.open(names, &options)?;
            Ok(Box::new(open) as Box<dyn DavFile>)
        })
    }

    fn read_dir<'a>(
        &'a self,
        path: &'a DavPath,
        _: ReadDirMeta,
    ) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        self.run(path, |shared, names| {
            let found = shared.find(names)?;
            let list = shared.overlay.list(found.stat.id)?;
            let entries = list
                .into_iter()
                .map(|stat| Ok(Box::new(Details(stat)) as Entry));
            Ok(Box::pin(stream::iter(entries)) as FsStream<Entry>)
        })
    }

    fn metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        self.run(path, |shared, names| {
            let stat = shared.find(names)?.stat.clone();
            Ok(Box::new(Details(stat)) as Box<dyn DavMetaData>)
        })
    }

    fn create_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        self.change(path, Shared::create_folder)
    }

    fn remove_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        self.change(path, |shared, names| {
            let (folder, name) = shared.place(names)?;
            shared.overlay.remove_folder(folder.stat.id, name)
        })
    }

    fn remove_file<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        self.change(path, |shared, names| {
            let (folder, name) = shared.place(names)?;
            shared.overlay.remove_file(folder.stat.id, name)
        })
    }

    fn rename<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        let to = to.as_bytes().to_vec();
        self.change(from, move |shared, from| shared.rename(from, &names(&to)?))
    }

    fn copy<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        let to = to.as_bytes().to_vec();
        self.change(from, move |shared, from| shared.copy(from, &names(&to)?))
    }

    fn have_props<'a>(&'a self, _: &'a DavPath) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(std::future::ready(true))
    }

    fn patch_props<'a>(
        &'a self,
        path: &'a DavPath,
        patch: Vec<(bool, DavProp)>,
    ) -> FsFuture<'a, Vec<(StatusCode, DavProp)>> {
        self.change(path, move |shared, names| {
            let found = shared.find(names)?;
            let changed = properties::change(&shared.overlay, found.stat.id, &patch);
            let status = match &changed {
                Ok(()) => StatusCode::OK,
                Err(error) if of(error) == FsError::InsufficientStorage => {
                    StatusCode::INSUFFICIENT_STORAGE
                }
                Err(_) => StatusCode::FORBIDDEN,
            };
            let without_xml = |(_, property): (bool, DavProp)| DavProp {
                xml: None,
                ..property
            };
            Ok(patch
                .into_iter()
                .map(|one| (status, without_xml(one)))
                .collect())
        })
    }

    fn get_props<'a>(&'a self, path: &'a DavPath, content: bool) -> FsFuture<'a, Vec<DavProp>> {
        self.run(path, move |shared, names| {
            let found = shared.find(names)?;
            let mut all = properties::all(&shared.overlay, found.stat.id)?;
            if !content {
                all.iter_mut().for_each(|property| property.xml = None);
            }
            Ok(all)
        })
    }

    fn get_prop<'a>(&'a self, path: &'a DavPath, property: DavProp) -> FsFuture<'a, Vec<u8>> {
        self.run(path, move |shared, names| {
            let found = shared.find(names)?;
            let one = properties::one(&shared.overlay, found.stat.id, &property)?;
            one.ok_or(DriveError::NotFound(property.name))
        })
    }

    fn get_quota(&'_ self) -> FsFuture<'_, (u64, Option<u64>)> {
        let shared = self.0.clone();
        Box::pin(blocking(move || shared.room()))
    }
}
