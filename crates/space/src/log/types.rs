//! The message types that this program writes and understands. Others are kept and handed on raw.

mod annotation;
mod copy_gone;
mod drill;
mod earlier;
mod leave;
mod policy;
mod text;
mod value;

pub use annotation::{FileAnnotation, MAX_KEYS, is_key};
pub use copy_gone::CopyGone;
pub use drill::SpaceDrill;
pub use earlier::PeerEarlier;
pub use leave::SpaceLeave;
pub use policy::SpacePolicy;
pub use text::{MAX_TEXT, Text};
pub use value::{MAX_VALUE_DEPTH, Real, Value};

use cobox_keys::cbor::{self, Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::PublicKey;
use zeroize::Zeroizing;

const FORMAT: u64 = 1;
const MAX_NAME: usize = 255;
const MAX_RECEIPT: usize = 512;
/// Level of an invite, as in its code.
const READS: u64 = 0;
const MAX_CERTIFICATES: usize = 1024;
const MAX_CERTIFICATE: usize = 4096;

/// What a known type holds.
pub trait Content: Sized {
    /// The type, as written in messages.
    const TYPE: &'static str;

    /// Deterministic CBOR.
    fn encode(&self) -> Vec<u8>;

    /// What `encode` wrote.
    ///
    /// # Errors
    ///
    /// `Malformed`, or `TooNew`.
    fn decode(content: &[u8]) -> Result<Self, KeyError>;
}

/// What a message is about, for the types of which there are many about many things.
pub(super) fn subject(kind: &str, content: &[u8]) -> Option<Vec<u8>> {
    let annotation = (kind == FileAnnotation::TYPE).then(|| FileAnnotation::decode(content));
    Some(annotation?.ok()?.node.0.to_vec())
}

/// The author's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAbout {
    /// at most 255 bytes
    pub name: String,
}

/// The space's name: the newest one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceAbout {
    /// at most 255 bytes
    pub name: String,
}

/// The author invited somebody. The code itself is not in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceInvite {
    /// who was invited
    pub public_key: PublicKey,
    /// with the read key only
    pub reads_only: bool,
}

/// The author's device was equal and complete with another, or has its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSync {
    /// the other device
    pub device: PublicKey,
    /// Unix ms
    pub time_ms: u64,
    /// a replicator's receipt as it signed it, at most 512 bytes: nobody needs to believe the author
    pub receipt: Option<Vec<u8>>,
}

/// Certificates that the author has verified, so that one feed leads to all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// as sent
    pub certificates: Vec<Vec<u8>>,
}

/// The space's root, from its creator to themselves (private).
pub struct SpaceRootSeed(
    /// seed
    pub Zeroizing<[u8; 32]>,
);

impl Content for PeerAbout {
    const TYPE: &'static str = "peer/about";

    fn encode(&self) -> Vec<u8> {
        Record::new(FORMAT).text(1, &self.name).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let name = fields.text(1, MAX_NAME)?.to_owned();
        Ok(Self { name })
    }
}

impl Content for SpaceAbout {
    const TYPE: &'static str = "space/about";

    fn encode(&self) -> Vec<u8> {
        Record::new(FORMAT).text(1, &self.name).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let name = fields.text(1, MAX_NAME)?.to_owned();
        Ok(Self { name })
    }
}

impl Content for SpaceInvite {
    const TYPE: &'static str = "space/invite";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).bytes(1, &self.public_key.0);
        match self.reads_only {
            true => record.uint(2, READS).finish(),
            false => record.finish(),
        }
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        Ok(Self {
            public_key: PublicKey(fields.fixed(1)?),
            reads_only: fields.has(2) && fields.uint(2)? == READS,
        })
    }
}

impl Content for LastSync {
    const TYPE: &'static str = "space/last-sync";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT).bytes(1, &self.device.0);
        let record = record.uint(2, self.time_ms);
        match &self.receipt {
            Some(receipt) => record.bytes(3, receipt).finish(),
            None => record.finish(),
        }
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let receipt = fields.has(3).then(|| fields.bytes(3, MAX_RECEIPT));
        Ok(Self {
            device: PublicKey(fields.fixed(1)?),
            time_ms: fields.uint(2)?,
            receipt: receipt.transpose()?.map(<[u8]>::to_vec),
        })
    }
}

