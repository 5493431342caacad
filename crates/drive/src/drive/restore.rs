//! Older states brought back, and conflicts resolved: new versions with old content, so nothing is lost either way.

use super::commit::{Change, Writer};
use super::records::{birth, deleted};
use super::{Drive, DriveError, Restore, Work, find_version};
use crate::content::intake::Intake;
use crate::path::{DrivePath, Name};
use crate::record::{Content, Kind, Life, NodeId, Place, Record, Write};
use crate::tree::{Cause, Conflict, Entry, Tree, Version};
use crate::version::Dot;
use cobox_view::kv::{MemoryRows, ReadRows};

impl Drive {
    /// Brings a version back as the newest (undeletes when needed). By time, for folders: everything that was below it
    /// then is there again as it was; what came later under other names stays. Returns how many entries changed.
    pub fn restore(&self, path: &DrivePath, what: Restore) -> Result<u64, DriveError> {
        self.restore_while(path, what, &mut |_| true)
    }

    /// The same as long work: `go_on` is told how many entries were looked at; when it answers false, nothing is
    /// restored. All of it is one commit.
    pub fn restore_while(
        &self,
        path: &DrivePath,
        what: Restore,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<u64, DriveError> {
        let mut work = self.work()?;
        let mut plan = Plan::new(&work.writer, self);
        match what {
            Restore::Version(dot) => self.plan_version(&mut work, &mut plan, path, dot)?,
            Restore::Time(at_ms) => {
                let then = self.rows_at(at_ms)?;
                self.plan_time(&work, &mut plan, &Tree(&then), path, go_on)?;
            }
        }
        let count = plan.changes.len() as u64;
        if !go_on(count) {
            return Err(DriveError::Cancelled);
        }
        self.finish(work, Some(plan.intake), plan.changes, &[])?;
        Ok(count)
    }

    /// Brings a version of a file back beside it, under a path where nothing is.
    pub fn restore_as(
        &self,
        path: &DrivePath,
        dot: Dot,
        to: &DrivePath,
    ) -> Result<Entry, DriveError> {
        let mut work = self.work()?;
        let mut plan = Plan::new(&work.writer, self);
        let version = find_version(&work.tree(), path, dot)?;
        let no_version = || DriveError::NoVersion(dot.to_string());
        let kind = version.node.kind().ok_or_else(no_version)?;
        let content = version.content.ok_or_else(no_version)?;
        if work.tree().lookup(to)?.is_some() {
            return Err(DriveError::Exists(to.to_string()));
        }
        let (parent, name) = self.place(&mut work, to, true, &mut plan.changes)?;
        let record = birth(kind, parent, name, content, Default::default());
        plan.copy(self, &work.tree(), path, version.node, record)?;
        self.finish(work, Some(plan.intake), plan.changes, &[])?;
        self.stat(to)
    }

    /// Keeps one version; the others become history.
    pub fn resolve(&self, path: &DrivePath, keep: Dot) -> Result<(), DriveError> {
        let work = self.work()?;
        let tree = work.tree();
        let is_meant =
            |c: &Conflict| c.path == *path && c.versions.iter().any(|version| version.dot == keep);
        let meant: Vec<Conflict> = tree.conflicts()?.into_iter().filter(is_meant).collect();
        if meant.is_empty() {
            return Err(DriveError::NoVersion(keep.to_string()));
        }
        let mut records = Vec::new();
        for conflict in &meant {
            resolve_one(&tree, conflict, keep, &mut records)?;
        }
        let changes = records.into_iter().map(Change::from).collect();
        self.finish(work, None, changes, &[]).map(drop)
    }

    fn plan_version(
        &self,
        work: &mut Work<'_>,
        plan: &mut Plan,
        path: &DrivePath,
        dot: Dot,
    ) -> Result<(), DriveError> {
        let deleted = deleted_by(&work.tree(), path, dot)?;
        if !deleted.is_empty() {
            return self.plan_undelete(work, plan, path, &deleted);
        }
        let tree = work.tree();
        let version = find_version(&tree, path, dot)?;
        let no_version = || DriveError::NoVersion(dot.to_string());
        let kind = version.node.kind().ok_or_else(no_version)?;
        let content = version.content.ok_or_else(no_version)?;
        match tree.lookup(path)? {
            Some(entry) if entry.kind != kind => Err(DriveError::Exists(path.to_string())),
            Some(entry) => plan.content(self, &tree, path, entry.node, version.node, content),
            None => {
                let standing = standing(&tree, path, version.node)?;
                match standing {
                    Standing::Here => plan.revive(&tree, version.node, kind, None, Some(content)),
                    Standing::Gone => {
                        let place = self.place(work, path, true, &mut plan.changes)?;
                        plan.revive(&work.tree(), version.node, kind, Some(place), Some(content))
                    }
                    Standing::Elsewhere => {
                        let (parent, name) = self.place(work, path, true, &mut plan.changes)?;
                        plan.copy(
                            self,
                            &work.tree(),
                            path,
                            version.node,
                            birth(kind, parent, name, content, Default::default()),
                        )
                    }
                }
            }
        }
    }

    /// Takes a deletion back: what was deleted is there again as it was then, a folder with everything in it.
    fn plan_undelete(
        &self,
        work: &mut Work<'_>,
        plan: &mut Plan,
        path: &DrivePath,
        nodes: &[NodeId],
    ) -> Result<(), DriveError> {
        if work.tree().lookup(path)?.is_some() {
            return Err(DriveError::Exists(path.to_string()));
        }
        let (folder, _) = path.split().ok_or(DriveError::Root)?;
        let parents = work.tree().folders(&folder)?;
        let mut moved = None;
        for node in nodes {
            let Some(kind) = node.kind() else { continue };
            let home = work.tree().place(*node)?;
            let is_home = home.is_some_and(|(parent, _)| parents.contains(&parent));
            if !is_home && moved.is_none() {
                moved = Some(self.place(work, path, true, &mut plan.changes)?);
            }
            let place = moved.clone().filter(|_| !is_home);
            plan.revive(&work.tree(), *node, kind, place, None)?;
        }
        Ok(())
    }

    fn plan_time(
        &self,
        work: &Work<'_>,
        plan: &mut Plan,
        then: &Tree<'_, MemoryRows>,
        path: &DrivePath,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), DriveError> {
        let mut todo = Vec::new();
        let mut seen = 0;
        if path.is_root() {
            todo.push((path.clone(), NodeId::ROOT));
        } else {
            let old = self.found(then.lookup(path)?, path)?;
            let (parent, _) = path.split().ok_or(DriveError::Root)?;
            // Missing parents come back too: they are what the entry's own new versions revive.
            let now = work.tree().folders(&parent)?;
            let parent = match now.first() {
                Some(node) => *node,
                None => then
                    .folders(&parent)?
                    .first()
                    .copied()
                    .unwrap_or(NodeId::ROOT),
            };
            if let Some(node) = self.plan_entry(work, plan, then, path, parent, &old)? {
                todo.push((path.clone(), node));
            }
        }
        while let Some((folder, node)) = todo.pop() {
            for old in then.list(&folder)?.iter().filter(|old| !old.conflict) {
                seen += 1;
                if !go_on(seen) {
                    return Err(DriveError::Cancelled);
                }
                let below = folder.join(old.name.clone());
                if let Some(child) = self.plan_entry(work, plan, then, &below, node, old)? {
                    todo.push((below, child));
                }
            }
        }
        Ok(())
    }

    /// Plans one entry; for a folder returns the node that its children go to.
    fn plan_entry(
        &self,
        work: &Work<'_>,
        plan: &mut Plan,
        then: &Tree<'_, MemoryRows>,
        path: &DrivePath,
        parent: NodeId,
        old: &Entry,
    ) -> Result<Option<NodeId>, DriveError> {
        let tree = work.tree();
        let current = tree.lookup(path)?.filter(|entry| entry.kind == old.kind);
        match current {
            Some(entry) if entry.kind == Kind::Folder => return Ok(Some(entry.node)),
            Some(entry) if entry.node == old.node && entry.version == old.version => {}
            Some(entry) => {
                plan.content(self, then, path, entry.node, old.node, old.content.clone())?
            }
            None => {
                let place = Some((parent, old.name.clone()));
                let content = (old.kind != Kind::Folder).then(|| old.content.clone());
                plan.revive(&tree, old.node, old.kind, place, content)?;
            }
        }
        Ok((old.kind == Kind::Folder).then_some(old.node))
    }
}

/// What a version deleted at a path; nothing if it is no deletion, or if that was taken back.
fn deleted_by<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    path: &DrivePath,
    dot: Dot,
) -> Result<Vec<NodeId>, DriveError> {
    let mut nodes = Vec::new();
    for version in tree.history(path)? {
        if version.dot == dot && version.deleted && tree.is_deleted(version.node)? {
            nodes.push(version.node);
        }
    }
    Ok(nodes)
}

