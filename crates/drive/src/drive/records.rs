//! Records made for a purpose: something new, a new version, a deletion; and what they replace.

use super::commit::Writer;
use super::{DriveError, Work, now};
use crate::handle::WriteOptions;
use crate::path::{DrivePath, Name};
use crate::record::{Attrs, Body, Content, Kind, Life, NodeId, Place, Record, Write};
use crate::tree::{Entry, Heads, Tree};
use crate::version::{Dot, WriterTag};
use cobox_view::kv::ReadRows;

/// Permission bits of new folders.
const FOLDER_MODE: u32 = 0o755;

/// The file to be written to, if it exists; or why it cannot be written.
pub(crate) fn writable<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    path: &DrivePath,
    options: &WriteOptions,
) -> Result<Option<Entry>, DriveError> {
    let (folder, _) = path.split().ok_or(DriveError::Root)?;
    match tree.lookup(path)? {
        Some(_) if options.create_new => Err(DriveError::Exists(path.to_string())),
        Some(entry) if entry.kind == Kind::Folder => Err(DriveError::IsAFolder(path.to_string())),
        Some(entry) if entry.kind == Kind::Symlink => Err(DriveError::NotAFile(path.to_string())),
        Some(entry) => Ok(Some(entry)),
        None if options.parents || !tree.folders(&folder)?.is_empty() => Ok(None),
        None if tree.lookup(&folder)?.is_some() => Err(DriveError::NotAFolder(folder.to_string())),
        None => Err(DriveError::NotFound(folder.to_string())),
    }
}

/// The version that was opened, if it is still a head; what we wrote ourselves since, if not. What somebody else wrote
/// meanwhile is not replaced: it stays beside ours as a conflict.
pub(crate) fn replaced(heads: &[Dot], opened: Option<Dot>, own: WriterTag) -> Vec<Dot> {
    match opened {
        Some(dot) if heads.contains(&dot) => vec![dot],
        _ => heads
            .iter()
            .copied()
            .filter(|dot| dot.writer == own)
            .collect(),
    }
}

pub(crate) fn new_version(
    work: &Work<'_>,
    entry: &Entry,
    opened: Option<Dot>,
    content: Content,
    options: &WriteOptions,
) -> Result<Record, DriveError> {
    let heads: Heads = work.tree().heads(entry.node)?;
    let mut record = Record::new(entry.node, entry.kind);
    record.content = Some(Write {
        value: content,
        replaces: replaced(&heads.content, opened, work.writer.tag()),
    });
    if let Some(mode) = options
        .mode
        .map(|mode| mode & 0o7777)
        .filter(|mode| *mode != entry.attrs.mode)
    {
        let value = Attrs {
            mode,
            ..entry.attrs.clone()
        };
        record.attrs = Some(Write {
            value,
            replaces: heads.attrs,
        });
    }
    Ok(record)
}

/// A record that brings a node into being.
pub(crate) fn birth(
    kind: Kind,
    parent: NodeId,
    name: Name,
    content: Content,
    attrs: Attrs,
) -> Record {
    let mut record = Record::new(NodeId::generate(kind), kind);
    record.place = Some(Write {
        value: Place { parent, name },
        replaces: Vec::new(),
    });
    record.content = Some(Write {
        value: content,
        replaces: Vec::new(),
    });
    record.attrs = Some(Write {
        value: attrs,
        replaces: Vec::new(),
    });
    record.life = Some(Write {
        value: Life::Alive,
        replaces: Vec::new(),
    });
    record
}

pub(crate) fn created(
    writer: &mut Writer,
    kind: Kind,
    parent: NodeId,
    name: Name,
    content: Content,
    mode: u32,
) -> Record {
    let succeeds = writer.gone.predecessor(parent, &name);
    let attrs = Attrs {
        mode: mode & 0o7777,
        xattrs: Vec::new(),
    };
    Record {
        succeeds,
        ..birth(kind, parent, name, content, attrs)
    }
}

pub(crate) fn new_folder(writer: &mut Writer, parent: NodeId, name: Name) -> Record {
    let content = Content {
        size: 0,
        mtime: now(),
        body: Body::None,
    };
    created(writer, Kind::Folder, parent, name, content, FOLDER_MODE)
}

/// A record that deletes a node, with all below it that was seen.
pub(crate) fn deleted<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    node: NodeId,
    kind: Kind,
) -> Result<Record, DriveError> {
    let mut record = Record::new(node, kind);
    record.life = Some(Write {
        value: Life::Deleted,
        replaces: tree.heads(node)?.life,
    });
    Ok(record)
}

pub(crate) fn same_bytes_kind(a: &Entry, b: &Entry) -> bool {
    a.kind == b.kind && a.kind != Kind::Folder && a.node != b.node
}

/// For a losing version shown beside others of its node: the one that stays.
pub(crate) fn version_beside<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    parent: &DrivePath,
    entry: &Entry,
) -> Result<Option<Entry>, DriveError> {
    if !entry.conflict {
        return Ok(None);
    }
    let beside = tree
        .list(parent)?
        .into_iter()
        .filter(|e| e.node == entry.node && e.version != entry.version);
    Ok(beside.min_by_key(|e| e.conflict))
}

/// A new version with the winner's content that replaces winner and loser.
pub(crate) fn dismissed(winner: &Entry, loser: &Entry) -> Record {
    let mut record = Record::new(winner.node, winner.kind);
    let replaces = winner.version.into_iter().chain(loser.version).collect();
    record.content = Some(Write {
        value: winner.content.clone(),
        replaces,
    });
    record
}
