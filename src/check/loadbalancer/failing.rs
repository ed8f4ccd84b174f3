//! The failover test itself: a speaker is removed, another node takes over, the speaker comes back.
//!
//! In: what was planned. Out: a check. Invariant: the taint on the node is the journal: it is written before the speaker is
//! removed and goes when it may come back, so that whoever finds it knows what to put back, and `kubectl taint node NODE
//! netdr/failover-test-` does the same. Pods of others stay where they are.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    ASSIGNED, Asked, L2_STATUSES, Planned, TAINT, ask, describe,
    failover::{self, NAME, moved},
};
use crate::{
    check::{
        Check, Reading,
        Status::{Alert, Unknown, Warn},
        read,
    },
    cluster::{Answer, Cluster, Discovery, ListOptions, Precondition, Selector},
    restore::{is_ready, selector},
};

/// How long a speaker may take to end, and to come back.
const SPEAKER: Duration = Duration::from_secs(60);
/// A node's status is written every few seconds: a merge may have to be tried again.
const TRIES: u32 = 10;

/// Who does the test.
#[derive(Clone, Copy)]
struct Doing<'a> {
    cluster: &'a Cluster,
    discovery: &'a Discovery,
    poll: Duration,
}

/// Removes the speaker and waits until every Service is announced by another node and answers. It puts nothing back:
/// whoever calls it does, however it ends.
pub async fn fail_over(
    cluster: &Cluster,
    discovery: &Discovery,
    planned: &Planned,
    within: Duration,
    poll: Duration,
) -> Check {
    let doing = Doing { cluster, discovery, poll };
    let threshold = format!("another node announces and answers within {} s", within.as_secs());
    let check = |value: Value| Check::ok(NAME, value, threshold.clone());
    if let Err(why) = doing.remove_speaker(planned).await {
        return check(Value::Null).found(Unknown, why, describe(&planned.speakers));
    }
    let began = Instant::now();
    loop {
        let reading = read(cluster, discovery, [L2_STATUSES, ASSIGNED], BTreeSet::default()).await;
        let sockets = planned.services.iter().flat_map(|service| service.sockets()).collect();
        let asked = ask(sockets).await;
        let after = began.elapsed();
        let left = still(planned, &reading, &asked);
        if left.is_empty() {
            let to: Vec<String> = moved(planned, &reading)
                .iter()
                .map(|(service, node)| format!("{} by {node}", service.key))
                .collect();
            return check(format!("after {:.1} s: {}", after.as_secs_f64(), to.join(", ")).into());
        }
        if after >= within {
            let value = format!("not after {} s", within.as_secs());
            // Who may not be asked has not said no.
            let unread = reading.unread(NAME, &[L2_STATUSES, ASSIGNED]);
            if let Some(unread) = unread.into_iter().next() {
                return Check { name: NAME.into(), threshold, ..unread };
            }
            let next = "kubectl get servicel2statuses.metallb.io -A";
            return left.into_iter().fold(check(value.into()), |check, why| check.found(Alert, why, next));
        }
        sleep(poll).await;
    }
}

/// What another node does not do yet.
pub(super) fn still(planned: &Planned, reading: &Reading, asked: &Asked) -> Vec<String> {
    let moved = moved(planned, reading);
    let mut left = Vec::new();
    for service in &planned.services {
        if !moved.iter().any(|(one, _)| *one == service) {
            let local = match service.local {
                true => " (externalTrafficPolicy Local: only nodes with one of its pods may)",
                false => "",
            };
            left.push(format!("no other node than {} announces {}{local}", planned.node, service.key));
        }
        for socket in service.sockets() {
            if let Some(Err(why)) = asked.get(&socket) {
                left.push(format!("{} at {socket}: {why}", service.key));
            }
        }
    }
    left
}

/// Lets speakers back to the nodes that a test keeps them from, and waits for them. None where there was no such node.
pub async fn put_back(cluster: &Cluster, discovery: &Discovery, poll: Duration) -> Option<Check> {
    const NAME: &str = "loadbalancer put back";
    let doing = Doing { cluster, discovery, poll };
    let check = |value: Value| Check::ok(NAME, value, "the speaker is back");
    let nodes = match doing.list("", "nodes", ListOptions::default()).await {
        Ok(nodes) => nodes,
        Err(why) => return Some(Check::unknown(NAME, why, "kubectl get nodes")),
    };
    let tainted: Vec<String> = failover::tainted(&nodes).map(Into::into).collect();
    if tainted.is_empty() {
        return None;
    }
    let mut result = check(tainted.join(", ").into());
    for node in &tainted {
        if let Err(why) = doing.taint(node, false).await {
            result = result.found(Alert, why, format!("kubectl taint node {node} {TAINT}-"));
        }
    }
    if let Err(why) = doing.await_speakers(&tainted).await {
        result = result.found(Warn, why, "kubectl get pods -A -o wide -l component=speaker");
    }
    Some(result)
}

