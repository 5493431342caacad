//! The view over real feeds: claims, causal order, liars.

use super::peers::{created, lived, name, placed, written};
use crate::path::DrivePath;
use crate::record::*;
use crate::tree::{Changed, Tree, TreeView, as_of};
use crate::version::{Dot, WriterTag};
use bytes::Bytes;
use cobox_feed::feed::Feed;
use cobox_feed::manifest::{FeedKey, FeedKeyPair};
use cobox_feed::set::{Batch, FeedSet};
use cobox_feed::store::{Options, Store};
use cobox_keys::access::{Address, EncryptionKey, ReadKey};
use cobox_keys::certificate::Claim;
use cobox_keys::derive::FeedKind;
use cobox_keys::identity::{Identity, KeyPair};
use cobox_view::indexer::View;
use cobox_view::journal::Entry;
use cobox_view::kv::{Database, ReadRows};
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::broadcast;

type Done = Result<(), Box<dyn std::error::Error>>;

/// One store in which all writers write, and a view that is given their blocks.
struct Stage {
    set: Arc<FeedSet>,
    address: Address,
    read_key: ReadKey,
    db: Database,
    view: TreeView,
    events: broadcast::Receiver<Changed>,
    given: BTreeMap<FeedKey, u64>,
    _store: Store,
    _dir: TempDir,
}

/// A writer with three feeds, honest or not.
struct Author {
    identity: Identity,
    feeds: [Arc<Feed>; 3],
    tag: WriterTag,
}

impl Stage {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let dir = TempDir::new()?;
        let store = Store::open(dir.path(), Options::default())?;
        let address = Address([7; 32]);
        let set = store.set(address.0)?;
        let read_key = EncryptionKey::from_bytes(&[9; 32]).read_key();
        let (send, events) = broadcast::channel(1024);
        let view = TreeView::new(address, read_key.clone(), set.clone(), send);
        let (db, given) = (Database::in_memory(), BTreeMap::new());
        Ok(Self {
            set,
            address,
            read_key,
            db,
            view,
            events,
            given,
            _store: store,
            _dir: dir,
        })
    }

    fn stranger(&self, seed: u8) -> Author {
        let feed = |kind: u8| {
            self.set
                .own(FeedKeyPair::from_seed(&[seed * 3 + kind; 32]), kind)
        };
        let feeds = [0, 1, 2].map(feed);
        let tag = WriterTag::of(&feeds[0].key());
        Author {
            identity: Identity::from_seed(&[seed; 32]),
            feeds,
            tag,
        }
    }

    /// A writer whose feeds all carry his claim.
    fn author(&self, seed: u8, device: &str) -> Result<Author, Box<dyn std::error::Error>> {
        let author = self.stranger(seed);
        let claim = self.claim(&author, device, &author.feeds);
        for feed in &author.feeds {
            self.append(feed, &encode_claim(&claim))?;
        }
        Ok(author)
    }

    fn claim(&self, author: &Author, device: &str, feeds: &[Arc<Feed>; 3]) -> Vec<u8> {
        let claim = Claim {
            address: self.address,
            feeds: [0, 1, 2].map(|kind: usize| feeds[kind].key().0),
            identity: author.identity.public_key(),
            device: KeyPair::from_seed(&[1; 32]).public(),
            device_name: device.into(),
        };
        claim.sign(&author.identity)
    }

    fn append(
        &self,
        feed: &Arc<Feed>,
        plaintext: &[u8],
    ) -> Result<u64, Box<dyn std::error::Error>> {
        let sealed = self.read_key.block_key(&feed.key().0).seal(plaintext);
        let mut batch = Batch::new();
        batch.append(feed, vec![Bytes::from(sealed)]);
        self.set.commit(batch)?.wait()?;
        Ok(feed.length() - 1)
    }

    fn commit(
        &self,
        author: &Author,
        time_ms: u64,
        seen: &[Seen],
        records: Vec<Record>,
    ) -> Result<Dot, Box<dyn std::error::Error>> {
        let header = CommitHeader {
            time_ms,
            seen: seen.to_vec(),
            ..CommitHeader::default()
        };
        let mut block = 0;
        for plaintext in encode_commit(&Commit { header, records })? {
            block = self.append(&author.feeds[0], &plaintext)?;
        }
        Ok(Dot {
            writer: author.tag,
            block,
        })
    }

    /// What an honest commit says of another writer's feed.
    fn seen(&self, author: &Author) -> Seen {
        let length = author.feeds[0].length();
        let hash = author.feeds[0].tree_hash_at(length).unwrap_or_default();
        let mut tree_hash = [0; 16];
        tree_hash.copy_from_slice(&hash[..16]);
        Seen {
            writer: author.tag,
            length,
            tree_hash,
        }
    }

    /// Gives the view what is new in the metadata feeds of these authors.
    fn give(&mut self, authors: &[&Author]) -> Result<Vec<Changed>, Box<dyn std::error::Error>> {
        let mut entries = Vec::new();
        for author in authors {
            let feed = &author.feeds[0];
            let given = self.given.entry(feed.key()).or_default();
            for index in *given..feed.length() {
                let block = feed.get(index)?.ok_or("held")?;
                entries.push(Entry {
                    seq: 0,
                    feed: feed.key(),
                    kind: FeedKind::Metadata as u8,
                    index,
                    block,
                });
            }
            *given = feed.length();
        }
        let mut transaction = self.db.begin()?;
        self.view.apply(&mut transaction, &entries)?;
        transaction.commit()?;
        self.view.committed();
        Ok(std::iter::from_fn(|| self.events.try_recv().ok()).collect())
    }

    fn names(&self) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        shown(&self.db.snapshot()?)
    }

    fn writers(&self) -> Result<Vec<WriterTag>, Box<dyn std::error::Error>> {
        Ok(Tree(&self.db.snapshot()?)
            .writers()?
            .into_iter()
            .map(|writer| writer.tag)
            .collect())
    }
}

