//! Queries over real messages: which index, how much is read, who sees what, and live results without gap or double.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cobox_keys::cbor::Record;
use cobox_keys::identity::Identity;
use cobox_space::log::{Live, LiveQuery};
use cobox_space::space::Space;
use cobox_view::query::{Answer, Outcome, Query};
use common::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

fn query(value: Value) -> Query {
    Query::from_value(&value).expect("a query")
}

fn answer(space: &Space, value: Value) -> Answer {
    space.query(&query(value)).expect("an answer")
}

fn rows(space: &Space, value: Value) -> Vec<Value> {
    match answer(space, value).outcome {
        Outcome::Rows(rows) => rows,
        Outcome::Value(value) => panic!("a value: {value}"),
    }
}

fn text(text: &str) -> Vec<u8> {
    Record::new(1).text(1, text).finish()
}

/// The next that a live query tells, or a failed test.
fn next(runtime: &Runtime, live: &mut LiveQuery) -> Live {
    let next = async { tokio::time::timeout(Duration::from_secs(60), live.next()).await };
    let told = runtime.block_on(next).expect("told in time");
    told.expect("not closed").expect("told")
}

/// Everything up to and without the word that all is told.
fn stored(runtime: &Runtime, live: &mut LiveQuery) -> Vec<Value> {
    let mut rows = Vec::new();
    loop {
        match next(runtime, live) {
            Live::Row(row) => rows.push(row),
            Live::CaughtUp { more } => {
                assert!(!more);
                return rows;
            }
        }
    }
}

fn next_row(runtime: &Runtime, live: &mut LiveQuery) -> Value {
    match next(runtime, live) {
        Live::Row(row) => row,
        told => panic!("not a row: {told:?}"),
    }
}

#[test]
fn messages_are_shown_with_who_when_and_what() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    garden
        .log()
        .append("x/new", &Record::new(1).bytes(5, &[1, 255]).finish())
        .unwrap();
    let me = alice.public_key().to_string();
    let shown = rows(&garden, json!({ "type": "x/new" }));
    let [row] = &shown[..] else {
        panic!("{shown:?}")
    };
    assert_eq!(row["author"], json!(me));
    assert_eq!(row["name"], json!("Alice"));
    assert_eq!(row["content"], json!({ "0": 1, "5": "01ff" }));
    assert_eq!(row["private"], json!(false));
    assert!(row["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(row["feed"].as_str().unwrap().len(), 64);
    let about = json!({ "$filter": { "type": { "$in": ["peer/about", "space/about"] } }, "$sort": "type", "$map": "content" });
    assert_eq!(
        rows(&garden, about),
        [json!({ "name": "Alice" }), json!({ "name": "Garden" })]
    );
    // The root key of the space is in the log, and no answer repeats it.
    let root = rows(&garden, json!({ "type": "space/root" }));
    assert_eq!((root.len(), &root[0]["content"]), (1, &Value::Null));
    drop(garden);
    world.stop(alice);
}

#[test]
fn the_planner_chooses_the_index_and_reads_only_its_messages() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    let many: Vec<_> = (0..500).map(|n| text(&n.to_string())).collect();
    garden.log().append_all("x/many", &many).unwrap();
    let few: Vec<_> = (0..7).map(|n| text(&n.to_string())).collect();
    garden.log().append_all("x/few", &few).unwrap();
    let me = alice.public_key().to_string();
    let touched = |value: Value| {
        let answer = answer(&garden, value);
        (answer.plan.index().map(str::to_owned), answer.touched)
    };
    let by = |name: &str, touched| (Some(name.to_owned()), touched);
    assert_eq!(touched(json!({ "type": "x/few" })), by("type", 7));
    assert_eq!(
        touched(json!({ "type": "x/few", "author": me })),
        by("type+author", 7)
    );
    let stranger = json!({ "author": "00".repeat(32) });
    assert_eq!(touched(stranger), by("author", 0));
    let newest = json!({ "$filter": { "type": "x/many" }, "$sort": "-timestamp", "$limit": 3 });
    assert_eq!(touched(newest), by("type", 3));
    let from = rows(&garden, json!({ "type": "x/many" }))[490]["timestamp"].clone();
    let late = json!({ "type": "x/many", "timestamp": { "$gte": from } });
    assert_eq!(touched(late), by("type", 10));
    let invited = Identity::generate().public_key();
    garden.invite(&invited).unwrap();
    let whom = json!({ "content.publicKey": invited.to_string() });
    assert_eq!(touched(whom), by("content.publicKey", 1));
    let scan = answer(&garden, json!({ "content.1": "3" }));
    assert!(
        scan.plan.is_scan() && scan.touched >= 507,
        "{} of {}",
        scan.plan,
        scan.touched
    );
    assert_eq!(
        scan.outcome,
        Outcome::Rows(rows(
            &garden,
            json!({ "type": { "$in": ["x/few", "x/many"] }, "content.1": "3" })
        ))
    );
    drop(garden);
    world.stop(alice);
}

/// The same filter, hidden from the planner.
fn unplanned(filter: &Value) -> Value {
    json!({ "$or": [filter] })
}

