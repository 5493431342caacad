//! What is printed on the paper key of this home: which keys, and which devices have a copy of what they open.

use cobox_keys::access::{Address, EncryptionKey};
use cobox_keys::identity::PublicKey;
use cobox_keys::invite::Grant;
use cobox_keys::paper::{Named, PaperKey, Seed};
use cobox_sheet::{Key, Sheet};
use cobox_space::health::State;
use cobox_space::shelf::{Shelf, SpaceError};
use cobox_space::space::Space;
use cobox_swarm::transport::Hint;
use jiff::Zoned;
use std::collections::BTreeMap;

/// Peers that a QR code names, and addresses of each: more would make it hard to scan.
const IN_CODE: usize = 2;
const ADDRESSES: usize = 3;
/// Devices that are listed for one space.
const LISTED: usize = 8;

/// The sheet.
pub fn of(shelf: &Shelf, roots: bool) -> Result<Sheet, SpaceError> {
    let person = shelf.name().ok_or(SpaceError::NoName)?;
    let devices = shelf.devices()?;
    let names = device_names(shelf)?;
    let spaces = shelf.spaces();
    let mut keys = vec![secret_key(shelf, &person, &spaces)];
    // People's spaces first, then those by which devices are commanded.
    let is_device = |address: Address| devices.iter().any(|one| one.space().address() == address);
    for commands in [false, true] {
        let of_kind = spaces
            .iter()
            .filter(|space| is_device(space.address()) == commands);
        for space in of_kind {
            if let Grant::Write(key) = space.grant() {
                keys.push(space_key(shelf, space, key, commands, &names)?);
            }
        }
    }
    for space in spaces.iter().filter(|_| roots) {
        if let Some(seed) = space.root_seed()? {
            keys.push(root_key(space, &Seed::from_bytes(&seed)));
        }
    }
    Ok(Sheet {
        person,
        public_key: shelf.public_key().to_string(),
        date: Zoned::now().strftime("%-d %B %Y").to_string(),
        keys,
    })
}

fn secret_key(shelf: &Shelf, person: &str, spaces: &[std::sync::Arc<Space>]) -> Key {
    let seed = Seed::from_bytes(shelf.identity().key_pair().expose_seed());
    let read_only = spaces
        .iter()
        .filter(|space| matches!(space.grant(), Grant::Read(_)));
    let read_only: Vec<_> = read_only.map(|space| space.name()).collect();
    let mut facts = Vec::new();
    if !read_only.is_empty() {
        let why = "Not on this paper, since you may only read them (ask a member for a new invite)";
        facts.push((why.to_owned(), read_only.join(", ")));
    }
    let about = format!("It makes a new computer {person}'s own. Type it first.");
    let named = by_itself(PaperKey::Person(seed), person.to_owned());
    key("Secret key", about, facts, &named)
}

fn space_key(
    shelf: &Shelf,
    space: &Space,
    opens: &EncryptionKey,
    commands: bool,
    names: &BTreeMap<PublicKey, String>,
) -> Result<Key, SpaceError> {
    let (name, address) = (space.name(), space.address());
    let holders = holders(shelf, space)?;
    let (title, about) = match commands {
        false => (
            format!("Space {name}"),
            "It opens this folder: whoever has these words can read it and write to it.",
        ),
        true => (
            format!("Device {name}"),
            "It lets you command this device again.",
        ),
    };
    let listed: Vec<String> = holders.iter().map(|holder| holder.line(names)).collect();
    let listed = match listed.is_empty() {
        true => {
            "none but the computer that printed this: let a device replicate it, and print again"
                .to_owned()
        }
        false => listed.join("\n"),
    };
    let facts = vec![
        (
            "Address (safe to give to a device that shall keep a copy)".to_owned(),
            address.to_string(),
        ),
        (
            "Devices that had a copy when this was printed, and where they were".to_owned(),
            listed,
        ),
    ];
    let shortened = holders.iter().take(IN_CODE).map(|holder| {
        let mut hint = holder.hint.clone();
        hint.addresses.truncate(ADDRESSES);
        hint.to_string()
    });
    let hints: Vec<String> = shortened.collect();
    let opens = PaperKey::Space {
        address,
        key: opens.clone(),
    };
    let named = Named {
        key: opens,
        name,
        hints,
        head: space.head(),
    };
    Ok(key(&title, about.to_owned(), facts, &named))
}

