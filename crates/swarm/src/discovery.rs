//! Who else is at this address: known peers (hints, a cache) and the LAN beacon.
