//! Probe pods, started, waited for, asked, and removed.
//!
//! In: a cluster, its nodes. Out: [`Answers`]. Invariant: what a run makes has a label by which the next one finds it;
//! whoever starts a probe sweeps afterwards, however it ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::sleep;

use super::{
    Answers, Told, dns, nodes,
    pods::{self, LABEL, NAMESPACE, RUN, Role},
};
use crate::{
    check::Reading,
    cluster::{Cluster, Discovery, ListOptions, Precondition, Selector},
    probe::PORT,
    restore::{is_ready, pod_reason},
};

/// Pods that are created at a time.
const CREATES: usize = 16;
/// Beyond the time to start: five tries, each of which may be silent for its whole patience, in groups.
const DIALLING: Duration = Duration::from_secs(90);
/// How long what is deleted may take to go.
const GOING: Duration = Duration::from_secs(30);

/// How to probe.
#[derive(Clone, Copy)]
pub struct Probe<'a> {
    /// Where.
    pub cluster: &'a Cluster,
    /// What is served there.
    pub discovery: &'a Discovery,
    /// Of netdr itself: what the pods run.
    pub image: &'a str,
    /// A name that the cluster's DNS must know.
    pub dns_name: &'a str,
    /// Tells this run from others; part of names.
    pub run: &'a str,
    /// How long pods may take to start.
    pub timeout: Duration,
    /// How often they are looked at.
    pub poll: Duration,
}

/// A pod that was started on a node.
struct Started {
    node: String,
    name: String,
}

