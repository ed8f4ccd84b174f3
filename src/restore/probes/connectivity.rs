//! Whether pods of different nodes reach each other, as a percentage.
//!
//! In: a threshold, an image. Out: how many connections came about. Invariant: only nodes with a real kubelet take part;
//! where there are fewer than two, or their pods do not start, nothing was probed.
//!
//! Two Jobs whose pods are one a node and in the pod network: the first listens, the second connects to every listener of
//! another node and leaves what it saw in its termination message. Both end by themselves, should netdr be killed.

use std::{collections::BTreeMap, time::Duration};

use rand::Rng as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Failed, NotProbed, Passed, Seen, is_played, nodes, unreal};
use crate::{
    cluster::{Discovery, ListOptions, Precondition, Selector},
    restore::gates::Waiting,
};

/// No policy of a tenant is in force there, and every cluster has it.
const NAMESPACE: &str = "kube-system";
const PORT: u16 = 8080;
/// After that much longer than the step allows, Kubernetes ends and removes what netdr left.
const LEFT: Duration = Duration::from_secs(120);

pub(super) async fn look(waiting: &Waiting<'_>, discovery: &Discovery, threshold: u32, image: &str) -> Seen {
    let nodes = match nodes(waiting.cluster, discovery).await {
        Ok(nodes) => nodes,
        Err(why) => return NotProbed(why),
    };
    let real: Vec<&str> = nodes
        .iter()
        .filter(|node| !is_played(node) && node["spec"]["unschedulable"] != true)
        .filter_map(|node| node["metadata"]["name"].as_str())
        .collect();
    match real.len() {
        0 => return NotProbed(unreal(&nodes).unwrap_or("no node takes new pods").into()),
        1 => return NotProbed("there is one node: nothing to connect it with".into()),
        _ => {}
    }
    let name = format!("netdr-connectivity-{:06x}", rand::rng().random::<u32>() & 0xff_ffff);
    let probing =
        Probing { waiting, discovery, nodes: real, image, deadline: Instant::now() + waiting.timeout };
    let seen = probing.connect(&name).await;
    for role in ["listen", "connect"] {
        probing.remove(&format!("{name}-{role}")).await;
    }
    match seen {
        Ok((_, 0)) => NotProbed("no pod connected to another".into()),
        Ok((reached, tried)) => judge(reached, tried, threshold),
        Err(why) => NotProbed(why),
    }
}

fn judge(reached: u64, tried: u64, threshold: u32) -> Seen {
    let percent = reached * 100 / tried.max(1);
    let detail = format!("{reached} of {tried} connections between nodes came about, {percent} %");
    if percent >= u64::from(threshold) { Passed(detail) } else { Failed(detail) }
}

struct Probing<'a> {
    waiting: &'a Waiting<'a>,
    discovery: &'a Discovery,
    nodes: Vec<&'a str>,
    image: &'a str,
    deadline: Instant,
}

impl Probing<'_> {
    /// Connections that came about, and that were tried.
    async fn connect(&self, name: &str) -> Result<(u64, u64), String> {
        let listen = format!("while true; do nc -l -p {PORT} < /dev/null; done");
        let listeners = self.start(&format!("{name}-listen"), &listen).await?;
        let running = |pod: &Value| pod["status"]["phase"] == "Running" && pod["status"]["podIP"].is_string();
        let pods = self.wait(&listeners, "listen", running).await?;
        let addresses: BTreeMap<&str, &str> = pods.iter().filter_map(place).collect();
        let connectors = self.start(&format!("{name}-connect"), &script(&addresses)).await?;
        let pods = self.wait(&connectors, "connect", |pod| message(pod).is_some()).await?;
        let counted = pods.iter().filter_map(|pod| count(message(pod)?));
        Ok(counted.fold((0, 0), |(reached, tried), (r, t)| (reached + r, tried + t)))
    }

    async fn start(&self, name: &str, script: &str) -> Result<String, String> {
        let kind = self.discovery.served("batch", "jobs")?;
        let job = job(name, self.nodes.len(), self.image, script, self.waiting.timeout + LEFT);
        let created = self.waiting.cluster.create(kind, Some(NAMESPACE), job.to_string().as_bytes()).await;
        created.map_err(|refusal| format!("its Job was refused: {refusal}"))?;
        Ok(name.into())
    }

    /// The pods of a Job, when there is one a node and all are so.
    async fn wait(&self, job: &str, what: &str, so: impl Fn(&Value) -> bool) -> Result<Vec<Value>, String> {
        let kind = self.discovery.served("", "pods")?;
        let options = ListOptions {
            namespace: Some(NAMESPACE.into()),
            selector: Selector { labels: Some(format!("job-name={job}")), fields: None },
            metadata_only: false,
        };
        loop {
            let pods = self.waiting.cluster.list_all(kind, &options).await.map_err(|r| r.to_string())?;
            let ready = pods.iter().filter(|pod| so(pod)).count();
            if ready >= self.nodes.len() {
                return Ok(pods);
            }
            if Instant::now() >= self.deadline {
                return Err(format!(
                    "{ready} of {} pods with image {} came to {what} in {} s",
                    self.nodes.len(),
                    self.image,
                    self.waiting.timeout.as_secs()
                ));
            }
            sleep(self.waiting.poll).await;
        }
    }

    async fn remove(&self, job: &str) {
        let Some(kind) = self.discovery.find("batch", "jobs") else { return };
        let cluster = self.waiting.cluster;
        if let Ok(Some(live)) = cluster.get(kind, Some(NAMESPACE), job).await {
            let _ = cluster.delete(kind, Some(NAMESPACE), job, &Precondition::of(&live)).await;
        }
    }
}

