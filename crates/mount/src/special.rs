//! Pipes, sockets and device files: places where the programs of one machine meet. A space keeps none of them; here they
//! are remembered as long as the folder is mounted.
//!
//! The kernel opens them by itself; what we know is where they are and how they look.

use crate::attr::NOTHING;
use crate::errno::Answer;
use fuser::{Errno, FileAttr, FileType, INodeNo};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Their numbers have both bits.
const BITS: u64 = 0b11 << 62;

/// Does a number belong here?
pub(crate) fn is_special(ino: u64) -> bool {
    ino & BITS == BITS
}

/// What kind of place a file mode stands for; none for other files.
pub(crate) fn kind(mode: u32) -> Option<FileType> {
    match mode & libc::S_IFMT {
        libc::S_IFIFO => Some(FileType::NamedPipe),
        libc::S_IFSOCK => Some(FileType::Socket),
        libc::S_IFCHR => Some(FileType::CharDevice),
        libc::S_IFBLK => Some(FileType::BlockDevice),
        _ => None,
    }
}

/// Folder and name.
pub(crate) type At<'a> = (INodeNo, &'a [u8]);

/// All of them.
#[derive(Default)]
pub(crate) struct Special(Mutex<All>);

#[derive(Default)]
struct All {
    nodes: HashMap<u64, Node>,
    names: HashMap<u64, BTreeMap<Vec<u8>, u64>>,
    given: u64,
}

struct Node {
    attr: FileAttr,
    /// references of the kernel
    count: u64,
}

impl Special {
    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one. Counts one reference.
    pub fn make(&self, at: At<'_>, kind: FileType, attr: FileAttr) -> Answer<FileAttr> {
        let mut all = self.all();
        if all.find(at).is_some() {
            return Err(Errno::EEXIST);
        }
        all.given += 1;
        let ino = BITS | all.given;
        let now = SystemTime::now();
        let attr = FileAttr {
            ino: INodeNo(ino),
            kind,
            atime: now,
            mtime: now,
            ctime: now,
            crtime: now,
            nlink: 1,
            blksize: NOTHING.blksize,
            ..attr
        };
        all.nodes.insert(ino, Node { attr, count: 1 });
        all.put(at, ino);
        Ok(attr)
    }

    /// Gives one another name. Counts one reference.
    pub fn link(&self, ino: INodeNo, to: At<'_>) -> Answer<FileAttr> {
        let mut all = self.all();
        if all.find(to).is_some() {
            return Err(Errno::EEXIST);
        }
        let node = all.nodes.get_mut(&ino.0).ok_or(Errno::ESTALE)?;
        node.count += 1;
        node.attr.nlink += 1;
        node.attr.ctime = SystemTime::now();
        let attr = node.attr;
        all.put(to, ino.0);
        Ok(attr)
    }

    /// What is under a name. Counts one reference.
    pub fn look_up(&self, at: At<'_>) -> Option<FileAttr> {
        let mut all = self.all();
        let ino = all.find(at)?;
        let node = all.nodes.get_mut(&ino)?;
        node.count += 1;
        Some(node.attr)
    }

    pub fn is_at(&self, at: At<'_>) -> bool {
        self.all().find(at).is_some()
    }

    pub fn attr(&self, ino: INodeNo) -> Answer<FileAttr> {
        let all = self.all();
        let node = all.nodes.get(&ino.0).ok_or(Errno::ESTALE)?;
        Ok(node.attr)
    }

    pub fn change(&self, ino: INodeNo, change: impl FnOnce(&mut FileAttr)) -> Answer<FileAttr> {
        let mut all = self.all();
        let node = all.nodes.get_mut(&ino.0).ok_or(Errno::ESTALE)?;
        change(&mut node.attr);
        node.attr.ctime = SystemTime::now();
        Ok(node.attr)
    }

    /// Counts one reference to an entry of a list.
    pub fn keep(&self, ino: INodeNo) {
        if let Some(node) = self.all().nodes.get_mut(&ino.0) {
            node.count += 1;
        }
    }

    pub fn forget(&self, ino: INodeNo, count: u64) {
        let mut all = self.all();
        if let Some(node) = all.nodes.get_mut(&ino.0) {
            node.count = node.count.saturating_sub(count);
        }
        all.drop_if_gone(ino.0);
    }

    /// Those in a folder, in name order.
    pub fn list(&self, folder: INodeNo) -> Vec<(Vec<u8>, FileAttr)> {
        let all = self.all();
        let names = all.names.get(&folder.0).into_iter().flatten();
        names
            .filter_map(|(name, ino)| Some((name.clone(), all.nodes.get(ino)?.attr)))
            .collect()
    }

