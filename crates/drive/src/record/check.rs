//! What a record must be like, whoever wrote it: decoding refuses anything else, encoding too.

use super::*;

pub(super) fn splices_are_ordered(splices: &[Splice]) -> bool {
    let mut end = 0;
    splices.iter().all(|splice| {
        let free = splice.at >= end;
        splice
            .at
            .checked_add(splice.run.length)
            .is_some_and(|next| {
                end = next;
                free
            })
    })
}

/// What encoding insists on and decoding believes only after looking.
pub(super) fn content_is_sound(content: &Content) -> bool {
    let body = match &content.body {
        Body::None => true,
        Body::Target(target) => target.len() <= MAX_TARGET,
        Body::Runs(runs) => {
            let total = runs
                .iter()
                .try_fold(0u64, |sum, run| sum.checked_add(run.length));
            runs.len() <= MAX_RUNS && total == Some(content.size)
        }
        Body::Splices { splices, .. } | Body::Table { splices, .. } => {
            splices.len() <= MAX_SPLICES && splices_are_ordered(splices)
        }
    };
    body && content.mtime.nanos < 1_000_000_000
}

pub(super) fn attrs_are_sound(attrs: &Attrs) -> bool {
    attrs.mode <= 0o7777 && attrs.xattrs.is_sorted_by(|a, b| a.0 < b.0)
}

/// Only folders hold names, and the root is where it is.
pub(super) fn places_are_sound(record: &Record) -> bool {
    let parent = record.place.as_ref().map(|write| write.value.parent);
    let moved_root = record.node == NodeId::ROOT && (parent.is_some() || record.life.is_some());
    parent.is_none_or(|parent| parent.kind() == Some(Kind::Folder)) && !moved_root
}

/// Is this record one that decoding will accept?
pub(super) fn check_record(record: &Record) -> Result<(), RecordError> {
    if record.node.kind() != Some(record.kind) {
        return Err(RecordError::Malformed(
            "node id: it does not carry the kind",
        ));
    }
    if !places_are_sound(record) {
        return Err(RecordError::Malformed("place"));
    }
    let replaces = [
        record.place.as_ref().map(|write| write.replaces.len()),
        record.content.as_ref().map(|write| write.replaces.len()),
        record.attrs.as_ref().map(|write| write.replaces.len()),
        record.life.as_ref().map(|write| write.replaces.len()),
    ];
    if replaces
        .into_iter()
        .flatten()
        .any(|count| count > MAX_REPLACES)
    {
        return Err(RecordError::TooLarge("list of replaced versions"));
    }
    if record
        .content
        .as_ref()
        .is_some_and(|write| !content_is_sound(&write.value))
    {
        return Err(RecordError::Malformed("content"));
    }
    match record
        .attrs
        .as_ref()
        .is_some_and(|write| !attrs_are_sound(&write.value))
    {
        true => Err(RecordError::Malformed("attributes")),
        false => Ok(()),
    }
}
