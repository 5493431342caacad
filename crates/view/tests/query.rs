//! The query engine against a slow plain evaluator: whatever indexes there are, the answer is the same as by looking at
//! every row; and how little is read when an index fits.

#[path = "query/model.rs"]
mod model;
#[path = "query/table.rs"]
mod table;

use cobox_view::query::{Limits, Outcome, Query, QueryError, run};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use table::MemoryTable;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..4).prop_map(Value::from),
        (-4i64..8).prop_map(|half| Value::from(half as f64 / 2.0)),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

/// Few fields with few values, so that queries meet rows.
fn row() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec!["type", "author", "n", "text"]);
    let plain = prop::collection::btree_map(field, scalar(), 0..5);
    let tags = prop::option::of(prop::collection::vec(scalar(), 0..3));
    let inner = prop::option::of(prop::collection::btree_map("[xy]", scalar(), 0..3));
    (0u64..12, plain, tags, inner).prop_map(|(time, plain, tags, inner)| {
        let mut row: Map<String, Value> = plain.into_iter().map(|(k, v)| (k.into(), v)).collect();
        row.insert("time".into(), time.into());
        row.extend(tags.map(|tags| ("tags".to_owned(), Value::from(tags))));
        let inner = inner.map(|inner| Value::Object(inner.into_iter().collect()));
        row.extend(inner.map(|inner| ("inner".to_owned(), inner)));
        Value::Object(row)
    })
}

fn path() -> impl Strategy<Value = String> + Clone {
    let paths = [
        "type", "author", "n", "text", "time", "tags", "tags.0", "inner", "inner.x", "nothing",
    ];
    prop::sample::select(paths.to_vec()).prop_map(str::to_owned)
}

fn comparable() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2i64..14).prop_map(Value::from),
        (-4i64..26).prop_map(|half| Value::from(half as f64 / 2.0)),
        "[ab]{0,1}".prop_map(Value::from),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let one = |name: &'static str, value: BoxedStrategy<Value>| {
        value.prop_map(move |value| json!({ name: value })).boxed()
    };
    let side = prop::sample::select(vec!["$gt", "$gte", "$lt", "$lte"]);
    prop_oneof![
        4 => scalar(),
        2 => one("$eq", scalar().boxed()),
        1 => one("$ne", scalar().boxed()),
        3 => (side, comparable()).prop_map(|(side, value)| json!({ side: value })),
        2 => (comparable(), comparable()).prop_map(|(from, to)| json!({ "$gte": from, "$lt": to })),
        2 => one("$in", prop::collection::vec(scalar(), 0..4).prop_map(Value::from).boxed()),
        1 => one("$prefix", "[ab]{0,2}".prop_map(Value::from).boxed()),
        1 => one("$contains", scalar().boxed()),
        1 => one("$exists", any::<bool>().prop_map(Value::from).boxed()),
        1 => one("$type", prop::sample::select(vec!["null", "number", "string", "array"]).prop_map(Value::from).boxed()),
        1 => one("$not", scalar().boxed()),
        1 => (scalar(), scalar()).prop_map(|(a, b)| json!({ "$or": [a, { "$gt": 1 }, { "$eq": b }] })),
    ]
}

fn filter() -> impl Strategy<Value = Value> {
    let fields = prop::collection::btree_map(path(), condition(), 0..4);
    let leaf = fields.prop_map(|fields| Value::Object(fields.into_iter().collect()));
    leaf.prop_recursive(2, 8, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            list.clone().prop_map(|list| json!({ "$and": list })),
            list.prop_map(|list| json!({ "$or": list })),
            inner.prop_map(|inner| json!({ "$not": inner })),
        ]
    })
}

fn map() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(true)),
        path().prop_map(Value::from),
        path().prop_map(
            |path| json!({ "time": true, "a": path, "c": { "$count": path }, "v": { "$value": 1 } })
        ),
        (path(), path()).prop_map(|(a, b)| json!({ "type": a, "inner": { "x": b } })),
    ]
}

fn fold() -> impl Strategy<Value = Value> {
    let names = vec![
        "$count",
        "$sum",
        "$avg",
        "$min",
        "$max",
        "$first",
        "$last",
        "$collect",
        "$distinct",
    ];
    let named =
        (prop::sample::select(names), path()).prop_map(|(name, path)| json!({ name: path }));
    prop_oneof![1 => Just(json!({ "$count": true })), 8 => named]
}

