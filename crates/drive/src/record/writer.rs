//! Writing deterministic CBOR: definite lengths, ascending small integer keys, defaults left out.

use super::*;

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

/// A table of runs as it is stored in the content feed.
pub fn encode_runs(runs: &[Run]) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(runs, Writer::run);
    out.0
}
