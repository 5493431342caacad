//! A ZIP file as a stream: written from the beginning to the end, never gone back in, of any length.
//!
//! Bytes are not compressed again (most of what people keep is already), but wrapped as deflate's stored blocks, whose end
//! every reader finds by itself. Format: PKWARE APPNOTE 6.3.10, with ZIP64 where sizes need it; RFC 1951.
//! Not its job: what goes in.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::{self, Read, Write};

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;
/// Sizes come behind the bytes (bit 3), names are UTF-8 (bit 11).
const SIZES_LATER: u16 = 1 << 3;
const IS_UTF8: u16 = 1 << 11;
const DEFLATE: u16 = 8;
/// Made by: Unix, so that permission bits and symlinks are understood; 4.5 knows ZIP64.
const MADE_BY: u16 = 3 << 8 | 45;
const NEEDS: u16 = 45;
/// Longest stored block.
const BLOCK: usize = 65_535;
const MAX32: u64 = u32::MAX as u64;

/// What an entry is, but for its bytes.
pub struct Header<'a> {
    /// path inside of the archive; a folder's ends with a slash
    pub name: &'a [u8],
    /// type and permission bits, as `stat` has them
    pub mode: u32,
    /// seconds since 1970
    pub mtime: i64,
    /// bytes, as far as known before
    pub size: u64,
}

/// An entry as the end of the archive lists it.
struct Listed {
    name: Vec<u8>,
    mode: u32,
    mtime: i64,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
}

/// Writes one archive. What breaks off leaves no whole archive: its end is missing.
pub struct Zip<W> {
    out: W,
    at: u64,
    listed: Vec<Listed>,
}

impl<W: Write> Zip<W> {
    /// Nothing in it yet.
    pub fn new(out: W) -> Self {
        Self {
            out,
            at: 0,
            listed: Vec::new(),
        }
    }

    /// Adds an entry with these bytes.
    pub fn add(&mut self, header: &Header<'_>, bytes: &mut dyn Read) -> io::Result<()> {
        let offset = self.at;
        // Room enough for what the blocks add.
        let is_large = header.size >= MAX32 / 2;
        self.local(header, is_large)?;
        let begin = self.at;
        let (crc, size) = self.blocks(bytes)?;
        let packed = self.at - begin;
        self.u32(DESCRIPTOR)?;
        self.u32(crc)?;
        for length in [packed, size] {
            match is_large {
                true => self.put(&length.to_le_bytes())?,
                false => self.u32(u32::try_from(length).map_err(io::Error::other)?)?,
            }
        }
        self.listed.push(Listed {
            name: header.name.to_vec(),
            mode: header.mode,
            mtime: header.mtime,
            crc,
            packed,
            size,
            offset,
        });
        Ok(())
    }

    fn local(&mut self, header: &Header<'_>, is_large: bool) -> io::Result<()> {
        let mut extra = times(header.mtime);
        if is_large {
            extra.extend(zip64(&[0, 0]));
        }
        let unknown = if is_large { u32::MAX } else { 0 };
        self.u32(LOCAL)?;
        self.u16(NEEDS)?;
        self.common(header.name, header.mtime, 0, [unknown, unknown])?;
        self.u16(length(header.name)?)?;
        self.u16(length(&extra)?)?;
        self.put(header.name)?;
        self.put(&extra)
    }

    /// Flags, method, time, checksum and sizes: the same in both headers.
    fn common(&mut self, name: &[u8], mtime: i64, crc: u32, sizes: [u32; 2]) -> io::Result<()> {
        let utf8 = std::str::from_utf8(name).map_or(0, |_| IS_UTF8);
        self.u16(SIZES_LATER | utf8)?;
        self.u16(DEFLATE)?;
        self.u32(dos_time(mtime))?;
        self.u32(crc)?;
        sizes.into_iter().try_for_each(|size| self.u32(size))
    }

    fn blocks(&mut self, bytes: &mut dyn Read) -> io::Result<(u32, u64)> {
        let (mut crc, mut size) = (crc32fast::Hasher::new(), 0);
        let mut block = vec![0; BLOCK];
        loop {
            let read = fill(bytes, &mut block)?;
            crc.update(&block[..read]);
            size += read as u64;
            let is_last = read < BLOCK;
            let length = u16::try_from(read).map_err(io::Error::other)?;
            self.put(&[u8::from(is_last)])?;
            self.u16(length)?;
            self.u16(!length)?;
            self.put(&block[..read])?;
            if is_last {
                return Ok((crc.finalize(), size));
            }
        }
    }

