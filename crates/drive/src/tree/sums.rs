//! How much is shown in all: files, folders, bytes.

use super::Tree;
use super::ask::{Eyes, Member};
use crate::path::DrivePath;
use crate::record::Kind;
use cobox_view::kv::{ReadRows, ViewError};

impl<'a, R: ReadRows + ?Sized> Tree<'a, R> {
    /// Totals: files, folders, bytes (logical), kept up to date by the view.
    pub fn totals(&self) -> Result<(u64, u64, u64), ViewError> {
        let eyes = self.eyes()?;
        let mut totals = (0, 0, 0u64);
        let mut stack: Vec<Vec<Member>> = vec![eyes.group(&DrivePath::default())?];
        while let Some(group) = stack.pop() {
            self.count(&eyes, &group, &mut totals, &mut stack)?;
        }
        Ok(totals)
    }

    fn count(
        &self,
        eyes: &Eyes<'a, R>,
        group: &[Member],
        totals: &mut (u64, u64, u64),
        stack: &mut Vec<Vec<Member>>,
    ) -> Result<(), ViewError> {
        for shown in eyes.list(group)? {
            match shown.entry.kind {
                Kind::Folder => {
                    totals.1 += shown.members.len() as u64;
                    stack.push(shown.members);
                }
                // Losing versions of a file are not files of their own.
                _ if shown.entry.version != self.shown_version(shown.entry.node)? => {}
                _ => {
                    totals.0 += 1;
                    totals.2 = totals.2.saturating_add(shown.entry.content.size);
                }
            }
        }
        Ok(())
    }
}
