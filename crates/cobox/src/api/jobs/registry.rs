//! Long work that runs now or has ended lately: started, followed, stopped, forgotten.
//!
//! Bounded: so many run at once, so many ended ones are remembered. Not its job: what the work is.

use crate::api::types::{JobDone, JobJson, JobProgress};
use crate::api::{ApiError, time};
use axum::http::StatusCode;
use cobox_keys::access::Address;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// Jobs that may run at once.
const RUNNING: usize = 8;
/// Ended jobs that are remembered.
const REMEMBERED: usize = 100;
/// Events kept for a slow listener.
const EVENTS: usize = 256;

/// Tells how far the work is.
pub type Tell<'a> = &'a mut dyn FnMut(JobProgress);

/// All jobs of this run of the program.
pub struct Jobs {
    all: Mutex<All>,
    events: broadcast::Sender<JobEvent>,
}

/// Something about a job, told after it is so.
#[derive(Clone, Debug)]
pub enum JobEvent {
    /// it began, went on, was told to stop, or ended
    Changed(JobJson),
    /// it has ended and is forgotten
    Removed(JobJson),
}

#[derive(Default)]
struct All {
    last: u64,
    closed: bool,
    jobs: BTreeMap<u64, Arc<Job>>,
}

/// One job.
pub struct Job {
    cancel: AtomicBool,
    now: watch::Sender<JobJson>,
}

/// Stops a job when whoever waits for it goes away.
pub struct Leash(Arc<Job>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Job {
    /// How it stands.
    pub fn now(&self) -> JobJson {
        self.now.borrow().clone()
    }

    /// How it stands from now on.
    pub fn follow(&self) -> watch::Receiver<JobJson> {
        self.now.subscribe()
    }

    /// Ties it to somebody who waits.
    pub fn leash(self: &Arc<Self>) -> Leash {
        Leash(self.clone())
    }

    /// Asks it to stop; true if it was running.
    pub fn stop(&self) -> bool {
        self.cancel.store(true, Ordering::Relaxed);
        self.now.send_if_modified(|now| {
            let runs = now.state == "running";
            if runs {
                now.state = "stopping".into();
            }
            runs
        })
    }

    fn runs(&self) -> bool {
        is_running(&self.now.borrow())
    }
}

/// Has it not ended?
pub fn is_running(job: &JobJson) -> bool {
    job.ended_at.is_none()
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            all: Mutex::default(),
            events: broadcast::channel(EVENTS).0,
        }
    }
}

