//! From the start to an open home: the password at hand, or a locked program that waits for somebody to give it.

use super::{DaemonError, Inside, Ready, Run, in_use, stop_asked};
use crate::api::{LockedApi, Unlocking, locked_router};
use cobox_keys::identity::Identity;
use cobox_space::shelf::{HomeLock, LockedShelf, SpaceError};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

/// Bytes of a file with a password that are read at most.
const MOST: u64 = 4096;
/// Its name among the credentials that systemd hands over.
const CREDENTIAL: &str = "cobox-password";

/// How it began.
pub enum Begun {
    /// Not locked, or not any more: somebody may wait to hear that the home is open.
    Open(Option<oneshot::Sender<Result<(), String>>>),
    /// Stopped while it was locked.
    Stopped,
}

/// Comes back when the home can be opened.
pub async fn begin<R: FnMut(Inside<'_>, &Ready)>(
    run: &mut Run<'_, R>,
) -> Result<Begun, DaemonError> {
    let lock = HomeLock::of(run.home.path());
    let start = run.options.start.clone();
    let at_hand = move || match lock.is_set()? {
        false => Ok(None),
        true if start.locked => Ok(Some(None)),
        true => by_file(&lock, start.password_file.as_deref()).map(Some),
    };
    let at_hand = tokio::task::spawn_blocking(at_hand).await;
    match at_hand.map_err(|failed| DaemonError::Run(io::Error::other(failed)))?? {
        None => Ok(Begun::Open(None)),
        Some(Some(identity)) => {
            run.shelf.identity = Some(Arc::new(identity));
            Ok(Begun::Open(None))
        }
        Some(None) => wait(run).await,
    }
}

/// Whom the password in a file opens; a wrong one only is warned of: keeping copies goes on without.
fn by_file(lock: &HomeLock, named: Option<&Path>) -> Result<Option<Identity>, DaemonError> {
    let Some(path) = named.map(Path::to_owned).or_else(credential) else {
        return Ok(None);
    };
    let password = read(&path).map_err(|error| DaemonError::PasswordFile(path.clone(), error))?;
    match lock.open(&password) {
        Ok(identity) => Ok(Some(identity)),
        Err(SpaceError::WrongPassword) => {
            let path = path.display();
            eprintln!(
                "cobox: warning: what is in {path} is not the password of this home: it stays locked"
            );
            Ok(None)
        }
        Err(other) => Err(other.into()),
    }
}

fn credential() -> Option<PathBuf> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
    let path = Path::new(&folder).join(CREDENTIAL);
    path.exists().then_some(path)
}

/// Without the end of its line.
fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(MOST as usize)); // it must not have to move
    File::open(path)?.take(MOST).read_to_string(&mut text)?;
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(text)
}

/// Keeps copies and shows nothing until somebody gives the password.
async fn wait<R: FnMut(Inside<'_>, &Ready)>(run: &mut Run<'_, R>) -> Result<Begun, DaemonError> {
    let opened = LockedShelf::open(run.home.path(), &run.shelf).await;
    let shelf = opened.map_err(|error| in_use(run.home, error))?;
    let (sender, mut unlocking) = mpsc::channel(1);
    let api = Arc::new(LockedApi {
        access: run.access.clone(),
        token: run.mark()?,
        home: run.home.path().display().to_string(),
        kept: shelf.count(),
        hint: shelf
            .hint()
            .map(|hint| hint.to_string())
            .unwrap_or_default(),
        is_hub: run.options.hub.is_some(),
        opened: sender,
        stop: run.stop.clone(),
    });
    run.house()?.show(|door| locked_router(api.clone(), door));
    (run.ready)(Inside::Locked(&api), &run.open);
    let unlocking = tokio::select! {
        stopped = stop_asked(&run.stop) => {
            stopped?;
            None
        }
        unlocking = unlocking.recv() => unlocking,
    };
    match unlocking {
        Some(Unlocking { identity, done }) => {
            shelf.close().await?;
            run.shelf.identity = Some(identity);
            Ok(Begun::Open(Some(done)))
        }
        None => {
            let served = run.close_doors().await;
            let closed = shelf.close().await;
            run.home.clear_running();
            closed?;
            served.map(|()| Begun::Stopped)
        }
    }
}
