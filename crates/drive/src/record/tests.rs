//! Round trips, bytes that must never change, and bytes that must be refused.

use super::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

fn tag() -> impl Strategy<Value = WriterTag> {
    any::<[u8; 8]>().prop_map(WriterTag)
}

fn dot() -> impl Strategy<Value = Dot> {
    (tag(), any::<u64>()).prop_map(|(writer, block)| Dot { writer, block })
}

fn node() -> impl Strategy<Value = NodeId> {
    (any::<[u8; 16]>(), kind()).prop_map(|(id, kind)| NodeId(id).with_kind(kind))
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::File), Just(Kind::Folder), Just(Kind::Symlink)]
}

fn folder() -> impl Strategy<Value = NodeId> {
    let other = any::<[u8; 16]>().prop_map(|id| NodeId(id).with_kind(Kind::Folder));
    prop_oneof![Just(NodeId::ROOT), other]
}

fn write<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Write<T>> {
    (value, vec(dot(), 0..4)).prop_map(|(value, replaces)| Write { value, replaces })
}

fn name() -> impl Strategy<Value = Name> {
    vec(1u8..=255, 1..=255).prop_filter_map("a name", |bytes| Name::new(bytes).ok())
}

fn run() -> impl Strategy<Value = Run> {
    let codec = prop_oneof![
        Just(Codec::Raw),
        Just(Codec::Hole),
        any::<u32>().prop_map(|stored| Codec::Lz4 { stored })
    ];
    (
        tag(),
        any::<u64>(),
        any::<u32>(),
        0..1u64 << 40,
        codec,
        of(any::<[u8; 16]>()),
    )
        .prop_map(|(writer, block, offset, length, codec, hash)| Run {
            writer,
            block,
            offset,
            length,
            codec,
            hash,
        })
}

fn splices() -> impl Strategy<Value = Vec<Splice>> {
    vec((0..1000u64, run()), 0..MAX_SPLICES).prop_map(|items| {
        let mut at = 0;
        let mut place = |(gap, run): (u64, Run)| {
            let splice = Splice { at: at + gap, run };
            at = splice.at + splice.run.length;
            splice
        };
        items.into_iter().map(&mut place).collect()
    })
}

fn content() -> impl Strategy<Value = Content> {
    let body = prop_oneof![
        Just(Body::None),
        vec(any::<u8>(), 0..100).prop_map(Body::Target),
        vec(run(), 0..=MAX_RUNS).prop_map(Body::Runs),
        (dot(), splices()).prop_map(|(base, splices)| Body::Splices { base, splices }),
        (run(), splices()).prop_map(|(table, splices)| Body::Table { table, splices }),
    ];
    (any::<u64>(), any::<i64>(), 0..1_000_000_000u32, body).prop_map(
        |(size, seconds, nanos, body)| {
            let size = match &body {
                Body::Runs(runs) => runs.iter().map(|run| run.length).sum(),
                _ => size,
            };
            Content {
                size,
                mtime: Time { seconds, nanos },
                body,
            }
        },
    )
}

fn attrs() -> impl Strategy<Value = Attrs> {
    let pairs =
        proptest::collection::btree_map(vec(any::<u8>(), 1..9), vec(any::<u8>(), 0..99), 0..4);
    (0..=0o7777u32, pairs).prop_map(|(mode, xattrs)| Attrs {
        mode,
        xattrs: xattrs.into_iter().collect(),
    })
}

fn record() -> impl Strategy<Value = Record> {
    let place = (folder(), name()).prop_map(|(parent, name)| Place { parent, name });
    let life = prop_oneof![Just(Life::Alive), Just(Life::Deleted)];
    (
        node(),
        of(write(place)),
        of(write(content())),
        of(write(attrs())),
        of(write(life)),
        of(node()),
    )
        .prop_map(|(node, place, content, attrs, life, succeeds)| Record {
            node,
            kind: node.kind().unwrap_or(Kind::File),
            place,
            content,
            attrs,
            life,
            succeeds,
        })
}

fn commit() -> impl Strategy<Value = Commit> {
    let seen =
        proptest::collection::btree_map(any::<[u8; 8]>(), (any::<u64>(), any::<[u8; 16]>()), 0..5);
    let header = (any::<u64>(), any::<u64>(), any::<u64>(), seen).prop_map(
        |(time_ms, content_length, filler, seen)| {
            let one = |(writer, (length, tree_hash))| Seen {
                writer: WriterTag(writer),
                length,
                tree_hash,
            };
            CommitHeader {
                time_ms,
                content_length,
                filler,
                seen: seen.into_iter().map(one).collect(),
            }
        },
    );
    (header, vec(record(), 0..20)).prop_map(|(header, records)| Commit { header, records })
}

