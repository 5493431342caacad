//! Append-only segment files: records, checksums, torn tails told from rot.
