//! Rows by which a folder finds its children. Nodes that nothing short of a new record can show again
//! have none, so that a name that was deleted a thousand times is found as fast as any other.

use super::OPEN_NAME;
use super::batch::Batch;
use super::rows::*;
use crate::merge::Node;
use crate::record::{NodeId, Place};
use cobox_view::kv::ViewError;

/// The places under which a node has rows.
pub(super) fn listed(node: Option<&Node>) -> Vec<Place> {
    let shown = node.filter(|node| !node.is_gone());
    shown.map_or(Vec::new(), |node| {
        node.place.iter().map(|head| head.value.clone()).collect()
    })
}

/// Brings a node's rows up to date, given the places it had rows for before it changed.
pub(super) fn list_again(
    batch: &mut Batch<'_>,
    id: NodeId,
    before: &[Place],
) -> Result<(), ViewError> {
    let node = batch.node(id)?.cloned().unwrap_or_default();
    let after = listed(Some(&node));
    for place in before.iter().filter(|place| !after.contains(place)) {
        unlist(batch, id, place)?;
    }
    for place in after.iter().filter(|place| !before.contains(place)) {
        list(batch, id, place)?;
    }
    // History still looks for it here.
    for head in node
        .place
        .iter()
        .filter(|head| !after.contains(&head.value))
    {
        let key = child_key(&batch.hash_key, &head.value.parent, &head.value.name, &id);
        batch.rows.put(WAS, &key, &[])?;
    }
    Ok(())
}

fn list(batch: &mut Batch<'_>, id: NodeId, place: &Place) -> Result<(), ViewError> {
    let key = child_key(&batch.hash_key, &place.parent, &place.name, &id);
    batch.rows.put(CHILDREN, &key, place.name.as_bytes())?;
    // Two nodes under one name in one folder may be a conflict.
    if batch.rows.prefix(CHILDREN, &key[..32], 2)?.len() > 1 {
        batch.rows.put(OPEN, &open_name(&key), &[])?;
        batch.outcome.conflicts = true;
    }
    Ok(())
}

fn unlist(batch: &mut Batch<'_>, id: NodeId, place: &Place) -> Result<(), ViewError> {
    let key = child_key(&batch.hash_key, &place.parent, &place.name, &id);
    batch.rows.delete(CHILDREN, &key)?;
    batch.rows.put(WAS, &key, &[])?;
    let open = open_name(&key);
    if batch.rows.get(OPEN, &open)?.is_some()
        && batch.rows.prefix(CHILDREN, &key[..32], 2)?.len() < 2
    {
        batch.rows.delete(OPEN, &open)?;
        batch.outcome.conflicts = true;
    }
    Ok(())
}

fn open_name(child: &[u8; 48]) -> Vec<u8> {
    [&[OPEN_NAME][..], &child[..32]].concat()
}
