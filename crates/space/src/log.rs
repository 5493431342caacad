//! A space's messages: one sealed log feed per writer, read in order as one list of typed messages. Unknown types are kept.
