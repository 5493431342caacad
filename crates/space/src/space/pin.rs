//! The head that an invite, a paper key or a file of keys names: a newcomer's only way to notice that whoever answers first serves
//! an older state.

use cobox_feed::manifest::FeedKey;
use cobox_feed::set::FeedSet;
use cobox_keys::invite::PinnedHead;

/// How what is held compares with the pinned head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    /// All that the inviter had is here.
    Reached,
    /// Not yet, in words.
    Behind(String),
}

/// Compares.
pub(crate) fn compare(pinned: &PinnedHead, set: &FeedSet) -> Pin {
    let feed = set.feed(&FeedKey(pinned.feed_key));
    let length = feed.as_ref().map_or(0, |feed| feed.length());
    if length < pinned.length {
        return Pin::Behind(format!(
            "what peers sent so far is older than the invite or paper key by which you are here ({length} of {} \
             commits of whoever made it): changes are missing until another peer is reached",
            pinned.length
        ));
    }
    match feed.and_then(|feed| feed.tree_hash_at(pinned.length)) {
        Some(hash) if hash == pinned.tree_hash => Pin::Reached,
        Some(_) => Pin::Behind(
            "what peers sent contradicts the invite or paper key by which you are here: ask another member"
                .to_owned(),
        ),
        None => Pin::Behind(
            "the history up to the invite or paper key by which you are here is not yet complete".to_owned(),
        ),
    }
}
