//! Beginning from paper, and rehearsing it, with a network in memory: who may, what comes back, and what is left if not all does.

mod common;

use cobox_keys::access::EncryptionKey;
use cobox_keys::identity::Identity;
use cobox_keys::invite::{Grant, PinnedHead};
use cobox_space::replica::Terms;
use cobox_space::shelf::{DrillPlan, DrillReport, HomeLock, Luggage, Shelf, SpaceError};
use cobox_space::space::Space;
use common::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Ann's space, and Ben, who keeps all of it without a key.
struct Story {
    ann: Shelf,
    garden: Arc<Space>,
    ben: Shelf,
    world: World,
}

impl Story {
    fn begin() -> Self {
        let world = World::new();
        let (ann, ben) = (world.start("Ann"), world.start("Ben"));
        let garden = ann.create("Garden").unwrap();
        write(&garden, "/plan.txt", b"sow in march");
        write(&garden, "/photos/large.bin", &noise(3 << 20));
        for number in 0..20 {
            write(&garden, &format!("/notes/{number}"), &noise(number * 999));
        }
        ben.replicate(garden.address(), None, &[ann.hint()])
            .unwrap();
        let story = Self {
            ann,
            garden,
            ben,
            world,
        };
        story.wait_for_copy();
        story
    }

    fn wait_for_copy(&self) {
        let address = self.garden.address();
        eventually("Ben has all of it", || {
            let replicas = self.ben.replicas();
            let kept = replicas.iter().find(|one| one.address() == address);
            kept.is_some_and(|kept| holds_all(kept.set(), self.garden.set()))
        });
    }

    fn key(&self) -> EncryptionKey {
        key_of(&self.garden)
    }

    fn plan(&self, sample: Option<usize>) -> DrillPlan {
        DrillPlan {
            key: self.key(),
            from: self.ben.hint(),
            sample,
            patience: Duration::from_secs(3),
        }
    }

    fn drill(&self, plan: &DrillPlan) -> Result<DrillReport, SpaceError> {
        let go_on = AtomicBool::new(false);
        self.ann.drill(&self.garden, plan, &mut |_| {}, &go_on)
    }

    fn proven(&self) -> Option<u64> {
        let copies = self.garden.health().unwrap().copies;
        copies.iter().find_map(|judged| judged.copy.proven_ms)
    }

    /// Ann's machine burns.
    fn lose_ann(self) -> (World, Shelf, Paper) {
        let paper = Paper {
            head: self.garden.head(),
            seed: *self.ann.identity().key_pair().expose_seed(),
            key: self.key(),
            address: self.garden.address(),
            writers: self.garden.drive().writers().unwrap().len(),
            files: picture(&self.garden),
        };
        drop(self.garden);
        self.world.stop(self.ann);
        std::fs::remove_dir_all(self.world.home("Ann")).unwrap();
        (self.world, self.ben, paper)
    }
}

/// What is printed, and what is to come back.
struct Paper {
    head: Option<PinnedHead>,
    seed: [u8; 32],
    key: EncryptionKey,
    address: cobox_keys::access::Address,
    writers: usize,
    files: BTreeMap<String, Vec<u8>>,
}

impl Paper {
    fn person(&self) -> Identity {
        Identity::from_seed(&self.seed)
    }

    fn recover(&self, shelf: &Shelf, from: &Shelf) -> Arc<Space> {
        let hints = [from.hint()];
        let key = self.key.clone();
        shelf
            .recover(self.address, key, Some("Garden"), &hints, self.head.clone())
            .unwrap()
    }
}

fn key_of(space: &Space) -> EncryptionKey {
    match space.grant() {
        Grant::Write(key) => key.clone(),
        Grant::Read(_) => panic!("its creator may write"),
    }
}

fn begun(shelf: &Shelf) -> Arc<Space> {
    eventually("it was let in", || {
        shelf.space("Garden").is_ok_and(|space| !space.waits())
    });
    shelf.space("Garden").unwrap()
}

fn nothing_is_left_of_drills(world: &World, of: &str) -> bool {
    let drills = world.home(of).join("drills");
    std::fs::read_dir(drills).map_or(0, Iterator::count) == 0
}

