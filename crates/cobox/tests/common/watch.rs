//! `cobox watch` running beside a test, and what it has said so far.

use crate::common::{Node, until};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};

/// A running watcher; killed when the test is done with it.
pub struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Watch {
    /// Watches a space. Events count from now on: something harmless is done until the first one comes.
    pub fn begin(node: &Node, space: &str) -> Self {
        let mut child = node.command(&["--json", "watch", space]).spawn().unwrap();
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (said, out) = (Arc::clone(&lines), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.extend(serde_json::from_str(&line));
            }
        });
        let watch = Self { child, lines };
        let mut number = 0;
        until("the watcher hears", || {
            number += 1;
            node.json(&["annotate", space, &format!("listening={number}")]);
            match watch.all().is_empty() {
                true => Err("nothing yet".into()),
                false => Ok(()),
            }
        });
        watch
    }

    /// Everything said so far.
    pub fn all(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }

    /// Waits for an event of a type whose data passes `is_it`; its data.
    pub fn until(&self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        until(kind, || {
            let all = self.all();
            let mut found = all.iter().filter(|event| event["type"] == kind);
            let found = found.find(|event| is_it(&event["data"]));
            found
                .map(|event| event["data"].clone())
                .ok_or_else(|| format!("{all:?}"))
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
