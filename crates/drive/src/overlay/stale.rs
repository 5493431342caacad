//! What others changed: compared with what the kernel was told, so that it forgets just that.

use super::look::Picture;
use super::state::{File, State};
use super::{FileId, Overlay, lock};
use crate::error::DriveError;
use crate::path::{DrivePath, Name};
use crate::record::{Kind, NodeId};
use crate::tree::{Changed, Entry};
use crate::version::Dot;
use std::sync::{Arc, Weak};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// What must be forgotten and asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// what is under a name
    Entry {
        /// in which folder
        folder: FileId,
        /// which name
        name: Name,
    },
    /// a file's details
    Attributes(FileId),
    /// everything
    All,
}

impl Overlay {
    /// Follows the tree on a thread of its own; it ends with the drive, or soon after the overlay.
    pub(super) fn follow(self: &Arc<Self>) -> Result<(), DriveError> {
        let overlay = Arc::downgrade(self);
        let mut changes = self.drive.subscribe();
        let thread = std::thread::Builder::new().name("overlay-follow".into());
        let run = move || follow(&overlay, &mut changes);
        thread.spawn(run).map_err(DriveError::Source)?;
        Ok(())
    }

    /// Everything known is compared again after events were missed.
    fn compare_all(&self) -> Result<(), DriveError> {
        self.tell(Stale::All);
        let picture = self.picture()?;
        self.compare_known(&mut self.state(), &picture)
    }

    /// Something at or below a path may look different.
    fn compare(&self, path: &DrivePath) -> Result<(), DriveError> {
        let picture = self.picture()?;
        let entry = picture.tree().lookup(path)?;
        let mut state = self.state();
        if let Some((folder, name)) = path.split() {
            self.compare_name(&state, &picture, &folder, &name, entry.as_ref())?;
        }
        match entry {
            Some(entry) if entry.kind != Kind::Folder => match state.by_key(&(entry.node, None)) {
                Some(id) => self.compare_one(&mut state, &picture, id),
                None => Ok(()),
            },
            _ => self.compare_known(&mut state, &picture),
        }
    }

    /// Does a name still lead to what it was told to lead to?
    fn compare_name(
        &self,
        state: &State,
        picture: &Picture,
        folder: &DrivePath,
        name: &Name,
        entry: Option<&Entry>,
    ) -> Result<(), DriveError> {
        let group = picture.tree().folders(folder)?;
        let now = entry.and_then(|entry| state.by_key(&(entry.node, None)));
        let at = now.and_then(|id| state.file(id)?.at.as_ref());
        if at.is_some_and(|at| at.1 == *name && group.contains(&at.0)) {
            return Ok(());
        }
        for node in group {
            if let Some(folder) = state.by_key(&(node, None)) {
                let name = name.clone();
                self.tell(Stale::Entry { folder, name });
                self.tell(Stale::Attributes(folder));
            }
        }
        Ok(())
    }

    fn compare_known(&self, state: &mut State, picture: &Picture) -> Result<(), DriveError> {
        let known: Vec<FileId> = state.files().map(|(id, _)| id).collect();
        known
            .into_iter()
            .try_for_each(|id| self.compare_one(state, picture, id))
    }

    fn compare_one(
        &self,
        state: &mut State,
        picture: &Picture,
        id: FileId,
    ) -> Result<(), DriveError> {
        let is_compared =
            |file: &&File| file.born && !file.fresh && !file.orphan && file.version().is_none();
        let Some(file) = state
            .file(id)
            .filter(is_compared)
            .filter(|_| id != FileId::ROOT)
        else {
            return Ok(());
        };
        let Some(entry) = picture.tree().entry(file.node)? else {
            return Ok(());
        };
        let is_settled = !file.is_pending();
        let (told, is_other) = (file.told, file.attrs != entry.attrs);
        self.compare_place(state, picture, id)?;
        if is_other {
            self.tell(Stale::Attributes(id));
        }
        if let Some(file) = state.file_mut(id) {
            file.attrs = entry.attrs;
        }
        // Changes of our own lie over another's version until they are committed beside it.
        match told {
            Some(told)
                if is_settled && entry.version != Some(told) && entry.kind != Kind::Folder =>
            {
                self.outdate(state, id, told);
            }
            _ => {}
        }
        Ok(())
    }

    /// The kernel keeps the size of a file that it knows, so a newer version gets a number of its own: who looks again
    /// finds that; who has the file open goes on with what was opened, as after a rename over it.
    fn outdate(&self, state: &mut State, id: FileId, told: Dot) {
        let at = state.file(id).and_then(|file| file.at.clone());
        state.outdate(id, told);
        if let Some((folder, name)) = at
            && let Some(folder) = state.by_key(&(folder, None))
        {
            self.tell(Stale::Entry { folder, name });
        }
    }

    /// Is a file still where it was told to be?
    fn compare_place(
        &self,
        state: &mut State,
        picture: &Picture,
        id: FileId,
    ) -> Result<(), DriveError> {
        let tree = picture.tree();
        let Some((file, at)) = state
            .file(id)
            .and_then(|file| Some((file, file.at.clone()?)))
        else {
            return Ok(());
        };
        if file.pending.place.is_some() {
            return Ok(());
        }
        let shown = tree.path(file.node)?.and_then(|path| path.split());
        let now = match (tree.place(file.node)?, shown) {
            (Some((folder, _)), Some((_, name))) => Some((folder, name)),
            _ => None,
        };
        let is_same = |now: &(NodeId, Name)| {
            let group = tree.group(at.0);
            now.1 == at.1 && (now.0 == at.0 || group.is_ok_and(|group| group.contains(&now.0)))
        };
        if now.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        if let Some(folder) = state.by_key(&(at.0, None)) {
            self.tell(Stale::Entry { folder, name: at.1 });
        }
        if let (Some(file), Some(now)) = (state.file_mut(id), now) {
            file.at = Some(now);
        }
        Ok(())
    }

    fn tell(&self, stale: Stale) {
        self.stale.send(stale).ok(); // nobody listens: nobody has anything to forget
    }

    /// Are all of these commits this overlay's own? They are told once.
    fn are_ours(&self, commits: &[Dot]) -> bool {
        let own = self.drive.tag();
        let mut ours = lock(&self.ours);
        let foreign = |dot: &&Dot| Some(dot.writer) != own || !ours.remove(&dot.block);
        commits.iter().filter(foreign).count() == 0
    }
}

fn follow(overlay: &Weak<Overlay>, changes: &mut Receiver<Changed>) {
    // Told before the paths that the commits changed.
    let mut is_own = false;
    loop {
        let change = changes.blocking_recv();
        let Some(overlay) = overlay.upgrade() else {
            return;
        };
        // Until a commit of ours is settled its own traces would look foreign.
        let _one = lock(&overlay.committing);
        let compared = match change {
            Ok(Changed::Applied(commits)) => {
                is_own = overlay.are_ours(&commits);
                Ok(())
            }
            Ok(Changed::Path(_)) if is_own => Ok(()),
            Ok(Changed::Path(path)) => overlay.compare(&path),
            Ok(_) => Ok(()),
            Err(RecvError::Lagged(_)) => {
                is_own = false;
                overlay.compare_all()
            }
            Err(RecvError::Closed) => return,
        };
        if let Err(error) = compared {
            tracing::warn!("a mounted space may show something old: {error}");
            overlay.tell(Stale::All);
        }
    }
}
