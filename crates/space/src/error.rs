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
    /// A message that its type does not allow.
    #[error("this is not a valid message: {0}")]
    BadMessage(&'static str),
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
    /// A task of this program ended before its time.
    #[error("the program is stopping")]
    Stopping,
}
