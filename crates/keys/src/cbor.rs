//! Deterministic CBOR records: a map with small integer keys in ascending order, key 0 = format
//! number. Written by [`Record`], read by [`Fields`].
//!
//! Its job is the shape: definite lengths, shortest integers, no key twice, depth at most
//! [`MAX_DEPTH`], nothing behind the end. What the fields mean is said where they are used. Unknown
//! keys below [`MUST_UNDERSTAND`] are passed over; the bytes themselves are kept by who holds them.

use std::convert::Infallible;

use minicbor::{Decoder, Encoder, encode};
use zeroize::Zeroize;

use crate::error::KeyError;

/// Maps, arrays and tags within each other.
pub const MAX_DEPTH: usize = 8;
/// Fields a record may have.
pub const MAX_FIELDS: usize = 64;
/// A field with this key or a higher one must be understood by whoever acts on the record.
pub const MUST_UNDERSTAND: u64 = 128;

/// Writes one value; memory never fails.
pub type Written = Result<(), encode::Error<Infallible>>;

/// Writes a record, field by field in ascending order of keys.
pub struct Record {
    fields: Encoder<Vec<u8>>,
    count: u64,
    last_key: u64,
}

impl Record {
    /// Begins with field 0, the format number.
    pub fn new(format: u64) -> Self {
        Self::with_capacity(format, 0)
    }

    /// The same with room for so many bytes: a record with secrets in it must not have to move.
    pub fn with_capacity(format: u64, bytes: usize) -> Self {
        let record = Self {
            fields: Encoder::new(Vec::with_capacity(bytes)),
            count: 0,
            last_key: 0,
        };
        record.field(0, |encoder| encoder.u64(format)?.ok())
    }

    /// Any value. `key` must be above the last one.
    pub fn field(mut self, key: u64, value: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Self {
        debug_assert!(
            self.count == 0 || key > self.last_key,
            "fields are written in order"
        );
        let written = self
            .fields
            .u64(key)
            .map(|_| ())
            .and_then(|()| value(&mut self.fields));
        written.expect("memory takes every byte");
        self.last_key = key;
        self.count += 1;
        self
    }

    /// A whole number.
    pub fn uint(self, key: u64, value: u64) -> Self {
        self.field(key, |encoder| encoder.u64(value)?.ok())
    }

    /// A byte string.
    pub fn bytes(self, key: u64, value: &[u8]) -> Self {
        self.field(key, |encoder| encoder.bytes(value)?.ok())
    }

    /// A text string.
    pub fn text(self, key: u64, value: &str) -> Self {
        self.field(key, |encoder| encoder.str(value)?.ok())
    }

    /// An array, one call of `write` for each item.
    pub fn list<T>(
        self,
        key: u64,
        items: &[T],
        mut write: impl FnMut(&mut Encoder<Vec<u8>>, &T) -> Written,
    ) -> Self {
        self.field(key, |encoder| {
            encoder.array(items.len() as u64)?;
            items.iter().try_for_each(|item| write(encoder, item))
        })
    }

    /// The record's bytes.
    pub fn finish(self) -> Vec<u8> {
        let mut fields = self.fields.into_writer();
        let mut whole = Encoder::new(Vec::with_capacity(fields.len() + 9));
        whole.map(self.count).expect("memory takes every byte");
        let mut whole = whole.into_writer();
        whole.extend_from_slice(&fields);
        fields.zeroize();
        whole
    }
}

/// The fields of a record whose shape has been checked. Values are read when asked for.
pub struct Fields<'b> {
    what: &'static str,
    fields: Vec<(u64, &'b [u8])>,
}

impl<'b> Fields<'b> {
    /// Checks the shape of a whole record and takes it apart.
    ///
    /// # Errors
    ///
    /// `Malformed(what)`; `TooNew` if the format is above `newest_format` or a field must be
    /// understood (none is, yet).
    pub fn read(bytes: &'b [u8], what: &'static str, newest_format: u64) -> Result<Self, KeyError> {
        let fields = split_map(bytes).ok_or(KeyError::Malformed(what))?;
        let record = Self { what, fields };
        let format = record.format()?;
        let strange = record.fields.iter().any(|(key, _)| *key >= MUST_UNDERSTAND);
        if format > newest_format || strange {
            return Err(KeyError::TooNew { what, format });
        }
        Ok(record)
    }

