//! `cobox up` and `cobox hub`: opens the house, serves the API, shuts everything down in order. It only wires.

use crate::api::{Access, Api};
use crate::config::{ConfigError, Home, Running};
use crate::doors::{DoorError, Doors, Wanted};
use crate::logs::Logs;
use crate::memory;
use crate::mounts::Mounts;
use cobox_space::hub::{Hub, HubOptions};
use cobox_space::shelf::{Shelf, ShelfOptions, SpaceError};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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
    /// The home could not be opened.
    #[error(transparent)]
    Space(SpaceError),
    /// Our own files.
    #[error(transparent)]
    Config(#[from] ConfigError),
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
    /// where the last lines of the log are
    pub logs: Logs,
}

/// Where the program answers, once it does.
#[derive(Clone, Debug)]
pub struct Ready {
    /// port of the API on loopback
    pub port: u16,
    /// where else, for people
    pub others: Vec<String>,
}

/// Runs until stopped by a signal or a call. `ready` is told once, when everything answers.
pub fn run(
    home: &Home,
    options: &UpOptions,
    ready: impl FnOnce(&Api, &Ready),
) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.spawn(memory::give_back_at_rest());
    let outcome = runtime.block_on(serve(home, options, ready));
    runtime.shutdown_timeout(GRACE);
    outcome
}

async fn serve(
    home: &Home,
    options: &UpOptions,
    ready: impl FnOnce(&Api, &Ready),
) -> Result<(), DaemonError> {
    home.create()?;
    // The port first: a taken one is told before anything is opened.
    let doors = Doors::open(&options.doors).await?;
    let port = doors.port()?;
    let open = Ready {
        port,
        others: doors.others(),
    };
    let shelf = open_shelf(home, options).await?;
    let hub = match start_hub(&shelf, options).await {
        Ok(hub) => hub,
        Err(error) => {
            // What was opened is closed in order, whatever else is wrong.
            let _ = shelf.close().await;
            return Err(error);
        }
    };
    let mounts = Mounts::new(shelf.clone(), home.path().to_owned());
    let token = home.write_token()?;
    home.write_running(Running {
        pid: std::process::id(),
        port,
    })?;
    let api = Arc::new(Api {
        shelf: shelf.clone(),
        hub,
        mounts: mounts.clone(),
        access: Arc::new(Access::of(home.path())),
        jobs: Arc::default(),
        pictures: Arc::default(),
        logs: options.logs.clone(),
        home: home.path().display().to_string(),
        token,
        port,
        stop: watch::Sender::new(false),
    });
    on_mounts(&mounts, Mounts::restore).await?;
    let tending = tokio::spawn(mounts.clone().tend());
    ready(&api, &open);
    let served = serve_until_stopped(doors, &api).await;
    if let Some(hub) = &api.hub {
        hub.rest();
    }
    api.jobs.close(GRACE).await;
    api.pictures.forget();
    tending.abort();
    // Before the shelf: what was written through mounts has yet to be committed.
    let unmounted = on_mounts(&mounts, Mounts::close).await;
    let closed = shelf.close().await;
    // Last: whoever asked to stop waits for this, and may start again at once.
    home.clear_running();
    closed.map_err(DaemonError::Space)?;
    unmounted.and(served)
}

/// Mounting and unmounting wait for disk and kernel, which may wait for us.
async fn on_mounts(mounts: &Arc<Mounts>, verb: fn(&Mounts)) -> Result<(), DaemonError> {
    let mounts = mounts.clone();
    let done = tokio::task::spawn_blocking(move || verb(&mounts)).await;
    done.map_err(|failed| DaemonError::Run(io::Error::other(failed)))
}

async fn open_shelf(home: &Home, options: &UpOptions) -> Result<Shelf, DaemonError> {
    use cobox_feed::store::StoreError;
    let mut shelf_options = ShelfOptions::default();
    shelf_options.lan = options.lan;
    shelf_options.lan_port = options.lan_port;
    shelf_options.bind = options.bind;
    Shelf::open(home.path(), shelf_options)
        .await
        .map_err(|error| match error {
            SpaceError::Store(StoreError::Locked) => {
                DaemonError::HomeInUse(home.path().display().to_string())
            }
            other => DaemonError::Space(other),
        })
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

async fn serve_until_stopped(doors: Doors, api: &Arc<Api>) -> Result<(), DaemonError> {
    let servers = doors.serve(api)?;
    stop_asked(api).await?;
    api.stop.send_replace(true);
    // Long work that does not end within the grace time is cut.
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

async fn stop_asked(api: &Api) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut asked = api.stop.subscribe();
    tokio::select! {
        _ = asked.wait_for(|stop| *stop) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
