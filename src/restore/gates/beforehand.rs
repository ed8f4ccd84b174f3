//! Whether a plan can be played where readiness is only played: a drill asks before it breaks anything.
//!
//! In: a plan resolved on an unbroken cluster. Out: what it waits for that does not hold there, step by step. Invariant:
//! nothing is changed; what does not hold while nothing is broken is never taken for something that a restore broke.

use std::time::Duration;

use super::{Waiting, object};
use crate::{
    Result,
    cluster::{Cluster, Discovery},
    model::ItemKey,
    plan::{Gate, ResolvedPlan},
    restore::Event,
};

/// What the plan waits for and does not hold: of what is not there at all nothing is waited for.
///
/// # Errors
/// When the API server does not say what it serves.
pub(crate) async fn unplayable(
    cluster: &Cluster,
    plan: &ResolvedPlan,
    timeout: Duration,
    poll: Duration,
    event: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Vec<String>> {
    let waiting = Waiting { cluster, timeout, poll, event };
    let mut discovery = cluster.discover().await?;
    let (mut lacking, mut pending) = (Vec::new(), Vec::new());
    for step in &plan.steps {
        for gate in &step.gates {
            match object(gate) {
                Some(key) if !waiting.is_there(&key, &mut discovery).await => {
                    lacking.push(format!("step `{}`: {gate} does not exist", step.id));
                }
                _ => pending.push((&step.id, gate)),
            }
        }
    }
    if lacking.is_empty() {
        let gates: Vec<&Gate> = pending.iter().map(|(_, gate)| *gate).collect();
        for (gate, why) in waiting.wait(gates, &mut discovery).await {
            let steps = pending.iter().filter(|(_, other)| std::ptr::eq(*other, gate));
            lacking.extend(steps.map(|(step, _)| format!("step `{step}`: {why}")));
        }
    }
    Ok(lacking)
}

impl Waiting<'_> {
    async fn is_there(&self, key: &ItemKey, discovery: &mut Discovery) -> bool {
        match self.read(key, discovery).await {
            Ok(live) => live.is_some(),
            // What cannot be read may be there; a kind that is not served is not.
            Err(_) => match key {
                ItemKey::Resource { group, plural, .. } => discovery.find(group, plural).is_some(),
                ItemKey::Release { .. } | ItemKey::File { .. } => true,
            },
        }
    }
}
