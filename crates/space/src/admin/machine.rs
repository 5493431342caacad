//! What is to be done, as a pure function of the messages: whatever the order in which they arrived.
//!
//! Commands are in the order of (time, author, id). Things (an address, its quota, the name, the announcement) are as the
//! last accepted command says. Who may command is as the device's own answers say, in the order of its log. Not its job:
//! doing anything.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;

use super::types::{Answer, Command, CommandId, Deed, How, Outcome};

/// A command with what its message proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// which
    pub id: CommandId,
    /// who
    pub author: PublicKey,
    /// when, by the author's clock, Unix ms
    pub time_ms: u64,
    /// what
    pub command: Command,
}

/// An answer of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// when, by the device's clock, Unix ms
    pub time_ms: u64,
    /// what it said
    pub answer: Answer,
}

/// All that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    given: Vec<Given>,
    ruled: Vec<Ruled>,
}

/// Since when somebody's commands count; nothing: since ever.
type Since = Option<Order>;
/// Commands are compared by time, then author, then id.
type Order = (u64, PublicKey, CommandId);

/// How somebody came to be an admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// the first one
    Claimed,
    /// on the local network
    Announced,
    /// added by another admin
    AddedBy(PublicKey),
}

/// What the device would say to a command that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// do it, and say that it is done
    Do,
    /// somebody decided otherwise later
    Superseded,
    /// no, in words
    Refuse(String),
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// the device answered
    Answered {
        /// how
        outcome: Outcome,
        /// for people
        words: String,
        /// of an announcement: its end
        until_ms: Option<u64>,
        /// when, by the device's clock, Unix ms
        time_ms: u64,
    },
    /// the device has not answered yet; this is what it would say
    Waiting(Verdict),
    /// its author was no admin when it was given, as far as is known: it has no effect
    Stranger,
}

/// A space that shall be replicated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// what admins call it
    pub name: Option<String>,
    /// most bytes
    pub quota: Option<u64>,
    /// peers that have it
    pub hints: Vec<String>,
    /// who asked for it
    pub by: Option<PublicKey>,
    /// when, by their clock, Unix ms
    pub since_ms: u64,
}

/// An announcement that was asked for and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// by which command
    pub id: CommandId,
    /// when it ends, Unix ms by the device's clock; unknown until the device has answered
    pub until_ms: Option<u64>,
}

/// How things stand, and what is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// who may command, once everything known is dealt with
    pub admins: BTreeMap<PublicKey, Admission>,
    /// every command in its order with what became of it
    pub fates: Vec<(Given, Fate)>,
    /// what shall be replicated
    pub wanted: BTreeMap<Address, Wanted>,
    /// addresses that were commanded about, wanted or not
    pub touched: BTreeSet<Address>,
    /// copies that the device has deleted because it was told to: when it last said so of each, Unix ms by its clock
    pub dropped: BTreeMap<Address, u64>,
    /// the device's name, if a command gave it one
    pub name: Option<String>,
    /// an announcement
    pub opening: Option<Opening>,
    /// somebody was an admin at some time
    pub claimed: bool,
}

impl Book {
    /// From messages in any order, each any number of times; answers in the order of the device's log.
    pub fn new(given: impl IntoIterator<Item = Given>, ruled: Vec<Ruled>) -> Self {
        let by_order: BTreeMap<Order, Given> = given
            .into_iter()
            .map(|given| (given.order(), given))
            .collect();
        Self {
            given: by_order.into_values().collect(),
            ruled,
        }
    }

    /// The answers.
    pub fn ruled(&self) -> &[Ruled] {
        &self.ruled
    }
}

impl Given {
    fn order(&self) -> Order {
        (self.time_ms, self.author, self.id)
    }
}

impl Picture {
    /// Commands that the device has to answer, in the order in which it should.
    pub fn to_do(&self) -> impl Iterator<Item = (&Given, &Verdict)> {
        self.fates.iter().filter_map(|(given, fate)| match fate {
            Fate::Waiting(verdict) => Some((given, verdict)),
            _ => None,
        })
    }
}

