//! Resolving: authored plan + source + live state → exactly what will be done.
//!
//! In: [`Inputs`]. Out: a [`ResolvedPlan`]. Invariant: pure and deterministic; one object is acted on once; what could
//! not be read is never taken for absent, and nothing is overwritten or deleted whose content is not at hand.

mod authored;
mod claims;
mod extras;
mod files;
mod helm_charts;
pub(super) mod immutable;
mod issuance;
mod judge;
mod notices;
mod operations;
mod order;
mod passed;
mod probes;
mod releases;
mod surge;
#[cfg(test)]
mod tests;
mod tiers;
mod unread;
mod waits;

pub use authored::{AuthoredValues, Compared};
pub(crate) use claims::taken;
pub(crate) use extras::{OWN_TIERS, authors};
pub use operations::Earlier;
pub(crate) use operations::{RESTARTED, replicas};
pub(crate) use probes::{ROUTES, secrets as secured_hosts};
pub(crate) use surge::crowded as is_crowded;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Act, Action, Command, Existing, Gate, Install, Isolation, ResolvedPlan, RestorePlan, Source, Step,
    StepSpec, Wait, preflight::preflight, tally::Tally,
};
use crate::{
    Result,
    capture::{Capture, Captured},
    certificates::Observed,
    cluster::Discovery,
    model::{Component, Index, IndexEntry, Item, ItemKey},
};

/// What a plan is resolved from.
pub struct Inputs<'a> {
    /// The authored plan.
    pub plan: RestorePlan,
    /// Where the wanted state comes from.
    pub source: Source,
    /// Which cluster it is resolved for: uid of its namespace kube-system.
    pub cluster: &'a str,
    /// Index lines of the source, all snapshots together.
    pub index: &'a Index,
    /// Whether the source read every kind. Of one that did not, what it lacks may only be unread: nothing is deleted.
    pub source_complete: bool,
    /// The source's items that differ from live (all others are equal and never opened), by component and key.
    pub items: BTreeMap<(Component, ItemKey), Item>,
    /// The live state, same scope, read with `Scope::also` naming the source's config items; content kept for what
    /// differs.
    pub live: &'a Capture,
    /// The cluster's nodes, where a Deployment may have to be rolled out on them; none where they could not be read.
    pub nodes: &'a [Value],
    /// What items of the source name and neither it nor the cluster has: which item, and what it names.
    pub dangling: Vec<(ItemKey, ItemKey)>,
    /// The values files of releases in Git.
    pub authored: &'a [AuthoredValues],
    /// What the cluster serves now.
    pub discovery: &'a Discovery,
    /// The live Certificates with their status, where the plan is about certificates.
    pub observed: &'a Observed,
    /// The live workloads that steps name, whole.
    pub workloads: BTreeMap<ItemKey, Value>,
    /// What helm-controller did last for the HelmCharts that steps name.
    pub installs: BTreeMap<ItemKey, Install>,
    /// Live routes, where hosts are probed and the plan is not about the ingress.
    pub routes: &'a [(ItemKey, Value)],
    /// What earlier processes of the run did.
    pub earlier: &'a Earlier,
    /// `--allow-run`.
    pub allow_run: bool,
    /// `--keep-extras`.
    pub keep_extras: bool,
    /// `--policy-order`; the plan's own where none.
    pub isolation: Option<Isolation>,
    /// Names the run's guard policies.
    pub run: &'a str,
    /// Judges validity of certificates.
    pub now: DateTime<Utc>,
}

