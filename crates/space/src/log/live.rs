//! A query that goes on: first what is there, then each new message that belongs to the answer, once.
//!
//! What was handed out is known by place (feed and block), not by any number given here, so rows that are thrown away and
//! made again are not taken for news. Events only wake it up; a lost one loses nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cobox_drive::tree::Changed;
use cobox_view::kv::ViewError;
use cobox_view::query::{Each, Outcome, Query};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::{JoinHandle, spawn_blocking};

use super::ask::{Asker, Cursor};
use super::view::Logged;
use crate::error::SpaceError;

/// Tables that are being made anew cannot be read for a moment ...
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// ... but not so many times in a row.
const MOST_LOOKS: u32 = 600;

/// What a live query tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Live {
    /// A message, as the query shows it.
    Row(Value),
    /// All that was there has been told; what follows is new.
    CaughtUp {
        /// there were more messages than an answer may have; the others are not told
        more: bool,
    },
}

/// See [`super::Log::query_live`].
pub struct LiveQuery {
    asker: Arc<Asker>,
    each: Arc<Each>,
    logged: Receiver<Logged>,
    changed: Receiver<Changed>,
    cursor: Cursor,
    ready: VecDeque<Live>,
    /// There may be something behind the cursor.
    behind: bool,
    /// Going on in the background: kept here, so that dropping `next` loses nothing.
    looking: Option<JoinHandle<Result<News, SpaceError>>>,
    failed: u32,
}

type News = (Vec<Value>, Cursor, bool);

impl LiveQuery {
    /// The receivers must be older than this call. Blocks.
    pub(super) fn begin(
        asker: Arc<Asker>,
        query: &Query,
        logged: Receiver<Logged>,
        changed: Receiver<Changed>,
    ) -> Result<Self, SpaceError> {
        let each = Arc::new(query.each()?);
        let (answer, cursor) = asker.begin(query)?;
        let rows = match answer.outcome {
            Outcome::Rows(rows) => rows,
            Outcome::Value(value) => vec![value],
        };
        let mut ready: VecDeque<Live> = rows.into_iter().map(Live::Row).collect();
        ready.push_back(Live::CaughtUp { more: answer.more });
        Ok(Self {
            asker,
            each,
            logged,
            changed,
            cursor,
            ready,
            behind: true,
            looking: None,
            failed: 0,
        })
    }

    /// The next; waits for it. `None`: the space is closed. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// `View` if the tables cannot be read for a minute.
    pub async fn next(&mut self) -> Option<Result<Live, SpaceError>> {
        loop {
            if let Some(live) = self.ready.pop_front() {
                return Some(Ok(live));
            }
            if !self.behind && !self.wait().await {
                return None;
            }
            self.behind = true;
            if let Err(error) = self.look().await {
                return Some(Err(error));
            }
        }
    }

    /// Waits for a reason to look. False: there will be none.
    async fn wait(&mut self) -> bool {
        let open = loop {
            tokio::select! {
                logged = self.logged.recv() => break !matches!(logged, Err(RecvError::Closed)),
                changed = self.changed.recv() => match changed {
                    // Messages of a writer who was not known count from now on.
                    Ok(Changed::Writer(_)) | Err(RecvError::Lagged(_)) => break true,
                    Ok(_) => {}
                    Err(RecvError::Closed) => break false,
                },
            }
        };
        // One look answers all that has come in so far.
        while !matches!(
            self.logged.try_recv(),
            Err(TryRecvError::Empty | TryRecvError::Closed)
        ) {}
        open
    }

    async fn look(&mut self) -> Result<(), SpaceError> {
        let looking = self.looking.get_or_insert_with(|| {
            let (asker, each) = (Arc::clone(&self.asker), Arc::clone(&self.each));
            let cursor = self.cursor.clone();
            spawn_blocking(move || asker.news(&each, cursor))
        });
        let found = looking.await;
        self.looking = None;
        match found.unwrap_or(Err(SpaceError::Stopping)) {
            Ok((rows, cursor, more)) => {
                self.ready.extend(rows.into_iter().map(Live::Row));
                (self.cursor, self.behind, self.failed) = (cursor, more, 0);
                Ok(())
            }
            Err(SpaceError::View(ViewError::Closed | ViewError::Damaged(_)))
                if self.failed < MOST_LOOKS =>
            {
                self.failed += 1;
                tokio::time::sleep(LOOK_AGAIN).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
