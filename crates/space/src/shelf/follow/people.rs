//! What people say and do, told upward: messages in words, who is here, who left.

use cobox_drive::version::WriterTag;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;

use super::super::event::ShelfEvent;
use super::super::inner::{Inner, lock};
use super::super::start::blocking;
use super::Ears;
use crate::log::types::{FileAnnotation, SpaceLeave, Text};
use crate::log::{Content, Logged};
use crate::members::Standing;
use crate::space::Space;
use std::sync::Arc;

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
            let has = |member: &crate::members::Member| {
                member.devices.iter().any(|device| device.writer == writer)
            };
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
    fn tell_one(
        &self,
        address: Address,
        space: &Space,
        logged: &Logged,
    ) -> Result<(), crate::error::SpaceError> {
        match logged.kind.as_str() {
            Text::TYPE => {
                let said = space.said_at(logged)?;
                said.map(|said| self.say(ShelfEvent::Said { address, said }));
            }
            FileAnnotation::TYPE => {
                let noted = space.noted_at(logged)?;
                noted.map(|noted| self.say(ShelfEvent::Noted { address, noted }));
            }
            SpaceLeave::TYPE => {
                let author = space.log().author(&logged.feed)?;
                let left = |member: &crate::members::Member| {
                    Some(member.public_key) == author
                        && matches!(member.standing, Standing::Left(_))
                };
                let member = space.members()?.into_iter().find(left);
                member.map(|member| self.say(ShelfEvent::Left { address, member }));
            }
            _ => {}
        }
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