#[test]
fn through_an_index_and_by_reading_everything_is_the_same() {
    let world = World::new();
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let garden = alice.create("Garden").unwrap();
    let code = garden.invite(&bob.public_key()).unwrap();
    let joined = bob.join(&code, None).unwrap();
    bob.swarm().introduce(garden.address(), alice.hint());
    for n in 0..30 {
        let kind = ["x/a", "x/b", "x/c"][n % 3];
        let writer = if n % 4 == 0 { &joined } else { &garden };
        writer.log().append(kind, &text(&n.to_string())).unwrap();
    }
    eventually("Alice has all", || {
        answer(
            &garden,
            json!({ "$filter": { "type": { "$prefix": "x/" } }, "$reduce": { "$count": true } }),
        )
        .outcome
            == Outcome::Value(json!(30))
    });
    let (a, b) = (alice.public_key().to_string(), bob.public_key().to_string());
    let times = rows(
        &garden,
        json!({ "$filter": { "type": { "$prefix": "x/" } }, "$map": "timestamp" }),
    );
    for filter in [
        json!({ "type": "x/a" }),
        json!({ "author": b }),
        json!({ "author": { "$in": [a, b] }, "type": { "$in": ["x/a", "x/c", "x/c"] } }),
        json!({ "author": a, "timestamp": { "$gt": times[5], "$lte": times[20] } }),
        json!({ "timestamp": { "$lt": times[9] } }),
        json!({ "timestamp": times[9] }),
        json!({ "author": 5 }),
        json!({ "type": null }),
        json!({ "content.publicKey": b }),
    ] {
        for sort in ["timestamp", "-timestamp", "content.1"] {
            for limit in [3, 1000] {
                let ask = |filter| {
                    rows(
                        &garden,
                        json!({ "$filter": filter, "$sort": sort, "$limit": limit }),
                    )
                };
                assert_eq!(
                    ask(filter.clone()),
                    ask(unplanned(&filter)),
                    "{filter} {sort} {limit}"
                );
            }
        }
    }
    drop((garden, joined));
    world.stop(alice);
    world.stop(bob);
}

#[test]
fn private_messages_are_rows_only_for_those_who_can_open_them() {
    let world = World::new();
    let names = ["Alice", "Bob", "Carol"];
    let [alice, bob, carol] = names.map(|name| world.start(name));
    let garden = alice.create("Garden").unwrap();
    let join = |who: &cobox_space::shelf::Shelf| {
        let joined = who
            .join(&garden.invite(&who.public_key()).unwrap(), None)
            .unwrap();
        who.swarm().introduce(garden.address(), alice.hint());
        joined
    };
    let (with_bob, with_carol) = (join(&bob), join(&carol));
    garden
        .log()
        .append_private(&bob.public_key(), "x/secret", &text("psst"))
        .unwrap();
    garden.log().append("x/after", &text("open")).unwrap();
    let count = |space: &Space, kind: &str| rows(space, json!({ "type": kind })).len();
    eventually("both have what came after", || {
        count(&with_bob, "x/after") == 1 && count(&with_carol, "x/after") == 1
    });
    let secret = rows(&with_bob, json!({ "private": true }));
    assert_eq!(secret.len(), 1);
    assert_eq!(secret[0]["content"]["1"], json!("psst"));
    assert_eq!(count(&garden, "x/secret"), 1);
    assert_eq!(count(&with_carol, "x/secret"), 0);
    assert!(rows(&with_carol, json!({ "private": true })).is_empty());
    drop((garden, with_bob, with_carol));
    for who in [alice, bob, carol] {
        world.stop(who);
    }
}

const RACE: &str = "x/race";

fn numbered(space: &Space, number: u64) -> Result<(), cobox_space::error::SpaceError> {
    let content = Record::new(1).uint(1, number).finish();
    space.log().append(RACE, &content).map(drop)
}

/// Writes `count` messages one at a time. While views are rebuilt a call may fail before or after its message is written, so
/// each try has a number of its own.
fn writer(space: &Arc<Space>, count: u64) -> std::thread::JoinHandle<()> {
    let space = Arc::clone(space);
    std::thread::spawn(move || {
        let (mut number, mut written) = (0, 0);
        while written < count {
            written += u64::from(numbered(&space, number).is_ok());
            number += 1;
        }
    })
}

fn race_numbers() -> Query {
    query(json!({ "$filter": { "type": RACE }, "$map": "content.1" }))
}

/// The numbers that are there.
fn written(space: &Space) -> Vec<u64> {
    let Ok(answer) = space.query(&race_numbers()) else {
        return Vec::new(); // just being rebuilt
    };
    match answer.outcome {
        Outcome::Rows(rows) => rows.iter().filter_map(Value::as_u64).collect(),
        Outcome::Value(value) => panic!("a value: {value}"),
    }
}

