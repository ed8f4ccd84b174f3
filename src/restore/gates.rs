//! Gates: waiting until what was restored works, and saying why when it does not.
//!
//! In: gates, a cluster, a deadline. Out: nothing, or for each gate that did not hold what is not ready and why.
//! Invariant: a wait ends by its deadline, and a look that fails counts as "not yet", never as held.

mod beforehand;
mod helm_chart;
mod lacking;
mod nodes;
mod ready;
mod reasons;
mod rollout;
mod webhooks;

pub(crate) use beforehand::unplayable;
pub(crate) use lacking::lacking;
pub(crate) use nodes::ready as nodes_ready;
pub(crate) use reasons::{is_ready, pod_reason};
pub(super) use rollout::available;
pub(crate) use rollout::{condition, rolled_out, selector};
pub(super) use webhooks::configurations as webhook_configurations;
pub(crate) use webhooks::{has_ready_endpoint, read as read_webhooks};

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::Event;
use crate::{
    cluster::{ApiKind, Cluster, Discovery, ListOptions, Selector},
    model::ItemKey,
    plan::{Gate, install},
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

/// The object that a gate looks at; none where it looks at all of a kind.
pub(super) fn object(gate: &Gate) -> Option<ItemKey> {
    match gate {
        Gate::Established(name) => {
            Some(ItemKey::resource("apiextensions.k8s.io", "customresourcedefinitions", None, name))
        }
        Gate::RolledOut(key) | Gate::Ready(key) => Some(key.clone()),
        Gate::HelmChart { chart, .. } => Some(chart.clone()),
        Gate::Nodes | Gate::Webhooks { .. } => None,
    }
}

/// What shows a person why a gate does not hold: words of kubectl.
pub(super) fn shown_by(gate: &Gate) -> String {
    let on = |verb: &str, key: &ItemKey, what: String| match key.namespace() {
        Some(namespace) => format!("-n {namespace} {verb} {what}"),
        None => format!("{verb} {what}"),
    };
    match gate {
        Gate::Nodes => "get nodes".into(),
        Gate::Webhooks { .. } => {
            "get validatingwebhookconfigurations,mutatingwebhookconfigurations,endpointslices -A".into()
        }
        Gate::HelmChart { chart, .. } => {
            let job = install::job(chart);
            on("logs", &job, format!("job/{}", job.name()))
        }
        gate => object(gate)
            .map(|key| on("describe", &key, format!("{} {}", key.kind_name(), key.name())))
            .unwrap_or_default(),
    }
}

impl Waiting<'_> {
    /// Waits for all of them; what does not hold at the deadline comes back in words. Discovery is read again while
    /// definitions are waited for, so that later steps see their kinds.
    pub(super) async fn wait<'g>(
        &self,
        gates: Vec<&'g Gate>,
        discovery: &mut Discovery,
    ) -> Vec<(&'g Gate, String)> {
        let deadline = Instant::now() + self.timeout;
        let mut pending: Vec<(&'g Gate, String)> =
            gates.into_iter().map(|gate| (gate, format!("{gate}: not looked at yet"))).collect();
        let mut told = String::new();
        while !pending.is_empty() {
            let mut still = Vec::new();
            for (gate, _) in pending {
                let look = timeout_at(deadline + LAST_LOOK, self.look(gate, discovery)).await;
                if let Err(why) = look.unwrap_or_else(|_| Err("the API server does not answer".into())) {
                    still.push((gate, format!("{gate}: {why}")));
                }
            }
            pending = still;
            let Some((_, first)) = pending.first() else { break };
            let tell = match pending.len() - 1 {
                0 => first.clone(),
                more => format!("{first}; and {more} more"),
            };
            if tell != told {
                told = tell;
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
            let behind = match gate {
                Gate::RolledOut(workload) => Some(workload.clone()),
                Gate::HelmChart { chart, .. } => Some(install::job(chart)),
                Gate::Established(_) | Gate::Ready(_) | Gate::Nodes | Gate::Webhooks { .. } => None,
            };
            if let Some(workload) = behind {
                lines.extend(self.reasons(&workload, discovery).await);
            }
            failures.push((gate, lines.join("; ")));
        }
        failures
    }

    async fn look(&self, gate: &Gate, discovery: &mut Discovery) -> Result<(), String> {
        match gate {
            Gate::RolledOut(workload) => {
                let live = self.read(workload, discovery).await?;
                let ItemKey::Resource { plural, .. } = workload else {
                    return Err("it is no workload".into());
                };
                rollout::rolled_out(plural, &live.ok_or("it does not exist")?)
            }
            Gate::HelmChart { chart, changed, replaces } => {
                let asked = helm_chart::Asked { changed: *changed, replaces: replaces.as_deref() };
                self.helm_chart(chart, asked, discovery).await
            }
            Gate::Ready(key) => {
                let live = self.read(key, discovery).await?;
                ready::ready(&live.ok_or("it does not exist")?)
            }
            Gate::Nodes => {
                let kind = self.kind("", "nodes", discovery).await?;
                let listed = self.cluster.list_all(&kind, &ListOptions::default()).await;
                nodes::ready(&listed.map_err(|refusal| refusal.to_string())?)
            }
            Gate::Webhooks { targets, .. } => {
                self.kind("", "services", discovery).await?;
                let found = webhooks::read(self.cluster, discovery, targets).await;
                let unready = found.map_err(|refusal| refusal.to_string())?.unready(targets);
                if unready.is_empty() { Ok(()) } else { Err(unready.join("; ")) }
            }
            Gate::Established(name) => {
                let key = ItemKey::resource("apiextensions.k8s.io", "customresourcedefinitions", None, name);
                let live = self.read(&key, discovery).await?;
                rollout::established(&live.ok_or("it does not exist")?)?;
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

    /// An object as it is; none where there is none.
    async fn read(&self, key: &ItemKey, discovery: &mut Discovery) -> Result<Option<Value>, String> {
        let ItemKey::Resource { group, plural, namespace, name } = key else { return Ok(None) };
        let kind = self.kind(group, plural, discovery).await?;
        let live = self.cluster.get(&kind, namespace.as_deref(), name).await;
        live.map_err(|refusal| refusal.to_string())
    }

    /// A kind that is served, perhaps since a moment ago.
    async fn kind(&self, group: &str, plural: &str, discovery: &mut Discovery) -> Result<ApiKind, String> {
        if discovery.find(group, plural).is_none() {
            self.discover(discovery).await?;
        }
        discovery.served(group, plural).cloned()
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
        let events = list("events", Selector::fields("type=Warning")).await;
        reasons::reasons(name, &live, &pods, &events)
    }
}
