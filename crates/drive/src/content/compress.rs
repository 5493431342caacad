//! LZ4 blocks for small files: whole file in, one run out, and only where it is worth it.

use super::LARGE;
use crate::error::DriveError;

/// Compresses a file's bytes when that saves at least an eighth.
pub fn compress(data: &[u8]) -> Option<Vec<u8>> {
    // Below the smallest class there is nothing to save that a reader would notice.
    if data.len() < 128 || data.len() as u64 >= LARGE {
        return None;
    }
    let packed = lz4_flex::block::compress(data);
    (packed.len() <= data.len() - data.len() / 8).then_some(packed)
}

/// Decompresses to exactly `length` bytes; the length comes from a record and is bounded here.
pub fn decompress(packed: &[u8], length: u64) -> Result<Vec<u8>, DriveError> {
    let damaged = || DriveError::Damaged("compressed bytes".into());
    if length > LARGE {
        return Err(damaged());
    }
    let data = lz4_flex::block::decompress(packed, length as usize).map_err(|_| damaged())?;
    if data.len() as u64 == length {
        Ok(data)
    } else {
        Err(damaged())
    }
}
