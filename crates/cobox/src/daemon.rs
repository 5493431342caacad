//! `cobox up` and `cobox hub`: opens the house, serves the API, shuts everything down in order. It only wires.
//!
//! A home with a password begins `locked` unless the password is at hand. Locking is ending in order and beginning
//! `anew` in the same process: nothing of before is left in its memory.

mod anew;
mod locked;

use crate::api::{self, Access, Api, LockedApi, Next};
use crate::config::{ConfigError, Home, Running};
use crate::doors::{DoorError, Doors, House, Server, Wanted};
use crate::logs::Logs;
use crate::memory;
use crate::mounts::Mounts;
use crate::settings::{self, SettingsError};
use cobox_space::hub::{Hub, HubOptions};
use cobox_space::shelf::{Shelf, ShelfOptions, SpaceError};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, oneshot, watch};

/// How long running calls may take to end when the program stops.
const GRACE: Duration = Duration::from_secs(5);

/// Why the program could not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The API cannot be opened.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Another `cobox up` uses this home.
    #[error(
        "the home folder {0} is in use by another running cobox; stop it first (cobox stop), or choose another --home"
    )]
    HomeInUse(String),
    /// `up` on a hub's home.
    #[error(
        "this home folder is a device's: start it with cobox hub, or choose another --home (nothing was changed)"
    )]
    IsADevice,
    /// A copy of this home was there first.
    #[error(
        "a copy of this home folder runs already, at {0}: two programs with the same keys would spoil what each other write, so this one has ended. Nothing is lost: what was still to be written here is in new feeds of its own. Stop the other one, or go on here as a further device of the same person: cobox up --moved"
    )]
    Twin(String),
    /// A file with the password that was asked for cannot be read.
    #[error("the password cannot be read from {0}: {1}; nothing was started")]
    PasswordFile(PathBuf, io::Error),
    /// The home could not be opened.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Our own files.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Settings that came with somebody who moved in.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Serving or shutting down failed.
    #[error("{0}")]
    Run(#[from] io::Error),
}

/// What `up` or `hub` was asked for.
#[derive(Clone)]
pub struct UpOptions {
    /// where the API answers
    pub doors: Wanted,
    /// announce and listen on the LAN
    pub lan: bool,
    /// UDP port of that; none = the usual one
    pub lan_port: Option<u16>,
    /// be a device
    pub hub: Option<HubOptions>,
    /// where peers may connect; none = every interface, any port
    pub bind: Option<SocketAddr>,
    /// how a home with a password begins
    pub start: Start,
    /// where the last lines of the log are
    pub logs: Logs,
}

/// How a home begins that has a password, or is not where it was.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Start {
    /// Read the password of a locked home from this file (systemd gives it as the credential cobox-password)
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Begin locked, even if the password is at hand
    #[arg(long, overrides_with = "locked")]
    pub locked: bool,
    /// The home folder is a copy, or was moved to another disk or machine: go on as a further device of the same person
    #[arg(long)]
    pub moved: bool,
}

/// What runs, once it answers.
pub enum Inside<'a> {
    /// A locked home.
    Locked(&'a LockedApi),
    /// An open one.
    Open(&'a Api),
}

/// Where the program answers, once it does.
#[derive(Clone, Debug)]
pub struct Ready {
    /// port of the API on loopback
    pub port: u16,
    /// where else, for people
    pub others: Vec<String>,
}

/// Runs until stopped by a signal or a call. `ready` is told when everything answers, locked or open.
pub fn run(
    home: &Home,
    options: &UpOptions,
    ready: impl FnMut(Inside<'_>, &Ready),
) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.spawn(memory::give_back_at_rest());
    let outcome = runtime.block_on(serve(home, options, ready));
    runtime.shutdown_timeout(GRACE);
    match outcome? {
        (Next::Stop, _) => Ok(()),
        (Next::Lock, port) => Err(anew::begin(port, &["--locked"]).into()),
        (Next::MoveIn(luggage), port) => {
            luggage.move_in(home.path())?;
            settings::take_over(home, luggage.settings())?;
            drop(luggage);
            Err(anew::begin(port, &[]).into())
        }
    }
}

/// What is there before and after a home is unlocked.
struct Run<'a, R> {
    home: &'a Home,
    options: &'a UpOptions,
    shelf: ShelfOptions,
    access: Arc<Access>,
    stop: watch::Sender<bool>,
    open: Ready,
    /// Made once we have the home to ourselves.
    token: Option<String>,
    ready: R,
    serving: Serving,
}

