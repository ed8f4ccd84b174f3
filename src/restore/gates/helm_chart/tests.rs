use serde_json::json;

use super::*;

const QUIET: Asked<'static> = Asked { changed: false, replaces: None };
const CHANGED: Asked<'static> = Asked { changed: true, replaces: None };

fn revision(version: u64, status: &str, hash: &str) -> Value {
    json!({"metadata": {
        "name": format!("sh.helm.release.v1.rke2-canal.v{version}"), "namespace": "kube-system",
        "labels": {"owner": "helm", "name": "rke2-canal", "version": version.to_string(), "status": status,
            "helmcharts.helm.cattle.io/configHash": hash}}})
}

fn job(condition: &str) -> Value {
    json!({
        "metadata": {"name": "helm-install-rke2-canal"},
        "spec": {"suspend": false, "template": {
            "metadata": {"annotations": {"helmcharts.helm.cattle.io/configHash": "SHA256=AB12"}},
            "spec": {
                "containers": [{"env": [
                    {"name": "FAILURE_POLICY", "value": "abort"}, {"name": "SERVER_SIDE", "value": "auto"},
                    {"name": "FORCE_CONFLICTS", "value": "true"}, {"name": "CONFIG_HASH", "value": "AB12"}]}],
                "volumes": [{"name": "values", "projected": {"sources": [{"secret": {"name": "canal-values"}}]}}],
            },
        }},
        "status": {"conditions": [{"type": condition, "status": "True", "reason": "R", "message": "M"}]},
    })
}

/// All done, of the configuration that is there.
fn seen() -> Seen {
    Seen {
        chart: json!({"spec": {"forceConflicts": true}}),
        config: json!({"spec": {
            "failurePolicy": "abort", "valuesContent": "flannel: {}", "values": {"a": [1, true]},
            "valuesSecrets": [{"name": "canal-values", "keys": ["v"]}]}}),
        job: job("Complete"),
        values: json!({"data": {
            "HelmChartConfigValuesContent": STANDARD.encode("flannel: {}"),
            "HelmChartConfigValues": STANDARD.encode("a:\n- 1\n- true\n")}}),
        revisions: vec![revision(9, "superseded", "FF"), revision(10, "deployed", "AB12")],
    }
}

fn with(change: impl FnOnce(&mut Seen)) -> String {
    let mut seen = seen();
    change(&mut seen);
    settled(&seen, CHANGED).err().unwrap_or_default()
}

#[test]
fn a_job_that_installed_what_is_there_now_is_enough() {
    assert_eq!(settled(&seen(), CHANGED), Ok(()));
    assert_eq!(settled(&seen(), QUIET), Ok(()));
}

#[test]
fn the_job_of_an_older_configuration_does_not_count() {
    let stale = "helm-controller has not taken up its new configuration yet";
    assert_eq!(with(|seen| seen.config["spec"]["valuesContent"] = "flannel: {mtu: 1}".into()), stale);
    assert_eq!(with(|seen| seen.config["spec"]["values"] = json!({"a": [2, true]})), stale);
    assert_eq!(with(|seen| seen.config["spec"]["values"] = Value::Null), stale);
    assert_eq!(with(|seen| seen.config["spec"]["failurePolicy"] = "retry".into()), stale);
    assert_eq!(with(|seen| seen.config["spec"]["failurePolicy"] = Value::Null), stale);
    assert_eq!(with(|seen| seen.chart["spec"]["forceConflicts"] = Value::Null), stale);
    assert_eq!(with(|seen| seen.config["spec"]["valuesSecrets"][0]["name"] = "other".into()), stale);
    // What is in such a Secret is in the hash alone.
    let replaced = settled(&seen(), Asked { replaces: Some("AB12"), ..CHANGED });
    assert_eq!(replaced.unwrap_err(), stale);
    assert_eq!(settled(&seen(), Asked { replaces: Some("CD34"), ..CHANGED }), Ok(()));
    // A Job without a hash is told from no other one by it.
    let mut bare = seen();
    bare.job["spec"]["template"]["metadata"]["annotations"] = Value::Null;
    assert_eq!(settled(&bare, CHANGED), Ok(()));
    // A configuration that went back before its Job was replaced leaves that Job suspended.
    assert_eq!(with(|seen| seen.job["spec"]["suspend"] = true.into()), "");
    let unbegun = with(|seen| (seen.job = job("Suspended"), seen.job["spec"]["suspend"] = true.into()).0);
    assert!(unbegun.contains("about to begin"), "{unbegun}");
    let wait = json!({"helmcharts.helm.cattle.io/replace-wait": "true"});
    assert!(with(|seen| seen.job["metadata"]["annotations"] = wait).contains("about to replace it"));
}

#[test]
fn what_failed_or_runs_is_named() {
    assert_eq!(with(|seen| seen.job = job("Failed")), "Job helm-install-rke2-canal failed: R: M");
    assert!(with(|seen| seen.job = job("Suspended")).contains("not complete: 0 pods run"));
    let failed =
        json!([{"type": "Failed", "status": "True", "reason": "Job failed", "message": "no retries left"}]);
    let why = with(|seen| seen.chart["status"] = json!({"conditions": failed}));
    assert_eq!(why, "helm-controller says Job failed: no retries left");
}

#[test]
fn the_newest_revision_must_be_deployed_and_of_the_job_s_configuration() {
    let pending = revision(11, "pending-upgrade", "");
    assert_eq!(with(|seen| seen.revisions.push(pending)), "revision 11 of its release is pending-upgrade");
    let other = revision(11, "deployed", "CD34");
    assert!(with(|seen| seen.revisions.push(other)).contains("of another configuration"));
    let mut by_hand = revision(11, "deployed", "");
    by_hand["metadata"]["labels"].as_object_mut().unwrap().remove("helmcharts.helm.cattle.io/configHash");
    assert!(with(|seen| seen.revisions.push(by_hand)).contains("not made by its Job"));
    assert_eq!(with(|seen| seen.revisions.clear()), "Helm has no release of it");
}

#[test]
fn without_a_job_only_what_was_not_changed_is_done() {
    assert_eq!(with(|seen| seen.job = Value::Null), "helm-controller has made no Job for it yet");
    let seen = Seen { job: Value::Null, ..seen() };
    assert_eq!(settled(&seen, QUIET), Ok(()));
    assert_eq!(settled(&Seen { chart: Value::Null, ..seen }, QUIET).unwrap_err(), "it does not exist");
}
