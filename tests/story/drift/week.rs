//! A week in which nobody changes anything, and everything moves: the drift job says nothing on any of its days.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use chrono::{Days, Utc};
use netdr::yaml;
use serde_json::{Value, json};

use super::{Watched, said};
use crate::support::tls_secret;

/// The Certificate that is renewed.
const NAME: &str = "wildcard-lab";
const CERTIFICATES: &str = "certificates.cert-manager.io";
const REQUESTS: &str = "certificaterequests.cert-manager.io";
const NODE: &str = "proj-k8s01";

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_normal_life_is_no_drift_on_any_of_its_days() {
    let world = Watched::new().await;
    before(&world).await;
    for day in 1..=7 {
        nodes(&world, day).await;
        controllers(&world, day).await;
        workloads(&world, day).await;
        tools(&world, day).await;
        files(&world, day);
        if day == 3 {
            renew(&world).await;
        }
        let report = world.drift().await.json(0);
        assert_eq!(report["items"], json!([]), "day {day}: {report:#}");
        let expected: Vec<String> = report["expected"].as_array().unwrap().iter().map(said).collect();
        let scaled = "deployments.apps traefik/traefik".to_owned();
        let renewed = format!("secrets traefik/{NAME}-tls");
        let wanted = if day < 3 { vec![scaled] } else { vec![renewed, scaled] };
        assert_eq!(expected, wanted, "day {day}: {report:#}");
    }
    // The night takes it all as it is, and nothing is even expected any more.
    world.operator.home.netdr(&["backup", "--set", "all", "--host-root", "host"]).await.ok();
    let report = world.drift().await.json(0);
    assert_eq!(report["expected"], json!([]), "{report:#}");
}

/// What is there before the week: an application with its policies, and what controllers made of it.
async fn before(world: &Watched) {
    world
        .objects
        .create(
            "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: proj-k8s01, namespace: kube-system}, spec: {holderIdentity: proj-k8s01}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: rke2-flannel-host-networking, namespace: kube-system}, spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.42.0.0/32}}]}]}}\n---\n\
             {apiVersion: crd.projectcalico.org/v1, kind: ClusterInformation, metadata: {name: default}, spec: {clusterGUID: a, datastoreReady: true}}\n---\n\
             {apiVersion: crd.projectcalico.org/v1, kind: HostEndpoint, metadata: {name: proj-k8s01-auto-hep, labels: {projectcalico.org/created-by: calico-kube-controllers}}, spec: {node: proj-k8s01, interfaceName: '*'}}\n---\n\
             {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: hub-abcde, namespace: jupyter, labels: {kubernetes.io/service-name: hub}}, endpoints: [{addresses: [10.42.0.9]}]}\n---\n\
             {apiVersion: helm.cattle.io/v1, kind: HelmChart, metadata: {name: rke2-coredns, namespace: kube-system}, spec: {chart: rke2-coredns}}\n---\n\
             {apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: rke2-serving, namespace: kube-system}, stringData: {tls.crt: a, tls.key: a}}",
        )
        .await;
}

/// Kubelets, flannel and Calico write their nodes.
async fn nodes(world: &Watched, day: u64) {
    let objects = &world.objects;
    let time = (Utc::now() + Days::new(day)).to_rfc3339();
    objects
        .status(
            "nodes",
            NODE,
            json!({"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": time}],
                "images": [{"names": [format!("example.org/app:{day}")]}]}),
        )
        .await;
    let annotations = json!({
        "flannel.alpha.coreos.com/backend-data": format!("{{\"VNI\":1,\"VtepMAC\":\"2e:41:0a:9c:11:{day:02x}\"}}"),
        "projectcalico.org/IPv4VXLANTunnelAddr": format!("10.42.0.{day}"),
        "node.alpha.kubernetes.io/ttl": day.to_string(),
    });
    objects.merge("nodes", NODE, json!({"metadata": {"annotations": annotations}})).await;
    let lease = json!({"spec": {"renewTime": "2026-11-24T01:00:00.000000Z", "leaseTransitions": day}});
    objects.merge("leases.coordination.k8s.io", "kube-system/proj-k8s01", lease).await;
    // A node joins and leaves; RKE2 derives its policy from the nodes there are.
    let rules = json!([{"from": [{"ipBlock": {"cidr": format!("10.42.{day}.0/32")}}]}]);
    let policy = json!({"spec": {"ingress": rules}});
    objects
        .merge("networkpolicies.networking.k8s.io", "kube-system/rke2-flannel-host-networking", policy)
        .await;
    objects.create(&format!("{{apiVersion: v1, kind: Node, metadata: {{name: agent-{day}}}}}")).await;
    if day > 1 {
        objects.delete("nodes", &format!("agent-{}", day - 1)).await;
    }
}