fn shown<R: ReadRows>(rows: &R) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    Ok(Tree(rows)
        .list(&DrivePath::default())?
        .iter()
        .map(|entry| entry.name.to_string())
        .collect())
}

fn file() -> NodeId {
    NodeId::generate(Kind::File)
}

fn refusals(changes: &[Changed]) -> Vec<&str> {
    fn reason(change: &Changed) -> Option<&str> {
        match change {
            Changed::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }
    changes.iter().filter_map(reason).collect()
}

#[test]
fn two_devices_and_their_names_in_a_conflict() -> Done {
    let mut stage = Stage::new()?;
    let (alice, bob) = (stage.author(1, "Alice's laptop")?, stage.author(2, "Bob")?);
    stage.commit(
        &alice,
        60_000,
        &[],
        vec![created(file(), NodeId::ROOT, "a.txt", 1)],
    )?;
    stage.commit(
        &bob,
        120_000,
        &[],
        vec![created(file(), NodeId::ROOT, "a.txt", 1)],
    )?;
    let changes = stage.give(&[&alice, &bob])?;
    assert!(changes.contains(&Changed::Writer(alice.tag)) && changes.contains(&Changed::Conflicts));
    assert!(changes.contains(&Changed::Path(DrivePath::default().join(name("a.txt")))));
    assert_eq!(stage.writers()?.len(), 2);
    let (loser, minute, who) = if alice.tag > bob.tag {
        (&bob, 2, "Bob")
    } else {
        (&alice, 1, "Alice's laptop")
    };
    let copy = format!(
        "a (conflict, {who} {}, 1970-01-01 00-0{minute}).txt",
        &loser.tag.to_string()[..8]
    );
    assert_eq!(stage.names()?, [copy, "a.txt".into()]);
    Ok(())
}

#[test]
fn commits_wait_for_what_they_have_seen() -> Done {
    let mut stage = Stage::new()?;
    let (alice, bob) = (stage.author(1, "a")?, stage.author(2, "b")?);
    stage.commit(
        &alice,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "first", 1)],
    )?;
    stage.commit(
        &bob,
        0,
        &[stage.seen(&alice)],
        vec![created(file(), NodeId::ROOT, "second", 1)],
    )?;
    stage.commit(
        &bob,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "third", 1)],
    )?;
    assert_eq!(
        stage
            .give(&[&bob])?
            .iter()
            .filter(|change| matches!(change, Changed::Path(_)))
            .count(),
        0
    );
    assert!(stage.names()?.is_empty());
    stage.give(&[&alice])?;
    assert_eq!(stage.names()?, ["first", "second", "third"]);
    Ok(())
}

