//! Memory that nobody else sees, and that is given back: how the C library's allocator shall behave in a program that runs for weeks.
//!
//! At rest with 20 000 files the program uses 9 MiB of its heap; without this, five times as much stayed resident after an
//! import, as free pieces between used ones.

use std::time::Duration;

/// No core file is written, and no other program of the same user may look into this one: keys are in it. What the system
/// does not let us set, the unit files set from outside.
#[cfg(target_os = "linux")]
pub fn keep_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Other systems: their own settings.
#[cfg(not(target_os = "linux"))]
pub fn keep_private() {}

/// How often to look whether there was work and is none any more.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Using less processor time than this between two looks is resting.
const RESTING: Duration = Duration::from_millis(60);
/// After less work than this there is nothing to give back.
const WORTH: Duration = Duration::from_millis(200);

/// Threads share two heaps, so that free pieces of one thread serve the others. Buffers of usual sizes come from the heaps
/// and stay there for the next one: with each mapped by itself, an export spent a third of its samples on mapping, clearing
/// and unmapping. What is left over at the end goes back at rest.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub fn give_back() {
    const GIVE_BACK_ABOVE: libc::c_int = 8 << 20;
    const MAP_ABOVE: libc::c_int = 2 << 20;
    // SAFETY: the C library offers no safe call; mallopt only stores these numbers, and it is called
    // at the start of `main`, before there is a second thread. A refused setting changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_TRIM_THRESHOLD, GIVE_BACK_ABOVE);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAP_ABOVE);
    }
}

/// Gives whole free pages in the middle of the heaps back, too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
fn trim() {
    // SAFETY: the C library offers no safe call; malloc_trim takes the allocator's own locks, may be called by
    // any thread at any time, and touches nothing that is allocated.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators decide for themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

/// Gives memory back whenever the program comes to rest after work. Runs for ever.
pub async fn give_back_at_rest() {
    let mut rest = Rest::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if rest.has_come(cpu_time()) && tokio::task::spawn_blocking(trim).await.is_err() {
            return;
        }
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Processor time used until the last look, and until the last rest.
#[derive(Default)]
struct Rest {
    looked: Duration,
    rested: Duration,
}

impl Rest {
    /// Was there work, and is there none any more?
    fn has_come(&mut self, used: Duration) -> bool {
        let is_resting = used.saturating_sub(self.looked) < RESTING;
        self.looked = used;
        let has_come = is_resting && used.saturating_sub(self.rested) >= WORTH;
        if has_come {
            self.rested = used;
        }
        has_come
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_comes_once_after_work_and_not_in_the_middle_of_it() {
        let mut rest = Rest::default();
        let looks = [0, 10, 900, 1800, 1820, 1830, 1850, 2500, 2510];
        let came = looks.map(|ms| rest.has_come(Duration::from_millis(ms)));
        let expected = [1820, 2510].map(|ms| looks.iter().position(|look| *look == ms));
        let found: Vec<_> = (0..looks.len()).filter(|at| came[*at]).map(Some).collect();
        assert_eq!(found, expected);
    }
}
