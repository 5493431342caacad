//! Answers at one door: so many connections at once, each of which says what it wants in time.
//!
//! Whoever dawdles over a request's head, or never begins one, is cut and holds up nobody but themselves. Bodies and
//! answers may take as long as they take: they are only for those who may call.

use crate::api::Remote;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 512;
/// How long the head of a request may take; a connection that is kept for another one rests no longer than this.
const HEAD: Duration = Duration::from_secs(10);

type Service = TowerToHyperService<Router>;

/// Answers until the program stops, and then until every answer that was begun is given.
pub fn answer<L: Listener>(
    listener: L,
    room: Router,
    stop: &watch::Sender<bool>,
) -> JoinHandle<io::Result<()>>
where
    L::Addr: Into<Remote>,
{
    tokio::spawn(serve(
        listener,
        TowerToHyperService::new(room),
        stop.subscribe(),
    ))
}

async fn serve<L: Listener>(
    mut listener: L,
    service: Service,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()>
where
    L::Addr: Into<Remote>,
{
    let turns = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {} // their memory goes with them
        let next = async {
            let turn = turns.clone().acquire_owned().await;
            (turn, listener.accept().await)
        };
        let (turn, (connection, from)) = tokio::select! {
            next = next => next,
            () = stopped(&mut stop) => break,
        };
        let (service, stop, from) = (service.clone(), stop.clone(), from.into());
        connections.spawn(async move {
            let _turn = turn;
            converse(connection, from, service, stop).await;
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await; // the sender goes when everything ends
}

/// One connection to its end.
async fn converse<Io>(
    connection: Io,
    from: Remote,
    service: Service,
    mut stop: watch::Receiver<bool>,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Whoever answers may want to know who asks.
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        service.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let conversation = builder
        .serve_connection(TokioIo::new(connection), service)
        .with_upgrades();
    let mut conversation = pin!(conversation);
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = stopped(&mut stop) => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended"); // the other side went, or was too slow
    }
}

impl From<SocketAddr> for Remote {
    fn from(at: SocketAddr) -> Self {
        Self(Some(at))
    }
}

impl From<tokio::net::unix::SocketAddr> for Remote {
    fn from(_: tokio::net::unix::SocketAddr) -> Self {
        Self(None)
    }
}
