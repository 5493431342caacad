//! `cobox up` and `cobox hub`: opens the house, serves the API, shuts everything down in order. It only wires.

use crate::api::{self, Api};
use crate::config::{ConfigError, Home, Running};
use crate::memory;
use crate::mounts::Mounts;
use axum::serve::ListenerExt;
use cobox_space::hub::{Hub, HubOptions};
use cobox_space::shelf::{Shelf, ShelfOptions, SpaceError};
use std::future::IntoFuture;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long running calls may take to end when the program stops.
const GRACE: Duration = Duration::from_secs(5);

/// Why the program could not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another program listens there.
    #[error(
        "port {0} is taken by another program; choose another one with --port (nothing was changed)"
    )]
    PortTaken(u16),
    /// Listening failed otherwise.
    #[error("the API cannot listen on port {0}: {1}")]
    Listen(u16, io::Error),
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
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// port of the API; 0 = any free one
    pub port: u16,
    /// announce and listen on the LAN
    pub lan: bool,
    /// UDP port of that; none = the usual one
    pub lan_port: Option<u16>,
    /// be a device
    pub hub: Option<HubOptions>,
    /// where peers may connect; none = every interface, any port
    pub bind: Option<SocketAddr>,
}

/// Runs until stopped by a signal or a call. `ready` is told once, when everything answers.
pub fn run(home: &Home, options: &UpOptions, ready: impl FnOnce(&Api)) -> Result<(), DaemonError> {
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
    ready: impl FnOnce(&Api),
) -> Result<(), DaemonError> {
    home.create()?;
    // The port first: a taken one is told before anything is opened.
    let listener = listen(options.port).await?;
    let port = listener.local_addr()?.port();
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
        home: home.path().display().to_string(),
        token,
        port,
        stop: watch::Sender::new(false),
    });
    on_mounts(&mounts, Mounts::restore).await?;
    let tending = tokio::spawn(mounts.clone().tend());
    ready(&api);
    let served = serve_until_stopped(listener, api.clone()).await;
    if let Some(hub) = &api.hub {
        hub.rest();
    }
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

async fn listen(port: u16) -> Result<TcpListener, DaemonError> {
    let listened = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listened.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => DaemonError::PortTaken(port),
        _ => DaemonError::Listen(port, error),
    })
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

async fn serve_until_stopped(listener: TcpListener, api: Arc<Api>) -> Result<(), DaemonError> {
    let mut stopping = api.stop.subscribe();
    // Else the body of a small answer waits 40 ms for the acknowledgement of its head.
    let listener = listener.tap_io(|connection| {
        connection.set_nodelay(true).ok(); // without it: slower, but as right
    });
    let server =
        axum::serve(listener, api::router(api.clone())).with_graceful_shutdown(async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        });
    let server = tokio::spawn(server.into_future());
    stop_asked(&api).await?;
    api.stop.send_replace(true);
    // Long work that does not end within the grace time is cut.
    match tokio::time::timeout(GRACE, server).await {
        Ok(Ok(served)) => Ok(served?),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
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