/// Where a node that is not shown at a path is now.
enum Standing {
    /// At that path, deleted or under something deleted.
    Here,
    /// Deleted at another path.
    Gone,
    /// Alive at another path.
    Elsewhere,
}

fn standing<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    path: &DrivePath,
    node: NodeId,
) -> Result<Standing, DriveError> {
    let (folder, name) = path.split().ok_or(DriveError::Root)?;
    let folders = tree.folders(&folder)?;
    let is_here = tree.place(node)?.is_some_and(|(parent, own_name)| {
        own_name == name && (folders.is_empty() || folders.contains(&parent))
    });
    Ok(match () {
        () if is_here => Standing::Here,
        () if tree.is_deleted(node)? => Standing::Gone,
        () => Standing::Elsewhere,
    })
}

/// Changes of one restore, all in one commit.
struct Plan {
    intake: Intake,
    changes: Vec<Change>,
}

impl Plan {
    fn new(writer: &Writer, drive: &Drive) -> Self {
        Self {
            intake: writer.intake(&drive.blocks),
            changes: Vec::new(),
        }
    }

    /// Old content of `from` becomes the newest version of `node`.
    fn content<R: ReadRows + ?Sized>(
        &mut self,
        drive: &Drive,
        tree: &Tree<'_, R>,
        path: &DrivePath,
        node: NodeId,
        from: NodeId,
        content: Content,
    ) -> Result<(), DriveError> {
        let Some(kind) = node.kind() else {
            return Ok(());
        };
        let (value, layout) = match node == from {
            true => (content, None),
            false => drive.portable(&mut self.intake, tree, from, content, path)?,
        };
        let rows = drive.rows()?;
        let replaces = Tree(&rows).heads(node)?.content;
        let mut record = Record::new(node, kind);
        record.content = Some(Write { value, replaces });
        self.changes.push(Change::whole(record, layout));
        Ok(())
    }

