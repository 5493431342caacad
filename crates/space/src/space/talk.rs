//! Words between people: to all members, or sealed to one.

use std::collections::BTreeMap;

use cobox_keys::identity::PublicKey;

use super::Space;
use crate::error::SpaceError;
use crate::log::types::{MAX_TEXT, Text};
use crate::log::{Content, Filter, Logged, Message};

/// A message in words, as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// names it in its space
    pub id: String,
    /// who wrote it, by the feed
    pub author: PublicKey,
    /// what they are called now
    pub name: String,
    /// the author's clock, Unix ms
    pub time_ms: u64,
    /// only the author and one other can read it
    pub private: bool,
    /// the words, and to whom if private
    pub text: Text,
    /// what that person is called now, if known
    pub to_name: Option<String>,
}

impl Space {
    /// Says something to all members, or to one whom we know: sealed to them and to us. Durable when
    /// it returns.
    ///
    /// # Errors
    ///
    /// `ReadOnly`, `EmptyText`, `TextTooLong`, or the store's.
    pub fn say(&self, text: &str, to: Option<PublicKey>) -> Result<Said, SpaceError> {
        if text.trim().is_empty() {
            return Err(SpaceError::EmptyText);
        }
        if text.len() > MAX_TEXT {
            return Err(SpaceError::TextTooLong(text.len(), MAX_TEXT));
        }
        let text = Text {
            text: text.to_owned(),
            to,
        };
        let logged = match &to {
            None => self.log.tell(&text)?,
            Some(reader) => self.log.tell_privately(reader, &text)?,
        };
        self.said_at(&logged)?.ok_or(SpaceError::Stopping)
    }

    /// What was said to all and to us, oldest first, in the same order on every peer. The type in
    /// `filter` says nothing.
    ///
    /// # Errors
    ///
    /// `View` or `Drive`.
    pub fn said(&self, filter: Filter) -> Result<Vec<Said>, SpaceError> {
        let names = self.names()?;
        let texts = Filter {
            kind: Some(Text::TYPE.to_owned()),
            ..filter
        };
        let messages = self.log.read(&texts)?;
        Ok(messages.iter().filter_map(|m| said(m, &names)).collect())
    }

    /// One of them, once its author's claim is accepted.
    pub(crate) fn said_at(&self, at: &Logged) -> Result<Option<Said>, SpaceError> {
        let Some(message) = self.log.message(at)? else {
            return Ok(None);
        };
        Ok(said(&message, &self.names()?))
    }
}

fn said(message: &Message, names: &BTreeMap<PublicKey, String>) -> Option<Said> {
    let Text { text, to } = message.read()?;
    let to = to.filter(|_| message.private);
    Some(Said {
        id: message.id(),
        author: message.author,
        name: names.get(&message.author).cloned().unwrap_or_default(),
        time_ms: message.time_ms,
        private: message.private,
        text: Text { text, to },
        to_name: to.and_then(|to| names.get(&to).cloned()),
    })
}
