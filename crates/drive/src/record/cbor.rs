//! Deterministic CBOR of headers, records and runs: definite lengths, ascending small integer keys,
//! defaults left out. Decoding is bounded, keeps to the same rules and skips optional unknown keys.

use super::*;
use minicbor::data::Type;
use minicbor::decode::Decoder;

/// Keys from here on must be understood by whoever reads them.
const MUST_UNDERSTAND: u64 = 128;
const MAX_NESTING: usize = 8;

/// Writes CBOR into memory; cannot fail.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        match value {
            0..=23 => self.0.push(major | value as u8),
            24..=0xff => self.0.extend([major | 24, value as u8]),
            0x100..=0xffff => {
                self.0.push(major | 25);
                self.0.extend((value as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 26);
                self.0.extend((value as u32).to_be_bytes());
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend(value.to_be_bytes());
            }
        }
    }

    pub(crate) fn uint(&mut self, value: u64) {
        self.head(0, value);
    }

    /// Begins an array whose items follow.
    pub(crate) fn list(&mut self, items: usize) {
        self.head(4, items as u64);
    }

    pub(crate) fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, !value as u64),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(2, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn array<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.head(4, items.len() as u64);
        items.iter().for_each(|item| each(self, item));
    }

    /// A map of the fields that `fill` writes, in the order of their keys.
    pub(crate) fn map(&mut self, fill: impl FnOnce(&mut Fields)) {
        let mut fields = Fields {
            count: 0,
            out: Writer::default(),
        };
        fill(&mut fields);
        self.head(5, fields.count);
        self.0.append(&mut fields.out.0);
    }

    fn dot(&mut self, dot: &Dot) {
        self.head(4, 2);
        self.bytes(&dot.writer.0);
        self.uint(dot.block);
    }

    fn dots(&mut self, dots: &[Dot]) {
        self.array(dots, Self::dot);
    }

    pub(crate) fn run(&mut self, run: &Run) {
        self.map(|fields| {
            fields.put(0, |out| out.bytes(&run.writer.0));
            fields.unless_zero(1, run.block);
            fields.unless_zero(2, run.offset.into());
            fields.unless_zero(3, run.length);
            match run.codec {
                Codec::Raw => {}
                Codec::Hole => fields.put(4, |out| out.uint(1)),
                Codec::Lz4 { stored } => {
                    fields.put(4, |out| out.uint(2));
                    fields.put(5, |out| out.uint(stored.into()));
                }
            }
            if let Some(hash) = &run.hash {
                fields.put(6, |out| out.bytes(hash));
            }
        });
    }

    fn splice(&mut self, splice: &Splice) {
        self.head(4, 2);
        self.uint(splice.at);
        self.run(&splice.run);
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::None => {
                self.head(4, 1);
                self.uint(0);
            }
            Body::Target(target) => {
                self.head(4, 2);
                self.uint(1);
                self.bytes(target);
            }
            Body::Runs(runs) => {
                self.head(4, 2);
                self.uint(2);
                self.array(runs, Self::run);
            }
            Body::Splices { base, splices } => {
                self.head(4, 3);
                self.uint(3);
                self.dot(base);
                self.array(splices, Self::splice);
            }
            Body::Table { table, splices } => {
                self.head(4, 3);
                self.uint(4);
                self.run(table);
                self.array(splices, Self::splice);
            }
        }
    }

    pub(crate) fn place(&mut self, write: &Write<Place>) {
        self.map(|fields| {
            fields.replaces(&write.replaces);
            if write.value.parent != NodeId::ROOT {
                fields.put(1, |out| out.bytes(&write.value.parent.0));
            }
            fields.put(2, |out| out.bytes(write.value.name.as_bytes()));
        });
    }

    pub(crate) fn content(&mut self, write: &Write<Content>) {
        let Content { size, mtime, body } = &write.value;
        self.map(|fields| {
            fields.replaces(&write.replaces);
            fields.unless_zero(1, *size);
            if mtime.seconds != 0 {
                fields.put(2, |out| out.int(mtime.seconds));
            }
            fields.unless_zero(3, mtime.nanos.into());
            if *body != Body::None {
                fields.put(4, |out| out.body(body));
            }
        });
    }

    pub(crate) fn attrs(&mut self, write: &Write<Attrs>) {
        self.map(|fields| {
            fields.replaces(&write.replaces);
            fields.unless_zero(1, write.value.mode.into());
            if !write.value.xattrs.is_empty() {
                fields.put(2, |out| {
                    out.array(&write.value.xattrs, |out, (name, value)| {
                        out.head(4, 2);
                        out.bytes(name);
                        out.bytes(value);
                    });
                });
            }
        });
    }

    pub(crate) fn life(&mut self, write: &Write<Life>) {
        self.map(|fields| {
            fields.replaces(&write.replaces);
            fields.unless_zero(1, (write.value == Life::Deleted).into());
        });
    }

    pub(super) fn record(&mut self, record: &Record) {
        self.map(|fields| {
            fields.put(0, |out| out.bytes(&record.node.0));
            fields.optional(1, &record.place, Self::place);
            fields.optional(2, &record.content, Self::content);
            fields.optional(3, &record.attrs, Self::attrs);
            fields.optional(4, &record.life, Self::life);
            fields.optional(5, &record.succeeds, |out, node| out.bytes(&node.0));
        });
    }

    pub(super) fn header(&mut self, header: &CommitHeader) {
        self.map(|fields| {
            fields.unless_zero(0, header.time_ms);
            fields.unless_zero(1, header.content_length);
            fields.unless_zero(2, header.filler);
            if !header.seen.is_empty() {
                fields.put(3, |out| {
                    out.array(&header.seen, |out, seen| {
                        out.head(4, 3);
                        out.bytes(&seen.writer.0);
                        out.uint(seen.length);
                        out.bytes(&seen.tree_hash);
                    });
                });
            }
        });
    }
}

