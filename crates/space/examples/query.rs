//! Queries over many messages: through an index, and the same by reading everything.
//!
//!     cargo run --release -p cobox-space --example query [MESSAGES]
//!
//! Writes so many messages (100 000) into the log of a new space in a temporary folder, of ten types and one that is rare, and
//! prints for some queries how many messages were read and how long it took, best of three. The answers are compared.

use cobox_keys::cbor::Record;
use cobox_space::shelf::{Shelf, ShelfOptions, TransportFactory};
use cobox_space::space::Space;
use cobox_swarm::transport::Transport;
use cobox_swarm::transport::memory::MemoryNetwork;
use cobox_view::query::{Answer, Query};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages of one commit.
const TOGETHER: u64 = 1000;
/// One in so many is of the rare type.
const RARE: u64 = 1000;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build()?;
    let mut options = ShelfOptions::default();
    options.lan = false;
    let network = MemoryNetwork::new();
    let transport: TransportFactory = Box::new(move |pair| {
        Box::pin(async move { Ok(Arc::new(network.device(pair)) as Arc<dyn Transport>) })
    });
    let shelf = runtime.block_on(Shelf::open_with(dir.path(), options, transport))?;
    shelf.set_name("Alice")?;
    let space = shelf.create("Garden")?;
    write(&space, count)?;
    compare_all(&space, count)?;
    drop(space);
    runtime.block_on(shelf.close())?;
    Ok(())
}

fn write(space: &Space, count: u64) -> Result<()> {
    let begun = Instant::now();
    let content = |n: u64| {
        Record::new(1)
            .uint(1, n)
            .text(
                2,
                "about eighty bytes of text, as people write them to each other every day",
            )
            .finish()
    };
    for first in (0..count).step_by(TOGETHER as usize) {
        let numbers = first..count.min(first + TOGETHER);
        let (rare, common): (Vec<u64>, Vec<u64>) = numbers.partition(|n| n.is_multiple_of(RARE));
        let contents = |numbers: Vec<u64>| numbers.into_iter().map(content).collect::<Vec<_>>();
        space.log().append_all("x/rare", &contents(rare))?;
        let kind = format!("x/{}", first / TOGETHER % 10);
        space.log().append_all(&kind, &contents(common))?;
    }
    println!(
        "wrote and indexed {count} messages in {:.1?}\n",
        begun.elapsed()
    );
    Ok(())
}

fn compare_all(space: &Space, count: u64) -> Result<()> {
    let times = space.query(&Query::from_value(
        &json!({ "$sort": "-timestamp", "$limit": count / 100, "$map": "timestamp" }),
    )?)?;
    let last_percent = match times.outcome {
        cobox_view::query::Outcome::Rows(rows) => rows.last().cloned().unwrap_or(json!(0)),
        cobox_view::query::Outcome::Value(value) => value,
    };
    println!(
        "{:<44} {:>9} {:>11} {:>9} {:>11} {:>8}",
        "query", "read", "by index", "read", "by scan", "ratio"
    );
    compare(
        space,
        "count one rare type",
        json!({ "type": "x/rare" }),
        json!({ "$count": true }),
    )?;
    compare(
        space,
        "count one type of ten",
        json!({ "type": "x/3" }),
        json!({ "$count": true }),
    )?;
    compare(
        space,
        "sum over the last 1 % by time",
        json!({ "timestamp": { "$gte": last_percent } }),
        json!({ "$sum": "content.1" }),
    )?;
    compare(
        space,
        "one type, last 1 % by time",
        json!({ "type": "x/rare", "timestamp": { "$gte": last_percent } }),
        json!({ "$sum": "content.1" }),
    )?;
    newest(space)
}

/// The same filter where the planner does not look for indexes.
fn hidden(filter: &Value) -> Value {
    json!({ "$or": [filter] })
}

fn compare(space: &Space, what: &str, filter: Value, reduce: Value) -> Result<()> {
    let ask = |filter: Value| best(space, json!({ "$filter": filter, "$reduce": reduce }));
    print_row(what, ask(filter.clone())?, ask(hidden(&filter))?);
    Ok(())
}

fn newest(space: &Space) -> Result<()> {
    let ask = |sort: Value| {
        best(
            space,
            json!({ "$filter": { "type": "x/3" }, "$sort": sort, "$limit": 20, "$map": "seq" }),
        )
    };
    let by_index = ask(json!("-timestamp"))?;
    // Sorting by two fields is done in memory, over everything.
    let scan = best(
        space,
        json!({ "$filter": hidden(&json!({ "type": "x/3" })), "$sort": ["-timestamp", "-seq"], "$limit": 20, "$map": "seq" }),
    )?;
    print_row("newest 20 of one type", by_index, scan);
    Ok(())
}

fn best(space: &Space, query: Value) -> Result<(Answer, Duration)> {
    let query = Query::from_value(&query)?;
    let mut best: Option<(Answer, Duration)> = None;
    for _ in 0..3 {
        let begun = Instant::now();
        let answer = space.query(&query)?;
        let took = begun.elapsed();
        if best.as_ref().is_none_or(|(_, fastest)| took < *fastest) {
            best = Some((answer, took));
        }
    }
    best.ok_or_else(|| "asked not once".into())
}

fn print_row(what: &str, (index, fast): (Answer, Duration), (scan, slow): (Answer, Duration)) {
    assert_eq!(index.outcome, scan.outcome, "{what}: the answers differ");
    let ratio = slow.as_secs_f64() / fast.as_secs_f64().max(1e-9);
    println!(
        "{what:<44} {:>9} {:>11} {:>9} {:>11} {:>7.0}x",
        index.touched,
        format!("{fast:.2?}"),
        scan.touched,
        format!("{slow:.2?}"),
        ratio
    );
}
