//! `netdr doctor`: what looks right and is not.

use std::{collections::BTreeSet, fs, path::PathBuf};

use clap::Args;
use serde_json::Value;

use super::{
    after::WATCHED,
    check::{REACH, answer, or_unknown},
    context::Context,
    exit::Exit,
    interrupt, metrics, plans,
    settings::Settings,
};
use crate::{
    Error, Result,
    capture::{Scope, capture},
    check::{
        self, Check,
        doctor::{cluster, configuration, node, values},
    },
    cluster::Cluster,
    host,
    model::Content,
    restore::read_webhooks,
    task::{Records, Watched},
    yaml,
};

/// Find what looks right and is not: flags that RKE2 drops, values that do nothing, objectives that cannot be met
///
/// Looks at this node's RKE2 configuration, the cluster, and netdr's own configuration; changes nothing.
#[derive(Args)]
#[command(after_help = "Exit code 8: something was found, or could not be looked at.")]
pub(super) struct Doctor {
    /// Look at these files alone: values of a Helm release, or a configuration of RKE2
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Doctor {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        if !self.files.is_empty() {
            let checks: Vec<Vec<Check>> = self.files.iter().map(of_file).collect::<Result<_>>()?;
            return answer(cx, &checks.concat());
        }
        let settings = cx.settings()?;
        let mut checks = of_node(cx)?;
        checks.extend(or_unknown("doctor cluster", REACH, of_cluster(cx, &settings))?);
        let plans: Vec<_> = plans::all(&settings)?.into_iter().map(|authored| authored.plan).collect();
        let watched = watched(cx, &settings).ok();
        checks.extend(configuration::judge(&settings.config, &plans, watched.as_deref(), cx.now));
        // Each server has flags of its own; who looks from elsewhere says nothing of them.
        if cx.server_node()? {
            let subject = format!("doctor {}", cx.host());
            let apart = |check: Check| check.apart(subject.clone());
            checks = checks.into_iter().map(apart).collect();
        }
        cx.checked(&checks);
        answer(cx, &checks)
    }
}

/// What `netdr watch` last did with this cluster, at a terminal and without, as this machine's repository has it.
fn watched(cx: &Context, settings: &Settings) -> Result<Vec<Watched>> {
    let repository = settings.repository()?;
    let cluster = metrics::cluster(cx, settings, Some(&repository));
    Ok(Records::of(&repository, &cluster).read(WATCHED)?.into_values().collect())
}

fn of_file(file: &PathBuf) -> Result<Vec<Check>> {
    let shown = file.display().to_string();
    let text =
        fs::read_to_string(file).map_err(|e| Error::usage(format!("{shown} cannot be read")).because(e))?;
    let documents = yaml::documents(&text).map_err(|error| error.doing(&shown))?;
    if documents.iter().any(node::is_rke2) {
        return Ok(vec![node::judge(&shown, &documents)]);
    }
    let next = format!("${{EDITOR:-vi}} {shown}"); // as `kubectl edit` does it
    let judged = documents.iter().filter_map(values_in).map(|found| values::judge(&shown, &found, &next));
    let judged: Vec<Check> = judged.collect();
    let none = || {
        Check::not_applicable(format!("doctor {shown}"), "it holds neither values nor RKE2's configuration")
    };
    Ok(if judged.is_empty() { vec![none()] } else { judged })
}

/// The values that a document is, or that one for RKE2's helm-controller holds.
fn values_in(document: &Value) -> Option<Value> {
    match document["kind"].as_str() {
        None => document.is_object().then(|| document.clone()),
        Some("HelmChart" | "HelmChartConfig") => {
            yaml::read(document["spec"]["valuesContent"].as_str().unwrap_or_default().as_bytes())
        }
        Some(_) => None,
    }
}

/// RKE2's configuration of the node that this runs on.
fn of_node(cx: &Context) -> Result<Vec<Check>> {
    if !cx.server_node()? {
        let why =
            "this is no RKE2 node; run it on each, or where its files are: netdr doctor --host-root DIR";
        return Ok(vec![Check::not_applicable("doctor flags", why)]);
    }
    let captured = host::capture(&cx.flags.host_root, "node")?;
    let files = captured.items.iter().filter_map(|item| match &item.content {
        Content::File(file) => Some((item.key.name(), file)),
        _ => None,
    });
    let ours = |path: &str| {
        path.starts_with("/etc/rancher/rke2/config.yaml")
            && [".yaml", ".yml"].iter().any(|end| path.ends_with(end))
    };
    let mut checks = Vec::new();
    for (path, file) in files.filter(|(path, _)| ours(path)) {
        let text = String::from_utf8_lossy(&file.bytes);
        match yaml::documents(&text) {
            Ok(documents) => checks.push(node::judge(path, &documents)),
            Err(error) => {
                checks.push(Check::unknown(
                    format!("doctor flags of {path}"),
                    error.to_string(),
                    format!("less {path}"),
                ));
            }
        }
    }
    checks.extend(captured.failures.into_iter().filter(|failure| ours(&failure.path)).map(|failure| {
        Check::unknown(format!("doctor flags of {}", failure.path), failure.why, "sudo netdr doctor")
    }));
    Ok(checks)
}

fn of_cluster(cx: &Context, settings: &Settings) -> Result<Vec<Check>> {
    interrupt::run(&|| "nothing was changed".into(), async {
        let cluster = Cluster::connect(&settings.access()?).await?;
        let _phase = cx.terminal.phase(format!("looking at {}", settings.cluster_name(&cluster)));
        let scope = Scope { components: cluster::COMPONENTS.into(), ..settings.config.scope.clone() };
        let found = capture(&cluster, &scope, cx.now, &cluster::is_wanted).await?;
        let nodes = check::read(&cluster, &found.discovery, [cluster::NODES], BTreeSet::new()).await;
        let written = cluster::written();
        let webhooks = read_webhooks(&cluster, &found.discovery, &written).await;
        let unready =
            webhooks.map(|webhooks| webhooks.unready(&written)).map_err(|refusal| refusal.to_string());
        Ok(cluster::judge(&found, &nodes, &unready))
    })
}
