//! hypercore's compact encoding: bounded, panic-free, allocation only after a length check.

/// Bytes that are not what they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct DecodeError(pub &'static str);

/// Reads compact-encoded values from a slice; never past its end.
pub struct Reader<'a> { pub(crate) rest: &'a [u8] }
impl<'a> Reader<'a> {
    /// Over the whole slice.
    pub fn new(bytes: &'a [u8]) -> Self { Self { rest: bytes } }
    /// Compact uint (1, 3, 5 or 9 bytes).
    pub fn uint(&mut self) -> Result<u64, DecodeError> { unimplemented!() }
    /// `n` raw bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], DecodeError> { unimplemented!() }
    /// 32 raw bytes.
    pub fn fixed32(&mut self) -> Result<[u8; 32], DecodeError> { unimplemented!() }
    /// Length-prefixed bytes.
    pub fn buffer(&mut self) -> Result<&'a [u8], DecodeError> { unimplemented!() }
    /// A count of items that take at least `min_item` bytes each, checked against the bytes left.
    pub fn count(&mut self, min_item: usize) -> Result<usize, DecodeError> { unimplemented!() }
    /// Everything left.
    pub fn rest(&mut self) -> &'a [u8] { unimplemented!() }
    /// Nothing left?
    pub fn is_empty(&self) -> bool { self.rest.is_empty() }
}
/// Writes compact-encoded values; the twin of [`Reader`].
pub trait Writer {
    /// Compact uint.
    fn put_uint(&mut self, value: u64);
    /// Length-prefixed bytes.
    fn put_buffer(&mut self, bytes: &[u8]);
}
impl Writer for Vec<u8> {
    fn put_uint(&mut self, value: u64) { unimplemented!() }
    fn put_buffer(&mut self, bytes: &[u8]) { unimplemented!() }
}
