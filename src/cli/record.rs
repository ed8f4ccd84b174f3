//! What a collector of logs learns of every run, good ones too: that it began, and how it ended.
//!
//! In: what a verb says it did. Out: two lines, with `--log-format json` alone. Invariant: names of tasks, ids and numbers, and
//! nothing that anybody wrote into an object or a file.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde_json::{Map, Value, json};

use super::{context::Context, exit::Exit};
use crate::{model::SnapshotId, task::Ended};

/// What a verb did so far.
#[derive(Default)]
pub(super) struct Record(Mutex<Did>);

#[derive(Default)]
struct Did {
    snapshots: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

impl Record {
    /// Of these snapshots: taken, copied, fetched, deleted.
    pub(super) fn of<'a>(&self, snapshots: impl IntoIterator<Item = &'a SnapshotId>) {
        let mut did = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        did.snapshots.extend(snapshots.into_iter().map(ToString::to_string));
        did.snapshots.sort();
        did.snapshots.dedup();
    }

    /// So many more.
    pub(super) fn counted(&self, what: &'static str, how_many: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).counts.entry(what).or_default() += how_many;
    }
}

/// That the verb begins.
pub(super) fn begins(cx: &Context) {
    let fields = json!({"event": "start", "version": env!("CARGO_PKG_VERSION")});
    cx.terminal.record("begins", object(fields));
}

/// How it ended, and each of its tasks.
pub(super) fn ended(cx: &Context, exit: Exit, tasks: &[Ended], began: Instant) {
    let (warnings, errors) = cx.terminal.said();
    cx.record.counted("warnings", warnings);
    cx.record.counted("errors", errors);
    let did = cx.record.0.lock().unwrap_or_else(PoisonError::into_inner);
    let task = |ended: &Ended| {
        let problems: Vec<&str> = ended.problems.iter().map(|problem| problem.event.name()).collect();
        json!({"task": ended.task, "problems": problems})
    };
    let fields = json!({
        "event": "end",
        "outcome": exit.name(),
        "exit_code": exit.code(),
        "seconds": (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        "tasks": tasks.iter().map(task).collect::<Vec<Value>>(),
        "snapshots": did.snapshots,
        "counts": did.counts,
    });
    cx.terminal.record(&format!("ended: {}", exit.name()), object(fields));
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