    /// Writes the list of what is in it: now it is whole.
    pub fn finish(mut self) -> io::Result<W> {
        let begin = self.at;
        for one in std::mem::take(&mut self.listed).into_iter().enumerate() {
            self.central(&one.1)?;
            self.listed.push(one.1);
        }
        let (count, size) = (self.listed.len() as u64, self.at - begin);
        let end = self.at;
        self.u32(END64)?;
        self.put(&44u64.to_le_bytes())?;
        self.u16(MADE_BY)?;
        self.u16(NEEDS)?;
        self.put(&[0; 8])?;
        for number in [count, count, size, begin] {
            self.put(&number.to_le_bytes())?;
        }
        self.u32(LOCATOR64)?;
        self.u32(0)?;
        self.put(&end.to_le_bytes())?;
        self.u32(1)?;
        self.u32(END)?;
        self.put(&[0; 4])?;
        let few = u16::try_from(count).unwrap_or(u16::MAX);
        self.u16(few)?;
        self.u16(few)?;
        self.u32(small(size))?;
        self.u32(small(begin))?;
        self.u16(0)?;
        Ok(self.out)
    }

    fn central(&mut self, one: &Listed) -> io::Result<()> {
        let numbers = [one.size, one.packed, one.offset];
        let large: Vec<u64> = numbers.into_iter().filter(|n| *n >= MAX32).collect();
        let mut extra = times(one.mtime);
        if !large.is_empty() {
            extra.extend(zip64(&large));
        }
        self.u32(CENTRAL)?;
        self.u16(MADE_BY)?;
        self.u16(NEEDS)?;
        let sizes = [small(one.packed), small(one.size)];
        self.common(&one.name, one.mtime, one.crc, sizes)?;
        self.u16(length(&one.name)?)?;
        self.u16(length(&extra)?)?;
        self.put(&[0; 6])?; // no comment, first disk, bytes
        let folder = u32::from(one.name.ends_with(b"/")) << 4;
        self.u32(one.mode << 16 | folder)?;
        self.u32(small(one.offset))?;
        self.put(&one.name)?;
        self.put(&extra)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn u16(&mut self, number: u16) -> io::Result<()> {
        self.put(&number.to_le_bytes())
    }

    fn u32(&mut self, number: u32) -> io::Result<()> {
        self.put(&number.to_le_bytes())
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(bytes: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match bytes.read(&mut buffer[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn length(bytes: &[u8]) -> io::Result<u16> {
    u16::try_from(bytes.len()).map_err(|_| io::Error::other("a path is too long for an archive"))
}

fn zip64(numbers: &[u64]) -> Vec<u8> {
    let mut field = [1u16, numbers.len() as u16 * 8]
        .map(u16::to_le_bytes)
        .concat();
    numbers
        .iter()
        .for_each(|number| field.extend(number.to_le_bytes()));
    field
}

/// The exact time (`UT`, as Info-ZIP defines it); nothing where it does not fit.
fn times(mtime: i64) -> Vec<u8> {
    let Ok(seconds) = i32::try_from(mtime) else {
        return Vec::new();
    };
    let head = [0x55, 0x54, 5, 0, 1];
    [&head[..], &seconds.to_le_bytes()].concat()
}

/// Local time in steps of two seconds since 1980, for readers that know nothing better.
fn dos_time(mtime: i64) -> u32 {
    let first = 1 << 21 | 1 << 16;
    let Ok(time) = Timestamp::from_second(mtime) else {
        return first;
    };
    let time = time.to_zoned(TimeZone::system());
    let part = |number: i8| number as u32;
    match u32::try_from(time.year() - 1980) {
        Ok(year) if year < 128 => {
            (year << 25)
                | (part(time.month()) << 21)
                | (part(time.day()) << 16)
                | (part(time.hour()) << 11)
                | (part(time.minute()) << 5)
                | (part(time.second()) / 2)
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn other_programs_read_it() {
        let mut zip = Zip::new(Vec::new());
        let large = vec![7; 200_000];
        let entries: [(&[u8], u32, &[u8]); 4] = [
            (b"box/", 0o040_755, b""),
            ("box/schön.txt".as_bytes(), 0o100_644, b"hello\n"),
            (b"box/empty", 0o100_600, b""),
            (b"box/large", 0o100_644, &large),
        ];
        for (name, mode, bytes) in entries {
            let header = Header {
                name,
                mode,
                mtime: 1_700_000_000,
                size: bytes.len() as u64,
            };
            zip.add(&header, &mut &*bytes).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.zip");
        std::fs::write(&file, zip.finish().unwrap()).unwrap();
        let script = "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print([(i.filename,i.file_size) for i in z.infolist()])";
        let Ok(told) = Command::new("python3")
            .args(["-c", script])
            .arg(&file)
            .output()
        else {
            return; // no other program here
        };
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert_eq!(
            told.trim(),
            "[('box/', 0), ('box/schön.txt', 6), ('box/empty', 0), ('box/large', 200000)]"
        );
    }
}
