//! The bytes of files over HTTP: parts, validators, names, heads, uploads of any length.

mod common;

use common::Node;
use common::node::url_bytes;
use common::random::Random;

struct Bench(Node);

impl Bench {
    fn new() -> Self {
        let node = Node::named("Alice");
        node.json(&["space", "create", "box"]);
        Self(node)
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
        let headers = format!("{}{headers}", self.0.bearer());
        self.0.whole_call(
            method,
            &format!("/spaces/box/files?path={path}"),
            &headers,
            b"",
        )
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

#[test]
fn parts_of_a_file_are_the_parts_of_the_file() {
    let bench = Bench::new();
    let bytes = Random::new(7).bytes(3 << 20);
    bench.0.bytes(&["put", "box:big"], &bytes);
    for (from, to) in [
        (0, 0),
        (1, 1 << 20),
        ((1 << 20) - 1, (2 << 20) + 5),
        (bytes.len() - 1, bytes.len() - 1),
    ] {
        let (status, head, part) =
            bench.ask("GET", "big", &format!("Range: bytes={from}-{to}\r\n"));
        assert_eq!((status, part.len()), (206, to - from + 1));
        assert!(part == bytes[from..=to], "{from}-{to}");
        assert_eq!(
            header(&head, "content-range").unwrap(),
            format!("bytes {from}-{to}/{}", bytes.len())
        );
    }
    let (status, _, part) = bench.ask("GET", "big", "Range: bytes=-9\r\n");
    assert!(status == 206 && part == bytes[bytes.len() - 9..]);
    let (status, head, _) = bench.ask("GET", "big", &format!("Range: bytes={}-\r\n", bytes.len()));
    assert_eq!(
        (status, header(&head, "content-range").unwrap()),
        (416, format!("bytes */{}", bytes.len()))
    );
    let (status, head, whole) = bench.ask("GET", "big", "");
    assert!(status == 200 && whole == bytes);
    assert_eq!(header(&head, "accept-ranges").unwrap(), "bytes");
}

#[test]
fn a_part_of_another_version_is_not_sent_for_a_part() {
    let bench = Bench::new();
    bench.0.bytes(&["put", "box:a"], b"first");
    let (_, head, _) = bench.ask("GET", "a", "");
    let first = header(&head, "etag").unwrap();
    let same = format!("Range: bytes=1-2\r\nIf-Range: {first}\r\n");
    let (status, _, part) = bench.ask("GET", "a", &same);
    assert_eq!((status, &part[..]), (206, &b"ir"[..]));
    assert_eq!(
        bench
            .ask("GET", "a", &format!("If-None-Match: {first}\r\n"))
            .0,
        304
    );
    bench.0.bytes(&["put", "box:a"], b"second");
    let (status, head, whole) = bench.ask("GET", "a", &same);
    assert_eq!(
        (status, &whole[..]),
        (200, &b"second"[..]),
        "the whole new one"
    );
    let second = header(&head, "etag").unwrap();
    assert_ne!(first, second);
    assert_eq!(
        bench
            .ask("GET", "a", &format!("If-None-Match: {first}\r\n"))
            .0,
        200
    );
    let older = format!("a&version={}", first.trim_matches('"'));
    let (_, head, bytes) = bench.ask("GET", &older, "");
    assert_eq!(
        (header(&head, "etag").unwrap(), &bytes[..]),
        (first, &b"first"[..])
    );
}

#[test]
fn a_head_is_the_answer_without_its_body() {
    let bench = Bench::new();
    bench.0.bytes(&["put", "box:a"], b"content");
    let (status, head, body) = bench.ask("HEAD", "a", "");
    let (_, whole, _) = bench.ask("GET", "a", "");
    assert_eq!((status, body.len()), (200, 0));
    for name in [
        "content-length",
        "etag",
        "content-type",
        "content-disposition",
    ] {
        assert_eq!(header(&head, name).unwrap(), header(&whole, name).unwrap());
    }
    assert_eq!(bench.ask("HEAD", "missing", "").0, 404);
}

#[test]
fn no_name_of_a_file_becomes_a_header_or_a_page() {
    let bench = Bench::new();
    for name in [
        "plain.txt",
        "a\"; filename=\"b.html",
        "new\r\nSet-Cookie: a=b",
        "schön.txt",
        "..;.exe",
    ] {
        let path = url_bytes(name.as_bytes());
        assert_eq!(bench.ask("PUT", &path, "").0, 201, "{name:?}");
        let (status, head, _) = bench.ask("GET", &path, "");
        assert_eq!(status, 200);
        let disposition = header(&head, "content-disposition").unwrap();
        assert!(
            disposition.starts_with("attachment; filename=\"")
                && disposition.matches('"').count() == 2,
            "{disposition}"
        );
        let is_own = |line: &str| line.starts_with("set-cookie");
        assert!(!head.lines().any(is_own), "{head}");
        assert_eq!(header(&head, "x-content-type-options").unwrap(), "nosniff");
        assert!(
            header(&head, "content-security-policy")
                .unwrap()
                .contains("sandbox")
        );
    }
}

#[test]
fn parts_of_a_file_cannot_be_put_in_its_place() {
    let bench = Bench::new();
    bench.0.bytes(&["put", "box:a"], b"whole");
    assert_eq!(
        bench.ask("PUT", "a", "Content-Range: bytes 0-0/5\r\n").0,
        400
    );
    assert_eq!(bench.0.bytes(&["cat", "box:a"], b""), b"whole");
}
