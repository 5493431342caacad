//! Files of two drives, one after the other: is what came from the replicator what is here?
//!
//! Not its job: which files, and telling anybody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cobox_drive::drive::{Drive, DriveError};
use cobox_drive::path::DrivePath;
use cobox_drive::tree::Entry;

/// How long a file may take to come after the one before it did not.
const SOON: Duration = Duration::from_secs(2);
/// So many files in a row did not come: the others will not either, and nobody shall wait for each of ten thousand.
const ENOUGH: usize = 10;
/// What is read at once of both.
const PIECE: usize = 1 << 20;

/// Equal, or why not.
pub(super) type Outcome = Result<(), String>;

/// What is here, what comes, and how that went so far.
pub(super) struct Comparison<'a> {
    here: &'a Drive,
    there: &'a Drive,
    patience: Duration,
    /// what is missing of the tree there
    late: Option<String>,
    cancel: &'a AtomicBool,
    /// files in a row that did not come
    missed: usize,
}

/// Why a file is not the same.
enum Fault {
    /// It cannot be read on this machine.
    Here(DriveError),
    /// What the replicator sent of it.
    There(DriveError),
    Cancelled,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(
        here: &'a Drive,
        there: &'a Drive,
        patience: Duration,
        late: Option<String>,
        cancel: &'a AtomicBool,
    ) -> Self {
        Self {
            here,
            there,
            patience,
            late,
            cancel,
            missed: 0,
        }
    }

    /// How it is with one file.
    ///
    /// # Errors
    ///
    /// `Cancelled`.
    pub(super) fn outcome(
        &mut self,
        path: &DrivePath,
        entry: &Entry,
    ) -> Result<Outcome, DriveError> {
        if self.missed >= ENOUGH {
            return Ok(Err("not tried: nothing came any more".to_owned()));
        }
        let wait = if self.missed == 0 {
            self.patience
        } else {
            SOON.min(self.patience)
        };
        self.there.set_wait(wait);
        let compared = self.compare(path, entry);
        let is_absent = matches!(compared, Err(Fault::There(DriveError::NotHere(_))));
        self.missed = if is_absent { self.missed + 1 } else { 0 };
        match compared {
            Ok(()) => Ok(Ok(())),
            Err(Fault::Cancelled) => Err(DriveError::Cancelled),
            Err(Fault::Here(error)) => Ok(Err(Self::of_ours(&error))),
            Err(Fault::There(error)) => Ok(Err(self.of_theirs(&error))),
        }
    }

    fn of_ours(error: &DriveError) -> String {
        match error {
            DriveError::NotHere(_) => "not compared: it is not whole on this machine".to_owned(),
            error => format!("not compared: {error}"),
        }
    }

    fn of_theirs(&self, error: &DriveError) -> String {
        match (error, &self.late) {
            (DriveError::NotHere(_), _) => "the replicator did not send all of it".to_owned(),
            (DriveError::NotFound(_) | DriveError::NoVersion(_), late) => {
                let late = late
                    .as_deref()
                    .unwrap_or("what the replicator has is older");
                format!("not there: {late}")
            }
            (error, _) => error.to_string(),
        }
    }

    /// The same version, bit by bit.
    fn compare(&self, path: &DrivePath, entry: &Entry) -> Result<(), Fault> {
        let here = self
            .here
            .open_file(path, entry.version)
            .map_err(Fault::Here)?;
        let there = self
            .there
            .open_file(path, entry.version)
            .map_err(Fault::There)?;
        let different = || Fault::There(DriveError::Different(path.to_string()));
        let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
        let mut offset = 0;
        if here.size() != there.size() {
            return Err(different());
        }
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Fault::Cancelled);
            }
            let length = here.read_at(offset, &mut ours).map_err(Fault::Here)?;
            let come = there.read_at(offset, &mut theirs).map_err(Fault::There)?;
            if ours[..length] != theirs[..come] {
                return Err(different());
            }
            if length == 0 {
                return Ok(());
            }
            offset += length as u64;
        }
    }
}
