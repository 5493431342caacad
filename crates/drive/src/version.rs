//! Who wrote what after seeing what: dots, clocks, Lamport times.

use cobox_feed::manifest::FeedKey;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// First 8 bytes of a writer's metadata feed key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterTag(pub [u8; 8]);

impl WriterTag {
    /// The tag of the writer whose metadata feed this is.
    pub fn of(feed: &FeedKey) -> Self {
        let mut tag = [0; 8];
        tag.copy_from_slice(&feed.0[..8]);
        Self(tag)
    }
}

/// 16 hex digits.
impl fmt::Display for WriterTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for WriterTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names a version: the commit that ends at block `block` of the writer's metadata feed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// who
    pub writer: WriterTag,
    /// block number of the commit's last block
    pub block: u64,
}

/// `<16 hex digits>-<block>`.
impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.writer, self.block)
    }
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text does not name a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a version is written as 16 hex digits, a dash and a number")]
pub struct BadDot;

impl FromStr for Dot {
    type Err = BadDot;

    fn from_str(text: &str) -> Result<Self, BadDot> {
        let (writer, block) = text.split_once('-').ok_or(BadDot)?;
        if writer.len() != 16 || !writer.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadDot);
        }
        let tag = u64::from_str_radix(writer, 16).map_err(|_| BadDot)?;
        if block.is_empty() || !block.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadDot);
        }
        let block = block.parse().map_err(|_| BadDot)?;
        Ok(Self {
            writer: WriterTag(tag.to_be_bytes()),
            block,
        })
    }
}

/// Vector clock: per writer how many metadata blocks are seen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Clock(pub BTreeMap<WriterTag, u64>);

impl Clock {
    /// Blocks seen of a writer.
    pub fn length(&self, writer: &WriterTag) -> u64 {
        self.0.get(writer).copied().unwrap_or(0)
    }

    /// Is the version within what this clock has seen? (`block < seen length`)
    pub fn covers(&self, dot: &Dot) -> bool {
        dot.block < self.length(&dot.writer)
    }

    /// Raises to at least `length`.
    pub fn raise(&mut self, writer: WriterTag, length: u64) {
        if length > 0 {
            let entry = self.0.entry(writer).or_insert(0);
            *entry = length.max(*entry);
        }
    }

    /// Least upper bound.
    pub fn join(&mut self, other: &Clock) {
        other
            .0
            .iter()
            .for_each(|(writer, length)| self.raise(*writer, *length));
    }

    /// Every entry of `other` is within this one.
    pub fn includes(&self, other: &Clock) -> bool {
        other
            .0
            .iter()
            .all(|(writer, length)| self.length(writer) >= *length)
    }
}

/// Order among heads: highest wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rank {
    /// 1 + largest seen
    pub lamport: u64,
    /// tie-break
    pub writer: WriterTag,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: WriterTag = WriterTag([0xab; 8]);
    const B: WriterTag = WriterTag([0x01; 8]);

    #[test]
    fn dots_read_back_from_their_text() {
        let dot = Dot {
            writer: A,
            block: 42,
        };
        assert_eq!(dot.to_string(), "abababababababab-42");
        assert_eq!(dot.to_string().parse(), Ok(dot));
        for bad in [
            "",
            "-",
            "ab-1",
            "abababababababab-",
            "abababababababab-+1",
            "+bababababababab-1",
        ] {
            assert_eq!(bad.parse::<Dot>(), Err(BadDot), "{bad}");
        }
    }

    #[test]
    fn clocks_cover_join_and_include() {
        let mut one = Clock::default();
        one.raise(A, 3);
        assert!(one.covers(&Dot {
            writer: A,
            block: 2
        }));
        assert!(!one.covers(&Dot {
            writer: A,
            block: 3
        }));
        assert!(!one.covers(&Dot {
            writer: B,
            block: 0
        }));
        let mut two = Clock::default();
        two.raise(B, 1);
        two.raise(A, 1);
        assert!(!one.includes(&two) && !two.includes(&one));
        let mut both = one.clone();
        both.join(&two);
        assert!(both.includes(&one) && both.includes(&two));
        assert_eq!(both.length(&A), 3);
    }

    #[test]
    fn rank_orders_by_time_then_writer() {
        let low = Rank {
            lamport: 1,
            writer: A,
        };
        let high = Rank {
            lamport: 2,
            writer: B,
        };
        assert!(
            low < high
                && Rank {
                    lamport: 1,
                    writer: B
                } < low
        );
    }
}
