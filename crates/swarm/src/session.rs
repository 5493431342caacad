//! Runs one connection: hello, session proofs, the spaces both sides have, control and bulk streams, limits and time-outs.
