//! The messages, their bytes, their limits.
