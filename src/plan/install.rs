//! What RKE2's helm-controller makes of a HelmChart, as far as a plan must know it.
//!
//! In: a HelmChart, its HelmChartConfig and the Job that installs it, as they are on the cluster. Out: which configuration
//! that Job was for, and what belongs to it. Invariant: pure; no content of a Secret is in it.
//!
//! Source: helm-controller, pkg/controllers/chart/chart.go.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::ItemKey;

/// On a Job's pods: `SHA256=` and the digest of everything that the Job is to install.
const CONFIG_HASH: &str = "helmcharts.helm.cattle.io/configHash";
/// What helm-controller does with an install or upgrade that failed, where nothing says otherwise: it uninstalls the
/// release and installs it anew.
const REINSTALL: &str = "reinstall";

/// What helm-controller did last for one HelmChart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// Whether there is such a HelmChart.
    pub exists: bool,
    /// Which configuration its Job is for; none where it has no Job.
    pub hash: Option<String>,
    /// Whether pods of that Job run. One that fails again and again is not ready, and is not at work.
    pub active: bool,
    /// The Secrets whose data is part of the configuration (`valuesSecrets`), by name.
    pub secrets: BTreeSet<String>,
    /// What the HelmChart itself says of failures.
    pub failure_policy: Option<String>,
}

impl Install {
    /// Reads it; `Null` stands for an object that does not exist.
    pub fn of(chart: &Value, config: &Value, job: &Value) -> Self {
        let mut secrets = values_secrets(chart);
        secrets.extend(values_secrets(config));
        Self {
            exists: !chart.is_null(),
            hash: config_hash(job).map(str::to_owned),
            active: job["status"]["ready"].as_u64().unwrap_or(0) > 0,
            secrets,
            failure_policy: text(&chart["spec"]["failurePolicy"]),
        }
    }
}

/// The key of a HelmChart.
pub(crate) fn helm_chart(namespace: &str, name: &str) -> ItemKey {
    ItemKey::resource("helm.cattle.io", "helmcharts", Some(namespace), name)
}

/// The Job that installs or upgrades a HelmChart.
pub(crate) fn job(chart: &ItemKey) -> ItemKey {
    ItemKey::resource("batch", "jobs", chart.namespace(), &format!("helm-install-{}", chart.name()))
}

/// Which configuration a Job is for.
pub(crate) fn config_hash(job: &Value) -> Option<&str> {
    let hash = job.pointer("/spec/template/metadata/annotations")?.get(CONFIG_HASH)?.as_str()?;
    Some(hash.strip_prefix("SHA256=").unwrap_or(hash))
}

/// The hash that a release's Secret is labelled with: of which configuration it is. A label holds 63 characters of it.
pub(crate) fn labelled_hash(secret: &Value) -> Option<&str> {
    secret["metadata"]["labels"][CONFIG_HASH].as_str()
}

/// The Secrets that a HelmChart or HelmChartConfig takes values from, but for those whose changes it is to overlook.
pub(crate) fn values_secrets(object: &Value) -> BTreeSet<String> {
    let secrets = object["spec"]["valuesSecrets"].as_array().into_iter().flatten();
    secrets
        .filter(|secret| secret["ignoreUpdates"] != true)
        .filter_map(|secret| text(&secret["name"]))
        .collect()
}

/// What becomes of a failed install: by the HelmChartConfig, else by the HelmChart.
pub(crate) fn failure_policy(config: &Value, chart: Option<&str>) -> String {
    text(&config["spec"]["failurePolicy"]).or(chart.map(str::to_owned)).unwrap_or_else(|| REINSTALL.into())
}

/// What a person should know before a HelmChartConfig is written whose chart is the CNI's: nothing where a failed install
/// is left for a person to look at.
pub(crate) fn risk(key: &ItemKey, config: &Value, chart: Option<&str>) -> Option<String> {
    let (namespace, name) = (key.namespace().unwrap_or_default(), key.name());
    (failure_policy(config, chart) == REINSTALL).then(|| {
        format!(
            "HelmChartConfig {namespace}/{name} of the source has no `spec.failurePolicy: abort`: should the upgrade that \
             writing it sets off fail or be interrupted, helm-controller uninstalls the CNI, and with its \
             CustomResourceDefinitions every Calico policy; when the run is over: kubectl -n {namespace} patch \
             helmchartconfig {name} --type merge -p '{{\"spec\":{{\"failurePolicy\":\"abort\"}}}}', then back up"
        )
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_done_last_is_read_from_chart_configuration_and_job() {
        let chart =
            json!({"spec": {"failurePolicy": "retry", "valuesSecrets": [{"name": "a", "keys": ["v"]}]}});
        let config = json!({"spec": {"valuesSecrets": [
            {"name": "b", "keys": ["v"]}, {"name": "c", "keys": ["v"], "ignoreUpdates": true}]}});
        let job = json!({"status": {"active": 1, "ready": 1}, "spec": {"template": {"metadata": {"annotations": {
            "helmcharts.helm.cattle.io/configHash": "SHA256=AB12"}}}}});
        assert_eq!(
            Install::of(&chart, &config, &job),
            Install {
                exists: true,
                hash: Some("AB12".into()),
                active: true,
                secrets: ["a".to_owned(), "b".to_owned()].into(),
                failure_policy: Some("retry".into()),
            }
        );
        assert_eq!(Install::of(&Value::Null, &Value::Null, &Value::Null), Install::default());
    }

    #[test]
    fn what_would_uninstall_the_cni_is_a_risk_with_the_field_to_set() {
        let key = ItemKey::resource("helm.cattle.io", "helmchartconfigs", Some("kube-system"), "rke2-canal");
        let of = |policy: Option<&str>, chart| risk(&key, &json!({"spec": {"failurePolicy": policy}}), chart);
        assert!(of(None, None).unwrap().contains(r#"-p '{"spec":{"failurePolicy":"abort"}}'"#));
        assert!(of(Some("reinstall"), Some("retry")).is_some());
        assert_eq!(of(Some("abort"), None), None);
        assert_eq!(of(Some("abort"), Some("reinstall")), None);
        assert_eq!(of(None, Some("retry")), None);
    }
}
