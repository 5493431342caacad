//! The power goes, again and again, while programs write on a mounted folder. What they synced is there afterwards;
//! a database is whole; nobody repairs anything by hand.

mod common;

use common::Node;
use common::mounts::can_mount;
use common::random::Random;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const ROUNDS: u64 = 50;
/// Programs that write at once: what one syncs meets a commit of what another wrote.
const WRITERS: u64 = 3;
const SPACE: &str = "safe";

/// What a writer was told is durable: all of a file.
type Synced = (String, Vec<u8>);

fn folder(writer: u64) -> String {
    format!("writer-{writer}")
}

/// Writes into a folder of its own until that is gone; tells what was synced.
fn writer(at: &Path, writer: u64, round: u64, told: Sender<Synced>) -> JoinHandle<()> {
    let (at, folder) = (at.join(folder(writer)), folder(writer));
    let tell = move |(name, data): Synced| told.send((format!("{folder}/{name}"), data)).ok();
    std::thread::spawn(move || {
        let mut random = Random::new(round * WRITERS + writer);
        if fs::create_dir_all(&at).is_err() {
            return;
        }
        let name = format!("grows-{round}");
        let Ok(grows) = File::create(at.join(&name)) else {
            return;
        };
        let mut all = Vec::new();
        for number in 0.. {
            let done = new_file(&at, round, number, &mut random)
                .and_then(|synced| {
                    tell(synced);
                    replaced_file(&at, round, number)
                })
                .and_then(|synced| {
                    tell(synced);
                    let length = random.below(30_000) as usize;
                    let more = random.bytes(length);
                    grows.write_all_at(&more, all.len() as u64)?;
                    grows.sync_data()?;
                    all.extend(more);
                    tell((name.clone(), all.clone()));
                    Ok(())
                });
            if done.is_err() {
                return; // the power went
            }
        }
    })
}

fn new_file(at: &Path, round: u64, number: u64, random: &mut Random) -> std::io::Result<Synced> {
    let name = format!("new-{round}-{number}");
    let most = if number.is_multiple_of(7) {
        3_000_000
    } else {
        20_000
    };
    let length = random.below(most) as usize;
    let data = random.bytes(length);
    let mut file = File::create(at.join(&name))?;
    file.write_all(&data)?;
    file.sync_all()?;
    Ok((name, data))
}

/// As editors save: beside, synced, renamed over, the folder synced.
fn replaced_file(at: &Path, round: u64, number: u64) -> std::io::Result<Synced> {
    let data = format!("round {round}, save {number}")
        .repeat(50)
        .into_bytes();
    let mut file = File::create(at.join("saved.new"))?;
    file.write_all(&data)?;
    file.sync_all()?;
    fs::rename(at.join("saved.new"), at.join("saved"))?;
    File::open(at)?.sync_all()?;
    Ok(("saved".into(), data))
}

/// Everything that was synced is there; a file that grew may have grown further.
fn check(at: &Path, told: &Receiver<Synced>, expected: &mut BTreeMap<String, Vec<u8>>) {
    expected.extend(told.try_iter());
    for (name, data) in expected.iter() {
        let found = fs::read(at.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        match is_save(name) {
            // The next save may have come through without being told.
            true => assert!(
                which_save(&found) >= which_save(data),
                "{name} is an older one"
            ),
            false => assert!(found.starts_with(data), "{name} lost synced bytes"),
        }
    }
    for writer in 0..WRITERS {
        let saved = fs::read(at.join(folder(writer)).join("saved")).unwrap_or_default();
        let saved = String::from_utf8(saved).unwrap();
        let one = &saved[..saved.len() / 50];
        assert_eq!(saved, one.repeat(50), "half a save");
    }
}

/// Round and number of a save.
fn which_save(data: &[u8]) -> (u64, u64) {
    let text = std::str::from_utf8(data).expect("a save");
    let (round, rest) = text["round ".len()..]
        .split_once(", save ")
        .expect("a save");
    let number = rest.split("round").next().expect("a number");
    (
        round.parse().expect("a round"),
        number.parse().expect("a number"),
    )
}

fn is_save(name: &str) -> bool {
    name.ends_with("/saved")
}

#[test]
fn what_was_synced_survives_fifty_power_cuts() {
    if !can_mount() {
        return;
    }
    let mut node = Node::named("Alice");
    node.json(&["space", "create", SPACE]);
    node.json(&["mount", SPACE]);
    let at = node.usual(SPACE);
    let (mut expected, mut random) = (BTreeMap::new(), Random::new(7));
    let mut cuts_in_work = 0;
    for round in 0..ROUNDS {
        let (tell, told) = channel();
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| writer(&at, number, round, tell.clone()))
            .collect();
        drop(tell);
        std::thread::sleep(Duration::from_millis(random.below(400)));
        node.kill9();
        writers.into_iter().for_each(|one| one.join().unwrap());
        node.start();
        let before = expected.len();
        check(&at, &told, &mut expected);
        cuts_in_work += usize::from(expected.len() > before);
        // The next round needs no more than the newest of the many.
        expected.retain(|name, _| {
            is_save(name)
                || name.contains(&format!("s-{round}"))
                || name.contains(&format!("w-{round}-"))
        });
    }
    assert!(
        cuts_in_work > ROUNDS as usize / 2,
        "most cuts fell before anything was written"
    );
}