fn await_written(space: &Space, count: usize) {
    let begun = Instant::now();
    while written(space).len() < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "never {count}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const LAST: u64 = 1_000_000;

/// Everything that a live query tells until the number that is written last.
fn told_until_last(space: &Space) -> Vec<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().expect("a runtime");
    let live = || space.query_live(&race_numbers()).ok();
    let mut live = std::iter::repeat_with(live)
        .flatten()
        .next()
        .expect("endless");
    let mut told = stored(&runtime, &mut live);
    while told.last() != Some(&json!(LAST)) {
        told.push(next_row(&runtime, &mut live));
    }
    told.iter().filter_map(Value::as_u64).collect()
}

#[test]
fn a_live_query_begun_at_any_moment_of_writing_tells_each_message_once() {
    const COUNT: u64 = 150;
    const ASKERS: usize = 30;
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    let asking: Vec<_> = (0..ASKERS)
        .map(|turn| {
            let space = Arc::clone(&garden);
            std::thread::spawn(move || {
                // Each begins when so many messages are there.
                await_written(&space, turn * COUNT as usize / ASKERS);
                told_until_last(&space)
            })
        })
        .collect();
    writer(&garden, COUNT).join().unwrap();
    numbered(&garden, LAST).unwrap();
    let expected = written(&garden);
    assert_eq!(expected.len() as u64, COUNT + 1);
    for told in asking {
        assert_eq!(told.join().unwrap(), expected);
    }
    drop(garden);
    world.stop(alice);
}

#[test]
fn rebuilding_under_live_queries_neither_repeats_nor_loses() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    let asking: Vec<_> = [0, 20]
        .map(|after| {
            let space = Arc::clone(&garden);
            std::thread::spawn(move || {
                await_written(&space, after);
                told_until_last(&space)
            })
        })
        .into();
    let done = Arc::new(AtomicBool::new(false));
    let rebuilding = {
        let (space, done) = (Arc::clone(&garden), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut times = 0;
            while times < 3 || !done.load(Ordering::Acquire) {
                let before = written(&space).len();
                space.rebuild();
                times += 1;
                if !done.load(Ordering::Acquire) {
                    await_written(&space, (before + 1).min(60));
                }
            }
        })
    };
    writer(&garden, 60).join().unwrap();
    done.store(true, Ordering::Release);
    rebuilding.join().unwrap();
    await_written(&garden, 60);
    numbered(&garden, LAST).unwrap();
    let expected = written(&garden);
    for told in asking {
        let mut told = told.join().unwrap();
        told.sort_unstable();
        assert_eq!(told, expected);
    }
    drop(garden);
    world.stop(alice);
}

#[test]
fn nothing_is_told_twice_after_a_rebuild() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    garden.log().append("x/one", &text("before")).unwrap();
    let filter = json!({ "$filter": { "type": "x/one" }, "$map": "content.1" });
    let mut live = garden.query_live(&query(filter)).unwrap();
    assert_eq!(stored(&world.runtime, &mut live), [json!("before")]);
    garden.rebuild();
    eventually("the row is back", || {
        garden
            .query(&query(json!({ "type": "x/one" })))
            .is_ok_and(|answer| answer.outcome != Outcome::Rows(vec![]))
    });
    // Those may have been the old rows, which go now: then it is refused, and nothing is written.
    eventually("it can be told", || {
        let log = garden.log();
        log.append("x/one", &text("after")).is_ok()
    });
    assert_eq!(next_row(&world.runtime, &mut live), json!("after"));
    drop(garden);
    world.stop(alice);
}

#[test]
fn messages_of_a_new_member_come_live_and_a_closed_space_ends_it() {
    let world = World::new();
    let (alice, bob) = (world.start("Alice"), world.start("Bob"));
    let garden = alice.create("Garden").unwrap();
    let filter =
        json!({ "$filter": { "type": "x/hello" }, "$map": { "who": "name", "said": "content.1" } });
    let mut live = garden.query_live(&query(filter)).unwrap();
    assert!(stored(&world.runtime, &mut live).is_empty());
    let joined = bob
        .join(&garden.invite(&bob.public_key()).unwrap(), None)
        .unwrap();
    joined.log().append("x/hello", &text("hi")).unwrap();
    joined.log().append("x/hello", &text("again")).unwrap();
    bob.swarm().introduce(garden.address(), alice.hint());
    let told = [
        next_row(&world.runtime, &mut live),
        next_row(&world.runtime, &mut live),
    ];
    assert_eq!(
        told,
        ["hi", "again"].map(|said| json!({ "who": "Bob", "said": said }))
    );
    let address = garden.address();
    drop(garden);
    alice.delete(&address).unwrap();
    let end = async { tokio::time::timeout(Duration::from_secs(60), live.next()).await };
    assert!(world.runtime.block_on(end).expect("ends in time").is_none());
    drop(joined);
    world.stop(alice);
    world.stop(bob);
}

#[test]
fn a_live_query_that_reduces_is_refused() {
    let world = World::new();
    let alice = world.start("Alice");
    let garden = alice.create("Garden").unwrap();
    let refused = garden.query_live(&query(json!({ "$reduce": { "$count": true } })));
    let error = refused.err().expect("refused").to_string();
    assert!(error.contains("$reduce"), "{error}");
    drop(garden);
    world.stop(alice);
}