#[test]
fn a_view_that_starts_again_goes_on_where_it_was() -> Done {
    let mut stage = Stage::new()?;
    let (alice, bob) = (stage.author(1, "a")?, stage.author(2, "b")?);
    stage.commit(
        &alice,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "first", 1)],
    )?;
    stage.commit(
        &bob,
        0,
        &[stage.seen(&alice)],
        vec![created(file(), NodeId::ROOT, "second", 1)],
    )?;
    stage.give(&[&bob])?;
    stage.view.reset();
    stage.give(&[&alice])?;
    assert_eq!(stage.names()?, ["first", "second"]);
    Ok(())
}

#[test]
fn a_seen_that_contradicts_the_signed_tree_counts_as_nothing() -> Done {
    let mut stage = Stage::new()?;
    let (alice, mallory) = (stage.author(1, "a")?, stage.author(2, "m")?);
    let node = file();
    let first = stage.commit(&alice, 0, &[], vec![created(node, NodeId::ROOT, "a", 1)])?;
    let lie = Seen {
        tree_hash: [1; 16],
        ..stage.seen(&alice)
    };
    stage.commit(
        &mallory,
        0,
        &[lie],
        vec![
            written(node, 9, vec![first]),
            created(file(), NodeId::ROOT, "b", 1),
        ],
    )?;
    let changes = stage.give(&[&alice, &mallory])?;
    // Without that entry, the record replaces what its author cannot have seen.
    assert_eq!(refusals(&changes).len(), 2);
    let snapshot = stage.db.snapshot()?;
    let entry = Tree(&snapshot)
        .lookup(&DrivePath::parse(b"a")?)?
        .ok_or("there")?;
    assert_eq!((entry.version, entry.conflict), (Some(first), false));
    assert_eq!(stage.names()?, ["a", "b"]);
    assert_eq!(Tree(&snapshot).refusals()?.len(), 2);
    Ok(())
}

#[test]
fn a_seen_beyond_what_exists_holds_up_its_author_only() -> Done {
    let mut stage = Stage::new()?;
    let (alice, mallory) = (stage.author(1, "a")?, stage.author(2, "m")?);
    let future = Seen {
        length: 1_000,
        ..stage.seen(&alice)
    };
    stage.commit(
        &mallory,
        0,
        &[future],
        vec![created(file(), NodeId::ROOT, "later", 1)],
    )?;
    stage.commit(
        &alice,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "now", 1)],
    )?;
    stage.give(&[&alice, &mallory])?;
    assert_eq!(stage.names()?, ["now"]);
    Ok(())
}

/// Mallory, or a home that was put back, shows one history to Alice and another to us: Alice has seen what will never be
/// here, and is not to wait for it.
#[test]
fn who_has_seen_another_history_of_a_forked_feed_is_not_held_up() -> Done {
    let mut stage = Stage::new()?;
    let (alice, mallory) = (stage.author(1, "a")?, stage.author(2, "m")?);
    let other = Seen {
        length: 7,
        tree_hash: [7; 16],
        ..stage.seen(&mallory)
    };
    let made = vec![created(file(), NodeId::ROOT, "by Alice", 1)];
    stage.commit(&alice, 0, &[other], made)?;
    stage.give(&[&mallory, &alice])?;
    assert!(stage.names()?.is_empty());
    stage.set.note_fork(mallory.feeds[0].key());
    stage.give(&[])?;
    assert_eq!(stage.names()?, ["by Alice"]);
    Ok(())
}