impl Probe<'_> {
    /// Asks a pod on every node. What goes wrong is part of the answer: where nothing could be asked, nothing is known.
    pub async fn answers(&self, reading: &Reading) -> Answers {
        let (real, silent) = nodes(reading);
        let mut answers = Answers { nodes: real.len() + silent.len(), silent, told: Vec::new() };
        if !real.is_empty()
            && let Err(why) = self.ask(reading, real, &mut answers).await
        {
            answers.silent.push(why);
        }
        answers
    }

    async fn ask(&self, reading: &Reading, nodes: Vec<String>, answers: &mut Answers) -> Result<(), String> {
        let namespace = self.prepare().await?;
        let listening = self.start(&namespace, nodes, |_| Role::Serve, &mut answers.silent).await?;
        let until = Instant::now() + self.timeout;
        let pods = self.wait(&namespace, listening, until, listens, &mut answers.silent).await?;
        let address = |pod: &Value| pod["status"]["podIP"].as_str()?.parse().ok();
        let places: BTreeMap<String, String> = pods
            .iter()
            .filter_map(|(node, pod)| {
                Some((node.clone(), std::net::SocketAddr::new(address(pod)?, PORT).to_string()))
            })
            .collect();
        let server = dns(reading).map(|server| server.to_string());
        if server.is_none() {
            answers.silent.push("kube-system has no Service of the cluster's DNS (k8s-app=kube-dns)".into());
        }
        let others: BTreeMap<&String, (Vec<String>, Vec<String>)> = places
            .keys()
            .map(|node| (node, places.clone().into_iter().filter(|(other, _)| other != node).unzip()))
            .collect();
        let dns = server.as_deref().map(|server| (server, self.dns_name));
        let role = |node: &String| Role::Dial { targets: &others[node].1, dns };
        let dialling =
            self.start(&namespace, places.keys().cloned().collect(), role, &mut answers.silent).await?;
        let until = Instant::now() + self.timeout + DIALLING;
        for (node, pod) in self.wait(&namespace, dialling, until, has_ended, &mut answers.silent).await? {
            match last_word(&pod) {
                Ok(answer) => {
                    let targets = others[&node].0.clone();
                    answers.told.push((node, Told { targets, answer }));
                }
                Err(why) => answers.silent.push(format!("the pod on {node} {why}")),
            }
        }
        Ok(())
    }

    /// The namespace that is there for it, or one for the time; and the policy in it.
    async fn prepare(&self) -> Result<String, String> {
        let refused = |what: &str| {
            let what = what.to_owned();
            move |refusal| format!("{what} was refused: {refusal}")
        };
        let namespaces = self.discovery.served("", "namespaces")?;
        let there = self.cluster.get(namespaces, None, NAMESPACE).await;
        let namespace = match there.map_err(|refusal| format!("namespace {NAMESPACE}: {refusal}"))? {
            Some(_) => NAMESPACE.to_owned(),
            None => {
                let name = format!("{NAMESPACE}-{}", self.run);
                let object = pods::namespace(&name, self.run).to_string();
                let made = self.cluster.create(namespaces, None, object.as_bytes()).await;
                made.map_err(refused(&format!("namespace {name}")))?;
                let account = pods::account(self.run).to_string();
                let accounts = self.discovery.served("", "serviceaccounts")?;
                let made = self.cluster.create(accounts, Some(&name), account.as_bytes()).await;
                made.map_err(refused("the pods' service account"))?;
                name
            }
        };
        let policy = pods::policy(self.run).to_string();
        let policies = self.discovery.served("networking.k8s.io", "networkpolicies")?;
        let made = self.cluster.create(policies, Some(&namespace), policy.as_bytes()).await;
        made.map_err(refused("the pods' network policy"))?;
        Ok(namespace)
    }

    /// A pod on each node; of those that are refused, why.
    async fn start<'r>(
        &self,
        namespace: &str,
        nodes: Vec<String>,
        role: impl Fn(&String) -> Role<'r>,
        silent: &mut Vec<String>,
    ) -> Result<Vec<Started>, String> {
        let kind = self.discovery.served("", "pods")?;
        let objects: Vec<(String, Value)> = nodes
            .into_iter()
            .enumerate()
            .map(|(number, node)| {
                let pod = pods::pod(self.run, number, &node, self.image, &role(&node));
                (node, pod)
            })
            .collect();
        let creates = objects.into_iter().map(|(node, pod)| async move {
            let made = self.cluster.create(kind, Some(namespace), pod.to_string().as_bytes()).await;
            let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            made.map(|()| Started { name, node: node.clone() })
                .map_err(|refusal| format!("a pod on {node} was refused: {refusal}"))
        });
        let made: Vec<Result<Started, String>> = stream::iter(creates).buffered(CREATES).collect().await;
        let mut started = Vec::new();
        for pod in made {
            match pod {
                Ok(pod) => started.push(pod),
                Err(why) => silent.push(why),
            }
        }
        Ok(started)
    }

    /// Those that came to it in time, by node; of the others, why not.
    async fn wait(
        &self,
        namespace: &str,
        pods: Vec<Started>,
        until: Instant,
        so: fn(&Value) -> bool,
        silent: &mut Vec<String>,
    ) -> Result<Vec<(String, Value)>, String> {
        let kind = self.discovery.served("", "pods")?;
        let options = of_run(self.run, namespace);
        loop {
            let listed = self.cluster.list_all(kind, &options).await;
            let listed = listed.map_err(|refusal| format!("the pods could not be read: {refusal}"))?;
            let live: BTreeMap<&str, &Value> =
                listed.iter().filter_map(|pod| Some((pod["metadata"]["name"].as_str()?, pod))).collect();
            let pending = |pod: &&Started| {
                live.get(pod.name.as_str()).is_some_and(|live| !so(live) && !has_ended(live))
            };
            if pods.iter().any(|pod| pending(&pod)) && Instant::now() < until {
                sleep(self.poll).await;
                continue;
            }
            let mut found = Vec::new();
            for Started { node, name } in pods {
                match live.get(name.as_str()) {
                    Some(pod) if so(pod) => found.push((node, (*pod).clone())),
                    Some(pod) => silent.push(format!("the pod on {node} {}", trouble(pod, self.image))),
                    None => silent.push(format!("the pod on {node} was removed by somebody")),
                }
            }
            return Ok(found);
        }
    }
}

