//! A drive as a folder: translation only.
//!
//! What programs change gathers in `cobox_drive::overlay`, which also knows what is where; here its answers become
//! those of the kernel's protocol. Not its job: deciding anything about files, or which spaces are mounted.

mod aside;
mod attr;
mod errno;
mod fuse;
mod hidden;
mod local;
mod mount;
mod special;
pub mod webdav;

pub use mount::{Mount, MountError, Options, Unmounted, clear_stale};