fn reduce() -> impl Strategy<Value = Value> {
    prop_oneof![
        fold(),
        (fold(), fold()).prop_map(|(a, b)| json!({ "a": a, "b": b })),
        (path(), fold()).prop_map(|(group, a)| json!({ "g": group, "a": a })),
        (path(), path(), fold()).prop_map(|(g, h, a)| json!({ "g": g, "h": h, "a": a })),
    ]
}

fn sort() -> impl Strategy<Value = Value> {
    let key = (any::<bool>(), path()).prop_map(|(down, path)| match down {
        true => format!("-{path}"),
        false => path,
    });
    prop_oneof![
        prop::sample::select(vec!["time", "-time"]).prop_map(Value::from),
        key.clone().prop_map(Value::from),
        prop::collection::vec(key, 1..3).prop_map(Value::from),
    ]
}

fn step() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => filter().prop_map(|filter| json!({ "$filter": filter })),
        2 => map().prop_map(|map| json!({ "$map": map })),
        1 => reduce().prop_map(|reduce| json!({ "$reduce": reduce })),
        2 => sort().prop_map(|sort| json!({ "$sort": sort })),
        2 => (0u64..5).prop_map(|limit| json!({ "$limit": limit })),
    ]
}

fn query() -> impl Strategy<Value = Value> {
    let filters = prop::collection::vec(
        filter().prop_map(|filter| json!({ "$filter": filter })),
        0..2,
    );
    let steps = (filters, prop::collection::vec(step(), 0..4));
    let optional = |name: &'static str, value: BoxedStrategy<Value>| {
        prop::option::of(value.prop_map(move |value| (name.to_owned(), value)))
    };
    let object = (
        filter().prop_map(|filter| ("$filter".to_owned(), filter)),
        optional("$map", map().boxed()),
        optional("$reduce", reduce().boxed()),
        optional("$sort", sort().boxed()),
        optional("$limit", (0u64..5).prop_map(Value::from).boxed()),
    );
    prop_oneof![
        1 => filter(),
        3 => steps.prop_map(|(filters, steps)| Value::from([filters, steps].concat())),
        2 => object.prop_map(|(filter, map, reduce, sort, limit)| {
            let rest = [map, reduce, sort, limit].into_iter().flatten();
            Value::Object(std::iter::once(filter).chain(rest).collect())
        }),
    ]
}

/// Which fields each index lists; none at all is a full scan.
fn indexes() -> impl Strategy<Value = Vec<Vec<&'static str>>> {
    let field = prop::sample::select(vec!["type", "author", "n", "inner.x", "time"]);
    prop::collection::vec(prop::collection::vec(field, 1..3), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]
    #[test]
    fn through_indexes_and_by_looking_at_all_is_the_same(
        rows in prop::collection::vec(row(), 0..40),
        indexes in indexes(),
        query in query(),
    ) {
        let table = MemoryTable::new(&rows, &indexes);
        let understood = Query::from_value(&query).unwrap();
        let answer = run(&understood, &table, &Limits::default()).unwrap();
        let expected = model::answer(table.in_order(), &query);
        prop_assert_eq!(&answer.outcome, &expected, "{} by {}", query, answer.plan);
        prop_assert!(answer.touched <= rows.len() as u64);
        if answer.plan.is_scan() && !query.to_string().contains("$limit") {
            prop_assert_eq!(answer.touched, rows.len() as u64);
        }
    }

    #[test]
    fn small_limits_cut_or_refuse_and_never_lie(
        rows in prop::collection::vec(row(), 0..40),
        query in query(),
        most in 1usize..20,
        bytes in 0usize..20_000,
    ) {
        let table = MemoryTable::new(&rows, &[]);
        let understood = Query::from_value(&query).unwrap();
        let mut limits = Limits::default();
        (limits.rows, limits.bytes) = (most, bytes);
        match run(&understood, &table, &limits) {
            Ok(answer) => {
                let whole = model::answer(table.in_order(), &query);
                match (answer.outcome, whole) {
                    (Outcome::Rows(found), Outcome::Rows(whole)) => {
                        prop_assert_eq!(answer.more, whole.len() > most);
                        prop_assert_eq!(&found[..], &whole[..whole.len().min(most)]);
                    }
                    (found, whole) => prop_assert_eq!(found, whole),
                }
            }
            Err(error) => prop_assert!(matches!(error, QueryError::TooMuch(_))),
        }
    }
}

