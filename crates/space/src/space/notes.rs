//! Notes on files and folders: told in the log, kept with the node, whatever it is called.

use std::collections::BTreeMap;

use cobox_drive::path::DrivePath;
use cobox_drive::record::NodeId;
use cobox_drive::tree::Tree;
use cobox_keys::identity::PublicKey;

use super::Space;
use crate::error::SpaceError;
use crate::log::types::{FileAnnotation, MAX_KEYS, MAX_VALUE_DEPTH, Value, is_key};
use crate::log::{Filter, Logged};

/// Folders above a node that are walked to find its path.
const MAX_CLIMB: usize = 4096;

/// One note: the newest value that its author gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// what it is called
    pub key: String,
    /// what it says
    pub value: Value,
    /// who noted it
    pub author: PublicKey,
    /// what they are called now
    pub name: String,
    /// the author's clock, Unix ms
    pub time_ms: u64,
}

/// Somebody noted something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// where it is now, unless it is gone
    pub path: Option<DrivePath>,
    /// who noted it
    pub author: PublicKey,
    /// what they are called now
    pub name: String,
    /// on what, and which values
    pub annotation: FileAnnotation,
}

impl Space {
    /// Notes something on what is at a path. `Null` takes a note of ours away.
    ///
    /// # Errors
    ///
    /// `ReadOnly`, `BadNote`, `MessageTooLong`, `Drive` if nothing is there, or the store's.
    pub fn annotate(
        &self,
        path: &DrivePath,
        values: BTreeMap<String, Value>,
    ) -> Result<(), SpaceError> {
        check(&values)?;
        let node = self.drive.node(path)?;
        self.log.tell(&FileAnnotation { node, values }).map(drop)
    }

    /// Notes on what is at a path, by name, then by author.
    ///
    /// # Errors
    ///
    /// `View`, or `Drive` if nothing is there.
    pub fn annotations(&self, path: &DrivePath) -> Result<Vec<Note>, SpaceError> {
        let node = self.drive.node(path)?;
        let names = self.names()?;
        let mut newest: BTreeMap<(String, PublicKey), (Value, u64)> = BTreeMap::new();
        for message in self.log.read(&Filter::about::<FileAnnotation>(&node.0))? {
            let annotation = message.read().filter(|_| !message.private);
            let values = annotation.filter(|found: &FileAnnotation| found.node == node);
            for (key, value) in values.into_iter().flat_map(|found| found.values) {
                newest.insert((key, message.author), (value, message.time_ms));
            }
        }
        newest.retain(|_, (value, _)| *value != Value::Null);
        let note = |((key, author), (value, time_ms))| Note {
            key,
            value,
            author,
            name: names.get(&author).cloned().unwrap_or_default(),
            time_ms,
        };
        Ok(newest.into_iter().map(note).collect())
    }

    /// What a message notes, once its author's claim is accepted.
    pub(crate) fn noted_at(&self, at: &Logged) -> Result<Option<Noted>, SpaceError> {
        let message = self.log.message(at)?.filter(|message| !message.private);
        let Some((message, annotation)) = message.and_then(|message| {
            let annotation: FileAnnotation = message.read()?;
            Some((message, annotation))
        }) else {
            return Ok(None);
        };
        Ok(Some(Noted {
            path: self.path_of(annotation.node)?,
            author: message.author,
            name: self.names()?.remove(&message.author).unwrap_or_default(),
            annotation,
        }))
    }

    /// Where a node is now.
    fn path_of(&self, node: NodeId) -> Result<Option<DrivePath>, SpaceError> {
        let rows = self.tables.db.snapshot()?;
        let tree = Tree(&rows);
        let (mut names, mut at) = (Vec::new(), node);
        for _ in 0..MAX_CLIMB {
            if at == NodeId::ROOT {
                names.reverse();
                return Ok(Some(DrivePath::from_names(names)));
            }
            match tree.place(at)? {
                Some((above, name)) if !tree.is_deleted(at)? => {
                    names.push(name);
                    at = above;
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}

fn check(values: &BTreeMap<String, Value>) -> Result<(), SpaceError> {
    if values.is_empty() || values.len() > MAX_KEYS {
        return Err(SpaceError::BadNote("1 to 256 at a time can be made"));
    }
    if !values.keys().all(|key| is_key(key)) {
        let why = "a name has 1 to 255 bytes and no control characters";
        return Err(SpaceError::BadNote(why));
    }
    if values.values().any(|value| value.depth() > MAX_VALUE_DEPTH) {
        return Err(SpaceError::BadNote("a value is nested too deeply"));
    }
    Ok(())
}