    /// The format number; 0 is none.
    ///
    /// # Errors
    ///
    /// `Malformed`, as for every field that is missing or of another type.
    pub fn format(&self) -> Result<u64, KeyError> {
        match self.uint(0)? {
            0 => Err(KeyError::Malformed(self.what)),
            format => Ok(format),
        }
    }

    /// Whether an optional field is there.
    pub fn has(&self, key: u64) -> bool {
        self.fields.iter().any(|(present, _)| *present == key)
    }

    /// A whole number.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn uint(&self, key: u64) -> Result<u64, KeyError> {
        self.value(key, |decoder| decoder.u64().ok())
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn fixed<const N: usize>(&self, key: u64) -> Result<[u8; N], KeyError> {
        self.value(key, fixed)
    }

    /// A byte string of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn bytes(&self, key: u64, max: usize) -> Result<&'b [u8], KeyError> {
        self.value(key, |decoder| {
            decoder.bytes().ok().filter(|bytes| bytes.len() <= max)
        })
    }

    /// A text of at most `max` bytes of UTF-8.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn text(&self, key: u64, max: usize) -> Result<&'b str, KeyError> {
        self.value(key, |decoder| {
            decoder.str().ok().filter(|text| text.len() <= max)
        })
    }

    /// An array of at most `max` items.
    ///
    /// # Errors
    ///
    /// `Malformed`, also if `item` refuses one.
    pub fn list<T>(
        &self,
        key: u64,
        max: usize,
        mut item: impl FnMut(&mut Decoder<'b>) -> Option<T>,
    ) -> Result<Vec<T>, KeyError> {
        self.value(key, |decoder| {
            let count = decoder.array().ok()??;
            // Grows item by item: a stated count alone allocates nothing.
            (count <= max as u64).then(|| (0..count).map(|_| item(decoder)).collect())?
        })
    }

    /// A value of any other type; `read` must use up all of it.
    ///
    /// # Errors
    ///
    /// `Malformed`.
    pub fn value<T>(
        &self,
        key: u64,
        read: impl FnOnce(&mut Decoder<'b>) -> Option<T>,
    ) -> Result<T, KeyError> {
        let found = self.fields.iter().find(|(present, _)| *present == key);
        found
            .and_then(|(_, bytes)| {
                let mut decoder = Decoder::new(bytes);
                read(&mut decoder).filter(|_| decoder.position() == bytes.len())
            })
            .ok_or(KeyError::Malformed(self.what))
    }
}

/// A byte string of exactly `N` bytes, as an item of a list.
pub fn fixed<const N: usize>(decoder: &mut Decoder<'_>) -> Option<[u8; N]> {
    decoder.bytes().ok()?.try_into().ok()
}

/// True if `bytes` are one value in deterministic form and nothing else.
pub fn is_deterministic(bytes: &[u8]) -> bool {
    skip_value(bytes, 0, 0) == Some(bytes.len())
}

fn split_map(bytes: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    if !is_deterministic(bytes) {
        return None;
    }
    let (MAP, count, mut at) = head(bytes, 0)? else {
        return None;
    };
    if count > MAX_FIELDS as u64 {
        return None;
    }
    let mut fields = Vec::new();
    for _ in 0..count {
        let (UINT, key, value) = head(bytes, at)? else {
            return None;
        };
        at = skip_value(bytes, value, 1)?;
        fields.push((key, &bytes[value..at]));
    }
    Some(fields)
}

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// Where the value that begins at `at` ends; None if it is not deterministic, too deep or cut short.
fn skip_value(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    let (major, argument, next) = head(bytes, at)?;
    if matches!(major, ARRAY | MAP | TAG) && depth >= MAX_DEPTH {
        return None;
    }
    match major {
        BYTES | TEXT => {
            let end = next.checked_add(usize::try_from(argument).ok()?)?;
            (end <= bytes.len()).then_some(end)
        }
        ARRAY => (0..argument).try_fold(next, |at, _| skip_value(bytes, at, depth + 1)),
        MAP => skip_pairs(bytes, next, argument, depth + 1),
        TAG => skip_value(bytes, next, depth + 1),
        _ => Some(next),
    }
}

/// Keys ascend by their bytes (RFC 8949, 4.2.1), which for whole numbers is by value; so none is twice.
fn skip_pairs(bytes: &[u8], mut at: usize, count: u64, depth: usize) -> Option<usize> {
    let mut last: &[u8] = &[];
    for _ in 0..count {
        let value = skip_value(bytes, at, depth)?;
        let key = &bytes[at..value];
        if key <= last {
            return None;
        }
        last = key;
        at = skip_value(bytes, value, depth)?;
    }
    Some(at)
}

/// Major type, argument and place of what follows; only shortest and definite forms pass.
fn head(bytes: &[u8], at: usize) -> Option<(u8, u64, usize)> {
    let initial = *bytes.get(at)?;
    let (major, info) = (initial >> 5, initial & 31);
    let width = match info {
        0..24 => return Some((major, u64::from(info), at + 1)),
        24..28 => 1 << (info - 24),
        _ => return None,
    };
    let argument = bytes.get(at + 1..at + 1 + width)?;
    let argument = argument
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let shortest = match width {
        1 => argument >= if major == SIMPLE { 32 } else { 24 },
        _ if major == SIMPLE => true, // a float, not a number in short form
        2 => argument > 0xff,
        4 => argument > 0xffff,
        _ => argument > 0xffff_ffff,
    };
    shortest.then_some((major, argument, at + 1 + width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let record = Record::new(1).uint(2, 70_000).bytes(5, b"ab").text(6, "c");
        record
            .list(9, &[1u64, 2], |encoder, n| encoder.u64(*n)?.ok())
            .finish()
    }

    #[test]
    fn reads_what_it_wrote() {
        let bytes = sample();
        let fields = Fields::read(&bytes, "thing", 1).unwrap();
        assert_eq!(fields.uint(2), Ok(70_000));
        assert_eq!(fields.fixed(5), Ok(*b"ab"));
        assert_eq!(fields.text(6, 1), Ok("c"));
        assert_eq!(
            fields.list(9, 2, |decoder| decoder.u64().ok()),
            Ok(vec![1, 2])
        );
        assert!(!fields.has(7));
    }

    #[test]
    fn bounds_are_kept() {
        let bytes = sample();
        let fields = Fields::read(&bytes, "thing", 1).unwrap();
        let refused = KeyError::Malformed("thing");
        assert_eq!(fields.bytes(5, 1), Err(refused.clone()));
        assert_eq!(fields.text(6, 0), Err(refused.clone()));
        assert_eq!(
            fields.list(9, 1, |decoder| decoder.u64().ok()),
            Err(refused)
        );
    }

    #[test]
    fn newer_formats_and_fields_that_must_be_understood_are_told_apart_from_damage() {
        let too_new = |format| {
            Err(KeyError::TooNew {
                what: "thing",
                format,
            })
        };
        let read = |record: Record| Fields::read(&record.finish(), "thing", 1).map(|_| ());
        assert_eq!(read(Record::new(2)), too_new(2));
        assert_eq!(read(Record::new(1).uint(128, 0)), too_new(1));
        assert_eq!(read(Record::new(1).uint(127, 0)), Ok(()));
        assert_eq!(read(Record::new(0)), Err(KeyError::Malformed("thing")));
    }

    #[test]
    fn one_way_to_write_a_value() {
        let refused: [(&str, &[u8]); 9] = [
            ("two for one", &[0xa2, 0, 1, 0, 1]),
            ("descending keys", &[0xa2, 1, 1, 0, 1]),
            ("indefinite map", &[0xbf, 0, 1, 0xff]),
            ("indefinite bytes", &[0xa1, 0, 0x5f, 0x41, 0, 0xff]),
            ("long form of 1", &[0xa1, 0, 0x18, 1]),
            ("long form of a key", &[0xa2, 0, 1, 0x18, 1, 1]),
            ("bytes behind the end", &[0xa1, 0, 1, 0]),
            ("cut short", &[0xa1, 0, 0x42, 1]),
            (
                "a map that claims 2^64 - 1 pairs",
                &[0xbb, 255, 255, 255, 255, 255, 255, 255, 255],
            ),
        ];
        for (name, bytes) in refused {
            assert!(!is_deterministic(bytes), "{name}");
        }
    }

    #[test]
    fn eight_levels_and_no_more() {
        let nested = |levels| [vec![0x81; levels], vec![0]].concat();
        assert!(is_deterministic(&nested(MAX_DEPTH)));
        assert!(!is_deterministic(&nested(MAX_DEPTH + 1)));
        assert!(!is_deterministic(&nested(1_000_000)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(fields) = Fields::read(&bytes, "thing", 1) {
                for key in 0..24 {
                    let _ = (fields.uint(key), fields.text(key, 9), fields.fixed::<4>(key));
                    let _ = fields.list(key, 9, |decoder| decoder.u64().ok());
                }
            }
        }
    }
}
