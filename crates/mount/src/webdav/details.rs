//! What is said about a file, folder or symlink.

use crate::attr::system_time;
use cobox_drive::overlay::Stat;
use cobox_drive::record::Kind;
use dav_server::fs::{DavDirEntry, DavMetaData, FsError, FsFuture, FsResult};
use std::time::SystemTime;

/// Details of one entry.
#[derive(Clone, Debug)]
pub(super) struct Details(pub Stat);

impl DavMetaData for Details {
    fn len(&self) -> u64 {
        self.0.size
    }

    fn modified(&self) -> FsResult<SystemTime> {
        Ok(system_time(self.0.mtime))
    }

    fn is_dir(&self) -> bool {
        self.0.kind == Kind::Folder
    }

    fn is_file(&self) -> bool {
        self.0.kind == Kind::File
    }

    fn is_symlink(&self) -> bool {
        self.0.kind == Kind::Symlink
    }

    fn status_changed(&self) -> FsResult<SystemTime> {
        Ok(system_time(self.0.ctime))
    }

    fn executable(&self) -> FsResult<bool> {
        match self.0.kind {
            Kind::File => Ok(self.0.mode & 0o111 != 0),
            _ => Err(FsError::NotImplemented),
        }
    }
}

impl DavDirEntry for Details {
    fn name(&self) -> Vec<u8> {
        self.0.name.as_bytes().to_vec()
    }

    fn metadata(&'_ self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let details: Box<dyn DavMetaData> = Box::new(self.clone());
        Box::pin(std::future::ready(Ok(details)))
    }
}
