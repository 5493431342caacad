//! Names and paths inside a drive: byte strings, checked once, here.
//!
//! Not its job: folding case or Unicode forms, or escaping for other systems; surfaces that need
//! that do it themselves.

use std::fmt;

/// Longest name in bytes.
pub const MAX_NAME: usize = 255;
/// Most names in a path.
pub const MAX_DEPTH: usize = 512;
/// Longest path in bytes, slashes included.
pub const MAX_PATH: usize = 64 * 1024;

/// Why a name or path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Empty name.
    #[error("a name must not be empty")]
    Empty,
    /// `.` or `..`.
    #[error("\".\" and \"..\" are not names")]
    Dots,
    /// `/` or NUL inside.
    #[error("a name must not contain a slash or a zero byte")]
    BadByte,
    /// Over 255 bytes.
    #[error("the name is {0} bytes long; at most 255 fit")]
    TooLong(usize),
    /// Deeper than 512 names or longer than 64 KiB in all.
    #[error("the path is too long")]
    TooDeep,
}

/// One name, kept exactly as given. Ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The one validator.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        match bytes.as_slice() {
            [] => Err(PathError::Empty),
            b"." | b".." => Err(PathError::Dots),
            _ if bytes.len() > MAX_NAME => Err(PathError::TooLong(bytes.len())),
            _ if bytes.iter().any(|byte| matches!(byte, 0 | b'/')) => Err(PathError::BadByte),
            _ => Ok(Self(bytes)),
        }
    }

    /// A name put together from checked parts, or the root's, which is empty.
    pub(crate) fn known_good(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Exact bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Readable text: control characters and bytes that are not UTF-8 appear as `\xNN`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character.is_control() {
                    true => write!(f, "{}", character.escape_default())?,
                    false => write!(f, "{character}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A clean path from the root of a drive; empty = the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DrivePath(Vec<Name>);

impl DrivePath {
    /// From `/a/b`, `a/b`, bytes; empty parts are skipped; `.`/`..` refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.len() > MAX_PATH {
            return Err(PathError::TooDeep);
        }
        let parts = bytes
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty());
        let names = parts.map(Name::new).collect::<Result<Vec<_>, _>>()?;
        match names.len() > MAX_DEPTH {
            true => Err(PathError::TooDeep),
            false => Ok(Self(names)),
        }
    }

    /// A path of names known to be good, root downwards.
    pub fn from_names(names: Vec<Name>) -> Self {
        Self(names)
    }

    /// Names from the root down.
    pub fn names(&self) -> &[Name] {
        &self.0
    }

    /// One level deeper.
    pub fn join(&self, name: Name) -> Self {
        let mut names = self.0.clone();
        names.push(name);
        Self(names)
    }

    /// Parent and last name; none for the root.
    pub fn split(&self) -> Option<(DrivePath, Name)> {
        let (last, parents) = self.0.split_last()?;
        Some((Self(parents.to_vec()), last.clone()))
    }

    /// Is this the root?
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Exact bytes with slashes and no leading slash; the root is empty. `parse` reads them back.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .map(Name::as_bytes)
            .collect::<Vec<_>>()
            .join(&b'/')
    }
}

/// `/` for the root, else `/a/b`; lossy like [`Name`]'s.
impl fmt::Display for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

impl fmt::Debug for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bytes_with_few_rules() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        for good in [
            &b"..."[..],
            b"xt_MARK.h",
            b"\xff\xfe",
            "Ö".as_bytes(),
            &[b'a'; MAX_NAME],
        ] {
            assert_eq!(
                Name::new(good).map(|name| name.as_bytes().to_vec()),
                Ok(good.to_vec())
            );
        }
        assert_eq!(Name::new([b'a'; 256]), Err(PathError::TooLong(256)));
    }

    #[test]
    fn paths_skip_empty_parts_and_refuse_dots() -> Result<(), PathError> {
        let path = DrivePath::parse(b"//a/b c//d/")?;
        assert_eq!(path.to_string(), "/a/b c/d");
        assert_eq!(path, DrivePath::parse(&path.to_bytes())?);
        assert_eq!(
            path.split().map(|(parent, name)| parent.join(name)),
            Some(path)
        );
        assert_eq!(DrivePath::parse(b"/")?, DrivePath::default());
        assert_eq!(DrivePath::default().split(), None);
        assert_eq!(DrivePath::parse(b"a/../b"), Err(PathError::Dots));
        assert_eq!(
            DrivePath::parse(&b"a/".repeat(MAX_DEPTH + 1)),
            Err(PathError::TooDeep)
        );
        assert_eq!(
            DrivePath::parse(&vec![b'/'; MAX_PATH + 1]),
            Err(PathError::TooDeep)
        );
        Ok(())
    }

    #[test]
    fn odd_bytes_print_readably() -> Result<(), PathError> {
        assert_eq!(Name::new(*b"a\xffb\n")?.to_string(), "a\\xffb\\n");
        Ok(())
    }
}
