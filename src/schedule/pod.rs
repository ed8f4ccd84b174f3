//! The CronJob of a schedule: when, where and as whom its pod runs.
//!
//! It runs as RKE2's own bootstrap jobs do: on a control-plane node, in the node's network, asking the API server of that
//! very node, so that it works while the CNI does not (k3s-io/helm-controller, pkg/controllers/chart).

use serde_json::{Value, json};

use super::{Job, Reads, metadata};
use crate::model::Set;

/// Where the files of the host are seen.
pub(super) const HOST_ROOT: &str = "/host";
/// The image's own user; a repository on a host or NFS belongs to it.
const USER: u32 = 65_532;
/// A kustomization replaces it by where a registry has it.
const IMAGE: &str = concat!("netdr:", env!("CARGO_PKG_VERSION"));
/// Folders of a server that hold the files of the catalog, and are there on each (RKE2 makes the latter two).
const HOST_FOLDERS: [&str; 3] =
    ["/etc", "/var/lib/rancher/rke2/server/manifests", "/var/lib/rancher/rke2/agent/etc"];
/// What the ConfigMap of an installation holds.
const CONFIG: [&str; 3] = ["netdr.yaml", "recipients.txt", "trusted_signers"];
/// The job whose pods run the same image.
const PROBES: &str = "netdr-cni-check";
/// What the channels of `notify` need, and the Pushgateway: a Secret of its own, for a check gets no key of the backups.
const CHANNELS: &str = "netdr-notify";
/// The repository of `schedules/netdr.yaml`, below `/backup`.
const REPOSITORY: &str = "netdr";
/// What checks see of it.
const STATUS: &str = "netdr/status";
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

pub(super) fn cron_job(job: &Job, servers: u32) -> Value {
    let mut spec = json!({
        "activeDeadlineSeconds": job.deadline_s,
        "template": {"metadata": {"labels": metadata(job.name)["labels"]}, "spec": pod(job)},
    });
    // A second try hides the first one's failure; the next night is the next try.
    if of_host(job) {
        // All at once, no two on one node: one on each server. With a server down another is saved twice. One that fails
        // must not end the others: https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index
        spec["completionMode"] = "Indexed".into();
        spec["backoffLimitPerIndex"] = 0.into();
        spec["completions"] = servers.into();
        spec["parallelism"] = servers.into();
        spec["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = json!([{"topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": job.name}}}]);
    } else {
        spec["backoffLimit"] = 0.into();
    }
    // What comes once in a quarter is worth a day of patience; a night has the next night.
    let nightly = job.schedule.ends_with(" * * *");
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata(job.name), "spec": {
        "schedule": job.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "suspend": job.suspended,
        "startingDeadlineSeconds": if nightly { 3_600 } else { 86_400 },
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 7,
        "jobTemplate": {"spec": spec},
    }})
}

/// Of what runs for ever: one pod, or none where it is asleep. Two would take every snapshot twice.
pub(super) fn deployment(job: &Job) -> Value {
    let mut pod = pod(job);
    pod["restartPolicy"] = "Always".into();
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(job.name), "spec": {
        "replicas": i32::from(!job.suspended),
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {"app.kubernetes.io/name": job.name}},
        "template": {"metadata": {"labels": metadata(job.name)["labels"]}, "spec": pod},
    }})
}

/// Whether it reads files of the host.
fn of_host(job: &Job) -> bool {
    matches!(job.reads, Reads::Set(Set::Host))
}

/// Whether it needs to be root: to read files of the host, which are root's, and to delete what that job wrote.
fn as_root(job: &Job) -> bool {
    of_host(job) || matches!(job.reads, Reads::Nothing)
}

/// The Secret of its keys and credentials.
fn secret(job: &Job) -> Option<&'static str> {
    match job.reads {
        Reads::Check(_) => None,
        Reads::Place => Some("netdr-prune-s3"),
        _ => Some("netdr-keys"),
    }
}

/// Root's own key must be nobody else's to read; the group's is how a volume reaches another user.
fn secret_mode(job: &Job) -> u32 {
    if as_root(job) { 0o400 } else { 0o440 }
}