    /// A node lives again: at the place given, else where it was.
    fn revive<R: ReadRows + ?Sized>(
        &mut self,
        tree: &Tree<'_, R>,
        node: NodeId,
        kind: Kind,
        place: Option<(NodeId, Name)>,
        content: Option<Content>,
    ) -> Result<(), DriveError> {
        let heads = tree.heads(node)?;
        let mut record = Record::new(node, kind);
        record.life = Some(Write {
            value: Life::Alive,
            replaces: heads.life,
        });
        record.content = content.map(|value| Write {
            value,
            replaces: heads.content,
        });
        record.place = place.map(|(parent, name)| Write {
            value: Place { parent, name },
            replaces: heads.place,
        });
        self.changes.push(record.into());
        Ok(())
    }

    /// A new node that continues another which lives on elsewhere.
    fn copy<R: ReadRows + ?Sized>(
        &mut self,
        drive: &Drive,
        tree: &Tree<'_, R>,
        path: &DrivePath,
        from: NodeId,
        mut record: Record,
    ) -> Result<(), DriveError> {
        let mut layout = None;
        if let Some(content) = &mut record.content {
            let old = std::mem::take(&mut content.value);
            (content.value, layout) = drive.portable(&mut self.intake, tree, from, old, path)?;
        }
        if let Some(attrs) = &mut record.attrs {
            attrs.value.mode = 0o644;
        }
        record.succeeds = Some(from);
        self.changes.push(Change::whole(record, layout));
        Ok(())
    }
}

fn resolve_one<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    conflict: &Conflict,
    keep: Dot,
    records: &mut Vec<Record>,
) -> Result<(), DriveError> {
    let kept = conflict.versions.iter().find(|version| version.dot == keep);
    let kept = kept.ok_or_else(|| DriveError::NoVersion(keep.to_string()))?;
    if conflict.cause == Cause::Name {
        return delete_others(tree, conflict, kept, records);
    }
    let node = match conflict.cause {
        Cause::Loop => tree
            .lookup(&conflict.path)?
            .map_or(kept.node, |entry| entry.node),
        _ => kept.node,
    };
    let heads = tree.heads(node)?;
    let record = record_of(records, node)?;
    match conflict.cause {
        Cause::Content => {
            let value = match &kept.content {
                Some(content) => Some(content.clone()),
                None => tree.content_at(node, keep)?,
            };
            record.content = value.map(|value| Write {
                value,
                replaces: heads.content,
            });
        }
        Cause::Place => {
            let value = kept
                .place
                .clone()
                .map(|(parent, name)| Place { parent, name });
            record.place = value.map(|value| Write {
                value,
                replaces: heads.place,
            });
        }
        Cause::Attrs => {
            let value = tree.attrs_at(node, keep)?;
            record.attrs = value.map(|value| Write {
                value,
                replaces: heads.attrs,
            });
        }
        Cause::Life => {
            let value = if kept.deleted {
                Life::Deleted
            } else {
                Life::Alive
            };
            record.life = Some(Write {
                value,
                replaces: heads.life,
            });
        }
        // The node whose move was ignored stays where it is shown: in the root, under the name it is shown by.
        Cause::Loop => {
            let name = conflict.path.names().last().cloned();
            let value = name.map(|name| Place {
                parent: NodeId::ROOT,
                name,
            });
            record.place = value.map(|value| Write {
                value,
                replaces: heads.place,
            });
        }
        Cause::Name => {}
    }
    Ok(())
}

fn delete_others<R: ReadRows + ?Sized>(
    tree: &Tree<'_, R>,
    conflict: &Conflict,
    kept: &Version,
    records: &mut Vec<Record>,
) -> Result<(), DriveError> {
    for other in conflict
        .versions
        .iter()
        .filter(|version| version.node != kept.node)
    {
        let Some(kind) = other.node.kind() else {
            continue;
        };
        let life = deleted(tree, other.node, kind)?.life;
        record_of(records, other.node)?.life = life;
    }
    Ok(())
}

/// A commit has one record per node.
fn record_of(records: &mut Vec<Record>, node: NodeId) -> Result<&mut Record, DriveError> {
    let at = match records.iter().position(|record| record.node == node) {
        Some(at) => at,
        None => {
            let kind = node
                .kind()
                .ok_or_else(|| DriveError::Damaged("the kind of a node".into()))?;
            records.push(Record::new(node, kind));
            records.len() - 1
        }
    };
    Ok(&mut records[at])
}
