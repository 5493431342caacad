#![no_main]
//! Requests: decode and answer; every answer is one that a peer with the same head accepts.

#[path = "../feed.rs"]
mod feed;

use cobox_feed::codec::Reader;
use cobox_feed::tree::{Request, prove, verify};
use feed::{BLOCKS, Feed};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FEED: LazyLock<Feed> = LazyLock::new(Feed::new);

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    let Ok(flags) = reader.uint() else { return };
    let Ok(request) = Request::decode(flags, &mut reader) else {
        return;
    };
    let load = |block: u64| Ok::<_, ()>(Some(BLOCKS[block as usize].into()));
    if let Ok(proof) = prove(
        &request,
        Some(&FEED.head),
        Some(&FEED.manifest),
        &FEED.nodes,
        load,
    ) {
        verify(&FEED.known(), proof).expect("an honest answer");
    }
});