fn root_key(space: &Space, seed: &Seed) -> Key {
    let name = space.name();
    let about = "Only for the case that no admin of this space is left: it can name new ones. It opens nothing.";
    let facts = vec![("Address".to_owned(), space.address().to_string())];
    let root = PaperKey::Root(seed.clone());
    let title = format!("Root of {name}");
    key(&title, about.to_owned(), facts, &by_itself(root, name))
}

/// What no device is asked for.
fn by_itself(key: PaperKey, name: String) -> Named {
    Named {
        key,
        name,
        hints: Vec::new(),
        head: None,
    }
}

fn key(title: &str, about: String, facts: Vec<(String, String)>, named: &Named) -> Key {
    Key {
        title: title.to_owned(),
        about,
        facts,
        words: named.key.words().iter().collect(),
        code: named.code(),
    }
}

/// A device that has a copy.
pub struct Holder {
    /// where it is
    pub hint: Hint,
    /// a replicator; else a member's device
    pub replicator: bool,
    /// it has proven to have all
    complete: bool,
}

impl Holder {
    /// Names are in quotes, so that nobody's is taken for words of a key.
    fn line(&self, names: &BTreeMap<PublicKey, String>) -> String {
        let name = names.get(&self.hint.device);
        let name = name.map_or_else(|| "a device".to_owned(), |name| format!("\"{name}\""));
        let what = match (self.replicator, self.complete) {
            (true, true) => " (keeps all of it, unread)",
            (true, false) => " (keeps a part, unread)",
            (false, _) => " (a member's)",
        };
        let mut lines = vec![format!("{name}{what}")];
        // Each address by itself: a line that is broken would be another hint.
        let addresses = self.hint.addresses.iter().take(ADDRESSES);
        let each = addresses.map(|address| Hint {
            device: self.hint.device,
            addresses: vec![*address],
        });
        lines.extend(each.map(|hint| format!("  {hint}")));
        if lines.len() == 1 {
            lines.push(format!("  {}", self.hint));
        }
        lines.join("\n")
    }
}

/// Those with most first: complete replicators, then other replicators, then members' devices.
pub fn holders(shelf: &Shelf, space: &Space) -> Result<Vec<Holder>, SpaceError> {
    let me = shelf.device();
    let reached = shelf.swarm().hints(&space.address());
    let hint = |device: PublicKey| {
        let known = reached.iter().find(|hint| hint.device == device).cloned();
        known.unwrap_or(Hint {
            device,
            addresses: Vec::new(),
        })
    };
    let copies = space.health()?.copies.into_iter();
    let mut holders: Vec<Holder> = copies
        .map(|judged| Holder {
            hint: hint(judged.copy.device),
            replicator: true,
            complete: matches!(judged.state, State::Complete | State::Behind),
        })
        .collect();
    let members = space.members()?;
    let devices = members.iter().flat_map(|member| &member.devices);
    for device in devices.filter(|device| device.left.is_none()) {
        let is_known = holders
            .iter()
            .any(|holder| holder.hint.device == device.device);
        if device.device != me && !is_known {
            holders.push(Holder {
                hint: hint(device.device),
                replicator: false,
                complete: false,
            });
        }
    }
    holders.truncate(LISTED);
    Ok(holders)
}

/// What devices are called: a hub by its admin space, a member's by its claim.
pub fn device_names(shelf: &Shelf) -> Result<BTreeMap<PublicKey, String>, SpaceError> {
    let mut names = BTreeMap::new();
    for space in shelf.spaces() {
        for member in space.members()? {
            let devices = member.devices.iter();
            names.extend(devices.map(|device| (device.device, member.name.clone())));
        }
    }
    for device in shelf.devices()? {
        let space = device.space();
        let of_device = space
            .members()?
            .into_iter()
            .filter(|m| m.public_key == device.identity());
        let keys = of_device.flat_map(|member| member.devices);
        names.extend(keys.map(|one| (one.device, space.name())));
    }
    Ok(names)
}
