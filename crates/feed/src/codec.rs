//! hypercore's compact encoding: bounded, panic-free, allocation only after a length check.
//!
//! Not its job: knowing what the values mean. Messages and manifests are built on top of it.

use bytes::Bytes;

/// Bytes that are not what they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct DecodeError(pub &'static str);

/// Reads compact-encoded values from a slice; never past its end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// The buffer `rest` lies in, when slices of it may be handed out without copying.
    origin: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    /// Over the whole slice. [`Reader::shared_buffer`] copies.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            origin: None,
        }
    }

    /// Over the whole buffer. [`Reader::shared_buffer`] hands out slices that keep the buffer alive.
    pub fn shared(bytes: &'a Bytes) -> Self {
        Self {
            rest: bytes,
            origin: Some(bytes),
        }
    }

    /// Compact uint (1, 3, 5 or 9 bytes). Longer forms of small numbers are taken, as JavaScript takes them.
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        match self.byte()? {
            0xfd => self.little_endian(2),
            0xfe => self.little_endian(4),
            0xff => self.little_endian(8),
            small => Ok(small.into()),
        }
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError("number"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn little_endian(&mut self, width: usize) -> Result<u64, DecodeError> {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(self.bytes(width)?);
        Ok(u64::from_le_bytes(wide))
    }

    /// `n` raw bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(DecodeError("length"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError("length"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// 32 raw bytes.
    pub fn fixed32(&mut self) -> Result<[u8; 32], DecodeError> {
        self.array()
    }

    /// 64 raw bytes.
    pub fn fixed64(&mut self) -> Result<[u8; 64], DecodeError> {
        self.array()
    }

    /// Length-prefixed bytes.
    pub fn buffer(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = usize::try_from(self.uint()?).map_err(|_| DecodeError("length"))?;
        self.bytes(n)
    }

    /// Length-prefixed bytes to keep: a slice of the original buffer where there is one, else a copy.
    pub fn shared_buffer(&mut self) -> Result<Bytes, DecodeError> {
        let bytes = self.buffer()?;
        Ok(match self.origin {
            Some(origin) => origin.slice_ref(bytes),
            None => Bytes::copy_from_slice(bytes),
        })
    }

    /// A count of items that take at least `min_item` bytes each, checked against the bytes left.
    pub fn count(&mut self, min_item: usize) -> Result<usize, DecodeError> {
        let n = usize::try_from(self.uint()?).map_err(|_| DecodeError("count"))?;
        match n.checked_mul(min_item.max(1)) {
            Some(bytes) if bytes <= self.rest.len() => Ok(n),
            _ => Err(DecodeError("count")),
        }
    }

    /// Everything left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Everything left, without taking it.
    pub fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// Nothing left?
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Writes compact-encoded values; the twin of [`Reader`].
pub trait Writer {
    /// Compact uint.
    fn put_uint(&mut self, value: u64);
    /// Length-prefixed bytes.
    fn put_buffer(&mut self, bytes: &[u8]);
}

impl Writer for Vec<u8> {
    fn put_uint(&mut self, value: u64) {
        let bytes = value.to_le_bytes();
        match value {
            0..=0xfc => self.push(bytes[0]),
            0xfd..=0xffff => put_wide(self, 0xfd, &bytes[..2]),
            0x1_0000..=0xffff_ffff => put_wide(self, 0xfe, &bytes[..4]),
            _ => put_wide(self, 0xff, &bytes),
        }
    }

    fn put_buffer(&mut self, bytes: &[u8]) {
        self.put_uint(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

fn put_wide(out: &mut Vec<u8>, mark: u8, bytes: &[u8]) {
    out.push(mark);
    out.extend_from_slice(bytes);
}