#[test]
fn a_change_that_replaces_the_unseen_is_refused_and_the_rest_stays() -> Done {
    let mut stage = Stage::new()?;
    let (alice, mallory) = (stage.author(1, "a")?, stage.author(2, "m")?);
    let node = file();
    let first = stage.commit(&alice, 0, &[], vec![created(node, NodeId::ROOT, "a", 1)])?;
    stage.commit(
        &mallory,
        0,
        &[],
        vec![
            lived(node, Life::Deleted, vec![first]),
            created(file(), NodeId::ROOT, "b", 1),
        ],
    )?;
    let changes = stage.give(&[&alice, &mallory])?;
    assert_eq!(
        (refusals(&changes).len(), stage.names()?),
        (1, vec!["a".to_owned(), "b".to_owned()])
    );
    Ok(())
}

#[test]
fn nobody_can_claim_anothers_feed() -> Done {
    let mut stage = Stage::new()?;
    let (alice, mallory) = (stage.author(1, "a")?, stage.stranger(2));
    let mut feeds = mallory.feeds.clone();
    feeds[2] = alice.feeds[2].clone();
    stage.append(
        &mallory.feeds[0],
        &encode_claim(&stage.claim(&mallory, "m", &feeds)),
    )?;
    stage.commit(
        &mallory,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "m", 1)],
    )?;
    let changes = stage.give(&[&mallory, &alice])?;
    assert_eq!(stage.writers()?, [alice.tag]);
    assert_eq!((refusals(&changes).len(), stage.names()?.len()), (1, 0));
    Ok(())
}

#[test]
fn a_writer_whose_feeds_disagree_is_dropped_with_all_that_he_wrote() -> Done {
    let mut stage = Stage::new()?;
    let (alice, mallory) = (stage.author(1, "a")?, stage.stranger(2));
    stage.append(
        &mallory.feeds[0],
        &encode_claim(&stage.claim(&mallory, "m", &mallory.feeds)),
    )?;
    stage.commit(
        &mallory,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "m", 1)],
    )?;
    stage.give(&[&alice, &mallory])?;
    assert_eq!(stage.names()?, ["m"]);
    stage.append(
        &mallory.feeds[1],
        &encode_claim(&stage.claim(&mallory, "another", &mallory.feeds)),
    )?;
    // An honest writer who saw him before that is not held up.
    stage.commit(
        &alice,
        0,
        &[stage.seen(&mallory)],
        vec![created(file(), NodeId::ROOT, "a", 1)],
    )?;
    let changes = stage.give(&[&alice])?;
    assert_eq!(
        (refusals(&changes).len(), stage.names()?, stage.writers()?),
        (1, vec!["a".to_owned()], vec![alice.tag])
    );
    assert_eq!(Tree(&stage.db.snapshot()?).totals()?, (1, 0, 1));
    Ok(())
}

#[test]
fn claims_for_other_spaces_and_no_claims_are_refused() -> Done {
    let mut stage = Stage::new()?;
    let (one, two) = (stage.stranger(1), stage.stranger(2));
    let home = std::mem::replace(&mut stage.address, Address([8; 32]));
    let claim = stage.claim(&one, "one", &one.feeds);
    stage.address = home;
    stage.append(&one.feeds[0], &encode_claim(&claim))?;
    stage.commit(&two, 0, &[], vec![created(file(), NodeId::ROOT, "x", 1)])?;
    let changes = stage.give(&[&one, &two])?;
    assert_eq!(
        (
            refusals(&changes).len(),
            stage.writers()?.len(),
            stage.names()?.len()
        ),
        (2, 0, 0)
    );
    Ok(())
}