/// Fields of a map under construction.
pub(crate) struct Fields {
    count: u64,
    out: Writer,
}

impl Fields {
    pub(crate) fn put(&mut self, key: u64, value: impl FnOnce(&mut Writer)) {
        self.count += 1;
        self.out.uint(key);
        value(&mut self.out);
    }

    pub(crate) fn unless_zero(&mut self, key: u64, value: u64) {
        if value != 0 {
            self.put(key, |out| out.uint(value));
        }
    }

    fn optional<T>(&mut self, key: u64, value: &Option<T>, write: impl FnOnce(&mut Writer, &T)) {
        if let Some(value) = value {
            self.put(key, |out| write(out, value));
        }
    }

    fn replaces(&mut self, dots: &[Dot]) {
        if !dots.is_empty() {
            self.put(0, |out| out.dots(dots));
        }
    }
}

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

fn splices_are_ordered(splices: &[Splice]) -> bool {
    let mut end = 0;
    splices.iter().all(|splice| {
        let free = splice.at >= end;
        splice
            .at
            .checked_add(splice.run.length)
            .is_some_and(|next| {
                end = next;
                free
            })
    })
}

/// What encoding insists on and decoding believes only after looking.
fn content_is_sound(content: &Content) -> bool {
    let body = match &content.body {
        Body::None => true,
        Body::Target(target) => target.len() <= MAX_TARGET,
        Body::Runs(runs) => {
            let total = runs
                .iter()
                .try_fold(0u64, |sum, run| sum.checked_add(run.length));
            runs.len() <= MAX_RUNS && total == Some(content.size)
        }
        Body::Splices { splices, .. } | Body::Table { splices, .. } => {
            splices.len() <= MAX_SPLICES && splices_are_ordered(splices)
        }
    };
    body && content.mtime.nanos < 1_000_000_000
}

fn attrs_are_sound(attrs: &Attrs) -> bool {
    attrs.mode <= 0o7777 && attrs.xattrs.is_sorted_by(|a, b| a.0 < b.0)
}

/// Only folders hold names, and the root is where it is.
fn places_are_sound(record: &Record) -> bool {
    let parent = record.place.as_ref().map(|write| write.value.parent);
    let moved_root = record.node == NodeId::ROOT && (parent.is_some() || record.life.is_some());
    parent.is_none_or(|parent| parent.kind() == Some(Kind::Folder)) && !moved_root
}

/// Is this record one that decoding will accept?
pub(super) fn check_record(record: &Record) -> Result<()> {
    if record.node.kind() != Some(record.kind) {
        return Err(RecordError::Malformed(
            "node id: it does not carry the kind",
        ));
    }
    if !places_are_sound(record) {
        return Err(RecordError::Malformed("place"));
    }
    let replaces = [
        record.place.as_ref().map(|write| write.replaces.len()),
        record.content.as_ref().map(|write| write.replaces.len()),
        record.attrs.as_ref().map(|write| write.replaces.len()),
        record.life.as_ref().map(|write| write.replaces.len()),
    ];
    if replaces
        .into_iter()
        .flatten()
        .any(|count| count > MAX_REPLACES)
    {
        return Err(RecordError::TooLarge("list of replaced versions"));
    }
    if record
        .content
        .as_ref()
        .is_some_and(|write| !content_is_sound(&write.value))
    {
        return Err(RecordError::Malformed("content"));
    }
    match record
        .attrs
        .as_ref()
        .is_some_and(|write| !attrs_are_sound(&write.value))
    {
        true => Err(RecordError::Malformed("attributes")),
        false => Ok(()),
    }
}

/// A table of runs as it is stored in the content feed.
pub fn encode_runs(runs: &[Run]) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(runs, Writer::run);
    out.0
}

/// Reads a table of runs; at most `most` of them.
pub fn decode_runs(bytes: &[u8], most: usize) -> Result<Vec<Run>> {
    let mut input = Reader::new(bytes, "table of runs");
    let runs = input.array(most, Reader::run)?;
    input.end()?;
    Ok(runs)
}
