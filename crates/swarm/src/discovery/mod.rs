//! Who else is at this address: peers known from before, and peers and devices heard on the local network.
//!
//! Not its job: dialling them, or believing them (a session proves both sides).

pub mod beacon;
pub mod cache;
pub mod packet;
pub mod setup;
