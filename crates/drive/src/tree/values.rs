//! Values of rows: the same CBOR as records, without key numbers, since rows can always be grown again.

use super::rows::damaged;
use super::sums::{Sum, SumRow};
use crate::merge::{Head, Node, Stamp};
use crate::record::{NodeId, Reader, RecordError, Write, Writer};
use crate::version::{Clock, Dot, WriterTag};
use cobox_keys::access::Address;
use cobox_keys::certificate::Claim;
use cobox_keys::identity::PublicKey;
use cobox_view::kv::ViewError;

impl Writer {
    fn stamp(&mut self, stamp: &Stamp) {
        self.list(4);
        self.bytes(&stamp.dot.writer.0);
        self.uint(stamp.dot.block);
        self.uint(stamp.lamport);
        self.uint(stamp.time_ms);
    }

    pub(super) fn clock(&mut self, clock: &Clock) {
        self.list(clock.0.len());
        for (writer, length) in &clock.0 {
            self.list(2);
            self.bytes(&writer.0);
            self.uint(*length);
        }
    }

    fn life_value(&mut self, life: &Option<Clock>) {
        match life {
            None => self.uint(0),
            Some(clock) => self.clock(clock),
        }
    }

    /// A value of a register, the way records hold it.
    pub(super) fn place_value(&mut self, value: &crate::record::Place) {
        self.place(&Write {
            value: value.clone(),
            replaces: Vec::new(),
        });
    }
}

impl Reader<'_> {
    fn stamp(&mut self) -> Result<Stamp, RecordError> {
        self.exactly(4)?;
        let dot = Dot {
            writer: WriterTag(self.fixed()?),
            block: self.uint()?,
        };
        Ok(Stamp {
            dot,
            lamport: self.uint()?,
            time_ms: self.uint()?,
        })
    }

    pub(super) fn clock(&mut self) -> Result<Clock, RecordError> {
        let entries = self.array(usize::MAX, |input| {
            input.exactly(2)?;
            Ok((WriterTag(input.fixed()?), input.uint()?))
        })?;
        Ok(Clock(entries.into_iter().collect()))
    }

    fn life_value(&mut self) -> Result<Option<Clock>, RecordError> {
        match self.is_uint() {
            true => self.uint().map(|_| None),
            false => self.clock().map(Some),
        }
    }
}

/// Stamps of a node row, each once; heads point at them by number.
struct Stamps(Vec<Stamp>);

impl Stamps {
    fn of(node: &Node) -> Self {
        let mut all: Vec<Stamp> = Vec::new();
        let mut add = |stamp: Stamp| {
            if !all.contains(&stamp) {
                all.push(stamp);
            }
        };
        node.place.iter().for_each(|head| add(head.stamp));
        node.content.iter().for_each(|head| add(head.stamp));
        node.attrs.iter().for_each(|head| add(head.stamp));
        node.life.iter().for_each(|head| add(head.stamp));
        Self(all)
    }

    fn write<T>(&self, out: &mut Writer, heads: &[Head<T>], value: impl Fn(&mut Writer, &T)) {
        out.array(heads, |out, head| {
            out.list(2);
            let number = self
                .0
                .iter()
                .position(|stamp| *stamp == head.stamp)
                .unwrap_or(0);
            out.uint(number as u64);
            value(out, &head.value);
        });
    }

    fn read<'a, T>(
        &self,
        input: &mut Reader<'a>,
        value: impl Fn(&mut Reader<'a>) -> Result<T, RecordError>,
    ) -> Result<Vec<Head<T>>, RecordError> {
        input.array(usize::MAX, |input| {
            input.exactly(2)?;
            let number = usize::try_from(input.uint()?).ok();
            let stamp = number.and_then(|number| self.0.get(number)).copied();
            let stamp = stamp.ok_or(RecordError::Malformed("row"))?;
            Ok(Head {
                stamp,
                value: value(input)?,
            })
        })
    }
}

fn bare<T: Clone>(value: &T) -> Write<T> {
    Write {
        value: value.clone(),
        replaces: Vec::new(),
    }
}

pub(super) fn encode_node(node: &Node) -> Vec<u8> {
    let stamps = Stamps::of(node);
    let mut out = Writer::default();
    out.list(6);
    out.array(&stamps.0, Writer::stamp);
    stamps.write(&mut out, &node.place, Writer::place_value);
    stamps.write(&mut out, &node.content, |out, value| {
        out.content(&bare(value))
    });
    stamps.write(&mut out, &node.attrs, |out, value| out.attrs(&bare(value)));
    stamps.write(&mut out, &node.life, Writer::life_value);
    out.uint(node.marked.into());
    out.0
}

pub(super) fn decode_node(bytes: &[u8]) -> Result<Node, ViewError> {
    let read = || {
        let mut input = Reader::new(bytes, "row");
        input.exactly(6)?;
        let stamps = Stamps(input.array(usize::MAX, Reader::stamp)?);
        Ok(Node {
            place: stamps.read(&mut input, |input| input.place().map(|write| write.value))?,
            content: stamps.read(&mut input, |input| input.content().map(|write| write.value))?,
            attrs: stamps.read(&mut input, |input| input.attrs().map(|write| write.value))?,
            life: stamps.read(&mut input, Reader::life_value)?,
            marked: input.uint()? != 0,
        })
    };
    read().map_err(damaged)
}

/// A replaced head, kept for history.
#[derive(Clone, Debug)]
pub(super) enum Former {
    Place(Head<crate::record::Place>),
    Content(Head<crate::record::Content>),
    Attrs(Head<crate::record::Attrs>),
    Life(Head<Option<Clock>>),
}