#[test]
fn a_person_from_paper_has_everything_back_from_a_replicator_alone_on_a_new_device() {
    let (world, ben, paper) = Story::begin().lose_ann();
    let shelf = world.try_start(&world.home("new")).unwrap();
    shelf.become_person(paper.person(), None).unwrap();
    assert_eq!(shelf.name(), None, "words do not say it");
    paper.recover(&shelf, &ben);
    let garden = begun(&shelf);
    eventually("all of it is here", || picture_is(&garden, &paper.files));
    assert_eq!(shelf.public_key(), paper.person().public_key());
    eventually("the space says what its person is called", || {
        shelf.name().as_deref() == Some("Ann")
    });
    write(&garden, "/after.txt", b"after the loss");
    let writers = garden.drive().writers().unwrap();
    assert_eq!(writers.len(), paper.writers + 1, "a writer of its own");
    assert_eq!(garden.refusals(), Vec::<String>::new());
    drop(garden);
    // Nothing of it hangs on this run.
    world.stop(shelf);
    let shelf = world.try_start(&world.home("new")).unwrap();
    let garden = begun(&shelf);
    assert_eq!(
        text(&garden, "/after.txt").as_deref(),
        Some("after the loss")
    );
    assert_eq!(garden.drive().writers().unwrap().len(), paper.writers + 1);
    drop(garden);
    world.stop(shelf);
    world.stop(ben);
}

/// A crash between hearing it and writing it down.
#[test]
fn a_name_that_was_heard_and_not_written_down_is_learnt_at_the_next_start() {
    let (world, ben, paper) = Story::begin().lose_ann();
    let shelf = world.try_start(&world.home("new")).unwrap();
    shelf.become_person(paper.person(), None).unwrap();
    paper.recover(&shelf, &ben);
    eventually("her name is back", || {
        shelf.name().as_deref() == Some("Ann")
    });
    world.stop(shelf);
    std::fs::remove_file(world.home("new").join("profile")).unwrap();
    world.network.plug(&ben.device(), false);
    let shelf = world.try_start(&world.home("new")).unwrap();
    eventually("and again", || shelf.name().as_deref() == Some("Ann"));
    world.stop(shelf);
    world.stop(ben);
}

/// The small files of a home in the order in which they are written when somebody moves in; a cut leaves the first so many.
const STEPS: [(&str, bool); 7] = [
    ("spaces.cbor", false),
    ("profile", false),
    ("device", false),
    ("identity", true),
    ("device", true),
    ("spaces.cbor", true),
    ("profile", true),
];

/// A home as it is when the power goes after so many steps from one image to another.
fn cut_after(steps: usize, (before, after): (&Path, &Path), home: &Path) {
    let _ = std::fs::remove_dir_all(home.join("store/spaces")); // nothing was fetched yet
    put_back(before, home);
    for (name, is_new) in &STEPS[..steps] {
        let _ = std::fs::remove_file(home.join(name)); // it may not be there
        if *is_new && after.join(name).exists() {
            std::fs::copy(after.join(name), home.join(name)).unwrap();
        }
    }
}

#[test]
fn a_cut_anywhere_in_moving_in_from_paper_leaves_a_home_to_move_in() {
    let (world, ben, paper) = Story::begin().lose_ann();
    let home = world.home("new");
    let (before, after) = (world.home("before"), world.home("after"));
    world.stop(world.try_start(&home).unwrap());
    copy_folder(&home, &before);
    let shelf = world.try_start(&home).unwrap();
    shelf.become_person(paper.person(), Some("Ann")).unwrap();
    world.stop(shelf);
    copy_folder(&home, &after);
    for steps in 0..=STEPS.len() {
        cut_after(steps, (&before, &after), &home);
        let shelf = world.try_start(&home).unwrap();
        shelf.become_person(paper.person(), Some("Ann")).unwrap();
        assert_eq!(shelf.public_key(), paper.person().public_key(), "{steps}");
        assert_eq!(shelf.name().as_deref(), Some("Ann"), "{steps}");
        paper.recover(&shelf, &ben);
        let garden = begun(&shelf);
        eventually("all of it is here", || picture_is(&garden, &paper.files));
        assert_eq!(garden.refusals(), Vec::<String>::new(), "{steps}");
        drop(garden);
        world.stop(shelf);
    }
    world.stop(ben);
}

