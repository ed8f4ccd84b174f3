//! The objects that a probe of the pod network makes for its time.
//!
//! In: a run, a node, what its pod is to do. Out: objects, all with the labels by which they are found again. Invariant:
//! pure; the pods are in the pod network, may do nothing at all (Kubernetes, "Pod Security Standards", restricted), and end
//! by themselves should nobody remove them.

use serde_json::{Value, json};

use crate::probe::PORT;

/// Whatever has it was made by a probe, and is to be removed.
pub(super) const LABEL: (&str, &str) = ("netdr/probe", "temporary");
/// Tells the pods of one run from another's.
pub(super) const RUN: &str = "netdr/run";
/// The namespace that an installation brings, with the rights to probe in it; else one is made for the time.
pub const NAMESPACE: &str = "netdr-probe";
/// The service account of the pods, which has no rights and no token.
pub const ACCOUNT: &str = "netdr-probe";
/// The kubelet ends what is left of a run that was killed, in seconds.
const LIFETIME: u64 = 900;
/// The image's own user.
const USER: u32 = 65_532;
/// Where the kubelet reads what a container leaves as its last word.
const LAST_WORD: &str = "/dev/termination-log";

/// What a pod does.
pub(super) enum Role<'a> {
    Serve,
    Dial {
        /// `IP:PORT` of the others.
        targets: &'a [String],
        /// `IP:PORT` of a DNS server, and the name it must know.
        dns: Option<(&'a str, &'a str)>,
    },
}

impl Role<'_> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Dial { .. } => "dial",
        }
    }

    fn args(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Serve => words(&["probe", "serve", "--address", "$(POD_IP)"]),
            Self::Dial { targets, dns } => {
                let mut args = words(&["probe", "dial", "--answer", LAST_WORD]);
                if let Some((server, name)) = dns {
                    args.extend(words(&["--dns", server, "--dns-name", name]));
                }
                args.extend_from_slice(targets);
                args
            }
        }
    }
}

fn metadata(name: &str, run: &str) -> Value {
    json!({"name": name, "labels": {LABEL.0: LABEL.1, RUN: run, "app.kubernetes.io/managed-by": "netdr"}})
}

pub(super) fn namespace(name: &str, run: &str) -> Value {
    let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, run)});
    namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted".into();
    namespace
}

/// The default one may not be there yet, and no pod is let in without.
pub(super) fn account(run: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(ACCOUNT, run),
        "automountServiceAccountToken": false})
}

/// Lets the pods of the namespace talk to each other, and to DNS: where policies deny by default, Calico's for all
/// namespaces too, nothing else is let through.
pub(super) fn policy(run: &str) -> Value {
    let each_other = json!([{"podSelector": {"matchLabels": {RUN: run}}}]);
    let port = json!([{"protocol": "TCP", "port": PORT}]);
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(&format!("probe-{run}"), run),
        "spec": {
            "podSelector": {"matchLabels": {RUN: run}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": each_other, "ports": port}],
            "egress": [
                {"to": each_other, "ports": port},
                {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
            ],
        },
    })
}

/// The number tells pods of a role apart: a node's name may be too long to be part of a pod's.
pub(super) fn pod(run: &str, number: usize, node: &str, image: &str, role: &Role<'_>) -> Value {
    let mut metadata = metadata(&format!("{}-{run}-{number}", role.name()), run);
    metadata["labels"]["netdr/role"] = role.name().into();
    let ready = json!({"tcpSocket": {"port": PORT}, "periodSeconds": 1});
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            // Without the scheduler: a cordoned node has a network, too.
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LIFETIME,
            "terminationGracePeriodSeconds": 0,
            "serviceAccountName": ACCOUNT,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "probe",
                "image": image,
                "args": role.args(),
                "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "readinessProbe": matches!(role, Role::Serve).then_some(ready),
                "terminationMessagePath": LAST_WORD,
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_in_the_pod_network_of_its_node_and_may_do_nothing() {
        let pod = pod("0a1b", 3, "n3", "netdr:1", &Role::Serve);
        let spec = &pod["spec"];
        assert_eq!((&spec["nodeName"], &spec["automountServiceAccountToken"]), (&json!("n3"), &json!(false)));
        assert!(spec["hostNetwork"].is_null() && spec["volumes"].is_null());
        let context = &spec["containers"][0]["securityContext"];
        assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(
            (&context["readOnlyRootFilesystem"], &spec["securityContext"]["runAsNonRoot"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(spec["tolerations"], json!([{"operator": "Exists"}]), "no taint keeps it away");
    }

    #[test]
    fn the_policy_is_of_the_runs_pods_and_opens_the_one_port_between_them_and_dns() {
        let own = json!({"matchLabels": {RUN: "0a1b"}});
        let spec = policy("0a1b")["spec"].take();
        assert_eq!(spec["podSelector"], own, "nobody else's pods get a policy by it");
        assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]), "what is not opened is closed");
        let port = json!([{"protocol": "TCP", "port": PORT}]);
        assert_eq!(spec["ingress"], json!([{"from": [{"podSelector": own}], "ports": port}]));
        let dns = json!({"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]});
        assert_eq!(spec["egress"], json!([{"to": [{"podSelector": own}], "ports": port}, dns]));
        for role in [Role::Serve, Role::Dial { targets: &[], dns: None }] {
            let pod = pod("0a1b", 0, "n", "i", &role);
            assert_eq!(pod["metadata"]["labels"][RUN], "0a1b", "both ends are selected");
        }
    }

    #[test]
    fn every_object_is_found_again_by_one_label() {
        let role = Role::Dial { targets: &["10.42.1.7:18443".into()], dns: Some(("10.43.0.10:53", "k.svc")) };
        for object in [namespace("x", "r"), account("r"), policy("r"), pod("r", 0, "n", "i", &role)] {
            assert_eq!(object["metadata"]["labels"][LABEL.0], LABEL.1, "{object:#}");
        }
        let args = pod("r", 0, "n", "i", &role)["spec"]["containers"][0]["args"].to_string();
        assert!(
            args.contains(r#""--dns","10.43.0.10:53","--dns-name","k.svc","10.42.1.7:18443"]"#),
            "{args}"
        );
    }
}
