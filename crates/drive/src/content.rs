//! Files' bytes: packing into content blocks, runs, compression, de-duplication, reading ranges back.
