//! Every example of `docs/query.md` is true.

#[path = "query/table.rs"]
#[allow(dead_code)]
mod table;

use cobox_view::query::{Limits, Outcome, Query, run};
use serde_json::Value;
use table::MemoryTable;

/// (what the block is, its text), in order.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(head), None) => {
                open = Some((head.split(' ').next_back().unwrap_or(""), String::new()))
            }
            (Some(_), block) => blocks.extend(block.take()),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_examples_are_true() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/query.md"));
    let text = text.unwrap();
    let mut blocks = blocks(&text).into_iter();
    let (kind, rows) = blocks.next().unwrap();
    assert_eq!(kind, "rows");
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let indexes = [vec!["type"], vec!["author"], vec!["type", "author"]];
    let table = MemoryTable::ordered_by("timestamp", &rows, &indexes);
    let mut run_so_far = 0;
    while let (Some((kind, query)), Some((_, expected))) = (blocks.next(), blocks.next()) {
        run_so_far += 1;
        match kind {
            "query" => {
                let understood = Query::parse(query.as_bytes()).unwrap();
                let found = run(&understood, &table, &Limits::default())
                    .unwrap()
                    .outcome;
                let expected: Value = serde_json::from_str(&expected).unwrap();
                let found = match found {
                    Outcome::Rows(rows) => Value::from(rows),
                    Outcome::Value(value) => value,
                };
                assert_eq!(found, expected, "{query}");
            }
            "refused" => {
                let error = Query::parse(query.as_bytes()).unwrap_err().to_string();
                assert!(error.contains(expected.trim()), "{query}: {error}");
            }
            other => panic!("an example of what: {other}"),
        }
    }
    assert!(run_so_far >= 10, "{run_so_far} examples");
}