#[test]
fn a_cut_anywhere_in_moving_in_from_a_file_of_keys_leaves_a_home_to_move_in_or_the_person() {
    let story = Story::begin();
    let packed = story.ann.luggage("", 1);
    let me = story.ann.public_key();
    let (home, before, after) = (
        story.world.home("new"),
        story.world.home("before"),
        story.world.home("after"),
    );
    let unpacked = || Luggage::unpack(&packed).unwrap();
    story.world.stop(story.world.try_start(&home).unwrap());
    copy_folder(&home, &before);
    unpacked().move_in(&home).unwrap();
    copy_folder(&home, &after);
    for steps in 0..=STEPS.len() {
        cut_after(steps, (&before, &after), &home);
        let again = unpacked().move_in(&home);
        let is_whole = matches!(again, Err(SpaceError::Inhabited));
        assert!(again.is_ok() || is_whole, "{steps}: {again:?}");
        let shelf = story.world.try_start(&home).unwrap();
        assert_eq!(shelf.public_key(), me, "{steps}");
        let garden = begun(&shelf);
        eventually("the plan is here, and who she is", || {
            text(&garden, "/plan.txt").is_some() && shelf.name().as_deref() == Some("Ann")
        });
        drop(garden);
        story.world.stop(shelf);
    }
}

fn picture_is(space: &Space, files: &BTreeMap<String, Vec<u8>>) -> bool {
    space.drive().has_whole_tree() && picture(space) == *files
}

#[test]
fn what_is_begun_while_nobody_is_there_waits_and_takes_no_words_until_then() {
    let (world, ben, paper) = Story::begin().lose_ann();
    world.network.plug(&ben.device(), false);
    let shelf = world.try_start(&world.home("new")).unwrap();
    shelf.become_person(paper.person(), Some("Ann")).unwrap();
    let space = paper.recover(&shelf, &ben);
    assert!(space.waits() && !space.writable());
    // Giving the paper again, or another key for the same address, changes nothing.
    let again = shelf.recover(paper.address, EncryptionKey::generate(), None, &[], None);
    assert!(matches!(again.err(), Some(SpaceError::AlreadyHere(_))));
    drop(space);
    world.stop(shelf);
    let shelf = world.try_start(&world.home("new")).unwrap();
    assert!(shelf.space("Garden").unwrap().waits());
    world.network.plug(&ben.device(), true);
    let garden = begun(&shelf);
    eventually("all of it is here", || picture_is(&garden, &paper.files));
    drop(garden);
    world.stop(shelf);
    world.stop(ben);
}

/// Ben was away when she wrote last, and printed.
#[test]
fn a_replicator_that_is_behind_the_paper_is_noticed_until_somebody_has_the_rest() {
    let story = Story::begin();
    let carl = story.world.start("Carl");
    story.world.network.plug(&story.ben.device(), false);
    write(&story.garden, "/plan.txt", b"reap in august");
    let address = story.garden.address();
    let kept = carl.replicate(address, None, &[story.ann.hint()]).unwrap();
    eventually("Carl has the newest", || {
        holds_all(kept.set(), story.garden.set())
    });
    story.world.network.plug(&carl.device(), false);
    let (world, ben, paper) = story.lose_ann();
    world.network.plug(&ben.device(), true);
    let shelf = world.try_start(&world.home("new")).unwrap();
    shelf.become_person(paper.person(), Some("Ann")).unwrap();
    paper.recover(&shelf, &ben);
    let garden = begun(&shelf);
    eventually("the plan of March is back", || {
        text(&garden, "/plan.txt").as_deref() == Some("sow in march")
    });
    let is_behind = || {
        let refusals = garden.refusals();
        refusals
            .iter()
            .any(|said| said.contains("older than the invite or paper key"))
    };
    eventually("and is known to be old", is_behind);
    world.network.plug(&carl.device(), true);
    shelf.swarm().introduce(address, carl.hint());
    eventually("the plan of August is back", || {
        text(&garden, "/plan.txt").as_deref() == Some("reap in august") && !is_behind()
    });
    drop((garden, kept));
    world.stop(shelf);
    world.stop(carl);
    world.stop(ben);
}

/// A key that passes its check words, but is not this space's: two papers mixed up.
#[test]
fn the_key_of_another_space_opens_nothing_and_that_is_said() {
    let (world, ben, mut paper) = Story::begin().lose_ann();
    paper.key = EncryptionKey::generate();
    let shelf = world.start("new");
    let space = paper.recover(&shelf, &ben);
    eventually("it is said", || {
        let refusals = space.refusals();
        refusals
            .iter()
            .any(|said| said.contains("key on the paper"))
    });
    assert!(space.waits() && !space.writable());
    assert!(picture(&space).is_empty());
    drop(space);
    world.stop(shelf);
    world.stop(ben);
}