    /// Is there none at all? Nearly always.
    pub fn is_unused(&self) -> bool {
        self.all().names.is_empty()
    }

    pub fn is_empty(&self, folder: INodeNo) -> bool {
        !self.all().names.contains_key(&folder.0)
    }

    /// Removes what is under a name; false when none of these is.
    pub fn remove(&self, at: At<'_>) -> bool {
        self.all().take(at).is_some()
    }

    /// Moves one, also over another.
    pub fn rename(&self, from: At<'_>, to: At<'_>) {
        let mut all = self.all();
        let (old, target) = (all.find(from), all.find(to));
        let Some(ino) = old.filter(|_| old != target) else {
            return;
        };
        all.take(to);
        all.unname(from);
        all.put(to, ino);
        if let Some(node) = all.nodes.get_mut(&ino) {
            node.attr.ctime = SystemTime::now();
        }
    }

    /// Has two change places.
    pub fn exchange(&self, one: At<'_>, other: At<'_>) -> Answer<()> {
        let mut all = self.all();
        let (Some(a), Some(b)) = (all.find(one), all.find(other)) else {
            return Err(Errno::EINVAL);
        };
        all.put(one, b);
        all.put(other, a);
        Ok(())
    }
}

impl All {
    fn find(&self, (folder, name): At<'_>) -> Option<u64> {
        self.names.get(&folder.0)?.get(name).copied()
    }

    fn put(&mut self, (folder, name): At<'_>, ino: u64) {
        let names = self.names.entry(folder.0).or_default();
        names.insert(name.to_vec(), ino);
    }

    fn unname(&mut self, (folder, name): At<'_>) -> Option<u64> {
        let names = self.names.get_mut(&folder.0)?;
        let ino = names.remove(name);
        if names.is_empty() {
            self.names.remove(&folder.0);
        }
        ino
    }

    /// Takes a name away, and what it led to unless the kernel still refers to it.
    fn take(&mut self, at: At<'_>) -> Option<u64> {
        let ino = self.unname(at)?;
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.attr.nlink -= 1;
            node.attr.ctime = SystemTime::now();
        }
        self.drop_if_gone(ino);
        Some(ino)
    }

    fn drop_if_gone(&mut self, ino: u64) {
        let is_gone = |node: &Node| node.count == 0 && node.attr.nlink == 0;
        if self.nodes.get(&ino).is_some_and(is_gone) {
            self.nodes.remove(&ino);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: INodeNo = INodeNo(7);

    #[test]
    fn one_lives_until_it_has_neither_name_nor_reference() -> Result<(), Errno> {
        let special = Special::default();
        let made = special.make((FOLDER, b"pipe"), FileType::NamedPipe, NOTHING)?;
        assert!(is_special(made.ino.0));
        assert_eq!(
            special.make((FOLDER, b"pipe"), FileType::Socket, NOTHING),
            Err(Errno::EEXIST)
        );
        special.link(made.ino, (FOLDER, b"link"))?;
        assert!(special.remove((FOLDER, b"link")));
        special.forget(made.ino, 1);
        assert_eq!(special.attr(made.ino)?.nlink, 1);
        special.rename((FOLDER, b"pipe"), (INodeNo(8), b"moved"));
        assert!(special.is_empty(FOLDER));
        assert_eq!(special.list(INodeNo(8)).len(), 1);
        assert!(special.remove((INodeNo(8), b"moved")));
        assert_eq!(special.attr(made.ino)?.nlink, 0);
        special.forget(made.ino, 1);
        assert_eq!(special.attr(made.ino), Err(Errno::ESTALE));
        Ok(())
    }

    #[test]
    fn a_rename_takes_the_place_of_another() -> Result<(), Errno> {
        let special = Special::default();
        let one = special.make((FOLDER, b"a"), FileType::NamedPipe, NOTHING)?;
        let two = special.make((FOLDER, b"b"), FileType::Socket, NOTHING)?;
        special.exchange((FOLDER, b"a"), (FOLDER, b"b"))?;
        assert_eq!(
            special.look_up((FOLDER, b"a")).map(|a| a.ino),
            Some(two.ino)
        );
        special.rename((FOLDER, b"b"), (FOLDER, b"a"));
        assert_eq!(
            special.look_up((FOLDER, b"a")).map(|a| a.ino),
            Some(one.ino)
        );
        assert_eq!(special.attr(two.ino)?.nlink, 0);
        special.rename((FOLDER, b"a"), (FOLDER, b"a"));
        assert!(special.is_at((FOLDER, b"a")));
        Ok(())
    }
}
