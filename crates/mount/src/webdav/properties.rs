//! Properties that clients keep with a file ("dead" ones): one extended attribute each, `user.dav.<hash>`, so that
//! they follow it through moves, copies and to other members.

use cobox_drive::drive::DriveError;
use cobox_drive::overlay::{FileId, Must, Overlay};
use dav_server::fs::DavProp;

const PREFIX: &[u8] = b"user.dav.";
/// Bytes of the hash: attribute names are short, and namespaces may be long.
const HASH: usize = 16;

/// All of a file's.
pub(super) fn all(overlay: &Overlay, id: FileId) -> Result<Vec<DavProp>, DriveError> {
    let kept = overlay.xattrs(id)?.into_iter();
    let ours = kept.filter(|(name, _)| name.starts_with(PREFIX));
    Ok(ours.filter_map(|(_, value)| decode(&value)).collect())
}

/// The XML of one.
pub(super) fn one(
    overlay: &Overlay,
    id: FileId,
    wanted: &DavProp,
) -> Result<Option<Vec<u8>>, DriveError> {
    let key = key(wanted);
    let mut kept = overlay.xattrs(id)?.into_iter();
    let found = kept.find(|(name, _)| *name == key);
    Ok(found.and_then(|(_, value)| decode(&value)?.xml))
}

/// Sets (true) or removes each, or none at all.
pub(super) fn change(
    overlay: &Overlay,
    id: FileId,
    patch: &[(bool, DavProp)],
) -> Result<(), DriveError> {
    let before = overlay.xattrs(id)?;
    for (done, (set, property)) in patch.iter().enumerate() {
        let value = set.then(|| encode(property));
        if let Err(error) = put(overlay, id, &key(property), value.as_deref()) {
            let undo = patch.iter().take(done).map(|(_, property)| key(property));
            undo.for_each(|key| put_back(overlay, id, &key, &before));
            return Err(error);
        }
    }
    Ok(())
}

fn put(overlay: &Overlay, id: FileId, key: &[u8], value: Option<&[u8]>) -> Result<(), DriveError> {
    match overlay.change_xattr(id, key, value, Must::Any) {
        // Removing what is not there is no failure in this protocol.
        Err(DriveError::NoXattr) => Ok(()),
        done => done,
    }
}

fn put_back(overlay: &Overlay, id: FileId, key: &[u8], before: &[(Vec<u8>, Vec<u8>)]) {
    let old = before.iter().find(|(name, _)| name == key);
    let old = old.map(|(_, value)| value.as_slice());
    if let Err(error) = put(overlay, id, key, old) {
        tracing::warn!("a property could not be put back: {error}");
    }
}

fn key(property: &DavProp) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(property.namespace.as_deref().unwrap_or_default().as_bytes());
    hasher.update(&[0]); // in no namespace and in no name
    hasher.update(property.name.as_bytes());
    let hash = hasher.finalize().to_hex();
    [PREFIX, &hash.as_bytes()[..2 * HASH]].concat()
}

/// Three lines (name, namespace, prefix), then the XML.
fn encode(property: &DavProp) -> Vec<u8> {
    let namespace = property.namespace.as_deref().unwrap_or_default();
    let prefix = property.prefix.as_deref().unwrap_or_default();
    let head = format!("{}\n{namespace}\n{prefix}\n", property.name);
    [head.as_bytes(), property.xml.as_deref().unwrap_or_default()].concat()
}

fn decode(value: &[u8]) -> Option<DavProp> {
    let mut parts = value.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8(parts.next()?.to_vec()).ok();
    let (name, namespace, prefix) = (line()?, line()?, line()?);
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Some(DavProp {
        name,
        namespace: some(namespace),
        prefix: some(prefix),
        xml: Some(parts.next()?.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_comes_back_as_it_was() {
        for namespace in [None, Some("http://example.org/ns?a=b".to_owned())] {
            let property = DavProp {
                name: "colour".into(),
                prefix: namespace.as_ref().map(|_| "x".into()),
                namespace,
                xml: Some(b"<x:colour xmlns:x='...'>\nblue\n\n</x:colour>".to_vec()),
            };
            let back = decode(&encode(&property)).unwrap();
            assert_eq!(format!("{back:?}"), format!("{property:?}"));
            assert_eq!(key(&back), key(&property));
        }
    }

    #[test]
    fn what_others_wrote_there_is_passed_over() {
        for value in [&b""[..], b"a", b"a\nb\nc", b"\xff\nb\nc\n"] {
            assert!(decode(value).is_none(), "{value:?}");
        }
    }

    #[test]
    fn names_of_two_namespaces_do_not_meet() {
        let property = |namespace: &str, name: &str| DavProp {
            name: name.into(),
            prefix: None,
            namespace: Some(namespace.into()),
            xml: None,
        };
        assert_ne!(key(&property("a", "bc")), key(&property("ab", "c")));
        assert!(key(&property("a", &"x".repeat(1000))).len() < 255);
    }
}