/// What is known while steps are resolved one after the other.
struct Resolver<'a> {
    index: &'a Index,
    source_complete: bool,
    /// Whether people wrote the source: then it lacks what tools brought to the cluster.
    authored: bool,
    /// Whether Velero made the source: then it lacks what a label keeps out of Velero's backups.
    veleros: bool,
    items: BTreeMap<(Component, ItemKey), Item>,
    live: &'a Capture,
    /// What the source names.
    known: HashSet<&'a ItemKey>,
    /// The live items by identity.
    seen: HashMap<(Component, &'a ItemKey), &'a Captured>,
    discovery: &'a Discovery,
    observed: &'a Observed,
    /// The Certificates that name a Secret, as they will be.
    certificates: issuance::BySecret,
    /// What the routes serve.
    routes: probes::Routes,
    workloads: BTreeMap<ItemKey, Value>,
    installs: BTreeMap<ItemKey, Install>,
    earlier: &'a Earlier,
    allow_run: bool,
    nodes: &'a [Value],
    keep_extras: bool,
    isolation: Option<Isolation>,
    run: &'a str,
    now: DateTime<Utc>,
    /// Namespaces that exist, or will when their turn comes.
    namespaces: BTreeSet<String>,
    /// CustomResourceDefinitions that exist, or will.
    definitions: BTreeSet<String>,
    /// Components that are passed over.
    passed: BTreeSet<Component>,
    /// The component of the last step that has one: an operation belongs to it.
    of: Option<Component>,
    /// Workloads that the steps so far write, with the replicas that they give them.
    replicas: BTreeMap<ItemKey, u32>,
    /// How many they had before the first `scale` step.
    before: BTreeMap<ItemKey, u32>,
    tally: Tally,
    warnings: Vec<String>,
    /// Policies in namespaces that the source lacks: nothing becomes of them.
    beyond: BTreeSet<&'a ItemKey>,
    /// Kinds of Calico's policies that were renamed since.
    renamed: BTreeSet<&'static str>,
    /// Deployments whose own strategy comes back when their rollout is done.
    strategies: Vec<(Component, Act)>,
}

/// Resolves.
///
/// # Errors
/// When the source lacks a component that the plan needs, an item that differs is not at hand, or the network that the
/// source knows is another one than the cluster's.
pub fn resolve(inputs: Inputs<'_>) -> Result<ResolvedPlan> {
    let Inputs { plan, source, index, .. } = &inputs;
    let (passed, mut said) = passed::passed_over(&inputs)?;
    let (plan, source, cluster) = (plan.clone(), source.clone(), inputs.cluster.to_owned());
    let unread = inputs.live.failures.iter().map(unread::kind).collect();
    let (claims, twice) = claims::claims(&plan, index, &inputs.items);
    said.extend(twice);
    if plan.components().contains(&Component::Cni) {
        said.extend(preflight(&index.facts, &inputs.live.facts)?);
    }
    said.extend(notices::notices(&inputs));
    let authored = authored::compared(&inputs, &passed);
    said.extend(authored.iter().filter(|values| !values.is_equal()).map(|values| values.says.clone()));
    let mut resolver = Resolver::new(inputs);
    resolver.passed = passed;
    let mut steps = Vec::new();
    for (spec, claimed) in plan.steps.iter().zip(&claims) {
        let step = resolver.step(&plan, spec, claimed, &steps)?;
        steps.push(step);
        steps.extend(resolver.strategies(spec));
    }
    let charts = resolver.chart_warnings(&steps);
    resolver.warnings.extend(charts);
    let stays = resolver.stays();
    resolver.warnings.extend(stays);
    let issuance = resolver.issue(&plan, &mut steps);
    let Resolver { tally, mut warnings, .. } = resolver;
    warnings.splice(0..0, said);
    warnings.extend(issuance.broken());
    let resolved = tally.plan(plan, source, cluster, steps);
    Ok(ResolvedPlan { unread, warnings, authored, issuance, ..resolved })
}

impl<'a> Resolver<'a> {
    fn new(inputs: Inputs<'a>) -> Self {
        let live = inputs.live;
        let named = |group: &'a str, plural: &'a str| {
            let keys = live.items.iter().map(|c| &c.entry.key).filter(move |key| key.is_kind(group, plural));
            keys.map(|key| key.name().to_owned())
        };
        Self {
            index: inputs.index,
            source_complete: inputs.source_complete,
            certificates: issuance::by_secret(&inputs.items, inputs.observed),
            routes: probes::Routes::of(&inputs),
            authored: inputs.source.is_authored(),
            veleros: inputs.source.is_veleros(),
            items: inputs.items,
            live,
            known: inputs.index.entries.iter().map(|entry| &entry.key).collect(),
            seen: live.items.iter().map(|captured| (captured.id(), captured)).collect(),
            discovery: inputs.discovery,
            observed: inputs.observed,
            workloads: inputs.workloads,
            installs: inputs.installs,
            earlier: inputs.earlier,
            allow_run: inputs.allow_run,
            nodes: inputs.nodes,
            keep_extras: inputs.keep_extras,
            isolation: inputs.isolation,
            run: inputs.run,
            now: inputs.now,
            namespaces: named("", "namespaces").collect(),
            definitions: named("apiextensions.k8s.io", "customresourcedefinitions").collect(),
            passed: BTreeSet::new(),
            of: None,
            replicas: BTreeMap::new(),
            before: inputs.earlier.replicas.clone(),
            tally: Tally::default(),
            warnings: Vec::new(),
            beyond: BTreeSet::new(),
            renamed: tiers::renamed(inputs.index, live.items.iter().map(|live| &live.entry.key)),
            strategies: Vec::new(),
        }
    }

