//! What is understood, and the place in each refusal.

use super::*;
use serde_json::json;

fn refused(query: &Value) -> (String, String) {
    match super::query(query) {
        Err(QueryError::Invalid { place, problem }) => (place, problem),
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn refusals_name_the_place() {
    let cases = [
        (json!(5), "its top"),
        (json!({ "$and": [] }), "$and"),
        (json!({ "$gt": 5 }), "$gt"),
        (json!({ "a": {} }), "a"),
        (json!({ "a..b": 1 }), "a..b"),
        (json!({ "a": { "b": { "$foo": 1 } } }), "a.b.$foo"),
        (json!({ "a": { "$gt": 1, "b": 2 } }), "a"),
        (json!({ "a": { "$gt": null } }), "a.$gt"),
        (json!({ "a": { "$in": 5 } }), "a.$in"),
        (json!({ "a": { "$type": "text" } }), "a.$type"),
        (json!({ "a": { "$exists": 1 } }), "a.$exists"),
        (json!({ "a": { "$prefix": 1 } }), "a.$prefix"),
        (
            json!({ "$or": [{ "a": 1 }, { "b": { "$lt": [] } }] }),
            "$or[1].b.$lt",
        ),
        (json!({ "$filter": { "a": 1 }, "type": "x" }), "type"),
        (json!({ "$filter": 1 }), "$filter"),
        (
            json!([{ "$filter": {} }, { "$map": { "x": 5 } }]),
            "[1].$map.x",
        ),
        (json!([{ "$filter": {}, "$map": true }]), "[0]"),
        (json!([{ "$find": {} }]), "[0].$find"),
        (json!({ "$map": { "x": { "$count": 1 } } }), "$map.x.$count"),
        (json!({ "$map": { "x": { "$plus": 1 } } }), "$map.x.$plus"),
        (
            json!({ "$map": { "a": "b", "$count": "c" } }),
            "$map.$count",
        ),
        (json!({ "$reduce": { "$median": "a" } }), "$reduce.$median"),
        (json!({ "$reduce": {} }), "$reduce"),
        (json!({ "$reduce": { "n": 1 } }), "$reduce.n"),
        (
            json!({ "$reduce": { "n": { "$sum": true } } }),
            "$reduce.n.$sum",
        ),
        (json!({ "$sort": [] }), "$sort"),
        (json!({ "$sort": ["a", 1] }), "$sort[1]"),
        (json!({ "$limit": -1 }), "$limit"),
        (json!({ "$limit": 1.5 }), "$limit"),
    ];
    for (query, place) in cases {
        let (found, problem) = refused(&query);
        assert_eq!(found, place, "{query}: {problem}");
    }
}

#[test]
fn broken_json_is_told_with_line_and_column() {
    let broken = b"{\n  \"type\": \"message\",\n  \"timestamp\": { \"$gt\": }\n}";
    let error = Query::parse(broken).unwrap_err();
    let QueryError::Json { line, column, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((line, column), (3, 25));
    assert!(!error.to_string().contains("at line"), "told once: {error}");
    assert!(matches!(Query::parse(b""), Err(QueryError::Json { .. })));
    assert!(matches!(
        Query::parse(b"{} {}"),
        Err(QueryError::Json { .. })
    ));
}

#[test]
fn size_depth_and_number_of_steps_are_bounded() {
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_TEXT));
    assert!(Query::parse(long.as_bytes()).is_err());
    let nested =
        |levels: usize| (0..levels).fold(json!({ "a": 1 }), |inner, _| json!({ "$not": inner }));
    assert!(super::query(&nested(MAX_DEPTH - 1)).is_ok());
    assert!(super::query(&nested(MAX_DEPTH)).is_err());
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(Query::parse(deep.as_bytes()).is_err());
    let steps = |count| Value::Array(vec![json!({ "$limit": 1 }); count]);
    assert!(super::query(&steps(16)).is_ok());
    assert!(super::query(&steps(17)).is_err());
    let many = json!({ "a": { "$in": vec![1; 1001] } });
    assert_eq!(refused(&many).0, "a.$in");
}

#[test]
fn short_and_long_forms_mean_the_same() {
    let same = |a: Value, b: Value| assert_eq!(super::query(&a), super::query(&b), "{a} {b}");
    same(json!({ "a": 1 }), json!({ "$filter": { "a": 1 } }));
    same(
        json!({ "a": 1 }),
        json!([{ "$filter": { "a": { "$eq": 1 } } }]),
    );
    same(json!({ "a": { "b": 1 } }), json!({ "a.b": 1 }));
    same(json!({ "$sort": "a" }), json!({ "$sort": ["a"] }));
    same(
        json!({ "$limit": 1, "$map": "a", "$sort": "-b" }),
        json!([{ "$sort": "-b" }, { "$limit": 1 }, { "$map": "a" }]),
    );
    same(
        json!({ "$limit": 1, "$reduce": { "$count": true }, "$sort": "b", "$filter": { "a": 1 } }),
        json!([{ "$filter": { "a": 1 } }, { "$reduce": { "$count": true } }, { "$sort": "b" }, { "$limit": 1 }]),
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = Query::parse(text.as_bytes());
    }
}
