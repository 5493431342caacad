//! A drive over WebDAV, for systems without FUSE.
//!
//! Here: starting and ending; `files` finds and changes, `file` is one that is open, `details` what is said about
//! one, `properties` keeps what clients want to keep. Not its job: HTTP connections and who may use them, the
//! protocol's words (`dav-server`).

mod details;
mod failure;
mod file;
mod files;
mod properties;

use crate::mount::MountError;
use cobox_drive::drive::Drive;
use cobox_drive::overlay::Overlay;
use dav_server::DavHandler;
use dav_server::memls::MemLs;
use files::Files;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a file that are read at a time.
const CHUNK: usize = 256 << 10;

/// How to offer a space over WebDAV.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// beginning of every path, not percent-encoded, with a slash at both ends
    pub prefix: String,
    /// nothing may be changed
    pub read_only: bool,
    /// a path on the disk whose free space is shown
    pub disk: PathBuf,
}

/// A space offered over WebDAV.
pub struct WebDav {
    overlay: Arc<Overlay>,
    handler: DavHandler,
}

impl WebDav {
    /// Ready to answer requests.
    ///
    /// # Errors
    ///
    /// `Drive`.
    pub fn start(drive: Arc<Drive>, options: WebOptions) -> Result<Self, MountError> {
        let overlay = Overlay::open(drive)?;
        let read_only = options.read_only;
        let files = Files::new(overlay.clone(), read_only, options.disk);
        let handler = DavHandler::builder()
            .filesystem(Box::new(files))
            // Locks are between clients of this machine: they need not outlive the program.
            .locksystem(MemLs::new())
            .strip_prefix(options.prefix)
            .read_buf_size(CHUNK)
            .autoindex(true)
            .build_handler();
        Ok(Self { overlay, handler })
    }

    /// Answers requests whose paths begin with the prefix. Call it on a tokio runtime.
    pub fn handler(&self) -> &DavHandler {
        &self.handler
    }

    /// Commits everything; from now on requests fail.
    ///
    /// # Errors
    ///
    /// `Drive`.
    pub fn stop(&self) -> Result<(), MountError> {
        Ok(self.overlay.close()?)
    }
}
