//! How a device is, as it tells its admins when they ask: `device/status`.

use cobox_keys::access::Address;
use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;

use super::types::CommandId;
use crate::log::Content;

const FORMAT: u64 = 1;
const MAX_VERSION: usize = 64;
const MAX_HINT: usize = 512;
const MAX_ROW: usize = 256;
/// Rows in one message; a device with more says it in several.
pub const MAX_ROWS: usize = 100;

/// How a device is. Several with the same id belong together: each has a part of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// the command that asked
    pub asked: CommandId,
    /// of its program
    pub version: String,
    /// seconds since its program was started
    pub uptime: u64,
    /// bytes that it keeps for others
    pub used: u64,
    /// bytes left on its disk, if it knows
    pub free: Option<u64>,
    /// how to reach it: key and addresses, text form
    pub hint: String,
    /// what it replicates, or a part of that
    pub rows: Vec<ReportRow>,
}

/// How far one space is. Blocks and bytes as the swarm counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// which
    pub address: Address,
    /// blocks known to exist
    pub known: u64,
    /// of those, held
    pub held: u64,
    /// bytes in the signed heads
    pub bytes_known: u64,
    /// of those, held
    pub bytes_held: u64,
    /// bytes on disk
    pub size: u64,
    /// when a peer of this space was last connected, Unix ms
    pub last_contact_ms: Option<u64>,
    /// something was left out because of the quota
    pub over_quota: bool,
}

impl ReportRow {
    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT)
            .bytes(1, &self.address.0)
            .uint(2, self.known)
            .uint(3, self.held)
            .uint(4, self.bytes_known)
            .uint(5, self.bytes_held)
            .uint(6, self.size);
        let record = match self.last_contact_ms {
            Some(time) => record.uint(7, time),
            None => record,
        };
        record.uint(8, u64::from(self.over_quota)).finish()
    }

    fn decode(row: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(row, Report::TYPE, FORMAT)?;
        Ok(Self {
            address: Address(fields.fixed(1)?),
            known: fields.uint(2)?,
            held: fields.uint(3)?,
            bytes_known: fields.uint(4)?,
            bytes_held: fields.uint(5)?,
            size: fields.uint(6)?,
            last_contact_ms: fields.has(7).then(|| fields.uint(7)).transpose()?,
            over_quota: fields.uint(8)? != 0,
        })
    }
}

impl Report {
    /// As many messages as needed.
    pub fn in_parts(mut self) -> Vec<Self> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return vec![self];
        }
        let part = |rows: &[ReportRow]| Self {
            rows: rows.to_vec(),
            ..self.clone()
        };
        rows.chunks(MAX_ROWS).map(part).collect()
    }
}

impl Content for Report {
    const TYPE: &'static str = "device/status";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT)
            .bytes(1, &self.asked.0)
            .text(2, &self.version)
            .uint(3, self.uptime)
            .uint(4, self.used);
        let record = match self.free {
            Some(free) => record.uint(5, free),
            None => record,
        };
        record
            .text(6, &self.hint)
            .list(7, &self.rows, |encoder, row| {
                encoder.bytes(&row.encode())?.ok()
            })
            .finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let rows = fields.list(7, MAX_ROWS, |decoder| {
            let row = decoder.bytes().ok()?;
            (row.len() <= MAX_ROW).then(|| row.to_vec())
        })?;
        Ok(Self {
            asked: CommandId(fields.fixed(1)?),
            version: fields.text(2, MAX_VERSION)?.to_owned(),
            uptime: fields.uint(3)?,
            used: fields.uint(4)?,
            free: fields.has(5).then(|| fields.uint(5)).transpose()?,
            hint: fields.text(6, MAX_HINT)?.to_owned(),
            rows: rows
                .iter()
                .map(|row| ReportRow::decode(row))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::MAX_CONTENT;

    fn row(n: usize) -> ReportRow {
        ReportRow {
            address: Address([n as u8; 32]),
            known: u64::MAX,
            held: u64::MAX,
            bytes_known: u64::MAX,
            bytes_held: u64::MAX,
            size: u64::MAX,
            last_contact_ms: n.is_multiple_of(2).then_some(u64::MAX),
            over_quota: n.is_multiple_of(3),
        }
    }

    #[test]
    fn a_device_with_many_spaces_tells_all_of_them_in_messages_that_fit() {
        let report = Report {
            asked: CommandId([1; 16]),
            version: "x".repeat(64),
            uptime: 5,
            used: 6,
            free: Some(7),
            hint: "h".repeat(512),
            rows: (0..250).map(row).collect(),
        };
        let parts = report.clone().in_parts();
        assert_eq!(parts.len(), 3);
        for part in &parts {
            let bytes = part.encode();
            assert!(bytes.len() <= MAX_CONTENT, "{}", bytes.len());
            assert_eq!(Report::decode(&bytes).as_ref(), Ok(part));
        }
        let rows: Vec<_> = parts.into_iter().flat_map(|part| part.rows).collect();
        assert_eq!(rows, report.rows);
        assert_eq!(Report::default().in_parts(), [Report::default()]);
    }
}
