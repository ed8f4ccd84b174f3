//! What a run changed, from its journal.
//!
//! In: a journal's lines, what its safety snapshot holds. Out: one [`Changed`] an object, in the order in which the run
//! changed them. Invariant: pure; an act whose outcome nobody wrote down, or that failed half-way, counts as maybe done:
//! what is there now tells.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Error, Result,
    model::{Component, Extent, ItemKey},
    plan::{Changed, Verb, is_guard},
    restore::{
        journal::{Entry, Past},
        safety::Saved,
    },
};

/// One act of the run.
struct Act<'a> {
    step: &'a str,
    batch: usize,
    component: Component,
    verb: Verb,
    live: Option<&'a str>,
    wanted: Option<&'a str>,
    done: Option<bool>,
}

/// Every object that the run changed or may have changed.
///
/// # Errors
/// When the journal is of netdr 0.1, or the safety snapshot lacks what was overwritten.
pub(super) fn changes(past: &Past, saved: Saved) -> Result<Vec<Changed>> {
    // An object that is written and scaled is two: its replicas are a part of their own.
    let mut acts: BTreeMap<(&ItemKey, bool), Vec<Act<'_>>> = BTreeMap::new();
    let mut open: BTreeMap<(&str, &ItemKey, Verb), usize> = BTreeMap::new();
    let (mut batch, mut in_batch) = (0, false);
    for line in &past.lines {
        let begins = matches!(line.entry, Entry::Intent { .. });
        batch += usize::from(begins && !in_batch); // the intents of a batch are written together
        in_batch = begins;
        match &line.entry {
            // There is no way back from a restart or a renewal.
            Entry::Intent { verb: Verb::Restart | Verb::Renew, .. } => {}
            Entry::Intent { step, key, component, verb, live, wanted, .. } => {
                let component = component.ok_or_else(|| older(past))?;
                let (live, wanted) = (live.as_deref(), wanted.as_deref());
                let acts = acts.entry((key, *verb == Verb::Scale)).or_default();
                open.insert((step, key, *verb), acts.len());
                acts.push(Act { step, batch, component, verb: *verb, live, wanted, done: None });
            }
            Entry::Outcome { step, key, verb, outcome, .. } => {
                let number = open.remove(&(step.as_str(), key, *verb));
                let act =
                    number.and_then(|number| acts.get_mut(&(key, *verb == Verb::Scale))?.get_mut(number));
                if let Some(act) = act {
                    act.done = match outcome.as_str() {
                        "done" => Some(true),
                        // The answer may have been lost, or a deletion been done without the creation.
                        "failed" => None,
                        _ => Some(false),
                    };
                }
            }
            _ => {}
        }
    }
    // Where the run wrote the whole of it, what it scaled comes back with that.
    let whole: BTreeSet<&ItemKey> = acts.keys().filter(|(_, scaled)| !scaled).map(|(key, _)| *key).collect();
    acts.retain(|(key, scaled), _| !scaled || !whole.contains(key));
    let changed = acts.into_iter().map(|((key, _), acts)| of(past, key, acts, &saved));
    let mut changes: Vec<Changed> = changed.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    changes.sort_by(|a, b| (a.batch, &a.key).cmp(&(b.batch, &b.key)));
    Ok(changes)
}

fn of(past: &Past, key: &ItemKey, mut acts: Vec<Act<'_>>, saved: &Saved) -> Result<Option<Changed>> {
    acts.retain(|act| act.done != Some(false));
    let last_done = acts.iter().rposition(|act| act.done == Some(true));
    // Done is done first of all; of what may be done only the last try counts, for an earlier one was followed by a look.
    let first = acts.iter().find(|act| act.done == Some(true)).or(acts.last());
    let Some(first) = first else { return Ok(None) };
    let mut after = BTreeSet::new();
    for act in &acts[last_done.unwrap_or(0)..] {
        after.insert(act.wanted.map(str::to_owned));
        if act.verb == Verb::Recreate && act.done.is_none() {
            after.insert(None); // deleted, and not created again
        }
    }
    let before = first.live.and_then(|sha256| saved.get(&(key.clone(), sha256.to_owned())).cloned());
    if before.is_none() && first.verb == Verb::Scale {
        return Ok(None); // it undid what an earlier process of the run had scaled
    }
    if first.live.is_some() && before.is_none() && !is_guard(key) {
        return Err(Error::damaged(format!(
            "the safety snapshot of run {} does not hold {key} as it was before, so nothing is undone",
            past.run
        )));
    }
    let merged = acts.iter().any(|act| act.verb == Verb::Merge) || key.is_kind("", "namespaces");
    let extent = match &before {
        Some(before) => before.extent,
        None if merged => Extent::Fields,
        None => Extent::Whole,
    };
    Ok(Some(Changed {
        key: key.clone(),
        component: first.component,
        step: first.step.to_owned(),
        batch: first.batch,
        before,
        after,
        extent,
    }))
}

fn older(past: &Past) -> Error {
    Error::failed(format!("the journal of run {} is of netdr 0.1, which did not write what an undo needs", past.run))
        .hint("its safety snapshot opens with stock tools: age -d -i IDENTITY safety-COMPONENT.tar.zst.age | tar --zstd -x")
}

#[cfg(test)]
mod tests;