/// Status, leases, slices, and what controllers make for themselves.
async fn controllers(world: &Watched, day: u64) {
    let objects = &world.objects;
    let addresses = |status: &str| json!({status: {"ingress": [{"ip": format!("10.25.10.3{}", day % 6)}]}});
    objects.status("services", "ingest/telescope-feed", addresses("loadBalancer")).await;
    objects.status("ingresses.networking.k8s.io", "registry/registry", addresses("loadBalancer")).await;
    let pool =
        json!({"metadata": {"annotations": {"metallb.io/ip-allocated-from-pool": format!("pool-{day}")}}});
    objects.merge("services", "ingest/telescope-feed", pool).await;
    let endpoints = json!({"endpoints": [{"addresses": [format!("10.42.0.{day}")]}]});
    objects.merge("endpointslices.discovery.k8s.io", "jupyter/hub-abcde", endpoints).await;
    let guid = json!({"spec": {"clusterGUID": format!("guid-{day}")}});
    objects.merge("clusterinformations.crd.projectcalico.org", "default", guid).await;
    let host = json!({"spec": {"expectedIPs": [format!("10.25.20.{day}")]}});
    objects.merge("hostendpoints.crd.projectcalico.org", "proj-k8s01-auto-hep", host).await;
    let time = (Utc::now() + Days::new(60 + day)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    for name in ["traefik/wildcard-lab", "registry/registry"] {
        let revision = if name.ends_with("lab") && day > 3 { 2 } else { 1 };
        let status = json!({"revision": revision, "renewalTime": time,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": day.to_string()}]});
        objects.status(CERTIFICATES, name, status).await;
    }
    let issuer = json!({"acme": {"lastRegisteredEmail": format!("a{day}@radioastronomy.io")}});
    objects.status("clusterissuers.cert-manager.io", "letsencrypt-cloudflare", issuer).await;
    let serving = json!({"metadata": {"annotations": {"listener.cattle.io/cn-10.25.20.4": day.to_string()}},
        "stringData": {"tls.crt": day.to_string()}});
    objects.merge("secrets", "kube-system/rke2-serving", serving).await;
    objects
        .create(&format!(
            "{{apiVersion: v1, kind: Event, metadata: {{name: e{day}, namespace: jupyter}}, involvedObject: {{namespace: jupyter}}, reason: Scheduled}}\n---\n\
             {{apiVersion: crd.projectcalico.org/v1, kind: IPAMHandle, metadata: {{name: h{day}}}, spec: {{handleID: h{day}, block: {{}}, deleted: false}}}}\n---\n\
             {{apiVersion: v1, kind: Secret, metadata: {{name: wildcard-lab-{day}, namespace: traefik, labels: {{cert-manager.io/next-private-key: 'true'}}}}, stringData: {{tls.key: a}}}}\n---\n\
             {{apiVersion: v1, kind: Secret, type: helmcharts.helm.cattle.io/values, metadata: {{name: chart-values-{day}, namespace: kube-system}}, stringData: {{a: b}}}}",
        ))
        .await;
    // An ACME solver's Ingress comes and goes; it belongs to its challenge.
    let solver = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": format!("cm-acme-http-solver-{day}"), "namespace": "registry", "ownerReferences": [{
            "apiVersion": "acme.cert-manager.io/v1", "kind": "Challenge", "name": "c", "uid": "u", "controller": true}]},
        "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 8089}}}}});
    objects.create(&solver.to_string()).await;
    let mut chart = objects.get("helmcharts.helm.cattle.io", "kube-system/rke2-coredns").await.unwrap();
    chart["status"] = json!({"jobName": format!("helm-install-{day}")});
    objects.put_back("helmcharts.helm.cattle.io", "kube-system/rke2-coredns", Some(chart)).await;
}

