//! Whether helm-controller has installed a HelmChart as its HelmChartConfig is now.
//!
//! In: what is on the cluster. Out: it has, or what is missing. Invariant: the Job of an older configuration never counts:
//! what it was made from is compared with what is there now, not when it ended. Nothing of a Secret is repeated.
//!
//! Source: helm-controller v0.17, pkg/controllers/chart/chart.go. On a change it suspends the old Job, writes Secret
//! `chart-values-<chart>` anew, then replaces the Job; it leaves a finished Job alone where the newest release is
//! `deployed` and labelled with the Job's hash.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    Waiting,
    rollout::{condition, text},
};
use crate::{
    cluster::{Discovery, ListOptions, Selector},
    helm::Revision,
    model::ItemKey,
    plan::install,
    yaml,
};

/// How the Job is told what the HelmChart and HelmChartConfig say: field, variable of its container, default.
const SETTINGS: [(&str, &str, &str); 3] = [
    ("failurePolicy", "FAILURE_POLICY", "reinstall"),
    ("serverSide", "SERVER_SIDE", "auto"),
    ("forceConflicts", "FORCE_CONFLICTS", "false"),
];

/// What a chart's gate asks for besides the chart.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Whether this run changed its configuration.
    pub(super) changed: bool,
    /// The configuration that a Job must no longer be for.
    pub(super) replaces: Option<&'a str>,
}

/// What is on the cluster; `Null` where there is none.
#[derive(Default)]
struct Seen {
    chart: Value,
    config: Value,
    job: Value,
    /// Secret `chart-values-<chart>`.
    values: Value,
    /// Metadata of the release's Secrets.
    revisions: Vec<Value>,
}

impl Waiting<'_> {
    pub(super) async fn helm_chart(
        &self,
        chart: &ItemKey,
        asked: Asked<'_>,
        discovery: &mut Discovery,
    ) -> Result<(), String> {
        let (namespace, name) = (chart.namespace().unwrap_or_default(), chart.name());
        let beside = |group, plural, name: &str| ItemKey::resource(group, plural, Some(namespace), name);
        let mut seen = Seen::default();
        for (key, place) in [
            (chart.clone(), &mut seen.chart),
            (beside("helm.cattle.io", "helmchartconfigs", name), &mut seen.config),
            (install::job(chart), &mut seen.job),
            (beside("", "secrets", &format!("chart-values-{name}")), &mut seen.values),
        ] {
            *place = self.read(&key, discovery).await?.unwrap_or_default();
        }
        let target = seen.chart["spec"]["targetNamespace"].as_str().unwrap_or(namespace);
        let options = ListOptions {
            namespace: Some(target.into()),
            selector: Selector::release(name),
            metadata_only: true,
        };
        let secrets = self.kind("", "secrets", discovery).await?;
        let revisions = self.cluster.list_all(&secrets, &options).await;
        seen.revisions = revisions.map_err(|refusal| refusal.to_string())?;
        settled(&seen, asked)
    }
}

fn settled(seen: &Seen, asked: Asked<'_>) -> Result<(), String> {
    let Seen { chart, config, job, values, revisions } = seen;
    if chart.is_null() {
        return Err("it does not exist".into());
    }
    if let Some(failed) = condition(chart, "Failed").filter(|c| c["status"] == "True") {
        return Err(format!(
            "helm-controller says {}: {}",
            text(&failed["reason"]),
            text(&failed["message"])
        ));
    }
    if !job.is_null() {
        finished(job)?;
        let replaced = asked.replaces.is_some() && install::config_hash(job) == asked.replaces;
        if !is_for(job, chart, config, values) || replaced {
            return Err("helm-controller has not taken up its new configuration yet".into());
        }
    } else if asked.changed {
        return Err("helm-controller has made no Job for it yet".into());
    }
    let newest = revisions.iter().filter_map(|s| Some((Revision::of(s)?, s))).max_by_key(|(r, _)| r.version);
    let Some((revision, secret)) = newest else { return Err("Helm has no release of it".into()) };
    if revision.status != "deployed" {
        return Err(format!("revision {} of its release is {}", revision.version, revision.status));
    }
    // A helm-controller that labels no release with a hash tells its Job none either.
    match (variable(job, "CONFIG_HASH"), install::labelled_hash(secret)) {
        (Some(wanted), Some(hash)) if wanted != hash => {
            Err(format!("revision {} of its release is of another configuration", revision.version))
        }
        (Some(_), None) => {
            Err(format!("revision {} of its release was not made by its Job", revision.version))
        }
        _ => Ok(()),
    }
}

fn finished(job: &Value) -> Result<(), String> {
    let name = text(&job["metadata"]["name"]);
    let is = |kind: &str| condition(job, kind).filter(|c| c["status"] == "True");
    if let Some(failed) = is("Failed") {
        return Err(format!("Job {name} failed: {}: {}", text(&failed["reason"]), text(&failed["message"])));
    }
    let replaced = &job["metadata"]["annotations"]["helmcharts.helm.cattle.io/replace-wait"];
    // What is complete stays suspended for good where the configuration went back to the Job's before it was replaced.
    if !replaced.is_null() {
        return Err(format!("Job {name} is suspended by helm-controller, which is about to replace it"));
    }
    is("Complete").map(drop).ok_or_else(|| {
        if job["spec"]["suspend"] == true {
            return format!("Job {name} is not complete: helm-controller is about to begin or to replace it");
        }
        let count = |field: &str| job["status"][field].as_u64().unwrap_or(0);
        format!("Job {name} is not complete: {} pods run, {} failed", count("active"), count("failed"))
    })
}

/// Whether a Job was made from the configuration that is there now. Which keys of which Secrets it takes is seen in its
/// volumes; what is in them only in its hash.
fn is_for(job: &Value, chart: &Value, config: &Value, values: &Value) -> bool {
    let setting = |field: &str, default: &str| {
        let said = [&config["spec"][field], &chart["spec"][field]].into_iter();
        let mut said = said.filter_map(|value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        });
        said.next().unwrap_or_else(|| default.to_owned())
    };
    let told = SETTINGS.iter().all(|(field, name, default)| {
        variable(job, name).is_none_or(|value| value == setting(field, default))
    });
    let data = |key: &str| {
        let bytes = values["data"][key].as_str().and_then(|data| STANDARD.decode(data).ok());
        bytes.unwrap_or_default()
    };
    let content = data("HelmChartConfigValuesContent") == text(&config["spec"]["valuesContent"]).as_bytes();
    let wanted =
        Some(&config["spec"]["values"]).filter(|values| values.as_object().is_some_and(|v| !v.is_empty()));
    told && content
        && yaml::read(&data("HelmChartConfigValues")).filter(|v| !v.is_null()).as_ref() == wanted
        && mounted(job).is_superset(&install::values_secrets(config))
}

/// The Secrets that a Job takes values from.
fn mounted(job: &Value) -> std::collections::BTreeSet<String> {
    let volumes = job["spec"]["template"]["spec"]["volumes"].as_array().into_iter().flatten();
    let sources = volumes.flat_map(|v| v["projected"]["sources"].as_array().into_iter().flatten());
    sources.map(|source| text(&source["secret"]["name"]).to_owned()).collect()
}

fn variable<'a>(job: &'a Value, name: &str) -> Option<&'a str> {
    let variables = job.pointer("/spec/template/spec/containers/0/env")?.as_array()?;
    variables.iter().find(|variable| variable["name"] == name)?["value"].as_str()
}

#[cfg(test)]
mod tests;