/// A pod a node, on whichever nodes take pods, in the pod network.
fn job(name: &str, pods: usize, image: &str, script: &str, lifetime: Duration) -> Value {
    let labels = json!({"app.kubernetes.io/managed-by": "netdr", "netdr/probe": name});
    let apart = json!({"labelSelector": {"matchLabels": {"netdr/probe": name}}, "topologyKey": "kubernetes.io/hostname"});
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "completions": pods,
            "parallelism": pods,
            "backoffLimit": pods,
            "activeDeadlineSeconds": lifetime.as_secs(),
            "ttlSecondsAfterFinished": LEFT.as_secs(),
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 0,
                    "tolerations": [{"operator": "Exists"}],
                    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}},
                    "securityContext": {"runAsNonRoot": true, "runAsUser": 65534,
                        "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [{
                        "name": "probe",
                        "image": image,
                        "command": ["sh", "-c", script],
                        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}},
                        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    }],
                },
            },
        },
    })
}

/// A pod's node and address.
fn place(pod: &Value) -> Option<(&str, &str)> {
    Some((pod["spec"]["nodeName"].as_str()?, pod["status"]["podIP"].as_str()?))
}

/// Connects to the pod of every other node, and says `reached/tried`. A listener takes one connection at a time and is
/// deaf for a moment after each, so whom it refused tries again; one who is silent is not asked twice, for that takes time.
fn script(addresses: &BTreeMap<&str, &str>) -> String {
    let pairs: Vec<String> = addresses.iter().map(|(node, address)| format!("{node}={address}")).collect();
    format!(
        "r=0; t=0; for p in {}; do [ \"${{p%%=*}}\" = \"$NODE\" ] && continue; t=$((t+1)); \
         for i in 1 2 3; do s=$(date +%s); \
         nc -w 3 \"${{p#*=}}\" {PORT} < /dev/null && r=$((r+1)) && break; \
         [ $(($(date +%s)-s)) -ge 2 ] && break; sleep 1; done; done; echo $r/$t > /dev/termination-log",
        pairs.join(" ")
    )
}

/// What a pod said when it ended.
fn message(pod: &Value) -> Option<&str> {
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    statuses.iter().find_map(|status| status["state"]["terminated"]["message"].as_str())
}

fn count(message: &str) -> Option<(u64, u64)> {
    let (reached, tried) = message.trim().split_once('/')?;
    Some((reached.parse().ok()?, tried.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_threshold_is_met_or_not() {
        assert!(matches!(judge(95, 100, 95), Passed(_)));
        assert!(matches!(judge(189, 199, 95), Failed(_))); // 94.97 %
        assert!(matches!(judge(6, 6, 100), Passed(_)));
    }

    #[test]
    fn a_pod_is_in_the_pod_network_and_alone_on_its_node() {
        let job = job("x", 3, "busybox", "true", Duration::from_secs(60));
        let spec = &job["spec"]["template"]["spec"];
        assert!(spec["hostNetwork"].is_null());
        let apart = &spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
        assert_eq!(apart["topologyKey"], "kubernetes.io/hostname");
        assert_eq!((&job["spec"]["completions"], &job["spec"]["parallelism"]), (&json!(3), &json!(3)));
    }

    /// The script as the pods run it, with stand-ins for `nc` and the termination log.
    #[test]
    fn every_other_node_counts_once() {
        let addresses = BTreeMap::from([("n1", "10.42.0.5"), ("n2", "10.42.1.5"), ("n3", "10.42.2.5")]);
        // One node is deaf the first time, one for good.
        let nc = r#"n=0; sleep() { :; }; nc() { n=$((n+1)); [ "$3" = 10.42.1.5 ] && [ $n -gt 1 ]; }; "#;
        let script = script(&addresses).replace("/dev/termination-log", "/dev/stdout");
        let ran =
            Command::new("sh").args(["-c", &format!("{nc}{script}")]).env("NODE", "n1").output().unwrap();
        assert_eq!(count(str::from_utf8(&ran.stdout).unwrap()), Some((1, 2)));
        let pod = json!({"status": {"containerStatuses": [{"state": {"terminated": {"message": "1/2\n"}}}]}});
        assert_eq!(message(&pod).and_then(count), Some((1, 2)));
        assert_eq!(count("OOMKilled"), None);
    }
}
