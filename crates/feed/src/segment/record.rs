//! The header in front of every record.

use super::fields::{Fields, PutFields};

/// Bytes of a record header.
pub(crate) const RECORD_LEN: usize = 40;
/// First four bytes of a record; the next four are the start of the segment's salt.
const MAGIC: [u8; 4] = *b"CxRc";
/// Flag: last record of its commit.
const COMMIT_END: u8 = 1;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Blocks of one feed and tree nodes learnt with them.
    Blocks,
    /// A signed head.
    Head,
    /// A certificate, opaque.
    Certificate,
    /// Blocks the feed's owner no longer needs; kept, not acted upon yet.
    Clear,
    /// A sealed draft; empty drops it.
    Draft,
    /// Offsets of all records of a full segment.
    Footer,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Blocks => 1,
            Kind::Head => 2,
            Kind::Certificate => 3,
            Kind::Clear => 4,
            Kind::Draft => 5,
            Kind::Footer => 6,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [
            Kind::Blocks,
            Kind::Head,
            Kind::Certificate,
            Kind::Clear,
            Kind::Draft,
            Kind::Footer,
        ]
        .into_iter()
        .find(|kind| kind.byte() == byte)
    }
}

/// Header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    /// Counts records of the space without gaps.
    pub sequence: u64,
    /// Place within the commit, from 0: `sequence - index` names the commit, so that a record of a *later* commit, which
    /// proves that everything before it was synced, is told from a later record of the same one, which proves nothing.
    pub index: u32,
    /// What the body is.
    pub kind: Kind,
    /// Last record of its commit: the commit has `index + 1` records.
    pub commit_end: bool,
    /// Bytes of the body.
    pub body: u32,
    /// Leading bytes of the body that `checksum` covers; block bytes behind them have a checksum each.
    pub meta: u32,
    /// CRC-32 of those.
    pub checksum: u32,
}

impl RecordHeader {
    /// Sequence of the first record of this record's commit.
    pub(crate) fn commit(&self) -> u64 {
        self.sequence - u64::from(self.index)
    }

    /// Bytes of header and body.
    pub(crate) fn total(&self) -> u64 {
        RECORD_LEN as u64 + u64::from(self.body)
    }

    /// Appends the 40 bytes.
    pub(crate) fn encode(&self, salt: &[u8; 16], out: &mut Vec<u8>) {
        let start = out.len();
        out.put(&pattern(salt));
        out.put_u64(self.sequence);
        out.put_u32(self.index);
        out.put_u8(self.kind.byte());
        out.put_u8(if self.commit_end { COMMIT_END } else { 0 });
        out.put_u16(0);
        out.put_u32(self.body);
        out.put_u32(self.meta);
        out.put_u32(self.checksum);
        out.put_u32(checksum(salt, &out[start..]));
    }

    /// Decodes and checks against the segment's salt; `None` if it is not an intact record header of this segment.
    pub(crate) fn decode(salt: &[u8; 16], bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..RECORD_LEN)?;
        let mut fields = Fields(bytes);
        if fields.array::<8>()? != pattern(salt)
            || bytes[36..] != checksum(salt, &bytes[..36]).to_le_bytes()
        {
            return None;
        }
        let sequence = fields.u64()?;
        let index = fields.u32()?;
        let kind = Kind::of(fields.u8()?)?;
        let commit_end = fields.u8()? & COMMIT_END != 0;
        fields.u16()?;
        let (body, meta, checksum) = (fields.u32()?, fields.u32()?, fields.u32()?);
        (meta <= body && u64::from(index) <= sequence).then_some(Self {
            sequence,
            index,
            kind,
            commit_end,
            body,
            meta,
            checksum,
        })
    }
}

/// The eight bytes that every record of a segment begins with.
pub(crate) fn pattern(salt: &[u8; 16]) -> [u8; 8] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, salt[0], salt[1], salt[2], salt[3]]
}

/// The whole salt goes in, so that bytes of another segment never pass.
fn checksum(salt: &[u8; 16], header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(salt);
    hasher.update(header);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_and_every_flipped_bit_is_noticed() {
        let salt = *b"0123456789abcdef";
        let header = RecordHeader {
            sequence: 9,
            index: 2,
            kind: Kind::Draft,
            commit_end: true,
            body: 77,
            meta: 70,
            checksum: 5,
        };
        let mut bytes = Vec::new();
        header.encode(&salt, &mut bytes);
        assert_eq!(RecordHeader::decode(&salt, &bytes), Some(header));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&salt, &bad), None, "bit {bit}");
        }
        assert_eq!(RecordHeader::decode(b"0123another salt", &bytes), None);
    }
}