#[test]
fn nobody_becomes_somebody_else_where_there_is_something_to_lose() {
    let story = Story::begin();
    let other = Identity::generate();
    let refused = |shelf: &Shelf| {
        let before = shelf.public_key();
        let outcome =
            shelf.become_person(Identity::from_seed(other.key_pair().expose_seed()), None);
        assert!(matches!(outcome, Err(SpaceError::NotEmpty)), "{outcome:?}");
        assert_eq!(shelf.public_key(), before);
    };
    refused(&story.ann); // a space
    refused(&story.ben); // a copy for others
    let locked = story.world.start("locked");
    let lock = HomeLock::of(&story.world.home("locked"));
    lock.set(&locked.identity(), "correct horse").unwrap();
    refused(&locked); // a password
    // Who is that person already stays so, with what is there.
    let me = Identity::from_seed(story.ann.identity().key_pair().expose_seed());
    story.ann.become_person(me, Some("Anna")).unwrap();
    assert_eq!(story.ann.name().as_deref(), Some("Ann"));
    assert_eq!(
        text(&story.garden, "/plan.txt").as_deref(),
        Some("sow in march")
    );
    story.world.stop(locked);
}

#[test]
fn a_rehearsal_compares_what_one_replicator_sends_and_is_told_in_the_space() {
    let story = Story::begin();
    let writers = story.garden.drive().writers().unwrap().len();
    assert_eq!(story.proven(), None);
    let report = story.drill(&story.plan(Some(5))).unwrap();
    assert_eq!((report.files, report.problems), (5, Vec::new()));
    let first = story.proven().expect("it is told");
    let report = story.drill(&story.plan(None)).unwrap();
    let bytes: usize = picture(&story.garden).values().map(Vec::len).sum();
    assert_eq!((report.files, report.bytes), (22, bytes as u64));
    assert!(story.proven() >= Some(first));
    assert_eq!(story.garden.drive().writers().unwrap().len(), writers);
    assert!(nothing_is_left_of_drills(&story.world, "Ann"));
}

/// The person must hear which files are not there, soon, and health must not call the copy proven.
#[test]
fn a_rehearsal_with_a_copy_that_is_not_whole_names_what_did_not_come_and_gives_up_soon() {
    let story = Story::begin();
    let carl = story.world.start("Carl");
    let terms = Terms {
        name: None,
        quota: Some(1 << 20),
    };
    let kept = carl
        .replicate_within(story.garden.address(), terms, &[story.ann.hint()])
        .unwrap();
    eventually("Carl has what fits", || {
        kept.set().feeds().iter().any(|feed| feed.length() > 0)
    });
    let plan = DrillPlan {
        from: carl.hint(),
        ..story.plan(None)
    };
    let begun = std::time::Instant::now();
    let report = story.drill(&plan).unwrap();
    assert!(
        !report.problems.is_empty() && report.files < 22,
        "{report:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(50),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(story.proven(), None);
    drop(kept);
    story.world.stop(carl);
}

#[test]
fn a_rehearsal_with_a_wrong_key_or_without_the_replicator_proves_nothing_and_says_why() {
    let story = Story::begin();
    let wrong = DrillPlan {
        key: EncryptionKey::generate(),
        ..story.plan(None)
    };
    let said = |outcome: Result<DrillReport, SpaceError>| outcome.unwrap_err().to_string();
    let refused = said(story.drill(&wrong));
    assert!(refused.contains("print a new one"), "{refused}");
    story.world.network.plug(&story.ben.device(), false);
    let refused = said(story.drill(&story.plan(None)));
    assert!(refused.contains("was not reached"), "{refused}");
    assert_eq!(story.proven(), None);
    assert!(nothing_is_left_of_drills(&story.world, "Ann"));
}

#[test]
fn a_rehearsal_can_be_ended_and_what_a_crash_left_of_one_is_deleted() {
    let story = Story::begin();
    let end = AtomicBool::new(true);
    let ended = story
        .ann
        .drill(&story.garden, &story.plan(None), &mut |_| {}, &end);
    assert!(ended.is_err() && story.proven().is_none());
    assert!(nothing_is_left_of_drills(&story.world, "Ann"));
    let left = story.world.home("Ann").join("drills/0123/store");
    drop(story.garden);
    story.world.stop(story.ann);
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("segment"), "ciphertext").unwrap();
    let ann = story.world.start("Ann");
    assert!(nothing_is_left_of_drills(&story.world, "Ann"));
    story.world.stop(ann);
}