/// Applications are deployed, restarted and scaled.
async fn workloads(world: &Watched, day: u64) {
    world.kubectl("rollout restart -n traefik deployment/traefik").await;
    world.kubectl("rollout restart -n kube-system daemonset/rke2-canal").await;
    let objects = &world.objects;
    let revision =
        json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": day.to_string()}}});
    objects.merge("deployments.apps", "traefik/traefik", revision).await;
    let replicas = json!({"spec": {"replicas": 2 + day}});
    let scale = format!(
        "patch -n traefik deployment/traefik --subresource=scale --field-manager=kube-controller-manager --type=merge -p {replicas}"
    );
    world.kubectl(&scale).await;
    objects
        .create(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: hub-{day}, namespace: jupyter, labels: {{app: hub}}}}, spec: {{containers: [{{name: c, image: x}}]}}}}\n---\n\
             {{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings-{day}, namespace: jupyter}}, data: {{a: b}}}}\n---\n\
             {{apiVersion: v1, kind: Secret, metadata: {{name: application-{day}, namespace: jupyter}}, stringData: {{a: b}}}}\n---\n\
             {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: app-{day}, namespace: jupyter}}, spec: {{selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: x}}]}}}}}}}}\n---\n\
             {{apiVersion: v1, kind: Service, metadata: {{name: app-{day}, namespace: jupyter}}, spec: {{ports: [{{port: 80}}]}}}}",
        ))
        .await;
    if day > 1 {
        world.kubectl(&format!("delete pod -n jupyter hub-{} --grace-period=0 --force", day - 1)).await;
    }
}

/// Deployers say the same again and again, and keep books in what they deploy.
async fn tools(world: &Watched, day: u64) {
    let home = world.operator.home.path();
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: default-deny-all, namespace: archive}, \
                  spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}";
    fs::write(home.join("policy.yaml"), policy).unwrap();
    world.kubectl("apply -f policy.yaml").await;
    world
        .kubectl(&format!(
            "apply --server-side --force-conflicts --field-manager=deployer-{day} -f policy.yaml"
        ))
        .await;
    let book = json!({"metadata": {"annotations": {"objectset.rio.cattle.io/applied": day.to_string()},
        "labels": {"objectset.rio.cattle.io/hash": day.to_string()}}});
    world.objects.merge("networkpolicies.networking.k8s.io", "archive/allow-dns", book).await;
}

/// RKE2 starts again and writes its own files; nobody else's change.
fn files(world: &Watched, day: u64) {
    let root = world.operator.home.path().join("host");
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("var/lib/rancher/rke2/server/manifests/rke2-coredns.yaml", &format!("kind: HelmChart # {day}\n"));
    write("var/lib/rancher/rke2/agent/etc/kubelet.conf.d/00-rke2-defaults.conf", &format!("# {day}\n"));
    write(&format!("var/lib/cni/networks/k8s-pod-network/10.42.0.{day}"), "container\n");
    write("etc/cni/net.d/calico-kubeconfig", &format!("token: {day}\n"));
    let same = root.join("etc/cni/net.d/10-canal.conflist");
    fs::write(&same, fs::read(&same).unwrap()).unwrap();
}

/// As cert-manager does it: a request for the next revision, issued; the Secret, with another key; the status.
async fn renew(world: &Watched) {
    let objects = &world.objects;
    let fresh: Value = yaml::documents(&tls_secret("traefik", NAME, Utc::now())).unwrap().remove(0);
    let certificate = objects.get(CERTIFICATES, &format!("traefik/{NAME}")).await.unwrap();
    let issued = BASE64.encode(fresh["stringData"]["tls.crt"].as_str().unwrap());
    let request = json!({"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
        "metadata": {"name": format!("{NAME}-2"), "namespace": "traefik",
            "annotations": {"cert-manager.io/certificate-revision": "2"},
            "ownerReferences": [{"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": NAME,
                "uid": certificate["metadata"]["uid"], "controller": true}]},
        "spec": {"request": BASE64.encode("csr"), "issuerRef": certificate["spec"]["issuerRef"]}});
    objects.create(&request.to_string()).await;
    let status = json!({"certificate": issued, "conditions": [{"type": "Ready", "status": "True", "reason": "Issued"}]});
    objects.status(REQUESTS, &format!("traefik/{NAME}-2"), status).await;
    objects
        .merge("secrets", &format!("traefik/{NAME}-tls"), json!({"stringData": fresh["stringData"]}))
        .await;
    let status =
        json!({"revision": 2, "conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]});
    objects.status(CERTIFICATES, &format!("traefik/{NAME}"), status).await;
}