impl Doing<'_> {
    /// Keeps it away first: a taint that it does not tolerate ends no pod, but starts none either. One that its DaemonSet
    /// makes anew before it has seen the taint is removed like the first, or waits for a node.
    async fn remove_speaker(self, planned: &Planned) -> Result<(), String> {
        self.taint(&planned.node, true).await?;
        let namespace = planned.speakers.namespace();
        let pods = self.discovery.served("", "pods")?;
        let selector = Selector {
            labels: planned.labels.clone(),
            fields: Some(format!("spec.nodeName={}", planned.node)),
        };
        let options = ListOptions { namespace: namespace.map(Into::into), selector, metadata_only: true };
        let gone = async || {
            let found = self.list("", "pods", options.clone()).await?;
            for pod in found.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()) {
                let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
                match self.cluster.delete(pods, namespace, pod_name, &Precondition::of(pod)).await {
                    Err(refusal) if !refusal.is_conflict() => {
                        return Err(format!("the speaker {pod_name} could not be removed: {refusal}"));
                    }
                    _ => {}
                }
            }
            Ok(found.is_empty())
        };
        let late = || format!("the speaker on {} did not end within {} s", planned.node, SPEAKER.as_secs());
        self.until(gone, late).await
    }

    /// With our taint, or without: over the very node that was read, for a merge replaces the whole list.
    async fn taint(self, node: &str, with: bool) -> Result<(), String> {
        let kind = self.discovery.served("", "nodes")?;
        let failed = |refusal| format!("the taints of node {node} could not be changed: {refusal}");
        for _ in 0..TRIES {
            let live = self.cluster.get(kind, None, node).await.map_err(failed)?;
            let live = live.ok_or_else(|| format!("node {node} is gone"))?;
            if failover::is_tainted(&live) == with {
                return Ok(());
            }
            let patch = json!({
                "metadata": {"resourceVersion": live["metadata"]["resourceVersion"]},
                "spec": {"taints": failover::taints(&live, with)},
            });
            match self.cluster.merge(kind, None, node, &patch).await {
                Err(refusal) if refusal.is_conflict() => sleep(self.poll).await,
                answer => return answer.map_err(failed),
            }
        }
        Err(format!("node {node} changed each time its taints were to be"))
    }

    /// Until a speaker is ready on each of them again.
    async fn await_speakers(self, nodes: &[String]) -> Result<(), String> {
        let sets = self.list("apps", "daemonsets", ListOptions::default()).await?;
        let Some(set) = sets.iter().find(|set| super::is_metal_lb(set, "speaker")) else { return Ok(()) };
        let options = ListOptions {
            namespace: set["metadata"]["namespace"].as_str().map(Into::into),
            selector: Selector { labels: selector(set), fields: None },
            metadata_only: false,
        };
        let back = async || {
            let pods = self.list("", "pods", options.clone()).await?;
            let ready =
                |node: &String| pods.iter().any(|pod| pod["spec"]["nodeName"] == **node && is_ready(pod));
            Ok(nodes.iter().all(ready))
        };
        let late = || format!("no speaker is ready on {} after {} s", nodes.join(", "), SPEAKER.as_secs());
        self.until(back, late).await
    }

    /// Until it is so; a speaker that takes too long is an error, in the words of `late`.
    async fn until(
        self,
        so: impl AsyncFn() -> Result<bool, String>,
        late: impl FnOnce() -> String,
    ) -> Result<(), String> {
        let deadline = Instant::now() + SPEAKER;
        loop {
            if so().await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(late());
            }
            sleep(self.poll).await;
        }
    }

    async fn list(self, group: &str, plural: &str, options: ListOptions) -> Result<Vec<Value>, String> {
        let listed: Answer<Vec<Value>> =
            self.cluster.list_all(self.discovery.served(group, plural)?, &options).await;
        listed.map_err(|refusal| format!("{plural} could not be read: {refusal}"))
    }
}