#[test]
fn what_does_not_decode_counts_as_nothing_and_the_next_commit_counts() -> Done {
    let mut stage = Stage::new()?;
    let alice = stage.author(1, "a")?;
    stage.append(&alice.feeds[0], b"\0garbage")?;
    let open = Commit {
        header: CommitHeader::default(),
        records: vec![created(file(), NodeId::ROOT, "unfinished", 1)],
    };
    let mut unfinished = encode_commit(&open)?.swap_remove(0);
    unfinished[1] = 2;
    stage.append(&alice.feeds[0], &unfinished)?;
    stage.commit(
        &alice,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "good", 1)],
    )?;
    let changes = stage.give(&[&alice])?;
    assert_eq!(
        (refusals(&changes).len(), stage.names()?),
        (2, vec!["good".to_owned()])
    );
    Ok(())
}

#[test]
fn a_newer_format_stops_its_writer_and_is_remembered() -> Done {
    let mut stage = Stage::new()?;
    let (alice, bob) = (stage.author(1, "a")?, stage.author(2, "b")?);
    let mut newer = encode_commit(&Commit::default())?.swap_remove(0);
    newer[0] = 2;
    stage.append(&alice.feeds[0], &newer)?;
    stage.commit(
        &alice,
        0,
        &[],
        vec![created(file(), NodeId::ROOT, "later", 1)],
    )?;
    stage.commit(&bob, 0, &[], vec![created(file(), NodeId::ROOT, "b", 1)])?;
    let changes = stage.give(&[&alice, &bob])?;
    assert_eq!(
        (refusals(&changes).len(), stage.names()?),
        (1, vec!["b".to_owned()])
    );
    assert_eq!(Tree(&stage.db.snapshot()?).too_new()?, Some(2));
    Ok(())
}

#[test]
fn a_node_cannot_change_its_kind() {
    let node = file();
    let record = Record::new(node, Kind::Folder);
    let commit = Commit {
        header: CommitHeader::default(),
        records: vec![record],
    };
    assert!(encode_commit(&commit).is_err());
}

#[test]
fn the_space_as_of_a_time_is_closed_under_seen() -> Done {
    let mut stage = Stage::new()?;
    let (alice, bob) = (stage.author(1, "a")?, stage.author(2, "b")?);
    let folder = NodeId::generate(Kind::Folder);
    stage.commit(
        &alice,
        1_000,
        &[],
        vec![placed(folder, NodeId::ROOT, "one", vec![])],
    )?;
    stage.commit(
        &alice,
        3_000,
        &[],
        vec![created(file(), NodeId::ROOT, "three", 1)],
    )?;
    // Bob's clock is slow: what he saw was written later than he wrote.
    stage.commit(
        &bob,
        2_000,
        &[stage.seen(&alice)],
        vec![created(file(), folder, "two", 1)],
    )?;
    stage.give(&[&alice, &bob])?;
    let at = |time_ms| -> Result<_, Box<dyn std::error::Error>> {
        let rows = as_of(&stage.db, &stage.set, &stage.read_key, time_ms)?;
        Ok((shown(&rows)?, Tree(&rows).totals()?))
    };
    assert_eq!(at(999)?, (vec![], (0, 0, 0)));
    assert_eq!(at(2_500)?, (vec!["one".into()], (0, 1, 0)));
    assert_eq!(at(3_000)?, (vec!["one".into(), "three".into()], (2, 1, 2)));
    Ok(())
}

#[test]
fn filler_is_told_once_and_never_fetched() -> Done {
    let mut stage = Stage::new()?;
    let alice = stage.author(1, "a")?;
    let header = CommitHeader {
        content_length: 21,
        filler: 2,
        ..CommitHeader::default()
    };
    stage.append(
        &alice.feeds[0],
        &encode_commit(&Commit {
            header,
            records: vec![],
        })?[0],
    )?;
    stage.give(&[&alice])?;
    assert_eq!(
        Tree(&stage.db.snapshot()?).fillers()?,
        [(alice.tag, 19..21)]
    );
    assert!(stage.set.skipped(&alice.feeds[1].key()).contains(20));
    Ok(())
}
