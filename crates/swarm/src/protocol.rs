//! Replication of one space with one peer as a state machine: no sockets, no clock, no tasks.
