//! Reading CBOR back: bounded, by the same rules as it is written, skipping optional unknown keys.

use super::check::{attrs_are_sound, content_is_sound, places_are_sound, splices_are_ordered};
use super::*;
use minicbor::data::Type;
use minicbor::decode::Decoder;

/// Keys from here on must be understood by whoever reads them.
const MUST_UNDERSTAND: u64 = 128;
const MAX_NESTING: usize = 8;

type Result<T> = std::result::Result<T, RecordError>;

/// Reads what [`Writer`] writes, and nothing looser than that in lengths and order of keys.
pub(crate) struct Reader<'a> {
    decoder: Decoder<'a>,
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self {
            decoder: Decoder::new(bytes),
            what,
        }
    }

    fn bad(&self) -> RecordError {
        RecordError::Malformed(self.what)
    }

    /// The bytes end here.
    pub(crate) fn end(&self) -> Result<()> {
        match self.decoder.position() == self.decoder.input().len() {
            true => Ok(()),
            false => Err(self.bad()),
        }
    }

    pub(crate) fn uint(&mut self) -> Result<u64> {
        self.decoder.u64().map_err(|_| self.bad())
    }

    /// Is the next item a number that is not negative?
    pub(crate) fn is_uint(&self) -> bool {
        matches!(
            self.decoder.datatype(),
            Ok(Type::U8 | Type::U16 | Type::U32 | Type::U64)
        )
    }

    fn small(&mut self) -> Result<u32> {
        self.decoder.u32().map_err(|_| self.bad())
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        self.decoder.i64().map_err(|_| self.bad())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        self.decoder.bytes().map_err(|_| self.bad())
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes()?.try_into().map_err(|_| self.bad())
    }

    fn length(&mut self, most: usize) -> Result<usize> {
        let length = self.decoder.array().map_err(|_| self.bad())?;
        let length = length.and_then(|length| usize::try_from(length).ok());
        length
            .filter(|length| *length <= most)
            .ok_or_else(|| self.bad())
    }

    pub(crate) fn exactly(&mut self, length: usize) -> Result<()> {
        match self.length(length)? == length {
            true => Ok(()),
            false => Err(self.bad()),
        }
    }

    /// An array of at most `most` items. Grows as items arrive, so a lying length allocates nothing.
    pub(crate) fn array<T>(
        &mut self,
        most: usize,
        mut each: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        for _ in 0..self.length(most)? {
            items.push(each(self)?);
        }
        Ok(items)
    }

    /// A map with strictly ascending keys. `field` reads a value and answers whether it knows the key.
    pub(crate) fn map(
        &mut self,
        mut field: impl FnMut(u64, &mut Self) -> Result<bool>,
    ) -> Result<()> {
        let count = self
            .decoder
            .map()
            .map_err(|_| self.bad())?
            .ok_or_else(|| self.bad())?;
        let mut above = None;
        for _ in 0..count {
            let key = self.uint()?;
            if above.is_some_and(|above| key <= above) {
                return Err(self.bad());
            }
            above = Some(key);
            if !field(key, self)? {
                self.unknown(key)?;
            }
        }
        Ok(())
    }

    fn unknown(&mut self, key: u64) -> Result<()> {
        match key >= MUST_UNDERSTAND {
            true => Err(RecordError::TooNew(key)),
            false => self.skip(MAX_NESTING),
        }
    }

    fn skip(&mut self, depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.bad())?;
        let items = match self.decoder.datatype().map_err(|_| self.bad())? {
            Type::Array => self.decoder.array().map_err(|_| self.bad())?,
            Type::Map => self
                .decoder
                .map()
                .map_err(|_| self.bad())?
                .and_then(|pairs| pairs.checked_mul(2)),
            Type::ArrayIndef
            | Type::MapIndef
            | Type::BytesIndef
            | Type::StringIndef
            | Type::Tag => None,
            _ => return self.decoder.skip().map_err(|_| self.bad()),
        };
        (0..items.ok_or_else(|| self.bad())?).try_for_each(|_| self.skip(depth))
    }

    fn node(&mut self) -> Result<NodeId> {
        self.fixed().map(NodeId)
    }

    fn dot(&mut self) -> Result<Dot> {
        self.exactly(2)?;
        Ok(Dot {
            writer: WriterTag(self.fixed()?),
            block: self.uint()?,
        })
    }

    fn dots(&mut self) -> Result<Vec<Dot>> {
        self.array(MAX_REPLACES, Self::dot)
    }

    pub(crate) fn run(&mut self) -> Result<Run> {
        let (mut writer, mut codec, mut stored) = (None, 0, None);
        let mut run = Run {
            writer: WriterTag([0; 8]),
            block: 0,
            offset: 0,
            length: 0,
            codec: Codec::Raw,
            hash: None,
        };
        self.map(|key, input| {
            match key {
                0 => writer = Some(WriterTag(input.fixed()?)),
                1 => run.block = input.uint()?,
                2 => run.offset = input.small()?,
                3 => run.length = input.uint()?,
                4 => codec = input.uint()?,
                5 => stored = Some(input.small()?),
                6 => run.hash = Some(input.fixed()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        run.writer = writer.ok_or_else(|| self.bad())?;
        run.codec = match (codec, stored) {
            (0, None) => Codec::Raw,
            (1, None) => Codec::Hole,
            (2, Some(stored)) => Codec::Lz4 { stored },
            (3.., _) => return Err(RecordError::TooNew(codec)),
            _ => return Err(self.bad()),
        };
        Ok(run)
    }

    fn splices(&mut self) -> Result<Vec<Splice>> {
        let splices = self.array(MAX_SPLICES, |input| {
            input.exactly(2)?;
            Ok(Splice {
                at: input.uint()?,
                run: input.run()?,
            })
        })?;
        match splices_are_ordered(&splices) {
            true => Ok(splices),
            false => Err(self.bad()),
        }
    }

    fn body(&mut self) -> Result<Body> {
        let fields = self.length(3)?;
        if fields == 0 {
            return Err(self.bad());
        }
        match (self.uint()?, fields) {
            (0, 1) => Ok(Body::None),
            (1, 2) => Ok(Body::Target(self.bytes()?.to_vec())),
            (2, 2) => Ok(Body::Runs(self.array(MAX_RUNS, Self::run)?)),
            (3, 3) => Ok(Body::Splices {
                base: self.dot()?,
                splices: self.splices()?,
            }),
            (4, 3) => Ok(Body::Table {
                table: self.run()?,
                splices: self.splices()?,
            }),
            (kind @ 5.., _) => Err(RecordError::TooNew(kind)),
            _ => Err(self.bad()),
        }
    }

    pub(crate) fn place(&mut self) -> Result<Write<Place>> {
        let (mut replaces, mut parent, mut name) = (Vec::new(), NodeId::ROOT, None);
        self.map(|key, input| {
            match key {
                0 => replaces = input.dots()?,
                1 => parent = input.node()?,
                2 => name = Some(input.bytes()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let name = name
            .and_then(|name| Name::new(name).ok())
            .ok_or_else(|| self.bad())?;
        Ok(Write {
            value: Place { parent, name },
            replaces,
        })
    }

    pub(crate) fn content(&mut self) -> Result<Write<Content>> {
        let (mut replaces, mut value) = (Vec::new(), Content::default());
        self.map(|key, input| {
            match key {
                0 => replaces = input.dots()?,
                1 => value.size = input.uint()?,
                2 => value.mtime.seconds = input.int()?,
                3 => value.mtime.nanos = input.small()?,
                4 => value.body = input.body()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        match content_is_sound(&value) {
            true => Ok(Write { value, replaces }),
            false => Err(self.bad()),
        }
    }

    pub(crate) fn attrs(&mut self) -> Result<Write<Attrs>> {
        let (mut replaces, mut value) = (Vec::new(), Attrs::default());
        self.map(|key, input| {
            match key {
                0 => replaces = input.dots()?,
                1 => value.mode = input.small()?,
                2 => {
                    value.xattrs = input.array(MAX_RECORD, |input| {
                        input.exactly(2)?;
                        Ok((input.bytes()?.to_vec(), input.bytes()?.to_vec()))
                    })?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        match attrs_are_sound(&value) {
            true => Ok(Write { value, replaces }),
            false => Err(self.bad()),
        }
    }

    pub(crate) fn life(&mut self) -> Result<Write<Life>> {
        let (mut replaces, mut value) = (Vec::new(), 0);
        self.map(|key, input| {
            match key {
                0 => replaces = input.dots()?,
                1 => value = input.uint()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        match value {
            0 => Ok(Write {
                value: Life::Alive,
                replaces,
            }),
            1 => Ok(Write {
                value: Life::Deleted,
                replaces,
            }),
            _ => Err(RecordError::TooNew(value)),
        }
    }

    pub(super) fn record(&mut self) -> Result<Record> {
        let mut node = None;
        let mut record = Record::new(NodeId::ROOT, Kind::File);
        self.map(|key, input| {
            match key {
                0 => node = Some(input.node()?),
                1 => record.place = Some(input.place()?),
                2 => record.content = Some(input.content()?),
                3 => record.attrs = Some(input.attrs()?),
                4 => record.life = Some(input.life()?),
                5 => record.succeeds = Some(input.node()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        record.node = node.ok_or_else(|| self.bad())?;
        // The fourth kind is a newer program's.
        record.kind = record.node.kind().ok_or(RecordError::TooNew(3))?;
        match places_are_sound(&record) {
            true => Ok(record),
            false => Err(self.bad()),
        }
    }

    pub(super) fn header(&mut self) -> Result<CommitHeader> {
        let mut header = CommitHeader::default();
        self.map(|key, input| {
            match key {
                0 => header.time_ms = input.uint()?,
                1 => header.content_length = input.uint()?,
                2 => header.filler = input.uint()?,
                3 => {
                    header.seen = input.array(MAX_SEEN, |input| {
                        input.exactly(3)?;
                        let writer = WriterTag(input.fixed()?);
                        Ok(Seen {
                            writer,
                            length: input.uint()?,
                            tree_hash: input.fixed()?,
                        })
                    })?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        match header.seen.is_sorted_by(|a, b| a.writer < b.writer) {
            true => Ok(header),
            false => Err(self.bad()),
        }
    }
}

/// Reads a table of runs; at most `most` of them.
pub fn decode_runs(bytes: &[u8], most: usize) -> Result<Vec<Run>> {
    let mut input = Reader::new(bytes, "table of runs");
    let runs = input.array(most, Reader::run)?;
    input.end()?;
    Ok(runs)
}