/// Judges everything. `now_ms` is the device's clock: an announcement that comes too late is refused.
pub fn judge(book: &Book, now_ms: u64) -> Picture {
    let mut court = Court::new(book);
    let decided: Vec<_> = book
        .given
        .iter()
        .map(|given| court.hear(given, now_ms))
        .collect();
    let last = last_words(&book.given, &decided);
    let mut picture = Picture {
        admins: court.people.admins_shown(),
        claimed: court.people.ever,
        ..Picture::default()
    };
    for (given, fate) in book.given.iter().zip(decided) {
        let fate = match fate {
            Fate::Waiting(Verdict::Do) if !is_last(given, &last) => {
                Fate::Waiting(Verdict::Superseded)
            }
            fate => fate,
        };
        if counts(&fate) {
            picture.apply(given, &fate);
        }
        picture.fates.push((given.clone(), fate));
    }
    picture.close_used(&book.ruled);
    picture
}

/// Who may command, as it develops.
#[derive(Default)]
struct People {
    admins: BTreeMap<PublicKey, (Admission, Since)>,
    former: BTreeSet<PublicKey>,
    ever: bool,
}

impl People {
    fn admit(&mut self, who: PublicKey, admission: Admission, since: Since) {
        self.ever = true;
        self.former.remove(&who);
        let (_, known) = self.admins.entry(who).or_insert((admission, since));
        *known = since.min(*known);
    }

    fn remove(&mut self, who: &PublicKey) {
        if self.admins.remove(who).is_some() {
            self.former.insert(*who);
        }
    }

    fn obey(&mut self, given: &Given) {
        match given.command.deed {
            Deed::AddAdmin { public_key } => {
                let added = Admission::AddedBy(given.author);
                self.admit(public_key, added, Some(given.order()));
            }
            Deed::RemoveAdmin { public_key } => self.remove(&public_key),
            _ => {}
        }
    }

    fn admins_shown(&self) -> BTreeMap<PublicKey, Admission> {
        let shown = |(who, (admission, _)): (&PublicKey, &(Admission, Since))| (*who, *admission);
        self.admins.iter().map(shown).collect()
    }
}

/// The first answer to a command, taken apart.
#[derive(Clone, Copy)]
struct Said<'b> {
    outcome: Outcome,
    words: &'b str,
    until_ms: Option<u64>,
    time_ms: u64,
}

/// Decides about each command, given the answers so far.
struct Court<'b> {
    people: People,
    answers: BTreeMap<CommandId, Said<'b>>,
}

impl<'b> Court<'b> {
    /// Goes through the device's answers in their order: they alone made admins so far.
    fn new(book: &'b Book) -> Self {
        let given: BTreeMap<_, _> = book.given.iter().map(|given| (given.id, given)).collect();
        let mut court = Self {
            people: People::default(),
            answers: BTreeMap::new(),
        };
        for ruled in &book.ruled {
            match &ruled.answer {
                Answer::Admitted { public_key, how } => {
                    let admission = match how {
                        How::Claimed => Admission::Claimed,
                        How::Announced { .. } => Admission::Announced,
                    };
                    court.people.admit(*public_key, admission, None);
                }
                Answer::Command {
                    id,
                    outcome,
                    words,
                    until_ms,
                } => {
                    let is_first = !court.answers.contains_key(id);
                    let done = *outcome == Outcome::Done && is_first;
                    court.answers.entry(*id).or_insert(Said {
                        outcome: *outcome,
                        words,
                        until_ms: *until_ms,
                        time_ms: ruled.time_ms,
                    });
                    if let Some(given) = given.get(id).filter(|_| done) {
                        court.people.obey(given);
                    }
                }
            }
        }
        court
    }

    /// Commands are heard in their order.
    fn hear(&mut self, given: &Given, now_ms: u64) -> Fate {
        if let Some(said) = self.answers.get(&given.id) {
            return Fate::Answered {
                outcome: said.outcome,
                words: said.words.to_owned(),
                until_ms: said.until_ms,
                time_ms: said.time_ms,
            };
        }
        let refuse = |why: &str| Fate::Waiting(Verdict::Refuse(why.to_owned()));
        match self.people.admins.get(&given.author) {
            None if self.people.former.contains(&given.author) => {
                refuse("its author is no longer an admin of this device")
            }
            // It may still count: what made its author an admin may come later.
            None => Fate::Stranger,
            Some((_, Some(since))) if given.order() <= *since => Fate::Stranger,
            Some(_) => match self.objection(&given.command.deed, given.time_ms, now_ms) {
                Some(why) => refuse(why),
                None => {
                    self.people.obey(given);
                    Fate::Waiting(Verdict::Do)
                }
            },
        }
    }

