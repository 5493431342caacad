//! One suite for everything that keeps rows: the same operations give the same answers as a plain ordered map.

use cobox_view::kv::{Database, MemoryRows, ReadRows, Row, Rows, Table};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;

mod common;
use common::block_key;

const TABLES: [Table; 2] = [Table("one"), Table("two")];

type Model = BTreeMap<(usize, Vec<u8>), Vec<u8>>;

#[derive(Clone, Debug)]
enum Op {
    Put(usize, Vec<u8>, Vec<u8>),
    Delete(usize, Vec<u8>),
    Clear(usize),
    Commit,
    Drop,
}

/// Short keys over few bytes, so that operations meet; 0xff because prefixes end there.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xfe, 0xff]), 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    let value = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        8 => (0..2usize, key(), value).prop_map(|(t, k, v)| Op::Put(t, k, v)),
        4 => (0..2usize, key()).prop_map(|(t, k)| Op::Delete(t, k)),
        1 => (0..2usize).prop_map(Op::Clear),
        2 => Just(Op::Commit),
        1 => Just(Op::Drop),
    ]
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

#[derive(Clone, Debug)]
struct Question {
    table: usize,
    key: Vec<u8>,
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    limit: usize,
}

fn question() -> impl Strategy<Value = Question> {
    (0..2usize, key(), bound(), bound(), 0..9usize).prop_map(|(table, key, from, to, limit)| {
        Question {
            table,
            key,
            from,
            to,
            limit,
        }
    })
}

fn slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// The slow plain answer: look at every row.
fn expected(model: &Model, question: &Question, keep: impl Fn(&[u8]) -> bool) -> Vec<Row> {
    let rows = model
        .iter()
        .filter(|((table, key), _)| *table == question.table && keep(key));
    rows.map(|((_, key), value)| (key.clone(), value.clone()))
        .take(question.limit)
        .collect()
}

fn is_within(key: &[u8], question: &Question) -> bool {
    let after = match &question.from {
        Bound::Included(from) => key >= from.as_slice(),
        Bound::Excluded(from) => key > from.as_slice(),
        Bound::Unbounded => true,
    };
    after
        && match &question.to {
            Bound::Included(to) => key <= to.as_slice(),
            Bound::Excluded(to) => key < to.as_slice(),
            Bound::Unbounded => true,
        }
}

fn ask(rows: &dyn ReadRows, model: &Model, questions: &[Question]) {
    for question in questions {
        let table = TABLES[question.table];
        let value = rows.get(table, &question.key).unwrap();
        assert_eq!(
            value.as_ref(),
            model.get(&(question.table, question.key.clone()))
        );
        let found = rows
            .range(
                table,
                slice(&question.from),
                slice(&question.to),
                question.limit,
            )
            .unwrap();
        assert_eq!(
            found,
            expected(model, question, |key| is_within(key, question))
        );
        let (from, to) = (slice(&question.from), slice(&question.to));
        let keys = rows.keys(table, from, to, question.limit).unwrap();
        assert!(found.iter().map(|(key, _)| key).eq(&keys));
        let found = rows.range_back(table, from, to, question.limit).unwrap();
        let whole = Question {
            limit: usize::MAX,
            ..question.clone()
        };
        let mut backward = expected(model, &whole, |key| is_within(key, question));
        backward.reverse();
        backward.truncate(question.limit);
        assert_eq!(found, backward);
        let found = rows.prefix(table, &question.key, question.limit).unwrap();
        assert_eq!(
            found,
            expected(model, question, |key| key.starts_with(&question.key))
        );
    }
}

fn apply(rows: &mut dyn Rows, model: &mut Model, op: &Op) {
    match op {
        Op::Put(table, key, value) => {
            rows.put(TABLES[*table], key, value).unwrap();
            model.insert((*table, key.clone()), value.clone());
        }
        Op::Delete(table, key) => {
            rows.delete(TABLES[*table], key).unwrap();
            model.remove(&(*table, key.clone()));
        }
        Op::Clear(_) | Op::Commit | Op::Drop => {}
    }
}

fn run_on_database(database: &Database, ops: &[Op], questions: &[Question]) -> Model {
    let (mut committed, mut model) = (Model::new(), Model::new());
    let mut transaction = database.begin().unwrap();
    for op in ops {
        match op {
            Op::Commit => {
                transaction.commit().unwrap();
                committed.clone_from(&model);
                transaction = database.begin().unwrap();
            }
            Op::Drop => {
                drop(transaction);
                model.clone_from(&committed);
                transaction = database.begin().unwrap();
            }
            Op::Clear(table) => {
                transaction.clear(TABLES[*table]);
                model.retain(|(other, _), _| other != table);
            }
            op => apply(&mut transaction, &mut model, op),
        }
        ask(&transaction, &model, questions);
        ask(&database.snapshot().unwrap(), &committed, questions);
    }
    committed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_rows_answer_as_a_map_does(
        ops in prop::collection::vec(op(), 0..40), questions in prop::collection::vec(question(), 4)
    ) {
        let (mut rows, mut model) = (MemoryRows::default(), Model::new());
        for op in &ops {
            apply(&mut rows, &mut model, op);
            ask(&rows, &model, &questions);
        }
    }

    #[test]
    fn a_database_in_memory_answers_as_a_map_does(
        ops in prop::collection::vec(op(), 0..40), questions in prop::collection::vec(question(), 4)
    ) {
        run_on_database(&Database::in_memory(), &ops, &questions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_file_answers_as_a_map_does_also_after_it_was_closed(
        ops in prop::collection::vec(op(), 0..40), questions in prop::collection::vec(question(), 4)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("views");
        let database = Database::open(&path, block_key(1)).unwrap();
        let committed = run_on_database(&database, &ops, &questions);
        database.flush().unwrap();
        drop(database);
        let database = Database::open(&path, block_key(1)).unwrap();
        ask(&database.snapshot().unwrap(), &committed, &questions);
    }
}
