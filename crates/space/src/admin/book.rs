//! Reads an admin space's log into a book.

use std::collections::BTreeMap;

use cobox_drive::version::WriterTag;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;

use super::machine::{Book, Given, Ruled};
use super::types::{Answer, Command, CommandId, DeviceAbout};
use crate::error::SpaceError;
use crate::log::{Filter, Log, Message};

/// Who the device is, if this is an admin space: whoever the space's root signed.
pub(super) fn device_of(log: &Log, address: &Address) -> Result<Option<PublicKey>, SpaceError> {
    let about = log.newest(|about: &DeviceAbout| about.holds_at(address))?;
    Ok(about.map(|about| about.identity))
}

/// All commands, and what the device said.
///
/// # Errors
///
/// `View`.
pub fn read(log: &Log, device: &PublicKey) -> Result<Book, SpaceError> {
    let commands = log.read(&Filter::of::<Command>())?;
    let answers = Filter {
        author: Some(*device),
        ..Filter::of::<Answer>()
    };
    let answers = log.read(&answers)?;
    Ok(Book::new(commands.iter().filter_map(given), ruled(answers)))
}

fn given(message: &Message) -> Option<Given> {
    let command = message.read::<Command>().filter(|_| !message.private)?;
    Some(Given {
        id: CommandId::of(&message.author, message.time_ms, &message.content),
        author: message.author,
        time_ms: message.time_ms,
        command,
    })
}

/// In the order of the device's feed. A later life of the device has another feed, whose messages come after.
fn ruled(messages: Vec<Message>) -> Vec<Ruled> {
    let mut lives: BTreeMap<(u64, WriterTag), Vec<Message>> = BTreeMap::new();
    let mut begun = BTreeMap::new();
    for message in messages {
        let time = *begun.entry(message.writer).or_insert(message.time_ms);
        lives
            .entry((time, message.writer))
            .or_default()
            .push(message);
    }
    let in_order = lives.into_values().flat_map(|mut life| {
        life.sort_by_key(|message| message.block);
        life
    });
    let ruled = |message: Message| {
        let answer = message.read::<Answer>().filter(|_| !message.private)?;
        Some(Ruled {
            time_ms: message.time_ms,
            answer,
        })
    };
    in_order.filter_map(ruled).collect()
}
