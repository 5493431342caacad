//! Threads for requests that may wait, for peers or for a disk, while the threads that answer the kernel go on.
//!
//! Not its job: which requests those are.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Requests that wait at a time; further ones queue up behind them.
const MOST: usize = 64;
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// As many threads as there are waiting requests. Copies share them.
#[derive(Clone, Default)]
pub(crate) struct Aside(Arc<Inner>);

#[derive(Default)]
struct Inner {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Aside {
    /// Does a job soon, on another thread. A job that cannot be done is dropped; with it its reply, which answers
    /// the program with an I/O error.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.0.lock();
        queue.jobs.push_back(Box::new(job));
        if queue.idle >= queue.jobs.len() {
            self.0.more.notify_one();
        } else if queue.threads < MOST {
            self.start(&mut queue);
        }
    }

    fn start(&self, queue: &mut Queue) {
        let inner = self.0.clone();
        let thread = std::thread::Builder::new().name("mount-aside".into());
        match thread.spawn(move || inner.work()) {
            Ok(_) => queue.threads += 1,
            Err(error) => {
                tracing::warn!("no thread for a request that may wait: {error}");
                if queue.threads == 0 {
                    queue.jobs.clear();
                }
            }
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Jobs run without the lock, so no panic leaves it half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let _leaving = Leaving(self);
        while let Some(job) = self.next() {
            job();
        }
    }

    /// The next job; none when there was nothing to do for a while.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        queue.idle += 1;
        let (mut queue, _) = self
            .more
            .wait_timeout_while(queue, IDLE, |queue| queue.jobs.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        queue.idle -= 1;
        queue.jobs.pop_front()
    }
}

/// Counts a thread out, also when a job panics.
struct Leaving<'a>(&'a Inner);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
    }
}

/// Counts how many are at something. Copies share the count.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

/// One who is at it, until dropped.
pub(crate) struct Counted {
    counter: Counter,
    before: usize,
}

impl Counter {
    pub fn enter(&self) -> Counted {
        Counted {
            counter: self.clone(),
            before: self.0.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Counted {
    /// How many others were at it already.
    pub fn before(&self) -> usize {
        self.before
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counter.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn jobs_that_wait_for_each_other_all_run() {
        let aside = Aside::default();
        let (tell, told) = mpsc::channel();
        let (go, waits) = mpsc::channel::<()>();
        let done = tell.clone();
        aside.run(move || {
            waits.recv().ok();
            done.send("first").ok();
        });
        aside.run(move || {
            go.send(()).ok();
            tell.send("second").ok();
        });
        let mut all = [(); 2].map(|()| told.recv_timeout(SOON).ok());
        all.sort();
        assert_eq!(all, [Some("first"), Some("second")]);
    }

    #[test]
    fn more_jobs_than_threads_and_a_panic_between_them() {
        let aside = Aside::default();
        let (tell, told) = mpsc::channel();
        for number in 0..MOST * 3 {
            let tell = tell.clone();
            aside.run(move || {
                assert_ne!(number, 5, "on purpose");
                tell.send(number).ok();
            });
        }
        let mut all: Vec<_> = (1..MOST * 3)
            .map(|_| told.recv_timeout(SOON).expect("done"))
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), MOST * 3 - 1);
        assert!(aside.0.lock().threads <= MOST);
    }
}
