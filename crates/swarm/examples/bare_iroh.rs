//! How fast the transport alone is: bytes from memory to memory between two processes, over as many
//! streams as asked for, neither verified nor stored. The yardstick of `bench/`.
//!
//! `bare_iroh receive IP` prints where it listens; `bare_iroh send WHERE BYTES STREAMS` prints seconds.
//! Without streams it only connects and stays for a moment: what a connection costs by itself.

use iroh::endpoint::{Connection, VarInt, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, SecretKey, TransportAddr};
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const ALPN: &[u8] = b"bare/1";
const CHUNK: usize = 64 << 10;
/// Long enough for the probes that follow a handshake.
const STAY: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receive", ip] => receive(ip).await,
        ["send", to, bytes, streams] => send(to, bytes.parse()?, streams.parse()?).await,
        _ => Err("receive IP | send WHERE BYTES STREAMS".into()),
    }
}

async fn bind(address: &str) -> Outcome<Endpoint> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| e.to_string())?;
    let builder = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(&seed))
        .alpns(vec![ALPN.to_vec()])
        .clear_ip_transports()
        .bind_addr(address)?;
    Ok(builder.bind().await?)
}

async fn receive(ip: &str) -> Outcome {
    let endpoint = bind(&format!("{ip}:0")).await?;
    let socket = endpoint.bound_sockets()[0];
    println!("{}@{socket}", endpoint.id());
    let incoming = endpoint.accept().await.ok_or("closed")?;
    let connection = incoming.await?;
    let streams = connection.accept_uni().await?.read_to_end(8).await?;
    let mut drains = JoinSet::new();
    for _ in 0..u64::from_be_bytes(streams.as_slice().try_into()?) {
        drains.spawn(drain(connection.clone()));
    }
    if drains.is_empty() {
        connection.closed().await;
    }
    while let Some(drained) = drains.join_next().await {
        drained??;
    }
    connection.close(VarInt::from_u32(0), b"all here");
    endpoint.close().await;
    // Stays until told to end, so that its memory and time can still be read.
    std::future::pending().await
}

async fn drain(connection: Connection) -> Outcome {
    let mut stream = connection.accept_uni().await?;
    let mut buffer = vec![0; CHUNK];
    while stream.read(&mut buffer).await?.is_some() {}
    Ok(())
}

async fn send(to: &str, bytes: u64, streams: u64) -> Outcome {
    let (id, address) = to.split_once('@').ok_or("no @")?;
    let address: SocketAddr = address.parse()?;
    let target = EndpointAddr::from_parts(id.parse::<EndpointId>()?, [TransportAddr::Ip(address)]);
    let endpoint = bind("0.0.0.0:0").await?;
    let begin = Instant::now();
    let connection = endpoint.connect(target, ALPN).await?;
    let mut first = connection.open_uni().await?;
    first.write_all(&streams.to_be_bytes()).await?;
    first.finish()?;
    if streams == 0 {
        println!("{}", begin.elapsed().as_secs_f64());
        tokio::time::sleep(STAY).await;
        endpoint.close().await;
        return Ok(());
    }
    let mut pours = JoinSet::new();
    for _ in 0..streams {
        pours.spawn(pour(connection.clone(), bytes / streams));
    }
    while let Some(poured) = pours.join_next().await {
        poured??;
    }
    connection.closed().await;
    println!("{}", begin.elapsed().as_secs_f64());
    endpoint.close().await;
    Ok(())
}

async fn pour(connection: Connection, mut bytes: u64) -> Outcome {
    let mut stream = connection.open_uni().await?;
    let chunk = vec![0x5a; CHUNK];
    while bytes > 0 {
        let part = chunk.len().min(usize::try_from(bytes)?);
        stream.write_all(&chunk[..part]).await?;
        bytes -= part as u64;
    }
    stream.finish()?;
    // A dropped connection would lose what is not yet acknowledged.
    stream.stopped().await.ok();
    Ok(())
}
