//! The signature envelope: several signers' shares, and nodes that show how a longer signed tree begins.

use super::node::Node;
use super::proof::{NODE_SIZE, put_nodes, read_nodes};
use crate::codec::{DecodeError, Reader, Writer};

/// One signer's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Place in the manifest.
    pub signer: u64,
    /// Ed25519.
    pub signature: [u8; 64],
    /// How many blocks longer than the head the tree is that was signed.
    pub patch: u64,
}

/// What is stored and sent as the signature of a manifest feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Shares; the first `quorum` of them count.
    pub shares: Vec<Share>,
    /// Nodes of the longer trees.
    pub patch: Vec<Node>,
}

/// Least encoded size of a share: signer, signature, patch (or flags).
const SHARE_SIZE: usize = 66;

impl Envelope {
    /// Of shares that all signed the same tree.
    pub fn of(shares: Vec<Share>) -> Self {
        Self {
            shares,
            patch: Vec::new(),
        }
    }

    /// Bytes of an envelope for a manifest version. Version 0 lists per share which patch nodes it uses;
    /// the head's length is not known here, so version 0 shares with a patch cannot be written.
    pub fn encode(&self, version: u64) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(2 + SHARE_SIZE * self.shares.len() + NODE_SIZE * self.patch.len());
        out.put_uint(self.shares.len() as u64);
        for share in &self.shares {
            if version == 0 {
                out.put_uint(0);
            }
            out.put_uint(share.signer);
            out.extend_from_slice(&share.signature);
            if version != 0 {
                out.put_uint(share.patch);
            }
        }
        put_nodes(&mut out, &self.patch);
        out
    }

    /// Bounded decoding for a manifest version.
    pub fn decode(version: u64, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let read = if version == 0 {
            read_share_v0
        } else {
            read_share
        };
        let shares = (0..reader.count(SHARE_SIZE)?)
            .map(|_| read(&mut reader))
            .collect::<Result<_, _>>()?;
        let envelope = Self {
            shares,
            patch: read_nodes(&mut reader)?,
        };
        if reader.is_empty() {
            Ok(envelope)
        } else {
            Err(DecodeError("signature length"))
        }
    }
}

fn read_share(reader: &mut Reader<'_>) -> Result<Share, DecodeError> {
    Ok(Share {
        signer: reader.uint()?,
        signature: reader.fixed64()?,
        patch: reader.uint()?,
    })
}

fn read_share_v0(reader: &mut Reader<'_>) -> Result<Share, DecodeError> {
    let flags = reader.uint()?;
    let mut share = Share {
        signer: reader.uint()?,
        signature: reader.fixed64()?,
        patch: 0,
    };
    if flags & 1 != 0 {
        reader.uint()?; // start: always the head's length
        share.patch = reader.uint()?;
        for _ in 0..reader.count(1)? {
            reader.uint()?; // which patch nodes it uses: found by tree index instead
        }
    }
    Ok(share)
}