fn ask(table: &MemoryTable, query: Value) -> (Outcome, u64, Option<String>) {
    let understood = Query::from_value(&query).unwrap();
    let answer = run(&understood, table, &Limits::default()).unwrap();
    let index = answer.plan.index().map(str::to_owned);
    (answer.outcome, answer.touched, index)
}

/// 1000 rows, every tenth of type b, every hundredth by c.
fn many() -> MemoryTable {
    let row = |n: u64| {
        let kind = if n.is_multiple_of(10) { "b" } else { "a" };
        let author = if n.is_multiple_of(100) { "c" } else { "d" };
        json!({ "time": n, "type": kind, "author": author })
    };
    let rows: Vec<_> = (0..1000).map(row).collect();
    MemoryTable::new(
        &rows,
        &[vec!["type"], vec!["author"], vec!["type", "author"]],
    )
}

#[test]
fn the_longest_index_that_fits_is_taken_and_only_its_rows_are_read() {
    let table = many();
    let index = |query| {
        let (_, touched, index) = ask(&table, query);
        (index.unwrap_or_default(), touched)
    };
    assert_eq!(index(json!({ "type": "b" })), ("type".into(), 100));
    assert_eq!(index(json!({ "author": "c" })), ("author".into(), 10));
    assert_eq!(
        index(json!({ "author": "c", "type": "b" })),
        ("type+author".into(), 10)
    );
    assert_eq!(
        index(json!({ "type": { "$in": ["b", "x"] } })),
        ("type".into(), 100)
    );
    let range = json!({ "type": "b", "time": { "$gte": 500, "$lt": 600 } });
    assert_eq!(index(range), ("type".into(), 10));
    assert_eq!(
        index(json!({ "time": { "$gt": 989.5 } })),
        (String::new(), 10)
    );
    assert_eq!(index(json!({ "time": 7 })), (String::new(), 1));
    assert_eq!(
        index(json!({ "type": "b", "$and": [{ "type": "a" }] })),
        ("type".into(), 0)
    );
    assert_eq!(
        index(json!({ "type": { "$ne": "a" } })),
        (String::new(), 1000)
    );
    assert_eq!(
        index(json!({ "$or": [{ "type": "b" }, { "type": "x" }] })),
        (String::new(), 1000)
    );
}

#[test]
fn sorting_by_the_order_reads_no_more_than_is_wanted() {
    let table = many();
    let newest =
        json!({ "$filter": { "type": "b" }, "$sort": "-time", "$limit": 3, "$map": "time" });
    let (outcome, touched, index) = ask(&table, newest);
    assert_eq!(
        outcome,
        Outcome::Rows(vec![json!(990), json!(980), json!(970)])
    );
    assert_eq!((touched, index.as_deref()), (3, Some("type")));
    let other = json!({ "$filter": { "type": "b" }, "$sort": "author", "$limit": 3 });
    assert_eq!(ask(&table, other).1, 100);
}

#[test]
fn a_plan_explains_itself() {
    let query = json!({ "$filter": { "type": "b", "time": { "$lt": 50 } }, "$sort": ["author"] });
    let query = Query::from_value(&query).unwrap();
    let plan = run(&query, &many(), &Limits::default()).unwrap().plan;
    assert_eq!(
        plan.to_string(),
        "index type, type = \"b\", time from 0 to 49, sorted in memory"
    );
    let expected = json!({
        "index": "type", "equal": { "type": ["b"] }, "range": { "from": 0, "to": 49 },
        "order": "time", "sortedInMemory": true, "scan": false,
    });
    assert_eq!(plan.explain(), expected);
}

#[test]
fn work_is_bounded() {
    let table = many();
    let mut limits = Limits::default();
    limits.touched = 99;
    let run = |query: Value| run(&Query::from_value(&query).unwrap(), &table, &limits);
    assert!(matches!(
        run(json!({ "type": "b" })),
        Err(QueryError::TooMuch(_))
    ));
    assert!(run(json!({ "author": "c" })).is_ok());
}

#[test]
fn new_rows_are_asked_one_at_a_time() {
    let each = |query: Value| Query::from_value(&query).unwrap().each();
    let shown =
        each(json!({ "$filter": { "type": "b" }, "$map": "n", "$sort": "-time", "$limit": 0 }))
            .unwrap();
    assert_eq!(shown.shown(json!({ "type": "b", "n": 5 })), Some(json!(5)));
    assert_eq!(shown.shown(json!({ "type": "a", "n": 5 })), None);
    let error = each(json!({ "$reduce": { "$count": true } })).unwrap_err();
    assert!(error.to_string().contains("$reduce"), "{error}");
}