impl Former {
    pub(super) fn register(&self) -> u8 {
        match self {
            Self::Place(_) => 0,
            Self::Content(_) => 1,
            Self::Attrs(_) => 2,
            Self::Life(_) => 3,
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        match self {
            Self::Place(head) => head.stamp,
            Self::Content(head) => head.stamp,
            Self::Attrs(head) => head.stamp,
            Self::Life(head) => head.stamp,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.list(3);
        out.uint(self.register().into());
        out.stamp(&self.stamp());
        match self {
            Self::Place(head) => out.place_value(&head.value),
            Self::Content(head) => out.content(&bare(&head.value)),
            Self::Attrs(head) => out.attrs(&bare(&head.value)),
            // What a former deletion covered no longer matters.
            Self::Life(head) => out.uint(head.value.is_some().into()),
        }
        out.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let read = || {
            let mut input = Reader::new(bytes, "row");
            input.exactly(3)?;
            let register = input.uint()?;
            let stamp = input.stamp()?;
            Ok(match register {
                0 => Self::Place(Head {
                    stamp,
                    value: input.place()?.value,
                }),
                1 => Self::Content(Head {
                    stamp,
                    value: input.content()?.value,
                }),
                2 => Self::Attrs(Head {
                    stamp,
                    value: input.attrs()?.value,
                }),
                3 => Self::Life(Head {
                    stamp,
                    value: (input.uint()? != 0).then(Clock::default),
                }),
                _ => return Err(RecordError::Malformed("row")),
            })
        };
        read().map_err(damaged)
    }
}

/// How far a writer's commits are applied, and who he is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WriterRow {
    /// blocks up to the end of the last applied commit
    pub applied: u64,
    /// of the last applied commit
    pub lamport: u64,
    /// of the last applied commit, as its author's clock had it
    pub time_ms: u64,
    /// length of the content feed after the last applied commit
    pub content_length: u64,
    /// clock of the last applied commit
    pub clock: Clock,
    /// the accepted claim; none where commits are applied without feeds
    pub claim: Option<Claim>,
}

impl WriterRow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.list(6);
        [
            self.applied,
            self.lamport,
            self.time_ms,
            self.content_length,
        ]
        .into_iter()
        .for_each(|number| out.uint(number));
        out.clock(&self.clock);
        let claim: Vec<&Claim> = self.claim.iter().collect();
        out.array(&claim, |out, claim| {
            out.list(6);
            out.bytes(&claim.address.0);
            claim.feeds.iter().for_each(|feed| out.bytes(feed));
            out.bytes(&[claim.identity.0, claim.device.0].concat());
            out.bytes(claim.device_name.as_bytes());
        });
        out.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let read = || {
            let mut input = Reader::new(bytes, "row");
            input.exactly(6)?;
            Ok(Self {
                applied: input.uint()?,
                lamport: input.uint()?,
                time_ms: input.uint()?,
                content_length: input.uint()?,
                clock: input.clock()?,
                claim: input.array(1, read_claim)?.pop(),
            })
        };
        read().map_err(damaged)
    }

    /// The writer's device name, empty when unknown.
    pub(super) fn who(&self) -> &str {
        self.claim.as_ref().map_or("", |claim| &claim.device_name)
    }
}

fn read_claim(input: &mut Reader<'_>) -> Result<Claim, RecordError> {
    input.exactly(6)?;
    let address = Address(input.fixed()?);
    let feeds = [input.fixed()?, input.fixed()?, input.fixed()?];
    let keys: [u8; 64] = input.fixed()?;
    let (identity, device) = keys.split_at(32);
    let key = |bytes: &[u8]| {
        bytes
            .try_into()
            .map(PublicKey)
            .map_err(|_| RecordError::Malformed("row"))
    };
    let device_name = String::from_utf8_lossy(input.bytes()?).into_owned();
    Ok(Claim {
        address,
        feeds,
        identity: key(identity)?,
        device: key(device)?,
        device_name,
    })
}

/// Two numbers as a value.
pub(super) fn encode_pair(a: u64, b: u64) -> Vec<u8> {
    let mut out = Writer::default();
    out.uint(a);
    out.uint(b);
    out.0
}

pub(super) fn decode_pair(bytes: &[u8]) -> Result<(u64, u64), ViewError> {
    let mut input = Reader::new(bytes, "row");
    let mut read = || Ok((input.uint()?, input.uint()?));
    read().map_err(damaged)
}

pub(super) fn encode_sum(row: &SumRow) -> Vec<u8> {
    let mut out = Writer::default();
    for sum in [row.below, row.shown] {
        [sum.files, sum.folders, sum.bytes]
            .into_iter()
            .for_each(|number| out.uint(number));
    }
    out.bytes(row.counted_in.as_ref().map_or(&[][..], |id| &id.0));
    out.0
}

pub(super) fn decode_sum(bytes: &[u8]) -> Result<SumRow, ViewError> {
    let mut input = Reader::new(bytes, "row");
    let sum = |input: &mut Reader<'_>| {
        Ok(Sum {
            files: input.uint()?,
            folders: input.uint()?,
            bytes: input.uint()?,
        })
    };
    let mut read = || {
        let (below, shown) = (sum(&mut input)?, sum(&mut input)?);
        let counted_in = input.bytes()?.try_into().ok().map(NodeId);
        Ok(SumRow {
            below,
            shown,
            counted_in,
        })
    };
    read().map_err(damaged)
}
