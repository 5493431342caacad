//! What the end-to-end tests share: real programs on homes of their own, real trees on disk, a wire
//! that can be listened to. No test sleeps for a guess: it asks until it is so, or until its
//! patience ends.

// Each test file is a program of its own and uses a part of this.
#![allow(dead_code)]

pub mod compare;
pub mod ear;
pub mod http;
pub mod lan;
pub mod lost;
pub mod mounts;
pub mod netns;
pub mod node;
pub mod random;
pub mod search;
pub mod secrets;
pub mod tree;
pub mod watch;
pub mod wire;

use std::time::{Duration, Instant};

pub use node::Node;

/// How long anything may take before a test gives up; generous, because machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The same, or so many seconds as `COBOX_PATIENCE` says, for stories with much data.
pub fn patience() -> Duration {
    let given = std::env::var("COBOX_PATIENCE").ok();
    let seconds = given.and_then(|seconds| seconds.parse().ok());
    seconds.map_or(PATIENCE, Duration::from_secs)
}

/// Asks until `probe` has an answer. Its errors say how things stand; the last one is shown when
/// patience ends.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match probe() {
            Ok(answer) => return answer,
            Err(state) if started.elapsed() > patience() => {
                panic!("not within {:?}: {what}; at last: {state}", patience())
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
