#![no_main]
//! Data messages: decode, encode again, check against a feed that is held and one that is not known.

#[path = "../feed.rs"]
mod feed;

use cobox_feed::codec::Reader;
use cobox_feed::tree::{Known, UntrustedProof, verify};
use feed::{BLOCKS, Feed};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FEED: LazyLock<Feed> = LazyLock::new(Feed::new);

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    let Ok(flags) = reader.uint() else { return };
    let Ok(proof) = UntrustedProof::decode(flags, 0, &mut reader) else {
        return;
    };
    let mut again = Vec::new();
    proof.encode(&mut again);
    assert_eq!(
        UntrustedProof::decode(proof.flags(), 0, &mut Reader::new(&again)).as_ref(),
        Ok(&proof)
    );
    let known = FEED.known();
    for known in [
        Known {
            head: None,
            manifest: None,
            ..known
        },
        known,
    ] {
        let Ok(checked) = verify(&known, proof.clone()) else {
            continue;
        };
        for (index, block) in checked.blocks() {
            assert_eq!(BLOCKS[*index as usize].as_bytes(), block);
        }
    }
});