/// Joins the blocks of one commit as a reader does.
fn decode(blocks: &[Vec<u8>]) -> Result<Commit, RecordError> {
    let mut commit = Commit::default();
    for (index, block) in blocks.iter().enumerate() {
        assert!(block.len().is_power_of_two() && (MIN_CLASS..=MAX_CLASS).contains(&block.len()));
        let block = decode_block(block)?;
        assert_eq!(block.header.is_some(), index == 0);
        assert_eq!(block.last, index + 1 == blocks.len());
        commit.header = block.header.unwrap_or(commit.header);
        commit.records.extend(block.records);
    }
    Ok(commit)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn commits_read_back(commit in commit()) {
        let blocks = encode_commit(&commit)?;
        prop_assert_eq!(decode(&blocks)?, commit);
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..2000), framed in any::<bool>(), lz4 in any::<bool>()) {
        if framed {
            bytes = frame(FIRST | LAST | if lz4 { LZ4 } else { 0 }, &bytes);
        }
        let _ = decode_block(&bytes);
        let _ = decode_claim(&bytes);
        let _ = decode_runs(&bytes, 100);
    }

    #[test]
    fn a_flipped_byte_never_panics(commit in commit(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut block = encode_commit(&commit)?.swap_remove(0);
        let at = at.index(block.len());
        block[at] ^= flip;
        if let Ok(decoded) = decode_block(&block) {
            prop_assert!(decoded.records.len() <= MAX_RECORDS);
        }
    }
}

