//! What is inside a space: names of any bytes, entries, versions, conflicts.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A name of any bytes: text where it is text, and the exact bytes where it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameBytes {
    /// readable form
    pub name: String,
    /// base64 of the exact bytes, only where `name` does not carry them
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_bytes: Option<String>,
}

impl NameBytes {
    /// From exact bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let name = String::from_utf8_lossy(bytes).into_owned();
        let name_bytes = (name.as_bytes() != bytes).then(|| BASE64.encode(bytes));
        Self { name, name_bytes }
    }

    /// The exact bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let exact = self
            .name_bytes
            .as_ref()
            .and_then(|text| BASE64.decode(text.as_bytes()).ok());
        exact.unwrap_or_else(|| self.name.clone().into_bytes())
    }
}

/// One entry of a folder.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EntryJson {
    /// its name
    #[serde(flatten)]
    pub name: NameBytes,
    /// `file`, `folder` or `symlink`
    pub kind: String,
    /// bytes
    pub size: u64,
    /// RFC 3339
    pub mtime: String,
    /// permission bits
    pub mode: u32,
    /// bytes of it that are on this machine; the others come when they are asked for
    pub held: u64,
    /// names the shown version
    pub version: Option<String>,
    /// a version or file that competes with the one shown under the plain name
    pub conflict: bool,
    /// target of a symlink
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<NameBytes>,
}

/// Answer of `GET /api/spaces/:space/drive`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ListingJson {
    /// what is at the path
    pub entry: EntryJson,
    /// its children, if it is a folder
    pub children: Vec<EntryJson>,
}

/// A move.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MoveJson {
    /// from this path
    pub from: NameBytes,
    /// to that path
    pub to: NameBytes,
}

/// One version of a file.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionJson {
    /// names it
    pub id: String,
    /// RFC 3339, by its author's clock
    pub time: String,
    /// name of the author
    pub author: String,
    /// author's public key
    #[serde(rename = "publicKey")]
    pub public_key: Option<String>,
    /// bytes, for a version of the content
    pub size: Option<u64>,
    /// what happened: `written`, `deleted`, `moved` or `changed`
    pub what: String,
    /// new name, where it was created or moved
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub name: Option<NameBytes>,
    /// it counts now
    pub current: bool,
}

/// Something that was deleted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrashedJson {
    /// where it was
    pub path: NameBytes,
    /// `file`, `folder` or `symlink`
    pub kind: String,
    /// bytes; 0 for a folder
    pub size: u64,
    /// the version that deleted it: restore it, and all is there again
    pub id: String,
    /// RFC 3339, by its author's clock
    pub time: String,
    /// who deleted it
    pub author: String,
    /// author's public key
    pub public_key: Option<String>,
}

/// What to bring back: a version or a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RestoreJson {
    /// a version's id; that of a deletion takes it back
    #[serde(default)]
    pub version: Option<String>,
    /// with a version: beside the file, under this path, where nothing is
    #[serde(default)]
    pub to: Option<NameBytes>,
    /// RFC 3339
    #[serde(default)]
    pub at: Option<String>,
}

/// How many things were brought back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct RestoredJson {
    /// files and folders
    pub restored: u64,
}

/// An open conflict.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConflictJson {
    /// where it is shown
    pub path: NameBytes,
    /// `content`, `place`, `attrs`, `life`, `name` or `loop`
    pub cause: String,
    /// the one shown first, then the others
    pub versions: Vec<VersionJson>,
}

/// Which version to keep.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeepJson {
    /// a version's id
    pub keep: String,
}

/// A file on this machine to put into a space: which one, so that nobody takes another for it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LocalFileJson {
    /// absolute path
    pub file: NameBytes,
    /// device number
    pub device: u64,
    /// inode number
    pub inode: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_of_any_bytes_survive_json(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let json = serde_json::to_string(&NameBytes::new(&bytes)).unwrap();
            let back: NameBytes = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.bytes(), bytes);
        }
    }

    #[test]
    fn plain_names_stay_plain() {
        let json = serde_json::to_string(&NameBytes::new("schön.txt".as_bytes())).unwrap();
        assert_eq!(json, r#"{"name":"schön.txt"}"#);
    }
}
