//! Who may sign a feed: hypercore manifests (versions 0 to 3), feed keys, key pairs and the signature envelope.
//!
//! Pure bytes. Not its job: trees. What a signature covers, and whether one is valid for a head, is in
//! [`crate::tree`].

use crate::codec::{DecodeError, Reader, Writer};
use blake2b_simd::Params;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use std::fmt;
use std::sync::LazyLock;

/// Newest manifest version there is.
const NEWEST_VERSION: u64 = 3;
/// A manifest longer than this is refused: 900 signers fit, and every peer of a feed has to keep it.
const MAX_ENCODED: usize = 64 << 10;
/// Encoded size of a signer.
const SIGNER_SIZE: usize = 65;

const ALLOW_PATCH: u64 = 1;
const PROLOGUE: u64 = 2;
const LINKED: u64 = 4;
const USER_DATA: u64 = 8;

/// What a signature over a tree begins with.
pub(crate) static TREE: LazyLock<[u8; 32]> = LazyLock::new(|| namespace(0));
static MANIFEST: LazyLock<[u8; 32]> = LazyLock::new(|| namespace(3));
static DEFAULT_NAMESPACE: LazyLock<[u8; 32]> = LazyLock::new(|| namespace(4));

/// The `id`-th name space of hypercore: BLAKE2b(BLAKE2b("hypercore") || id).
fn namespace(id: u8) -> [u8; 32] {
    blake2b(&[&blake2b(&[b"hypercore"]), &[id]])
}

/// BLAKE2b-256 of the parts put together.
pub(crate) fn blake2b(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Params::new().hash_length(32).to_state();
    for part in parts {
        state.update(part);
    }
    digest(&state)
}

/// The 32 bytes of a 256-bit state.
pub(crate) fn digest(state: &blake2b_simd::State) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(state.finalize().as_bytes());
    out
}

/// Name of a feed: the hash of its manifest (or, for a compat feed, the public key itself).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedKey(pub [u8; 32]);

impl FeedKey {
    /// What peers call the feed before they know that the other one knows its key: BLAKE2b("hypercore"; key).
    pub fn discovery_key(&self) -> [u8; 32] {
        let mut out = [0; 32];
        let hash = Params::new()
            .hash_length(32)
            .key(&self.0)
            .hash(b"hypercore");
        out.copy_from_slice(hash.as_bytes());
        out
    }
}

impl fmt::Display for FeedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FeedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeedKey({self})")
    }
}

/// The pair that signs one of our own feeds. Wipes itself.
pub struct FeedKeyPair(SigningKey);

impl FeedKeyPair {
    /// From a derived 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The half that may be shown.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Default manifest of this pair (version 1, quorum 1, one signer, default namespace).
    pub fn manifest(&self) -> Manifest {
        Manifest {
            version: 1,
            allow_patch: false,
            quorum: 1,
            signers: vec![Signer::new(self.public_key())],
            prologue: None,
            linked: None,
            user_data: None,
        }
    }

    /// Plain Ed25519.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for FeedKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeedKeyPair({})", FeedKey(self.public_key()))
    }
}

/// Ed25519 as libsodium checks it: canonical encodings, no small-order points.
pub(crate) fn verify_ed25519(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public_key).is_ok_and(|key| {
        key.verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    })
}

/// One of those whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// What a version 0 signature is bound to; versions 1 and later bind to the feed key instead.
    pub namespace: [u8; 32],
    /// Ed25519.
    pub public_key: [u8; 32],
}

impl Signer {
    /// With the default namespace.
    pub fn new(public_key: [u8; 32]) -> Self {
        Self {
            namespace: *DEFAULT_NAMESPACE,
            public_key,
        }
    }
}

/// A beginning of the feed that is fixed by the key and needs no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prologue {
    /// Tree hash at that length.
    pub hash: [u8; 32],
    /// Blocks.
    pub length: u64,
}

/// A decoded manifest; `encode` gives back the bytes that hash to the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// 0 to 3.
    pub version: u64,
    /// May a signer have signed a longer tree than the head?
    pub allow_patch: bool,
    /// Signatures needed; 0 = nothing beyond the prologue is ever valid.
    pub quorum: u64,
    /// Who may sign.
    pub signers: Vec<Signer>,
    /// Fixed beginning.
    pub prologue: Option<Prologue>,
    /// Keys of feeds that belong to this one (version 2 and later).
    pub linked: Option<Vec<[u8; 32]>>,
    /// Anything (version 2 and later); never empty.
    pub user_data: Option<Vec<u8>>,
}

impl Manifest {
    /// hypercore key: BLAKE2b(MANIFEST namespace || encoded manifest).
    pub fn key(&self) -> FeedKey {
        FeedKey(blake2b(&[&*MANIFEST, &self.encode()]))
    }