impl Certificates {
    /// As many messages as needed for certificates of any number.
    pub fn in_parts(certificates: &[Vec<u8>], max_bytes: usize) -> Vec<Self> {
        let mut parts: Vec<Vec<Vec<u8>>> = Vec::new();
        let mut size = usize::MAX;
        for certificate in certificates {
            let more = certificate.len() + 8;
            if size.saturating_add(more) > max_bytes {
                parts.push(Vec::new());
                size = 64;
            }
            size += more;
            if let Some(part) = parts.last_mut() {
                part.push(certificate.clone());
            }
        }
        let part = |certificates| Self { certificates };
        parts.into_iter().map(part).collect()
    }
}

impl Content for Certificates {
    const TYPE: &'static str = "space/certificates";

    fn encode(&self) -> Vec<u8> {
        let record = Record::new(FORMAT);
        let record = record.list(1, &self.certificates, |encoder, certificate| {
            encoder.bytes(certificate)?.ok()
        });
        record.finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let certificates = fields.list(1, MAX_CERTIFICATES, |decoder| {
            let certificate = decoder.bytes().ok()?;
            (certificate.len() <= MAX_CERTIFICATE).then(|| certificate.to_vec())
        })?;
        Ok(Self { certificates })
    }
}

impl Content for SpaceRootSeed {
    const TYPE: &'static str = "space/root";

    fn encode(&self) -> Vec<u8> {
        Record::new(FORMAT).bytes(1, &*self.0).finish()
    }

    fn decode(content: &[u8]) -> Result<Self, KeyError> {
        let fields = Fields::read(content, Self::TYPE, FORMAT)?;
        let seed = fields.value(1, cbor::fixed)?;
        Ok(Self(Zeroizing::new(seed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back<C: Content + PartialEq + std::fmt::Debug>(content: C) {
        assert_eq!(C::decode(&content.encode()), Ok(content));
    }

    #[test]
    fn every_type_comes_back_as_it_was() {
        let name = "Ann".to_owned();
        comes_back(PeerAbout { name: name.clone() });
        comes_back(SpaceAbout { name });
        let public_key = PublicKey([7; 32]);
        for reads_only in [false, true] {
            comes_back(SpaceInvite {
                public_key,
                reads_only,
            });
        }
        comes_back(SpaceLeave);
        comes_back(PeerEarlier { device: public_key });
        comes_back(CopyGone {
            device: public_key,
            until_ms: 9,
        });
        for receipt in [None, Some(vec![1; 200])] {
            comes_back(LastSync {
                device: public_key,
                time_ms: 5,
                receipt,
            });
        }
        comes_back(SpaceDrill {
            device: public_key,
            time_ms: 6,
            files: 7,
            bytes: 8,
            all: true,
        });
        comes_back(SpacePolicy {
            threshold: 2,
            tolerance_ms: 5,
        });
        comes_back(Certificates {
            certificates: vec![vec![1; 300], vec![2; 10]],
        });
        let root = SpaceRootSeed(Zeroizing::new([8; 32]));
        assert_eq!(*SpaceRootSeed::decode(&root.encode()).unwrap().0, [8; 32]);
    }

    #[test]
    fn many_certificates_are_spread_over_messages_that_fit() {
        let certificates: Vec<_> = (0..1000).map(|n| vec![n as u8; 250]).collect();
        let parts = Certificates::in_parts(&certificates, 10_000);
        assert!(parts.iter().all(|part| part.encode().len() <= 10_000));
        let all: Vec<_> = parts
            .into_iter()
            .flat_map(|part| part.certificates)
            .collect();
        assert_eq!(all, certificates);
        assert!(Certificates::in_parts(&[], 10_000).is_empty());
    }
}
