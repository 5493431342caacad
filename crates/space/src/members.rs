//! Who is here and what they are called: a view over claims and `peer/about` messages.

use cobox_keys::identity::PublicKey;

/// A person in a space.
#[derive(Clone, Debug)]
pub struct Member { /** who */ pub public_key: PublicKey, /** newest `peer/about` name, else the device name of the claim */ pub name: String, /** their devices (device key, name, writer tag hex) */ pub devices: Vec<(PublicKey, String, String)>, /** it is us */ pub me: bool, /** connected now with one of the devices */ pub online: bool, /** newest thing seen from them, Unix ms */ pub last_seen: Option<u64> }