/// With `extra` the folder is synced after a journal is removed; with `full` the last transaction may be taken back.
#[test]
fn a_database_is_whole_after_power_cuts() {
    if !can_mount() {
        return;
    }
    let mut node = Node::named("Alice");
    node.json(&["space", "create", SPACE]);
    node.json(&["mount", SPACE]);
    let at = node.usual(SPACE);
    let modes = [
        ("wal", "extra"),
        ("delete", "extra"),
        ("wal", "full"),
        ("delete", "full"),
        ("truncate", "extra"),
        ("delete", "full"),
        ("wal", "extra"),
        ("persist", "full"),
    ];
    for (round, (mode, sync)) in modes.into_iter().enumerate() {
        let db = at.join(format!("{mode}.db"));
        let start = format!(
            "pragma journal_mode={mode}; create table if not exists t(n integer primary key, b blob);"
        );
        sqlite(&db, &start);
        let cut = Duration::from_millis(300 + 100 * round as u64);
        let acknowledged = insert_until_cut(&mut node, &db, sync, cut);
        node.start();
        assert_eq!(sqlite(&db, "pragma integrity_check;"), "ok");
        let found: u64 = sqlite(&db, "select coalesce(max(n), 0) from t;")
            .parse()
            .unwrap();
        let may_lack = u64::from(sync == "full");
        assert!(
            found + may_lack >= acknowledged,
            "{mode}: {acknowledged} were acknowledged, {found} are there"
        );
        assert!(
            acknowledged > 0,
            "{mode}: the cut came before the first row"
        );
    }
}

fn sqlite(db: &Path, sql: &str) -> String {
    let done = Command::new("sqlite3").arg(db).arg(sql).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().last().unwrap_or_default().to_owned()
}

/// One program inserts row after row, each its own transaction, and says when each is durable.
fn insert_until_cut(node: &mut Node, db: &Path, sync: &'static str, after: Duration) -> u64 {
    let mut shell = Command::new("sqlite3")
        .arg("-bail") // ends with the first error
        .arg(db)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut words = shell.stdin.take().unwrap();
    let feed = std::thread::spawn(move || {
        let _ = writeln!(words, "pragma synchronous={sync};");
        while writeln!(
            words,
            "insert into t(b) values(randomblob(2000)) returning n;"
        )
        .is_ok()
        {}
    });
    std::thread::sleep(after);
    node.kill9();
    let said = shell.wait_with_output().unwrap().stdout;
    feed.join().unwrap();
    let numbers = String::from_utf8(said).unwrap();
    // The last line may be of a transaction that was not committed.
    let mut numbers: Vec<u64> = numbers
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    numbers.pop();
    numbers.into_iter().max().unwrap_or(0)
}

#[test]
fn appends_are_whole_lines_up_to_the_last_synced_one() {
    if !can_mount() {
        return;
    }
    let mut node = Node::named("Alice");
    node.json(&["space", "create", SPACE]);
    node.json(&["mount", SPACE]);
    let log = node.usual(SPACE).join("log");
    let mut synced = 0;
    for round in 0..5 {
        let path = log.clone();
        let writing = std::thread::spawn(move || {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .ok()?;
            let mut last = None;
            for line in 0.. {
                let done = writeln!(file, "{round} {line:06}").and_then(|()| file.sync_data());
                if done.is_err() {
                    return last;
                }
                last = Some(line);
            }
            last
        });
        std::thread::sleep(Duration::from_millis(250));
        node.kill9();
        let last: Option<u64> = writing.join().unwrap();
        node.start();
        let text = fs::read_to_string(&log).unwrap();
        synced += last.map_or(0, |last| last + 1);
        assert!(
            text.lines().count() as u64 >= synced,
            "{synced} lines were synced: {}",
            text.lines().count()
        );
        assert!(
            text.ends_with('\n') && text.lines().all(|line| line.len() == 8),
            "a torn line"
        );
        synced = text.lines().count() as u64;
    }
}
