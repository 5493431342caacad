//! Who is in the space, what they are called, who is here now, and the last word of who leaves.

use std::collections::{BTreeMap, BTreeSet};

use cobox_drive::tree::{Tree, WriterInfo};
use cobox_drive::version::WriterTag;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;

use super::{Space, lock, name_in};
use crate::error::SpaceError;
use crate::log::types::{LastSync, PeerAbout, PeerEarlier, SpaceInvite, SpaceLeave};
use crate::log::{Content, Filter, now_ms};
use crate::members::{self, Invited, Known, Member, Renewed, Standing};

impl Space {
    /// Members by name, those with accepted claims first; behind them who was invited and shows
    /// nothing of their own yet.
    ///
    /// # Errors
    ///
    /// `View` or `Drive`.
    pub fn people(&self) -> Result<Vec<Member>, SpaceError> {
        let writers = self.drive.writers()?;
        let known = Known {
            told: self.told(&writers)?,
            left: self.left(&writers)?,
            renewed: self.renewed()?,
            met: self.met_times()?,
            online: self.online(),
            names: self.told_names()?,
            invites: self.invites()?,
            now: now_ms(),
            writers,
        };
        Ok(members::members(&self.identity.public_key(), &known))
    }

    /// Members with accepted claims, by name.
    ///
    /// # Errors
    ///
    /// `View` or `Drive`.
    pub fn members(&self) -> Result<Vec<Member>, SpaceError> {
        let mut people = self.people()?;
        people.retain(|person| person.standing != Standing::Invited);
        Ok(people)
    }

    /// The person whom somebody means by a name or a public key: a member, or who was invited.
    ///
    /// # Errors
    ///
    /// `NoSuchMember`, `AmbiguousMember`, `View` or `Drive`.
    pub fn find_member(&self, name_or_key: &str) -> Result<PublicKey, SpaceError> {
        let wanted = name_or_key.trim();
        let people = self.people()?;
        let key: Option<PublicKey> = wanted.parse().ok();
        let here = |person: &&Member| !matches!(person.standing, Standing::Left(_));
        let is_meant = |person: &&Member| match key {
            Some(key) => person.public_key == key,
            None => person.name == wanted,
        };
        let mut found = people.iter().filter(here).filter(is_meant);
        match (found.next(), found.next()) {
            (None, _) => Err(SpaceError::NoSuchMember(wanted.to_owned())),
            (Some(person), None) => Ok(person.public_key),
            (Some(_), Some(_)) => Err(SpaceError::AmbiguousMember(wanted.to_owned())),
        }
    }

    /// What everybody with a claim is called now.
    ///
    /// # Errors
    ///
    /// `View` or `Drive`.
    pub fn names(&self) -> Result<BTreeMap<PublicKey, String>, SpaceError> {
        let mut names = self.told_names()?;
        for writer in self.drive.writers()? {
            let claim = writer.claim;
            names.entry(claim.identity).or_insert(claim.device_name);
        }
        Ok(names)
    }

    /// Whose device this is or was, by the claims: the person as known now.
    ///
    /// # Errors
    ///
    /// `View` or `Drive`.
    pub fn person_of(&self, device: &PublicKey) -> Result<Option<Member>, SpaceError> {
        let claims = self.drive.writers()?.into_iter().map(|writer| writer.claim);
        let mut theirs = claims.filter(|claim| claim.device == *device);
        let Some(owner) = theirs.next().map(|claim| claim.identity) else {
            return Ok(None);
        };
        let mut people = self.people()?.into_iter();
        Ok(people.find(|person| person.public_key == owner))
    }

    /// The last word of this device: nothing is told after it.
    pub(crate) fn say_goodbye(&self) -> Result<(), SpaceError> {
        match self.writable() {
            true => self.log.tell_last(&SpaceLeave),
            false => Ok(()),
        }
    }