    /// Wire bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + SIGNER_SIZE * self.signers.len());
        out.put_uint(self.version);
        if self.version == 0 {
            self.encode_v0(&mut out)
        } else {
            self.encode_v1(&mut out)
        }
        out
    }

    fn encode_v0(&self, out: &mut Vec<u8>) {
        out.put_uint(0); // hash id: BLAKE2b
        match (&self.prologue, self.signers.as_slice()) {
            (Some(prologue), []) => {
                out.put_uint(0);
                out.extend_from_slice(&prologue.hash);
            }
            (_, [only]) if self.quorum == 1 && !self.allow_patch => {
                out.put_uint(1);
                put_signer(out, only);
            }
            (_, signers) => {
                out.put_uint(2);
                out.put_uint(u64::from(self.allow_patch));
                out.put_uint(self.quorum);
                put_signers(out, signers);
            }
        }
    }

    fn encode_v1(&self, out: &mut Vec<u8>) {
        out.put_uint(self.flags());
        out.put_uint(0); // hash id: BLAKE2b
        out.put_uint(self.quorum);
        put_signers(out, &self.signers);
        if let Some(prologue) = &self.prologue {
            out.extend_from_slice(&prologue.hash);
            out.put_uint(prologue.length);
        }
        if let Some(linked) = &self.linked {
            out.put_uint(linked.len() as u64);
            out.extend_from_slice(linked.as_flattened());
        }
        if let Some(user_data) = &self.user_data {
            out.put_buffer(user_data);
        }
    }

    fn flags(&self) -> u64 {
        let mut flags = 0;
        for (present, flag) in [
            (self.allow_patch, ALLOW_PATCH),
            (self.prologue.is_some(), PROLOGUE),
            (self.linked.is_some(), LINKED),
            (self.user_data.is_some(), USER_DATA),
        ] {
            flags |= if present { flag } else { 0 };
        }
        flags
    }

    /// Bounded decoding of a whole slice.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let manifest = Self::read(&mut reader)?;
        if reader.is_empty() {
            Ok(manifest)
        } else {
            Err(DecodeError("manifest length"))
        }
    }

    /// Bounded decoding from the middle of a message. Only the one encoding that gives the key back is
    /// taken, so that `encode` always returns the bytes that were read.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let from = reader.peek();
        let manifest = match reader.uint()? {
            0 => read_v0(reader)?,
            version @ 1..=NEWEST_VERSION => read_v1(version, reader)?,
            _ => return Err(DecodeError("manifest version")),
        };
        let used = &from[..from.len() - reader.peek().len()];
        if used.len() > MAX_ENCODED || manifest.encode() != used {
            return Err(DecodeError("manifest encoding"));
        }
        manifest.validate()?;
        Ok(manifest)
    }

    fn validate(&self) -> Result<(), DecodeError> {
        if self.quorum > self.signers.len() as u64 {
            return Err(DecodeError("manifest quorum"));
        }
        let newer_fields = self.linked.is_some() || self.user_data.is_some();
        if newer_fields && self.version < 2 || self.user_data.as_ref().is_some_and(Vec::is_empty) {
            return Err(DecodeError("manifest field"));
        }
        Ok(())
    }
}

fn read_v0(reader: &mut Reader<'_>) -> Result<Manifest, DecodeError> {
    read_zero(reader, "manifest hash")?;
    let mut manifest = Manifest {
        version: 0,
        allow_patch: false,
        quorum: 0,
        signers: Vec::new(),
        prologue: None,
        linked: None,
        user_data: None,
    };
    match reader.uint()? {
        0 => {
            manifest.prologue = Some(Prologue {
                hash: reader.fixed32()?,
                length: 0,
            })
        }
        1 => {
            manifest.quorum = 1;
            manifest.signers.push(read_signer(reader)?);
        }
        2 => {
            manifest.allow_patch = reader.uint()? & 1 != 0;
            manifest.quorum = reader.uint()?;
            manifest.signers = read_signers(reader)?;
        }
        _ => return Err(DecodeError("manifest type")),
    }
    Ok(manifest)
}

fn read_v1(version: u64, reader: &mut Reader<'_>) -> Result<Manifest, DecodeError> {
    let flags = reader.uint()?;
    read_zero(reader, "manifest hash")?;
    let quorum = reader.uint()?;
    let signers = read_signers(reader)?;
    let has = |flag| flags & flag != 0;
    Ok(Manifest {
        version,
        allow_patch: has(ALLOW_PATCH),
        quorum,
        signers,
        prologue: if has(PROLOGUE) {
            Some(read_prologue(reader)?)
        } else {
            None
        },
        linked: if has(LINKED) {
            Some(read_linked(reader)?)
        } else {
            None
        },
        user_data: if has(USER_DATA) {
            Some(reader.buffer()?.to_vec())
        } else {
            None
        },
    })
}

fn read_zero(reader: &mut Reader<'_>, what: &'static str) -> Result<(), DecodeError> {
    if reader.uint()? == 0 {
        Ok(())
    } else {
        Err(DecodeError(what))
    }
}

fn read_signers(reader: &mut Reader<'_>) -> Result<Vec<Signer>, DecodeError> {
    (0..reader.count(SIGNER_SIZE)?)
        .map(|_| read_signer(reader))
        .collect()
}

fn read_signer(reader: &mut Reader<'_>) -> Result<Signer, DecodeError> {
    read_zero(reader, "signature kind")?;
    Ok(Signer {
        namespace: reader.fixed32()?,
        public_key: reader.fixed32()?,
    })
}

fn read_prologue(reader: &mut Reader<'_>) -> Result<Prologue, DecodeError> {
    Ok(Prologue {
        hash: reader.fixed32()?,
        length: reader.uint()?,
    })
}

fn read_linked(reader: &mut Reader<'_>) -> Result<Vec<[u8; 32]>, DecodeError> {
    (0..reader.count(32)?).map(|_| reader.fixed32()).collect()
}

fn put_signers(out: &mut Vec<u8>, signers: &[Signer]) {
    out.put_uint(signers.len() as u64);
    for signer in signers {
        put_signer(out, signer);
    }
}

fn put_signer(out: &mut Vec<u8>, signer: &Signer) {
    out.put_uint(0); // signature kind: Ed25519
    out.extend_from_slice(&signer.namespace);
    out.extend_from_slice(&signer.public_key);
}
