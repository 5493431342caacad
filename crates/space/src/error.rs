//! What can go wrong around a space, in words that say what it means for the data and what to do.

use std::path::PathBuf;

/// What can go wrong around a space; each says what it means for the data and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// No space or replica of that name or address.
    #[error("there is no space called {0:?} here")]
    NotFound(String),
    /// Two spaces have this name.
    #[error("more than one space is called {0:?}: use the address")]
    Ambiguous(String),
    /// Name taken here.
    #[error("a space called {0:?} exists already")]
    NameTaken(String),
    /// Address already here.
    #[error("this space is already here as {0:?}")]
    AlreadyHere(String),
    /// Empty, too long, or not a folder name.
    #[error("{0:?} cannot be used as a name: {1}")]
    BadName(String, &'static str),
    /// No name set yet.
    #[error("say who you are first: cobox name NAME")]
    NoName,
    /// Read-only member.
    #[error("you can read this space but not write to it")]
    ReadOnly,
    /// A message that does not fit into one block.
    #[error("the message is {0} bytes long; at most {1} fit")]
    MessageTooLong(usize, usize),
    /// Words that say nothing.
    #[error("the message is empty; nothing was sent")]
    EmptyText,
    /// More words than fit into one message.
    #[error(
        "the message is {0} bytes long and at most {1} fit; nothing was sent: put it into a file of the space"
    )]
    TextTooLong(usize, usize),
    /// A note on a file that cannot be made.
    #[error("this cannot be noted: {0}; nothing was changed")]
    BadNote(&'static str),
    /// A wish for copies that cannot be.
    #[error("this cannot be wished for: {0}; nothing was changed")]
    BadPolicy(&'static str),
    /// No replicator of that key.
    #[error(
        "no replicator with the device key {0:?} keeps a copy of this space, as far as is known"
    )]
    NoSuchCopy(String),
    /// An invite for oneself.
    #[error(
        "that is your own public key, and you are in this space already; no code was made. Ask whoever you want to invite for theirs; on a further device of yours the space is begun with its words on paper: cobox backup identity"
    )]
    OwnKey,
    /// Nobody of that name or key is a member.
    #[error("nobody called {0:?} is a member of this space")]
    NoSuchMember(String),
    /// Two members have this name.
    #[error("more than one member is called {0:?}: use the public key")]
    AmbiguousMember(String),
    /// A message that its type does not allow.
    #[error("this is not a valid message: {0}")]
    BadMessage(&'static str),
    /// Commands of others are refused by the device; better said at once.
    #[error(
        "you are not an admin of the device {0:?}: ask one of its admins to add your public key"
    )]
    NotAnAdmin(String),
    /// A device is claimed or commanded in another way than a space.
    #[error("there is no device called {0:?} here; see: cobox device list")]
    NoDevice(String),
    /// A rehearsal that could not be held.
    #[error("the rehearsal could not be held: {0}")]
    Drill(&'static str),
    /// A person from paper cannot move in where somebody lives.
    #[error(
        "somebody is here already, with spaces or copies for others; nothing was changed. To be the person on the paper, start in a home of its own: cobox --home DIR up; to add the spaces on the paper to who you are here, leave the words of the secret key out"
    )]
    NotEmpty,
    /// A home is a person's or a device's.
    #[error(
        "this home folder is not a device's: it has {0}; give the hub a home of its own with --home DIR (nothing was changed)"
    )]
    NotADevice(&'static str),
    /// Claiming a device.
    #[error(transparent)]
    Claim(#[from] crate::error::ClaimError),
    /// A query that is not understood, or asks for too much.
    #[error(transparent)]
    Query(#[from] cobox_view::query::QueryError),
    /// Invite.
    #[error(transparent)]
    Invite(#[from] cobox_keys::invite::InviteError),
    /// Keys.
    #[error(transparent)]
    Key(#[from] cobox_keys::error::KeyError),
    /// Drive.
    #[error(transparent)]
    Drive(#[from] cobox_drive::drive::DriveError),
    /// Store.
    #[error(transparent)]
    Store(#[from] cobox_feed::store::StoreError),
    /// Views.
    #[error(transparent)]
    View(#[from] cobox_view::kv::ViewError),
    /// Network.
    #[error(transparent)]
    Transport(#[from] cobox_swarm::transport::TransportError),
    /// Home folder files.
    #[error("{action} {path}: {source}")]
    Home {
        /// what
        action: &'static str,
        /// file
        path: PathBuf,
        /// cause
        source: std::io::Error,
    },
    /// A home file that does not decode. It is left as it is.
    #[error("{0} is damaged; nothing was changed: bring it back from a copy")]
    DamagedHome(PathBuf),
    /// A home file of a later format. It is left as it is.
    #[error("{0} was written by a newer program; nothing was changed")]
    HomeTooNew(PathBuf),
    /// The home has a password, and nobody gave it.
    #[error("this home is locked; give its password: cobox unlock")]
    LockedHome,
    /// A wrong password.
    #[error("that is not the password; nothing was done")]
    WrongPassword,
    /// There is nothing to open with a password.
    #[error("no password is set here; set one with: cobox password set")]
    NoPassword,
    /// The folder is a copy, or lies on another disk or machine than before.
    #[error(
        "this home folder is a copy, or was moved to another disk or machine: {0}. If the original is still in use, going on here with the same keys would spoil what both write, so nothing was started and nothing was changed. To go on here as a further device of the same person, with keys of its own: cobox up --moved (nothing is lost by that, also if there is no original any more)"
    )]
    MovedHome(PathBuf),
    /// A person moves only into a home where nobody is yet.
    #[error(
        "somebody lives in this home folder already; nothing was changed. Import into a home of its own: --home DIR"
    )]
    Inhabited,
    /// Not what an export makes.
    #[error("this is no export of keys, or it is damaged; nothing was changed")]
    NoExport,
    /// A later version made it.
    #[error("this export of keys was made by a newer program; nothing was changed")]
    ExportTooNew,
    /// A task of this program ended before its time.
    #[error("the program is stopping")]
    Stopping,
}

/// Why a device was not claimed. Nothing has changed then, and it can be tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// It does not announce itself.
    #[error(
        "no device {0:?} announces itself on this network; on a new device start `cobox hub`, on one that has an admin let them say: cobox device announce"
    )]
    NotSeen(String),
    /// Two announce themselves by this name.
    #[error("more than one device announces itself as {0:?}: use its key")]
    Ambiguous(String),
    /// Not reached.
    #[error("the device could not be reached: {0}; nothing was changed, try again")]
    Unreachable(String),
    /// Broke off.
    #[error(
        "the connection to the device broke off: {0}; if the device took you as its admin it will take you again: repeat the command"
    )]
    Interrupted(String),
    /// Its answer makes no sense.
    #[error("the device does not prove to be what it says ({0}); nothing was changed")]
    Unproven(&'static str),
    /// It wants the code.
    #[error("the device shows a code; give it with --code")]
    CodeNeeded,
    /// The code was wrong.
    #[error(
        "that is not the code which the device shows; after five wrong ones it shows a new one"
    )]
    WrongCode,
    /// Somebody else has it.
    #[error(
        "the device has an admin already; ask them to add your public key, or to let it announce itself"
    )]
    Taken,
    /// The announcement it was given for is over.
    #[error("that announcement is over or was used already; look again with: cobox device list")]
    Stale,
    /// It says why.
    #[error("the device refuses: {0}")]
    Refused(String),
}
