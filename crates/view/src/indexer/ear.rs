//! Listening: events of the source and orders of the owner, asleep in between.

use cobox_feed::set::Event;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

/// What the owner of the thread asks for.
#[derive(Default)]
pub(super) struct Orders {
    stop: AtomicBool,
    rebuild: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Orders {
    pub fn obeyed_by(&self, thread: Thread) {
        // Set once, right after the thread is made.
        let _ = self.thread.set(thread);
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub fn rebuild(&self) {
        self.rebuild.store(true, Ordering::Release);
        self.wake();
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub fn take_rebuild(&self) -> bool {
        self.rebuild.swap(false, Ordering::AcqRel)
    }

    fn is_waiting(&self) -> bool {
        self.is_stopping() || self.rebuild.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// What was heard.
pub(super) enum Heard {
    Event(Event),
    /// Events were missed: look at everything again.
    Gap,
}

/// Receives without an async runtime: the thread parks, the channel or the owner unparks it.
pub(super) struct Ear {
    events: broadcast::Receiver<Event>,
    pub orders: Arc<Orders>,
    /// Nobody can send events any more.
    deaf: bool,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Ear {
    pub fn new(events: broadcast::Receiver<Event>, orders: Arc<Orders>) -> Self {
        let deaf = false;
        Self {
            events,
            orders,
            deaf,
        }
    }

    /// What has come in, without waiting.
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.events.try_recv() {
            Ok(event) => Some(Heard::Event(event)),
            Err(TryRecvError::Lagged(_)) => Some(Heard::Gap),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    /// Sleeps until an event, an order, or `until`.
    pub fn wait(&mut self, until: Option<Instant>) -> Option<Heard> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut event = pin!(self.events.recv());
        loop {
            if self.orders.is_waiting() {
                return None;
            }
            if !self.deaf {
                match event.as_mut().poll(&mut context) {
                    Poll::Ready(Ok(event)) => return Some(Heard::Event(event)),
                    Poll::Ready(Err(RecvError::Lagged(_))) => return Some(Heard::Gap),
                    Poll::Ready(Err(RecvError::Closed)) => self.deaf = true,
                    Poll::Pending => {}
                }
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => return None,
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}