/// Doors, before and after they answer.
enum Serving {
    Not(Option<Doors>),
    Since(Arc<House>, Vec<Server>),
}

impl<R: FnMut(Inside<'_>, &Ready)> Run<'_, R> {
    /// Whoever calls may do so by this token; other commands find us.
    fn mark(&mut self) -> Result<String, DaemonError> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let token = self.home.write_token()?;
        self.home.write_running(Running {
            pid: std::process::id(),
            port: self.open.port,
        })?;
        self.token = Some(token.clone());
        Ok(token)
    }

    fn house(&mut self) -> io::Result<Arc<House>> {
        if let Serving::Not(doors) = &mut self.serving
            && let Some(doors) = doors.take()
        {
            let (house, servers) = doors.serve(&self.stop)?;
            self.serving = Serving::Since(house, servers);
        }
        match &self.serving {
            Serving::Since(house, _) => Ok(Arc::clone(house)),
            Serving::Not(_) => Err(io::Error::other("the doors could not be opened")),
        }
    }

    /// Calls that are being answered may end; what takes longer than the grace time is cut.
    async fn close_doors(&mut self) -> Result<(), DaemonError> {
        self.stop.send_replace(true);
        let Serving::Since(_, servers) = &mut self.serving else {
            return Ok(());
        };
        let servers = std::mem::take(servers);
        let ended = tokio::time::timeout(GRACE, async {
            for server in servers {
                if let Ok(served) = server.await {
                    served?;
                }
            }
            Ok::<_, DaemonError>(())
        });
        ended.await.unwrap_or(Ok(()))
    }
}