/// Whose objects are removed; of nobody else's, only what has a probe's label.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// What runs before this one left. What is there when it begins is older than itself.
    Earlier(&'a str),
    /// What this run made.
    Own(&'a str),
}

/// What was removed, and what could not be: each with its kind and name.
#[derive(Debug, Default)]
pub struct Swept {
    /// It is gone or going.
    pub removed: BTreeSet<String>,
    /// It is there, and why.
    pub refused: BTreeSet<String>,
}

/// Removes what probes made, in the namespace of an installation and in those made for the time, and waits until it is gone
/// or going.
pub async fn sweep(cluster: &Cluster, discovery: &Discovery, whose: Whose<'_>, poll: Duration) -> Swept {
    let until = Instant::now() + GOING;
    let mut swept = Swept::default();
    loop {
        let mut left = 0;
        swept.refused.clear();
        for (group, plural, namespace) in [
            ("", "namespaces", None),
            ("", "pods", Some(NAMESPACE)),
            ("networking.k8s.io", "networkpolicies", Some(NAMESPACE)),
        ] {
            let Some(kind) = discovery.find(group, plural) else { continue };
            let found = match cluster.list_all(kind, &whose.options(namespace)).await {
                Ok(found) => found,
                Err(refusal) => {
                    swept.refused.insert(format!("{plural} could not be read: {refusal}"));
                    continue;
                }
            };
            for object in found.iter().filter(|object| object["metadata"]["deletionTimestamp"].is_null()) {
                left += 1;
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                match cluster.delete(kind, namespace, name, &Precondition::of(object)).await {
                    Ok(()) => drop(swept.removed.insert(format!("{plural} {name}"))),
                    Err(refusal) if refusal.is_conflict() => {} // it changed: next time
                    Err(refusal) => drop(swept.refused.insert(format!("{plural} {name}: {refusal}"))),
                }
            }
        }
        if left == 0 || !swept.refused.is_empty() || Instant::now() >= until {
            return swept;
        }
        sleep(poll).await;
    }
}

impl Whose<'_> {
    fn options(self, namespace: Option<&str>) -> ListOptions {
        // Also without the label of a run it is of another (Kubernetes, "Labels and Selectors").
        let of = match self {
            Self::Earlier(run) => format!("{RUN}!={run}"),
            Self::Own(run) => format!("{RUN}={run}"),
        };
        let selector = Selector { labels: Some(format!("{}={},{of}", LABEL.0, LABEL.1)), fields: None };
        ListOptions { namespace: namespace.map(str::to_owned), selector, metadata_only: true }
    }
}

fn of_run(run: &str, namespace: &str) -> ListOptions {
    let selector = Selector { labels: Some(format!("{RUN}={run}")), fields: None };
    ListOptions { namespace: Some(namespace.into()), selector, metadata_only: false }
}

/// Its container listens.
fn listens(pod: &Value) -> bool {
    pod["status"]["podIP"].is_string() && is_ready(pod)
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Why a pod did not come to what it was to.
fn trouble(pod: &Value, image: &str) -> String {
    if has_ended(pod) {
        let said = terminated(pod).map(|end| end["message"].as_str().unwrap_or_default().trim());
        let reason = ["reason", "message"].map(|field| pod["status"][field].as_str().unwrap_or_default());
        let words = [reason[0], reason[1], said.unwrap_or_default()].join(" ");
        return format!("ended: {}", words.trim());
    }
    pod_reason(pod).map_or_else(
        || format!("with image {image} did not start in time"),
        |why| format!("is not ready: {why}"),
    )
}

fn terminated(pod: &Value) -> Option<&Value> {
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    statuses.iter().find_map(|status| status["state"].get("terminated"))
}

/// What the pod answered.
fn last_word(pod: &Value) -> Result<crate::probe::Answer, String> {
    let end = terminated(pod).ok_or("ended without a word")?;
    let message = end["message"].as_str().unwrap_or_default();
    serde_json::from_str(message).map_err(|_| match message.trim() {
        "" => "ended without an answer".into(),
        said => format!("did not answer: {}", said.chars().take(200).collect::<String>()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_the_last_word_of_a_container() {
        let pod = |message: &str| json!({"status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"message": message}}}]}});
        let answer = last_word(&pod(r#"{"tries":5,"reached":[5,4]}"#)).unwrap();
        assert_eq!((answer.tries, answer.reached), (5, vec![5, 4]));
        let cut_off = last_word(&pod(r#"{"tries":5,"reached":[5,"#)).unwrap_err();
        assert!(cut_off.starts_with("did not answer"), "{cut_off}");
        assert_eq!(last_word(&pod("")).unwrap_err(), "ended without an answer");
        assert_eq!(last_word(&json!({})).unwrap_err(), "ended without a word");
    }

    #[test]
    fn why_a_pod_does_not_start_is_what_its_kubelet_says() {
        let pulling = json!({"status": {"phase": "Pending", "containerStatuses": [
            {"name": "probe", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]}});
        assert_eq!(trouble(&pulling, "x"), "is not ready: container probe is ErrImagePull: no such image");
        assert_eq!(trouble(&json!({}), "netdr:1"), "with image netdr:1 did not start in time");
        let refused = json!({"status": {"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource"}});
        assert_eq!(trouble(&refused, "x"), "ended: OutOfcpu Node didn't have enough resource");
    }
}