impl Jobs {
    /// Starts work on a blocking thread. Refused while too many run, or the program stops.
    pub fn start(
        self: &Arc<Self>,
        kind: &str,
        address: Address,
        work: impl FnOnce(Tell<'_>, &AtomicBool) -> Result<JobDone, ApiError> + Send + 'static,
    ) -> Result<Arc<Job>, ApiError> {
        let job = self.admit(kind, address)?;
        self.tell(JobEvent::Changed(job.now()));
        let (jobs, worked) = (self.clone(), job.clone());
        let telling = (self.clone(), job.clone());
        let done = tokio::task::spawn_blocking(move || {
            let (jobs, job) = telling;
            let mut tell = |progress| jobs.change(&job, |now| now.progress = progress);
            work(&mut tell, &job.cancel)
        });
        tokio::spawn(async move {
            let outcome = done
                .await
                .unwrap_or_else(|failed| Err(ApiError::inside(&failed)));
            jobs.change(&worked, |now| end(now, outcome));
        });
        Ok(job)
    }

    fn admit(&self, kind: &str, address: Address) -> Result<Arc<Job>, ApiError> {
        let mut all = self.lock();
        if all.closed {
            let msg = "the program is about to end; nothing was begun";
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                msg,
            ));
        }
        if all.jobs.values().filter(|job| job.runs()).count() >= RUNNING {
            let msg = "too much long work runs already; nothing was begun. Wait for some of it: cobox jobs";
            return Err(ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_jobs",
                msg,
            ));
        }
        for forgotten in all.forget_oldest() {
            self.tell(JobEvent::Removed(forgotten));
        }
        all.last += 1;
        let job = Arc::new(Job {
            cancel: AtomicBool::new(false),
            now: watch::Sender::new(fresh(all.last, kind, address)),
        });
        let last = all.last;
        all.jobs.insert(last, job.clone());
        Ok(job)
    }

    fn change(&self, job: &Job, change: impl FnOnce(&mut JobJson)) {
        job.now.send_modify(change);
        self.tell(JobEvent::Changed(job.now()));
    }

    fn tell(&self, event: JobEvent) {
        let _ = self.events.send(event); // nobody may be listening
    }

    /// All of them, oldest first.
    pub fn list(&self) -> Vec<JobJson> {
        self.lock().jobs.values().map(|job| job.now()).collect()
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Result<Arc<Job>, ApiError> {
        let found = id
            .parse()
            .ok()
            .and_then(|id: u64| self.lock().jobs.get(&id).cloned());
        found.ok_or_else(|| {
            let msg = "there is no such job; list them with: cobox jobs";
            ApiError::new(StatusCode::NOT_FOUND, "no_such_job", msg)
        })
    }

    /// Stops one if it runs (true), forgets it if it has ended.
    pub fn remove(&self, id: &str) -> Result<(JobJson, bool), ApiError> {
        let job = self.get(id)?;
        let ran = job.runs();
        if ran {
            job.stop();
            self.tell(JobEvent::Changed(job.now()));
        } else if let Ok(id) = id.parse() {
            self.lock().jobs.remove(&id);
            self.tell(JobEvent::Removed(job.now()));
        }
        Ok((job.now(), ran))
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<JobEvent> {
        self.events.subscribe()
    }

    /// Begins no more, stops all, and waits for them as long as is allowed.
    pub async fn close(&self, patience: Duration) {
        let running: Vec<_> = {
            let mut all = self.lock();
            all.closed = true;
            all.jobs.values().cloned().collect()
        };
        for job in &running {
            job.stop();
        }
        let ended = async {
            for job in running {
                let _ = job.follow().wait_for(|now| !is_running(now)).await; // the sender is held by the job
            }
        };
        let _ = tokio::time::timeout(patience, ended).await; // what is committed is whole; the rest is cut
    }

    /// Every value behind the lock is whole after each statement, so a panic elsewhere spoils none.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// Makes room for one more; what went for it.
    fn forget_oldest(&mut self) -> Vec<JobJson> {
        let mut forgotten = Vec::new();
        while self.jobs.len() >= REMEMBERED {
            let Some(oldest) = self
                .jobs
                .iter()
                .find(|(_, job)| !job.runs())
                .map(|(id, _)| *id)
            else {
                break; // fewer run than are remembered
            };
            forgotten.extend(self.jobs.remove(&oldest).map(|job| job.now()));
        }
        forgotten
    }
}

fn fresh(id: u64, kind: &str, address: Address) -> JobJson {
    JobJson {
        id: id.to_string(),
        kind: kind.into(),
        address: address.to_string(),
        state: "running".into(),
        started_at: time::now(),
        ended_at: None,
        progress: JobProgress::default(),
        done: None,
        error: None,
    }
}

fn end(job: &mut JobJson, outcome: Result<JobDone, ApiError>) {
    job.ended_at = Some(time::now());
    match outcome {
        Ok(done) => {
            job.state = "done".into();
            job.done = Some(done);
        }
        Err(error) => {
            let error = error.into_json();
            job.state = if error.code == "stopped" {
                "stopped"
            } else {
                "failed"
            }
            .into();
            job.error = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        "00".repeat(32).parse().unwrap()
    }

    /// Work that lasts until it is stopped.
    fn patient(_: Tell<'_>, cancel: &AtomicBool) -> Result<JobDone, ApiError> {
        while !cancel.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(cobox_drive::drive::DriveError::Cancelled.into())
    }

    async fn ended(job: &Job) -> JobJson {
        job.follow()
            .wait_for(|now| !is_running(now))
            .await
            .unwrap()
            .clone()
    }

    #[tokio::test]
    async fn a_job_is_followed_to_its_end() {
        let jobs = Arc::new(Jobs::default());
        let mut events = jobs.subscribe();
        let work = |tell: Tell<'_>, _: &AtomicBool| {
            tell(JobProgress {
                entries: 3,
                ..JobProgress::default()
            });
            Ok(JobDone {
                entries: 3,
                ..JobDone::default()
            })
        };
        let job = jobs.start("import", address(), work).unwrap();
        let end = ended(&job).await;
        assert_eq!(
            (
                end.state.as_str(),
                end.progress.entries,
                end.done.unwrap().entries
            ),
            ("done", 3, 3)
        );
        let JobEvent::Changed(begun) = events.recv().await.unwrap() else {
            panic!("it has just begun");
        };
        assert_eq!(
            (begun.state.as_str(), begun.progress.entries),
            ("running", 0)
        );
        let JobEvent::Changed(on) = events.recv().await.unwrap() else {
            panic!("it goes on");
        };
        assert_eq!((on.state.as_str(), on.progress.entries), ("running", 3));
        let done = events.recv().await.unwrap();
        assert!(matches!(done, JobEvent::Changed(job) if job.state == "done"));
    }

    #[tokio::test]
    async fn jobs_stop_when_told_when_their_caller_goes_and_when_all_ends() {
        let jobs = Arc::new(Jobs::default());
        let told = jobs.start("export", address(), patient).unwrap();
        assert!(jobs.remove(&told.now().id).unwrap().1);
        assert_eq!(ended(&told).await.state, "stopped");
        assert!(
            !jobs.remove(&told.now().id).unwrap().1,
            "it is forgotten then"
        );
        assert!(jobs.get(&told.now().id).is_err());
        let left = jobs.start("export", address(), patient).unwrap();
        drop(left.leash());
        assert_eq!(ended(&left).await.state, "stopped");
        let last = jobs.start("export", address(), patient).unwrap();
        jobs.close(Duration::from_secs(60)).await;
        assert_eq!(last.now().state, "stopped");
        assert!(jobs.start("export", address(), patient).is_err());
    }

    #[tokio::test]
    async fn a_job_that_fails_inside_ends() {
        let jobs = Arc::new(Jobs::default());
        let work = |_: Tell<'_>, _: &AtomicBool| -> Result<JobDone, ApiError> { panic!("a test") };
        let job = jobs.start("import", address(), work).unwrap();
        assert_eq!(ended(&job).await.state, "failed");
    }

    #[tokio::test]
    async fn so_many_run_and_so_many_are_remembered() {
        let jobs = Arc::new(Jobs::default());
        for _ in 0..RUNNING {
            jobs.start("export", address(), patient).unwrap();
        }
        assert!(jobs.start("export", address(), patient).is_err());
        for job in jobs.list() {
            jobs.remove(&job.id).unwrap();
            ended(&jobs.get(&job.id).unwrap()).await;
        }
        for _ in 0..REMEMBERED {
            let quick = |_: Tell<'_>, _: &AtomicBool| Ok(JobDone::default());
            ended(&jobs.start("import", address(), quick).unwrap()).await;
        }
        let list = jobs.list();
        assert_eq!(list.len(), REMEMBERED);
        assert_eq!(list[0].id, (RUNNING + 1).to_string());
    }
}
