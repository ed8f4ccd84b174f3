//! Charts that RKE2's helm-controller installs: what is waited for, and what would leave it stuck.
//!
//! In: the acts of the steps so far, the live revisions, what helm-controller did last. Out: gates, deletes of revisions
//! that an interrupted Helm left pending, warnings. Invariant: a revision that is or was deployed is never deleted, nor is
//! a HelmChart; what helm-controller renders is restored by having it rendered.

use std::collections::BTreeSet;

use super::{Resolver, releases::remove};
use crate::{
    helm,
    model::{Class, Component, Item, ItemKey, Json},
    plan::{Act, Batch, Gate, Install, Step, StepSpec, Verb, install},
};

impl Resolver<'_> {
    /// The gates of a `wait: {helmCharts: …}` step. A chart of which neither side has anything is another CNI's.
    pub(super) fn helm_charts(&mut self, charts: &[ItemKey], spec: &StepSpec, before: &[Step]) -> Vec<Gate> {
        let (charts, others): (Vec<_>, Vec<_>) = charts.iter().partition(|chart| self.is_charted(chart));
        others.into_iter().for_each(|chart| self.passed_over(chart, "waited for"));
        let absent = charts.iter().filter(|chart| !self.is_on_cluster(chart)).map(|chart| {
            format!(
                "step `{}` waits for {chart}, which is not on the cluster: RKE2 makes it when rke2-server runs with this \
                 CNI; while it does not, the run ends there after {} s",
                spec.id,
                spec.timeout.as_secs()
            )
        });
        let absent: Vec<String> = absent.collect();
        self.warnings.extend(absent);
        let acts = || before.iter().flat_map(|step| &step.batches).flat_map(|batch| &batch.acts);
        let gate = |chart: &ItemKey| {
            let install = self.installs.get(chart);
            let ours = |act: &&Act| act.key.namespace() == chart.namespace();
            let configs =
                acts().filter(ours).filter(|act| is_config(&act.key) && act.key.name() == chart.name());
            let mut secrets: BTreeSet<String> = install.map(|i| i.secrets.clone()).unwrap_or_default();
            let mut changed = false;
            for act in configs {
                changed = true;
                secrets.extend(
                    act.item
                        .as_ref()
                        .and_then(Item::json)
                        .map(|j| install::values_secrets(&j.value()))
                        .unwrap_or_default(),
                );
            }
            let named = |act: &&Act| act.key.is_kind("", "secrets") && secrets.contains(act.key.name());
            let values = acts().filter(ours).filter(named).any(other_data);
            Gate::HelmChart {
                chart: chart.clone(),
                changed: changed || values,
                replaces: install.and_then(|install| install.hash.clone()).filter(|_| values),
            }
        };
        charts.into_iter().map(gate).collect()
    }

    fn is_charted(&self, chart: &ItemKey) -> bool {
        let config = ItemKey::resource("helm.cattle.io", "helmchartconfigs", chart.namespace(), chart.name());
        self.is_on_cluster(chart) || [chart, &config].into_iter().any(|key| self.known.contains(key))
    }

    /// Whether the cluster has it, or helm-controller has done something for it.
    fn is_on_cluster(&self, chart: &ItemKey) -> bool {
        let live = self.live.items.iter().any(|live| live.entry.key == *chart);
        live || self.installs.get(chart).is_some_and(|install| *install != Install::default())
    }

    /// Revisions newer than the deployed one that an interrupted Helm left pending: with one of them there Helm refuses
    /// to begin, and helm-controller's policy for failures decides what becomes of the CNI. Not while its Job runs, for
    /// then it is that Job's.
    pub(super) fn pending(&mut self, named: &[String]) -> Vec<Batch> {
        let mut acts = Vec::new();
        for revision in &self.live.revisions {
            let (namespace, name) = (&revision.namespace, &revision.name);
            let ours = helm::release_component(namespace, name, &[]) == Some(Component::Cni)
                && (named.is_empty() || named.contains(&format!("{namespace}/{name}")));
            let later = |other: &&helm::Revision| {
                (&other.namespace, &other.name) == (namespace, name) && other.version > revision.version
            };
            let settled = self.live.revisions.iter().filter(later).any(|later| !is_pending(&later.status));
            if !ours || settled || !is_pending(&revision.status) {
                continue;
            }
            let chart = install::helm_chart(namespace, name);
            if self.installs.get(&chart).is_some_and(|install| install.active) {
                let release = ItemKey::Release { namespace: namespace.clone(), name: name.clone() };
                let why = format!(
                    "revision {} is {}, and {} is still at work on it: when it has ended, restore again",
                    revision.version,
                    revision.status,
                    install::job(&chart)
                );
                self.tally.refused.push((release, why));
                continue;
            }
            acts.push(remove(Component::Cni, revision));
        }
        vec![Batch { note: "revisions that an interrupted Helm left pending", acts }]
    }

    /// What a person should know of charts whose configuration the plan writes, or ought to have rendered again.
    pub(super) fn chart_warnings(&self, steps: &[Step]) -> Vec<String> {
        let acts = || steps.iter().flat_map(|step| &step.batches).flat_map(|batch| &batch.acts);
        let written =
            |act: &&Act| is_config(&act.key) && act.component == Component::Cni && act.verb != Verb::Delete;
        let mut warnings: Vec<String> = acts()
            .filter(written)
            .filter_map(|act| {
                let config = act.item.as_ref().and_then(Item::json).map(Json::value)?;
                let chart = install::helm_chart(act.key.namespace()?, act.key.name());
                let policy = self.installs.get(&chart).and_then(|install| install.failure_policy.as_deref());
                install::risk(&act.key, &config, policy)
            })
            .collect();
        if !self.installs.is_empty() && !acts().any(|act| written(&act)) {
            warnings.extend(self.rendered_otherwise());
        }
        warnings
    }

    /// What helm-controller renders and no longer is as the source recorded it, although its configuration is: nothing
    /// that the plan does changes that.
    fn rendered_otherwise(&self) -> Option<String> {
        let entries = self.index.entries.iter().filter(|entry| entry.component == Component::Cni);
        let rendered = entries.filter(|entry| {
            entry.class == Class::Evidence
                && (entry.key.is_kind("apps", "daemonsets") || entry.key.is_kind("", "configmaps"))
        });
        let differs = rendered.filter(|entry| {
            self.seen.get(&(entry.component, &entry.key)).is_none_or(|live| live.entry.sha256 != entry.sha256)
        });
        let keys: Vec<String> = differs.map(|entry| entry.key.to_string()).collect();
        (!keys.is_empty()).then(|| {
            format!(
                "{} not as the source recorded, although the HelmChartConfig is: changed by hand, or by another version of \
                 RKE2; to have helm-controller render it again: kubectl -n kube-system delete job helm-install-rke2-canal",
                if keys.len() == 1 { format!("{} is", keys[0]) } else { format!("{} are", keys.join(" and ")) }
            )
        })
    }
}

fn is_config(key: &ItemKey) -> bool {
    key.is_kind("helm.cattle.io", "helmchartconfigs")
}

fn is_pending(status: &str) -> bool {
    status.starts_with("pending-")
}

/// Whether an act changes the data of a Secret, and not its labels alone.
fn other_data(act: &Act) -> bool {
    let data = |json: Option<&Json>| json.map(|json| json.value()["data"].take()).unwrap_or_default();
    let live = act.overwritten();
    data(act.item.as_ref().and_then(Item::json)) != data(live.as_ref().and_then(Item::json))
}
