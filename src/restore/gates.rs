//! Gates: waiting until what was restored works, and saying why when it does not.
//!
//! In: gates, a cluster, a deadline. Out: nothing, or for each gate that did not hold what is not ready and why.
//! Invariant: a wait ends by its deadline, and a look that fails counts as "not yet", never as held.

mod ready;
mod reasons;
mod rollout;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::Event;
use crate::{
    cluster::{Cluster, Discovery, ListOptions, Selector},
    model::ItemKey,
    plan::Gate,
};

/// How long past its deadline a look may take that has begun before.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// What waiting needs.
pub(super) struct Waiting<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) timeout: Duration,
    pub(super) poll: Duration,
    pub(super) event: &'a (dyn Fn(Event<'_>) + Sync),
}

/// The object that a gate looks at.
pub(super) fn object(gate: &Gate) -> ItemKey {
    match gate {
        Gate::Established(name) => {
            ItemKey::resource("apiextensions.k8s.io", "customresourcedefinitions", None, name)
        }
        Gate::RolledOut(key) | Gate::Ready(key) => key.clone(),
    }
}

impl Waiting<'_> {
    /// Waits for all of them; what does not hold at the deadline comes back in words. Discovery is read again while
    /// definitions are waited for, so that later steps see their kinds.
    pub(super) async fn wait(&self, gates: Vec<&Gate>, discovery: &mut Discovery) -> Vec<String> {
        let deadline = Instant::now() + self.timeout;
        let mut pending: Vec<(&Gate, String)> =
            gates.into_iter().map(|gate| (gate, format!("{}: not looked at yet", object(gate)))).collect();
        let mut told = String::new();
        while !pending.is_empty() {
            let mut still = Vec::new();
            for (gate, _) in pending {
                let look = timeout_at(deadline + LAST_LOOK, self.look(gate, discovery)).await;
                if let Err(why) = look.unwrap_or_else(|_| Err("the API server does not answer".into())) {
                    still.push((gate, format!("{}: {why}", object(gate))));
                }
            }
            pending = still;
            let Some((_, first)) = pending.first() else { break };
            if *first != told {
                told.clone_from(first);
                (self.event)(Event::Waiting(&told));
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(self.poll.min(deadline - Instant::now())).await;
        }
        let mut failures = Vec::new();
        for (gate, why) in pending {
            let mut lines = vec![format!("{why}, after {} s", self.timeout.as_secs())];
            if let Gate::RolledOut(workload) = gate {
                lines.extend(self.reasons(workload, discovery).await);
            }
            failures.push(lines.join("; "));
        }
        failures
    }

    async fn look(&self, gate: &Gate, discovery: &mut Discovery) -> Result<(), String> {
        let key = object(gate);
        let ItemKey::Resource { group, plural, namespace, name } = &key else {
            return Err("nothing to wait for".into());
        };
        if discovery.find(group, plural).is_none() {
            self.discover(discovery).await?;
        }
        let kind = discovery.find(group, plural).ok_or("its kind is not served")?;
        let live = self
            .cluster
            .get(kind, namespace.as_deref(), name)
            .await
            .map_err(|refusal| refusal.to_string())?;
        let live = live.ok_or("it does not exist")?;
        match gate {
            Gate::RolledOut(_) => rollout::rolled_out(plural, &live),
            Gate::Ready(_) => ready::ready(&live),
            Gate::Established(_) => {
                rollout::established(&live)?;
                let (plural, group) = name.split_once('.').unwrap_or((name, ""));
                if discovery.find(group, plural).is_none() {
                    self.discover(discovery).await?;
                }
                discovery
                    .find(group, plural)
                    .map(drop)
                    .ok_or_else(|| "established, but not served yet".into())
            }
        }
    }

    async fn discover(&self, discovery: &mut Discovery) -> Result<(), String> {
        *discovery = self.cluster.discover().await.map_err(|error| error.to_string())?;
        Ok(())
    }

    /// What the workload's pods, its conditions and its events say. What cannot be read is left out: the deadline
    /// has passed, and what is not ready has been named already.
    async fn reasons(&self, workload: &ItemKey, discovery: &Discovery) -> Vec<String> {
        let ItemKey::Resource { group, plural, namespace, name } = workload else { return Vec::new() };
        let Some(kind) = discovery.find(group, plural) else { return Vec::new() };
        let live =
            self.cluster.get(kind, namespace.as_deref(), name).await.ok().flatten().unwrap_or_default();
        let list = async |plural: &str, selector: Selector| {
            let Some(kind) = discovery.find("", plural) else { return Vec::new() };
            let options = ListOptions { namespace: namespace.clone(), selector, metadata_only: false };
            self.cluster.list_all(kind, &options).await.unwrap_or_default()
        };
        let pods = list("pods", Selector { labels: rollout::selector(&live), fields: None }).await;
        let events = list("events", Selector { labels: None, fields: Some("type=Warning".into()) }).await;
        reasons::reasons(name, &live, &pods, &events)
    }
}