async fn serve(
    home: &Home,
    options: &UpOptions,
    ready: impl FnMut(Inside<'_>, &Ready),
) -> Result<(Next, u16), DaemonError> {
    home.create()?;
    // The port first: a taken one is told before anything is opened.
    let doors = Doors::open(&options.doors).await?;
    let open = Ready {
        port: doors.port()?,
        others: doors.others(),
    };
    let mut run = Run {
        home,
        options,
        shelf: shelf_options(options),
        access: Arc::new(Access::of(home.path())),
        stop: watch::Sender::new(false),
        open,
        token: None,
        ready,
        serving: Serving::Not(Some(doors)),
    };
    let port = run.open.port;
    let unlocked = match locked::begin(&mut run).await? {
        locked::Begun::Open(unlocked) => unlocked,
        locked::Begun::Stopped => return Ok((Next::Stop, port)),
    };
    let next = open_house(&mut run, unlocked).await?;
    Ok((next, port))
}

/// The home is not locked (any more), or `unlocked` waits to hear that it is not.
async fn open_house<R: FnMut(Inside<'_>, &Ready)>(
    run: &mut Run<'_, R>,
    unlocked: Option<oneshot::Sender<Result<(), String>>>,
) -> Result<Next, DaemonError> {
    let (shelf, hub) = match open_shelf(run).await {
        Ok(opened) => opened,
        Err(error) => {
            let told = unlocked.map(|done| done.send(Err(error.to_string())));
            if told.is_some() {
                // Whoever gave the password hears why, before the program ends.
                let _ = run.close_doors().await;
                run.home.clear_running();
            }
            return Err(error);
        }
    };
    let (home, options) = (run.home, run.options);
    let mounts = Mounts::new(shelf.clone(), home.path().to_owned());
    let api = Arc::new(Api {
        shelf: shelf.clone(),
        hub,
        mounts: mounts.clone(),
        access: run.access.clone(),
        jobs: Arc::default(),
        pictures: Arc::default(),
        logs: options.logs.clone(),
        home: home.path().display().to_string(),
        token: run.mark()?,
        port: run.open.port,
        news: broadcast::Sender::new(api::NEWS),
        stop: run.stop.clone(),
        next: Mutex::default(),
    });
    on_mounts(&mounts, Mounts::restore).await?;
    let tending = tokio::spawn(mounts.clone().tend());
    let watching = tokio::spawn(api::watch_state(api.clone()));
    let house = run.house()?;
    house.show(|door| api::router(api.clone(), door));
    if let Some(done) = unlocked {
        let _ = done.send(Ok(())); // who asked may have gone
    }
    (run.ready)(Inside::Open(&api), &run.open);
    let mut twin = shelf.twin();
    let twin = tokio::select! {
        asked = stop_asked(&run.stop) => asked.map(|()| None)?,
        found = twin.wait_for(Option::is_some) => found.ok().and_then(|at| at.clone()),
    };
    let served = run.close_doors().await;
    if let Some(hub) = &api.hub {
        hub.rest();
    }
    api.jobs.close(GRACE).await;
    api.pictures.forget();
    tending.abort();
    watching.abort();
    // Before the shelf: what was written through mounts has yet to be committed.
    let unmounted = on_mounts(&mounts, Mounts::close).await;
    let closed = shelf.close().await;
    // Last: whoever asked to stop waits for this, and may start again at once.
    home.clear_running();
    closed?;
    unmounted.and(served)?;
    match twin {
        Some(at) => Err(DaemonError::Twin(at)),
        None => Ok(api.asked()),
    }
}

/// Mounting and unmounting wait for disk and kernel, which may wait for us.
async fn on_mounts(mounts: &Arc<Mounts>, verb: fn(&Mounts)) -> Result<(), DaemonError> {
    let mounts = mounts.clone();
    let done = tokio::task::spawn_blocking(move || verb(&mounts)).await;
    done.map_err(|failed| DaemonError::Run(io::Error::other(failed)))
}

fn shelf_options(options: &UpOptions) -> ShelfOptions {
    let mut shelf = ShelfOptions::default();
    shelf.lan = options.lan;
    shelf.lan_port = options.lan_port;
    shelf.bind = options.bind;
    shelf.moved = options.start.moved;
    shelf
}

async fn open_shelf<R>(run: &Run<'_, R>) -> Result<(Shelf, Option<Hub>), DaemonError> {
    let opened = Shelf::open(run.home.path(), run.shelf.clone()).await;
    let shelf = opened.map_err(|error| in_use(run.home, error))?;
    match start_hub(&shelf, run.options).await {
        Ok(hub) => Ok((shelf, hub)),
        Err(error) => {
            // What was opened is closed in order, whatever else is wrong.
            let _ = shelf.close().await;
            Err(error)
        }
    }
}

fn in_use(home: &Home, error: SpaceError) -> DaemonError {
    use cobox_feed::store::StoreError;
    match error {
        SpaceError::Store(StoreError::Locked) => {
            DaemonError::HomeInUse(home.path().display().to_string())
        }
        other => DaemonError::Space(other),
    }
}

/// A home is a person's or a device's.
async fn start_hub(shelf: &Shelf, options: &UpOptions) -> Result<Option<Hub>, DaemonError> {
    if let Some(hub) = &options.hub {
        let started = Hub::start(shelf, hub.clone()).await;
        return started.map(Some).map_err(DaemonError::Space);
    }
    let looking = shelf.clone();
    let devices = tokio::task::spawn_blocking(move || looking.devices()).await;
    let devices = devices.map_err(|failed| DaemonError::Run(io::Error::other(failed)))?;
    let me = shelf.public_key();
    match devices
        .map_err(DaemonError::Space)?
        .iter()
        .any(|d| d.identity() == me)
    {
        true => Err(DaemonError::IsADevice),
        false => Ok(None),
    }
}

async fn stop_asked(stop: &watch::Sender<bool>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut asked = stop.subscribe();
    tokio::select! {
        _ = asked.wait_for(|stop| *stop) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
