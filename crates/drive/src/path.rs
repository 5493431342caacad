//! Names and paths inside a drive: byte strings, checked once, here.

/// Why a name or path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Empty name.
    #[error("a name must not be empty")] Empty,
    /// `.` or `..`.
    #[error("\".\" and \"..\" are not names")] Dots,
    /// `/` or NUL inside.
    #[error("a name must not contain a slash or a zero byte")] BadByte,
    /// Over 255 bytes.
    #[error("the name is {0} bytes long; at most 255 fit")] TooLong(usize),
    /// Deeper than 512 names or longer than 64 KiB in all.
    #[error("the path is too long")] TooDeep,
}
/// One name, kept exactly as given. Ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(Vec<u8>); // Debug/Display lossy with escapes
impl Name {
    /// The one validator.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> { unimplemented!() }
    /// Exact bytes.
    pub fn as_bytes(&self) -> &[u8] { &self.0 }
}
/// A clean path from the root of a drive; empty = the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct DrivePath(Vec<Name>); // Display with slashes, lossy
impl DrivePath {
    /// From `/a/b`, `a/b`, bytes; empty parts are skipped; `.`/`..` refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> { unimplemented!() }
    /// Names from the root down.
    pub fn names(&self) -> &[Name] { &self.0 }
    /// One level deeper.
    pub fn join(&self, name: Name) -> Self { unimplemented!() }
    /// Parent and last name; none for the root.
    pub fn split(&self) -> Option<(DrivePath, Name)> { unimplemented!() }
}
