//! How fast rows grow. Not part of the daily run: `cargo test --release -p cobox-drive -- --ignored speed --nocapture`.

use super::peers::*;
use crate::path::DrivePath;
use crate::record::*;
use crate::tree::{Tree, apply, batch::Batch};
use crate::version::{Dot, WriterTag};
use cobox_keys::cipher::BlockKey;
use cobox_view::kv::{Database, Rows, ViewError};
use std::time::{Duration, Instant};

const FILES: usize = 20_000;

/// Creations in folders of 100 files, `records` to a commit.
fn commits(records: usize) -> Vec<(Dot, Commit)> {
    let mut folder = NodeId::ROOT;
    let mut all = Vec::new();
    for number in 0..FILES {
        if number % 100 == 0 {
            folder = NodeId::generate(Kind::Folder);
            all.push(placed(
                folder,
                NodeId::ROOT,
                &format!("folder {number}"),
                vec![],
            ));
        }
        let mut file = created(
            NodeId::generate(Kind::File),
            folder,
            &format!("file number {number}.txt"),
            1000,
        );
        let run = Run {
            writer: WriterTag([1; 8]),
            block: number as u64,
            offset: 7,
            length: 1000,
            codec: Codec::Raw,
            hash: Some([number as u8; 16]),
        };
        if let Some(write) = &mut file.content {
            write.value.body = Body::Runs(vec![run]);
        }
        file.attrs = Some(Write {
            value: Attrs {
                mode: 0o644,
                xattrs: vec![],
            },
            replaces: vec![],
        });
        all.push(file);
    }
    let of = |(block, records): (usize, &[Record])| {
        let dot = Dot {
            writer: WriterTag([1; 8]),
            block: block as u64 + 1,
        };
        (
            dot,
            Commit {
                header: CommitHeader::default(),
                records: records.to_vec(),
            },
        )
    };
    all.chunks(records).enumerate().map(of).collect()
}

/// Applies in transactions of so many commits, as the indexer does.
fn grow(db: &Database, commits: &[(Dot, Commit)], together: usize) -> Result<Duration, ViewError> {
    let begin = Instant::now();
    for part in commits.chunks(together) {
        let mut transaction = db.begin()?;
        let rows: &mut dyn Rows = &mut transaction;
        let mut batch = Batch::new(rows)?;
        for (dot, commit) in part {
            apply::apply(&mut batch, *dot, commit)?;
        }
        batch.finish()?;
        drop(batch);
        transaction.commit()?;
    }
    Ok(begin.elapsed())
}

#[test]
#[ignore = "measures"]
fn speed_of_creations() -> Result<(), Box<dyn std::error::Error>> {
    for (records, together) in [(4_000, 1), (1, 2_000), (1, 1)] {
        let dir = tempfile::tempdir()?;
        let db = Database::open(&dir.path().join("rows"), BlockKey::from_bytes(&[1; 32]))?;
        let commits = commits(records);
        let commits = if together == 1 && records == 1 {
            &commits[..2_000]
        } else {
            &commits[..]
        };
        let took = grow(&db, commits, together)?;
        let count: usize = commits.iter().map(|(_, commit)| commit.records.len()).sum();
        let snapshot = db.snapshot()?;
        let tree = Tree(&snapshot);
        let begin = Instant::now();
        let mut found = 0;
        for folder in tree.list(&DrivePath::default())? {
            let path = DrivePath::default().join(folder.name);
            let group = tree.folders(&path)?;
            for entry in tree.list(&path)? {
                found += usize::from(tree.child(&group, &entry.name)?.is_some());
            }
        }
        let looked = begin.elapsed();
        let totals = tree.totals()?;
        db.flush()?;
        let size = std::fs::metadata(dir.path().join("rows"))?.len();
        println!(
            "{records} records a commit, {together} commits a transaction: {count} records in {took:?}; \
             all listed and {found} found by name in {looked:?}; totals {totals:?}; {size} bytes"
        );
    }
    Ok(())
}