fn pod(job: &Job) -> Value {
    let mut container = json!({
        "name": "netdr",
        "image": IMAGE,
        "args": job.args,
        "env": [
            {"name": "NETDR_CONFIG", "value": "/etc/netdr/netdr.yaml"},
            {"name": "NETDR_LOG_FORMAT", "value": "json"}, // who collects logs of pods reads no prose
            {"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"},
            {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [],
    });
    let mut volumes = vec![json!({"name": "config", "configMap": {"name": "netdr-config"}})];
    if let Some(secret) = secret(job) {
        mount(&mut container, json!({"name": "keys", "mountPath": "/etc/netdr-keys", "readOnly": true}));
        let mut keys = json!({"secretName": secret, "defaultMode": secret_mode(job)});
        if let Reads::Repository = job.reads {
            // Neither signs nor opens: metrics need the index, and whoever copies nothing has no credentials.
            let item = |key: &str| json!({"key": key, "path": key});
            keys["items"] = json!([item("index.txt"), item("s3-credentials")]);
            keys["optional"] = true.into();
        }
        volumes.push(json!({"name": "keys", "secret": keys}));
    }
    if !matches!(job.reads, Reads::Place) {
        let whole = json!({"name": "repository", "mountPath": "/backup"});
        let below = |path: &str| json!({"name": "repository", "mountPath": format!("/backup/{path}"), "subPath": path});
        // How a check ended the next one knows: only so is the end of a problem told.
        let status = below(STATUS);
        let mounts = match job.reads {
            Reads::Check(_) => vec![status],
            Reads::Repository => {
                let mut judged = below(REPOSITORY);
                judged["readOnly"] = true.into();
                vec![whole, judged, status] // metrics may have a folder beside the repository
            }
            _ => vec![whole],
        };
        mounts.into_iter().for_each(|of_it| mount(&mut container, of_it));
        // Of type Directory: where it is not mounted the pod does not start, and no root disk fills up.
        volumes.push(json!({"name": "repository", "hostPath": {"path": "/backup", "type": "Directory"}}));
    }
    // File by file: the folder of a ConfigMap volume is everybody's to write (0777), and as root netdr reads no
    // configuration that somebody else may have put there.
    for file in CONFIG {
        mount(
            &mut container,
            json!({"name": "config", "mountPath": format!("/etc/netdr/{file}"), "subPath": file, "readOnly": true}),
        );
    }
    if job.name == PROBES {
        // schedules/kustomization.yaml copies the image there.
        container["env"].as_array_mut().into_iter().for_each(|env| {
            env.push(json!({"name": "NETDR_PROBE_IMAGE", "value": IMAGE}));
        });
    }
    let mut context = json!({"runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"}});
    if as_root(job) {
        context = json!({"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}});
        // The repository is another user's.
        container["securityContext"]["capabilities"]["add"] = json!(["DAC_OVERRIDE"]);
    }
    if of_host(job) {
        for folder in HOST_FOLDERS {
            let name = format!("host{}", folder.replace('/', "-"));
            volumes.push(json!({"name": name, "hostPath": {"path": folder, "type": "Directory"}}));
            mount(
                &mut container,
                json!({"name": name, "mountPath": format!("{HOST_ROOT}{folder}"), "readOnly": true}),
            );
        }
    }
    // Last, for patches count the volumes; optional, for most need none.
    let folder = format!("/etc/{CHANNELS}");
    mount(&mut container, json!({"name": CHANNELS, "mountPath": folder, "readOnly": true}));
    volumes.push(json!({"name": CHANNELS,
        "secret": {"secretName": CHANNELS, "defaultMode": secret_mode(job), "optional": true}}));
    json!({
        "serviceAccountName": job.name,
        "automountServiceAccountToken": job.reads.is_of_cluster(),
        "enableServiceLinks": false,
        "restartPolicy": "Never",
        "hostNetwork": true,
        "dnsPolicy": "Default", // CoreDNS may be what is down
        "nodeSelector": {CONTROL_PLANE: "true"},
        "tolerations": tolerations(),
        "priorityClassName": "system-cluster-critical",
        "securityContext": context,
        "containers": [container],
        "volumes": volumes,
    })
}

fn mount(container: &mut Value, mount: Value) {
    if let Some(mounts) = container["volumeMounts"].as_array_mut() {
        mounts.push(mount);
    }
}

/// The taints that RKE2's bootstrap jobs tolerate, whatever their values.
fn tolerations() -> Value {
    json!([
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node.cloudprovider.kubernetes.io/uninitialized", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "CriticalAddonsOnly", "operator": "Exists"},
        {"key": "node-role.kubernetes.io/etcd", "operator": "Exists", "effect": "NoExecute"},
        {"key": CONTROL_PLANE, "operator": "Exists", "effect": "NoSchedule"},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// k3s-io/helm-controller, pkg/controllers/chart/chart.go, job(), where `spec.bootstrap` is set: key and effect; none is
    /// every effect. Some of theirs ask for a value as well, which these leave open.
    const BOOTSTRAP: [(&str, Option<&str>); 6] = [
        ("node.kubernetes.io/not-ready", Some("NoSchedule")),
        ("node.kubernetes.io/network-unavailable", Some("NoSchedule")),
        ("node.cloudprovider.kubernetes.io/uninitialized", Some("NoSchedule")),
        ("CriticalAddonsOnly", None),
        ("node-role.kubernetes.io/etcd", Some("NoExecute")),
        ("node-role.kubernetes.io/control-plane", Some("NoSchedule")),
    ];

    #[test]
    fn a_job_starts_wherever_a_bootstrap_job_does_and_under_no_other_taint() {
        let ours = tolerations();
        let ours = ours.as_array().unwrap();
        assert_eq!(ours.len(), BOOTSTRAP.len());
        for (key, effect) in BOOTSTRAP {
            let mine = ours.iter().find(|mine| mine["key"] == key).unwrap();
            assert_eq!((&mine["operator"], mine["effect"].as_str()), (&json!("Exists"), effect), "{key}");
        }
    }
}
