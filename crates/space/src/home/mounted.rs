//! How a space is mounted, as the list of spaces remembers it across restarts: `[flags, place, time?]`.
//!
//! Not its job: mounting.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use cobox_keys::cbor::{self, Fields, Record};
use cobox_keys::error::KeyError;

const READ_ONLY: u64 = 1;
const MADE: u64 = 2;
const WEB: u64 = 4;
/// No system takes a longer path.
const MAX_PATH: usize = 4096;

/// A space shall be mounted, now and after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountEntry {
    /// Where.
    pub place: MountPlace,
    /// Nothing can be changed through it.
    pub read_only: bool,
    /// As the space was then, Unix ms.
    pub as_of_ms: Option<u64>,
}

/// Where a space is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountPlace {
    /// On a folder.
    Folder {
        /// which
        at: PathBuf,
        /// the program made it and takes it away again
        made: bool,
    },
    /// As a WebDAV share of this machine.
    Web {
        /// part of its URL that nobody can guess
        secret: [u8; 16],
    },
}

impl MountEntry {
    pub(super) fn encode(&self, record: Record, key: u64) -> Record {
        let (flag, place) = match &self.place {
            MountPlace::Folder { at, made } => {
                let flag = if *made { MADE } else { 0 };
                (flag, at.as_os_str().as_bytes())
            }
            MountPlace::Web { secret } => (WEB, &secret[..]),
        };
        let read_only = if self.read_only { READ_ONLY } else { 0 };
        record.field(key, |encoder| {
            encoder.array(2 + u64::from(self.as_of_ms.is_some()))?;
            encoder.u64(flag | read_only)?.bytes(place)?;
            self.as_of_ms.map_or(Ok(()), |time| encoder.u64(time)?.ok())
        })
    }

    pub(super) fn decode(fields: &Fields<'_>, key: u64) -> Result<Option<Self>, KeyError> {
        if !fields.has(key) {
            return Ok(None);
        }
        let entry = fields.value(key, |decoder| {
            let length = decoder.array().ok()??;
            let flags = decoder.u64().ok()?;
            let place = match flags & WEB {
                0 => folder(decoder.bytes().ok()?, flags & MADE != 0)?,
                _ => MountPlace::Web {
                    secret: cbor::fixed(decoder)?,
                },
            };
            let as_of_ms = match length {
                2 => None,
                3 => Some(decoder.u64().ok()?),
                _ => return None,
            };
            Some(Self {
                place,
                read_only: flags & READ_ONLY != 0,
                as_of_ms,
            })
        });
        entry.map(Some)
    }
}

fn folder(path: &[u8], made: bool) -> Option<MountPlace> {
    let at = PathBuf::from(OsString::from_vec(path.to_vec()));
    (path.len() <= MAX_PATH && at.is_absolute()).then_some(MountPlace::Folder { at, made })
}
