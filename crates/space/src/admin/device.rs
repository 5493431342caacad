//! A device as its admins see it: what they may say to it, and what it said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;

use super::book::{self, device_of};
use super::machine::{Fate, Given, Picture, judge};
use super::report::{Report, ReportRow};
use super::types::{Command, CommandId, Deed, Token};
use crate::error::SpaceError;
use crate::log::{Filter, now_ms};
use crate::space::Space;

/// A device whose admin space we are in. Methods block.
#[derive(Clone)]
pub struct Device {
    space: Arc<Space>,
    identity: PublicKey,
}

/// What a device last said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// the newest report, with the rows of all its parts
    pub report: Option<Report>,
    /// when it was made, Unix ms by the device's clock
    pub time_ms: u64,
}

impl Device {
    /// The device of an admin space; none if the space is no admin space.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn of(space: &Arc<Space>) -> Result<Option<Self>, SpaceError> {
        let identity = device_of(space.log(), &space.address())?;
        Ok(identity.map(|identity| Self {
            space: Arc::clone(space),
            identity,
        }))
    }

    /// Who it is.
    pub fn identity(&self) -> PublicKey {
        self.identity
    }

    /// The keys by which its receipts name it: the one that it has now, and those of before it began anew.
    ///
    /// # Errors
    ///
    /// `View` or `Drive`.
    pub(crate) fn keys(&self) -> Result<BTreeSet<PublicKey>, SpaceError> {
        let writers = self.space.drive().writers()?.into_iter();
        let claims = writers.map(|writer| writer.claim);
        let its = claims.filter(|claim| claim.identity == self.identity);
        Ok(its.map(|claim| claim.device).collect())
    }

    /// Its admin space.
    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    /// How things stand, as far as is known here.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn picture(&self) -> Result<Picture, SpaceError> {
        let book = book::read(self.space.log(), &self.identity)?;
        Ok(judge(&book, now_ms()))
    }

    /// Says something to the device; what it is to be found by. Stored here at once, and done when the device hears of it.
    /// The same token again says nothing new.
    ///
    /// # Errors
    ///
    /// `NotAnAdmin`, `BadName`, or the store's.
    pub fn command(&self, token: Token, deed: Deed) -> Result<CommandId, SpaceError> {
        let me = self.space.me();
        let picture = self.picture()?;
        if let Some(given) = said(&picture, &me, token) {
            return Ok(given.id);
        }
        if !picture.admins.contains_key(&me) {
            return Err(SpaceError::NotAnAdmin(self.space.name()));
        }
        let deed = checked(deed)?;
        self.space.log().tell(&Command { token, deed })?;
        let picture = self.picture()?;
        let given = said(&picture, &me, token);
        given
            .map(|given| given.id)
            .ok_or(SpaceError::BadMessage("the command cannot be read back"))
    }

    /// A command and what became of it.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn fate(&self, id: &CommandId) -> Result<Option<(Given, Fate)>, SpaceError> {
        let fates = self.picture()?.fates;
        Ok(fates.into_iter().find(|(given, _)| given.id == *id))
    }

    /// Lets somebody command the device: tells it, and makes a code that only they can open.
    ///
    /// # Errors
    ///
    /// As [`Device::command`] and [`Space::invite`].
    pub fn add_admin(&self, public_key: &PublicKey) -> Result<String, SpaceError> {
        let public_key = *public_key;
        // First, because a key that nobody can hold is refused here.
        let code = self.space.invite(&public_key)?;
        if !self.picture()?.admins.contains_key(&public_key) {
            self.command(Token::generate(), Deed::AddAdmin { public_key })?;
        }
        Ok(code)
    }

    /// What the device last said of itself.
    ///
    /// # Errors
    ///
    /// `View`.
    pub fn known(&self) -> Result<Known, SpaceError> {
        let filter = Filter {
            author: Some(self.identity),
            ..Filter::of::<Report>()
        };
        let mut known = Known::default();
        let mut rows: BTreeMap<Address, ReportRow> = BTreeMap::new();
        for message in self.space.log().read(&filter)? {
            let Some(report) = message.read::<Report>() else {
                continue;
            };
            if known.report.as_ref().map(|before| before.asked) != Some(report.asked) {
                rows.clear();
            }
            rows.extend(report.rows.iter().map(|row| (row.address, *row)));
            known.time_ms = message.time_ms;
            known.report = Some(report);
        }
        if let Some(report) = &mut known.report {
            report.rows = rows.into_values().collect();
        }
        Ok(known)
    }
}

fn said<'p>(picture: &'p Picture, me: &PublicKey, token: Token) -> Option<&'p Given> {
    let mut given = picture.fates.iter().map(|(given, _)| given);
    given.find(|given| given.author == *me && given.command.token == token)
}

/// Names are checked where they are given: the device refuses what cannot be one, but that is heard late.
fn checked(deed: Deed) -> Result<Deed, SpaceError> {
    use crate::space::clean_name;
    Ok(match deed {
        Deed::Rename { name } => Deed::Rename {
            name: clean_name(&name)?,
        },
        Deed::Replicate {
            address,
            name,
            quota,
            hints,
        } => Deed::Replicate {
            address,
            name: name.as_deref().map(clean_name).transpose()?,
            quota,
            hints,
        },
        other => other,
    })
}