    /// Tells which devices of ours, as known here, this one was before it began anew.
    pub(crate) fn tell_earlier(&self, before: &[PublicKey]) -> Result<(), SpaceError> {
        if before.is_empty() || !self.writable() {
            return Ok(());
        }
        let (me, told) = (self.me(), self.renewed()?);
        let claims = self.drive.writers()?.into_iter().map(|writer| writer.claim);
        let ours = claims.filter(|claim| claim.identity == me && before.contains(&claim.device));
        let devices: BTreeSet<_> = ours.map(|claim| claim.device).collect();
        for device in devices
            .into_iter()
            .filter(|device| !told.contains_key(&(me, *device)))
        {
            self.log.tell(&PeerEarlier { device })?;
        }
        Ok(())
    }

    /// By author and device key: it goes on under another one.
    fn renewed(&self) -> Result<BTreeMap<(PublicKey, PublicKey), Renewed>, SpaceError> {
        let said = self.log.read(&Filter::of::<PeerEarlier>())?;
        let renewed = said
            .iter()
            .filter(|message| !message.private)
            .filter_map(|message| {
                let PeerEarlier { device } = message.read()?;
                let (since, by) = (message.time_ms, message.writer);
                Some(((message.author, device), Renewed { since, by }))
            });
        Ok(renewed.collect())
    }

    fn told_names(&self) -> Result<BTreeMap<PublicKey, String>, SpaceError> {
        let told = self.log.newest_by_author(PeerAbout::TYPE)?.into_iter();
        Ok(told
            .filter_map(|(author, message)| Some((author, name_in(&message)?)))
            .collect())
    }

    fn told(&self, writers: &[WriterInfo]) -> Result<BTreeMap<WriterTag, u64>, SpaceError> {
        let (rows, messages) = (self.tables.db.snapshot()?, self.log.last_told()?);
        let mut told = BTreeMap::new();
        for writer in writers {
            let commit = Tree(&rows).last_time(writer.tag)?;
            let message = messages.get(&writer.feeds[2]).copied().unwrap_or(0);
            let last = commit.max(message);
            told.extend((last > 0).then_some((writer.tag, last)));
        }
        Ok(told)
    }

    /// Writers whose newest message says that they leave. Who comes back says more.
    fn left(&self, writers: &[WriterInfo]) -> Result<BTreeMap<WriterTag, u64>, SpaceError> {
        let last_told = self.log.last_told()?;
        let log_of = |tag| Some(writers.iter().find(|writer| writer.tag == tag)?.feeds[2]);
        let left = self.log.read(&Filter::of::<SpaceLeave>())?.into_iter();
        let left = left.filter(|message| {
            let last = log_of(message.writer).and_then(|log| last_told.get(&log));
            !message.private && last == Some(&message.time_ms)
        });
        Ok(left
            .map(|message| (message.writer, message.time_ms))
            .collect())
    }

    fn met_times(&self) -> Result<BTreeMap<PublicKey, u64>, SpaceError> {
        let mut all = lock(&self.met).clone();
        for message in self.log.read(&Filter::of::<LastSync>())? {
            if let Some(LastSync {
                device, time_ms, ..
            }) = message.read()
            {
                let met = all.entry(device).or_default();
                *met = time_ms.min(message.time_ms).max(*met);
            }
        }
        Ok(all)
    }

    /// Who was invited first by whom, at the highest level given.
    fn invites(&self) -> Result<BTreeMap<PublicKey, Invited>, SpaceError> {
        let mut invites: BTreeMap<PublicKey, Invited> = BTreeMap::new();
        for message in self.log.read(&Filter::of::<SpaceInvite>())? {
            let Some(SpaceInvite {
                public_key,
                reads_only,
            }) = message.read()
            else {
                continue;
            };
            let by = message.author;
            let known = invites
                .entry(public_key)
                .or_insert(Invited { by, reads_only });
            known.reads_only &= reads_only;
        }
        Ok(invites)
    }

    /// Devices connected in this space, ours among them.
    pub(crate) fn online(&self) -> BTreeSet<PublicKey> {
        let here = |spaces: &[(Address, _)]| spaces.iter().any(|(a, _)| *a == self.address);
        let peers = self.swarm.peers().into_iter();
        let connected = peers.filter(|peer| peer.connected && here(&peer.spaces));
        let own = std::iter::once(self.swarm.hint().device);
        connected.map(|peer| peer.device).chain(own).collect()
    }
}