fn small_commit() -> Result<Commit, crate::path::PathError> {
    let writer = WriterTag([7; 8]);
    let mut file = Record::new(NodeId([1; 16]).with_kind(Kind::File), Kind::File);
    file.place = Some(Write {
        value: Place {
            parent: NodeId::ROOT,
            name: Name::new(*b"notes.txt")?,
        },
        replaces: vec![],
    });
    let run = Run {
        writer,
        block: 1,
        offset: 5,
        length: 300,
        codec: Codec::Lz4 { stored: 200 },
        hash: Some([9; 16]),
    };
    let value = Content {
        size: 300,
        mtime: Time {
            seconds: -1,
            nanos: 5,
        },
        body: Body::Runs(vec![run]),
    };
    file.content = Some(Write {
        value,
        replaces: vec![Dot { writer, block: 3 }],
    });
    let attrs = Attrs {
        mode: 0o644,
        xattrs: vec![(b"user.a".to_vec(), b"b".to_vec())],
    };
    file.attrs = Some(Write {
        value: attrs,
        replaces: vec![],
    });
    let mut folder = Record::new(NodeId([2; 16]).with_kind(Kind::Folder), Kind::Folder);
    folder.life = Some(Write {
        value: Life::Deleted,
        replaces: vec![Dot { writer, block: 3 }],
    });
    folder.succeeds = Some(NodeId([3; 16]));
    let seen = vec![Seen {
        writer: WriterTag([8; 8]),
        length: 2,
        tree_hash: [4; 16],
    }];
    let header = CommitHeader {
        time_ms: 1_700_000_000_000,
        content_length: 2,
        filler: 0,
        seen,
    };
    Ok(Commit {
        header,
        records: vec![file, folder],
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// These bytes are in people's feeds: they must never come out differently.
#[test]
fn golden_bytes_of_a_commit() -> Result<(), Box<dyn std::error::Error>> {
    let blocks = encode_commit(&small_commit()?)?;
    assert_eq!((blocks.len(), blocks[0].len()), (1, 512));
    let length = blocks[0]
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    assert_eq!(hex(&blocks[0][..length]), GOLDEN);
    assert_eq!(decode(&blocks)?, small_commit()?);
    Ok(())
}

const GOLDEN: &str = "0103d9000000a3001b0000018bcfe56800010203818348080808080808080802500404040404040404040404040404040482a400500101010101010101010101010101010101a102496e6f7465732e74787402a5008182480707070707070707030119012c0220030504820281a700480707070707070707010102050319012c04020518c806500909090909090909090909090909090903a2011901a402818246757365722e614162a300500202020202020202020202020202020004a2008182480707070707070707030101055003030303030303030303030303030303";

#[test]
fn a_large_commit_is_cut_and_compressed() -> Result<(), Box<dyn std::error::Error>> {
    let mut records = Vec::new();
    for number in 0..4_000u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_le_bytes());
        let mut record = Record::new(NodeId(id).with_kind(Kind::File), Kind::File);
        let name = Name::new(format!("file number {number}"))?;
        record.place = Some(Write {
            value: Place {
                parent: NodeId([4; 16]),
                name,
            },
            replaces: vec![],
        });
        records.push(record);
    }
    let commit = Commit {
        header: CommitHeader::default(),
        records,
    };
    let blocks = encode_commit(&commit)?;
    assert!(
        blocks.len() > 1 && blocks.len() < 4,
        "{} blocks",
        blocks.len()
    );
    assert_eq!(decode(&blocks)?, commit);
    Ok(())
}

#[test]
fn a_record_that_cannot_fit_is_refused_when_written() {
    let mut record = Record::new(NodeId([1; 16]).with_kind(Kind::File), Kind::File);
    let attrs = Attrs {
        mode: 0,
        xattrs: vec![(b"user.big".to_vec(), vec![0; 61 * 1024])],
    };
    record.attrs = Some(Write {
        value: attrs,
        replaces: vec![],
    });
    let commit = Commit {
        header: CommitHeader::default(),
        records: vec![record],
    };
    assert!(matches!(
        encode_commit(&commit),
        Err(RecordError::TooLarge(_))
    ));
}

#[test]
fn the_largest_record_and_header_fit_a_block() -> Result<(), RecordError> {
    let mut record = Record::new(NodeId([1; 16]).with_kind(Kind::File), Kind::File);
    let noise = (0..59 * 1024u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    record.attrs = Some(Write {
        value: Attrs {
            mode: 0,
            xattrs: vec![(b"user.big".to_vec(), noise)],
        },
        replaces: vec![],
    });
    let one = |n: u64| Seen {
        writer: WriterTag(n.to_be_bytes()),
        length: u64::MAX,
        tree_hash: [n as u8; 16],
    };
    let header = CommitHeader {
        seen: (0..MAX_SEEN as u64).map(one).collect(),
        ..CommitHeader::default()
    };
    let commit = Commit {
        header,
        records: vec![record.clone(), record],
    };
    let blocks = encode_commit(&commit)?;
    assert_eq!(decode(&blocks)?, commit);
    Ok(())
}

#[test]
fn a_newer_format_and_must_understand_keys_are_told_apart_from_damage()
-> Result<(), Box<dyn std::error::Error>> {
    let mut block = encode_commit(&small_commit()?)?.swap_remove(0);
    block[0] = 2;
    assert_eq!(decode_block(&block), Err(RecordError::TooNew(2)));
    block[0] = 0;
    assert!(matches!(
        decode_block(&block),
        Err(RecordError::Malformed(_))
    ));
    let with_key = |key: u64| {
        let mut out = Writer::default();
        out.map(|fields| fields.put(key, |out| out.uint(1)));
        out.array::<()>(&[], |_, _| {});
        frame(FIRST | LAST, &out.0)
    };
    assert_eq!(
        decode_block(&with_key(127)).map(|block| block.last),
        Ok(true)
    );
    assert_eq!(decode_block(&with_key(128)), Err(RecordError::TooNew(128)));
    Ok(())
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let mut payload = (MAX_RAW as u32 + 1).to_le_bytes().to_vec();
    payload.extend(lz4_flex::block::compress(&vec![0; MAX_RAW + 1]));
    assert!(matches!(
        decode_block(&frame(FIRST | LAST | LZ4, &payload)),
        Err(RecordError::Malformed(_))
    ));
}

#[test]
fn messages_read_back_in_their_class_and_are_no_claims() -> Result<(), RecordError> {
    let block = encode_message(b"hello")?;
    assert_eq!(block.len(), 512);
    assert_eq!(decode_message(&block)?, b"hello");
    assert!(decode_claim(&block).is_err());
    assert!(decode_message(&encode_claim(b"claim")).is_err());
    assert_eq!(encode_message(&[7; MAX_MESSAGE])?.len(), 64 * 1024);
    assert!(encode_message(&[7; MAX_MESSAGE + 1]).is_err());
    Ok(())
}

#[test]
fn claims_read_back_and_padding_is_checked() -> Result<(), RecordError> {
    let mut block = encode_claim(b"signed claim");
    assert_eq!(block.len(), 512);
    assert_eq!(decode_claim(&block)?, b"signed claim");
    assert!(decode_block(&block).is_err());
    block[511] = 1;
    assert!(decode_claim(&block).is_err());
    Ok(())
}