    fn objection(&self, deed: &Deed, time_ms: u64, now_ms: u64) -> Option<&'static str> {
        match deed {
            Deed::RemoveAdmin { public_key } => {
                let admins = &self.people.admins;
                let is_last = admins.len() == 1 && admins.contains_key(public_key);
                is_last.then_some("a device keeps at least one admin: add another one first")
            }
            Deed::Announce { minutes } => {
                let until = time_ms.saturating_add(minutes.saturating_mul(60_000));
                (until < now_ms).then_some(
                    "it came later than the announcement would have lasted: give it again",
                )
            }
            _ => None,
        }
    }
}

/// What a command is about; of several about one thing the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Address(Address),
    Quota(Address),
    Announcement,
    Name,
}

fn thing(deed: &Deed) -> Option<Thing> {
    match deed {
        Deed::Replicate { address, .. } | Deed::Unreplicate { address } => {
            Some(Thing::Address(*address))
        }
        Deed::Quota { address, .. } => Some(Thing::Quota(*address)),
        Deed::Announce { .. } | Deed::Hide => Some(Thing::Announcement),
        Deed::Rename { .. } => Some(Thing::Name),
        Deed::Status | Deed::AddAdmin { .. } | Deed::RemoveAdmin { .. } => None,
    }
}

/// Whether a command has an effect: done, or about to be.
fn counts(fate: &Fate) -> bool {
    match fate {
        Fate::Answered { outcome, .. } => *outcome == Outcome::Done,
        Fate::Waiting(verdict) => *verdict == Verdict::Do,
        Fate::Stranger => false,
    }
}

fn last_words(given: &[Given], fates: &[Fate]) -> BTreeMap<Thing, Order> {
    let mut last = BTreeMap::new();
    for (given, fate) in given.iter().zip(fates) {
        let about = thing(&given.command.deed).filter(|_| counts(fate));
        if let Some(thing) = about {
            last.insert(thing, given.order()); // in ascending order
        }
    }
    last
}

fn is_last(given: &Given, last: &BTreeMap<Thing, Order>) -> bool {
    let thing = thing(&given.command.deed);
    thing.is_none_or(|thing| last.get(&thing) == Some(&given.order()))
}

impl Picture {
    /// One effective command, in ascending order.
    fn apply(&mut self, given: &Given, fate: &Fate) {
        match &given.command.deed {
            Deed::Replicate {
                address,
                name,
                quota,
                hints,
            } => {
                let wanted = Wanted {
                    name: name.clone(),
                    quota: *quota,
                    hints: hints.clone(),
                    by: Some(given.author),
                    since_ms: given.time_ms,
                };
                self.touched.insert(*address);
                self.wanted.insert(*address, wanted);
            }
            Deed::Unreplicate { address } => {
                self.touched.insert(*address);
                self.wanted.remove(address);
                if let Fate::Answered { time_ms, .. } = fate {
                    let last = self.dropped.entry(*address).or_default();
                    *last = (*time_ms).max(*last);
                }
            }
            Deed::Quota { address, quota } => {
                if let Some(wanted) = self.wanted.get_mut(address) {
                    wanted.quota = *quota;
                }
            }
            Deed::Announce { .. } => {
                let until_ms = match fate {
                    Fate::Answered { until_ms, .. } => *until_ms,
                    _ => None,
                };
                let id = given.id;
                self.opening = Some(Opening { id, until_ms });
            }
            Deed::Hide => self.opening = None,
            Deed::Rename { name } => self.name = Some(name.clone()),
            Deed::Status | Deed::AddAdmin { .. } | Deed::RemoveAdmin { .. } => {}
        }
    }

    /// An announcement is for one person.
    fn close_used(&mut self, ruled: &[Ruled]) {
        let Some(open) = self.opening.as_ref().map(|opening| opening.id) else {
            return;
        };
        let used = |ruled: &Ruled| {
            let how = match &ruled.answer {
                Answer::Admitted { how, .. } => Some(how),
                Answer::Command { .. } => None,
            };
            how == Some(&How::Announced { id: open })
        };
        if ruled.iter().any(used) {
            self.opening = None;
        }
    }
}
