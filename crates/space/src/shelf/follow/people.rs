//! What people say and do, told upward: messages in words, who is here, who left.

use std::sync::Arc;

use cobox_drive::version::WriterTag;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;

use super::super::event::ShelfEvent;
use super::super::inner::{Inner, lock};
use super::super::start::blocking;
use super::Ears;
use crate::error::SpaceError;
use crate::log::types::{FileAnnotation, SpaceLeave, Text};
use crate::log::{Content, Logged};
use crate::members::{Member, Standing};
use crate::space::Space;

/// Messages that wait for the claim of their author; what is beyond is found by asking.
const MAX_UNCLAIMED: usize = 1024;

impl Ears {
    /// Tells one message of a person, or keeps it until its author is known.
    pub(super) async fn tell_said(&self, logged: Logged) -> Option<()> {
        let (address, inner) = (self.address, self.inner.upgrade()?);
        let unclaimed = Arc::clone(&self.unclaimed);
        let say = move |space: &Space| {
            if space.log().author(&logged.feed)?.is_none() {
                let mut unclaimed = lock(&unclaimed);
                if unclaimed.len() < MAX_UNCLAIMED {
                    unclaimed.push(logged);
                }
                return Ok(());
            }
            inner.tell_one(address, space, &logged)
        };
        self.with_space(say).await
    }

    /// A writer's claim is accepted: what they said before counts from now on, and they may be here.
    pub(super) async fn tell_claimed(&self, writer: WriterTag) -> Option<()> {
        let (address, inner) = (self.address, self.inner.upgrade()?);
        let waiting: Vec<_> = lock(&self.unclaimed).drain(..).collect();
        let say = move |space: &Space| {
            inner.tell_earlier(space)?;
            let has = |member: &Member| member.devices.iter().any(|device| device.writer == writer);
            if let Some(member) = space.members()?.into_iter().find(has)
                && member.online
            {
                inner.say(ShelfEvent::Presence { address, member });
            }
            Ok(())
        };
        self.with_space(say).await?;
        for logged in waiting {
            self.tell_said(logged).await?;
        }
        Some(())
    }
}

impl Inner {
    /// Tells it, if its author's claim is accepted.
    fn tell_one(&self, address: Address, space: &Space, logged: &Logged) -> Result<(), SpaceError> {
        let event = match logged.kind.as_str() {
            Text::TYPE => {
                let said = space.said_at(logged)?;
                said.map(|said| ShelfEvent::Said { address, said })
            }
            FileAnnotation::TYPE => {
                let noted = space.noted_at(logged)?;
                noted.map(|noted| ShelfEvent::Noted { address, noted })
            }
            SpaceLeave::TYPE => {
                let member = left(space, logged)?;
                member.map(|member| ShelfEvent::Left { address, member })
            }
            _ => None,
        };
        event.into_iter().for_each(|event| self.say(event));
        Ok(())
    }

    /// A device came or went: if it is a member's, say who is here or is not.
    pub(super) async fn tell_presence(self: &Arc<Self>, address: Address, device: PublicKey) {
        let Some(space) = self.heard(&address) else {
            return;
        };
        let inner = Arc::clone(self);
        let told = blocking(move || {
            if let Some(member) = space.person_of(&device)? {
                inner.say(ShelfEvent::Presence { address, member });
            }
            Ok(())
        });
        if let Err(error) = told.await {
            tracing::debug!(%address, %error, "who is here could not be looked up");
        }
    }
}

/// Who left with this message, if they left with all their devices.
fn left(space: &Space, logged: &Logged) -> Result<Option<Member>, SpaceError> {
    let author = space.log().author(&logged.feed)?;
    let has_left = |member: &Member| {
        Some(member.public_key) == author && matches!(member.standing, Standing::Left(_))
    };
    Ok(space.members()?.into_iter().find(has_left))
}