    fn step(
        &mut self,
        plan: &RestorePlan,
        spec: &StepSpec,
        claimed: &[&'a IndexEntry],
        before: &[Step],
    ) -> Result<Step> {
        let mut step = Step {
            id: spec.id.clone(),
            title: spec.title.clone(),
            action: spec.action.word(),
            question: None,
            command: None,
            batches: Vec::new(),
            gates: Vec::new(),
            looks: Vec::new(),
            timeout_s: spec.timeout.as_secs(),
        };
        self.of = spec.action.component().or(self.of);
        let operates = !spec.action.workloads().is_empty();
        let component = if operates { self.of } else { spec.action.component() };
        if component.is_some_and(|component| self.passed.contains(&component)) {
            return Ok(step);
        }
        match &spec.action {
            Action::Apply { component, kinds, create_namespaces, existing, extras, isolation } => {
                let rules = judge::Rules { existing: *existing, create_namespaces: *create_namespaces };
                let acts = self.judge_all(claimed, rules)?;
                step.gates = acts.iter().filter_map(waits::established).collect();
                let isolation = isolation.map(|planned| self.isolation.unwrap_or(planned));
                let deletes = self.extras(plan, *component, kinds, *extras)?;
                step.batches = match isolation {
                    Some(isolation) => self.isolated(kinds, acts, deletes, isolation),
                    None => {
                        order::by_kind(kinds, acts).into_iter().chain(order::away(kinds, deletes)).collect()
                    }
                };
            }
            Action::HelmRelease { component: Component::Cni, releases } => {
                step.batches = self.pending(releases);
            }
            Action::HelmRelease { component, releases } => {
                let (held, rendered): (Vec<_>, Vec<_>) =
                    claimed.iter().partition(|entry| matches!(entry.key, ItemKey::Release { .. }));
                let rules = judge::Rules { existing: Existing::Replace, create_namespaces: false };
                let acts = self.judge_all(&rendered, rules)?;
                step.batches = order::by_kind(&[], self.uncrowd(plan, spec, acts));
                step.batches.extend(self.releases(*component, releases, &held)?);
            }
            Action::HostFiles => step.batches = vec![self.files(claimed)?],
            Action::RolloutRestart { workloads } => {
                (step.batches, step.gates) = self.restart(&spec.id, plan, workloads);
            }
            Action::Scale { workload, replicas } => {
                (step.batches, step.gates) = self.scale(&spec.id, plan, workload, *replicas);
            }
            Action::Run { command, allowed, if_changed } => {
                let changing = |id: &String| before.iter().any(|s| s.id == *id && !s.batches.is_empty());
                let changes = |id: &String| self.earlier.changed.contains(id) || changing(id);
                // What changes once more must be made to count once more.
                let again = if_changed.as_ref().is_some_and(changing);
                step.command = if_changed.as_ref().is_none_or(changes).then(|| Command {
                    words: command.clone(),
                    allowed: *allowed || self.allow_run,
                    done: self.earlier.ran.contains(&spec.id) && !again,
                });
            }
            Action::RenewCertificates => {} // known when every other step is
            Action::Wait(Wait::Ready { component, kinds }) => step.gates = self.readies(*component, kinds),
            Action::Wait(Wait::Rollout { component }) => step.gates = self.rollouts(*component),
            Action::Wait(Wait::HelmCharts { charts }) => step.gates = self.helm_charts(charts, spec, before),
            Action::Wait(Wait::Nodes) => step.gates = vec![Gate::Nodes],
            Action::Wait(Wait::Webhooks { component }) => step.gates = self.webhooks(*component),
            Action::Probe(probe) => step.looks = self.looks(probe, before),
            Action::Confirm { question } => step.question = Some(question.clone()),
        }
        step.batches.retain(|batch| !batch.acts.is_empty());
        Ok(step)
    }
}
