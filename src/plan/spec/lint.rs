//! What a plan may not say although it parses.
//!
//! In: a plan. Out: what in it could not be done, or would do harm: of each step the first such thing.
//! Invariant: pure; knows the catalog, no cluster.

use std::collections::BTreeSet;

use super::{
    Action, Extras, Probe, Replicas, RestorePlan, StepSpec, Wait, mistakes::Mistakes, node::unknown,
};
use crate::{
    Error, Result,
    catalog::{self, Select},
    model::{Class, Component, Extent},
};

/// Kinds a component may hold besides its own rows: what items name, what holds them, what a Helm release renders.
const COMMON: &[&str] = &[
    "namespaces",
    "secrets",
    "configmaps",
    "services",
    "serviceaccounts",
    "persistentvolumeclaims",
    "customresourcedefinitions.apiextensions.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "deployments.apps",
    "daemonsets.apps",
    "statefulsets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "poddisruptionbudgets.policy",
    "horizontalpodautoscalers.autoscaling",
    "ingressclasses.networking.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "apiservices.apiregistration.k8s.io",
];

/// Words of netdr's own ids: a run of such a plan would be taken for a drill, or for an undo.
const RESERVED: [&str; 2] = ["drill", "undo"];

/// Notes what is wrong with a plan whose steps have these numbers in the file. A step that did not read may be what another one
/// refers to.
pub(super) fn lint(plan: &RestorePlan, numbers: &[usize], mistakes: &mut Mistakes) {
    let whole = !mistakes.are_of_steps();
    if !plan.name.is_empty() {
        mistakes.of(None, slug("name", &plan.name));
    }
    if plan.steps.is_empty() && mistakes.is_empty() {
        mistakes.note(None, Error::usage("steps: a plan without steps does nothing"));
    }
    let mut ids = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    let mut restarted = BTreeSet::new();
    let mut scaled = BTreeSet::new();
    let mut probed = false;
    for (at, (step, number)) in plan.steps.iter().zip(numbers).enumerate() {
        mistakes.of(Some(*number), slug(&format!("steps[{number}].id"), &step.id));
        if !ids.insert(&step.id) {
            let twice = format!("steps[{number}].id: `{}` is used twice", step.id);
            mistakes.note(Some(*number), Error::usage(twice));
        }
        let mut wrong =
            |error: Error| mistakes.note(Some(*number), error.doing(format!("step `{}`", step.id)));
        if let Action::Run { if_changed: Some(other), .. } = &step.action
            && !plan.steps[..at].iter().any(|before| before.id == *other)
            && whole
        {
            wrong(Error::usage(format!("ifChanged: no step before it is `{other}`")));
        }
        if let Err(error) = self::step(step, &mut kinds) {
            wrong(error);
        }
        let probes = matches!(step.action, Action::Probe(_));
        if probed && !probes {
            wrong(
                Error::usage("it comes after a probe, which looks at what all steps left")
                    .hint("put probe steps last"),
            );
        }
        probed = probes;
        if let Action::Scale { workload, replicas } = &step.action
            && scaled.insert(workload)
            && *replicas == Replicas::Before
            && whole
        {
            wrong(Error::usage(format!(
                "replicas: no step before it scales {workload}, so it has as many as before"
            )));
        }
        if let Action::RolloutRestart { workloads } = &step.action
            && let Some(twice) = workloads.iter().find(|workload| !restarted.insert(*workload))
        {
            wrong(Error::usage(format!("{twice} is restarted twice")));
        }
    }
}

/// That a plan which people write is not called by a word of netdr's own; a journal's may be, from before these were.
pub(super) fn is_free(name: &str) -> Result<()> {
    if RESERVED.contains(&name) {
        return Err(Error::usage(format!(
            "name: `{name}` is a word of netdr's own: runs and reports of this plan would be taken for those of netdr {name}"
        ))
        .hint("give it another name"));
    }
    Ok(())
}

fn step<'a>(step: &'a StepSpec, seen: &mut BTreeSet<(Component, &'a str)>) -> Result<()> {
    if matches!(step.action, Action::Wait(_) | Action::Probe(_)) && step.timeout.is_zero() {
        return Err(Error::usage("timeout: 0s: nothing holds, and nobody answers, in no time"));
    }
    match &step.action {
        Action::Apply { component: Component::Host, .. } => {
            Err(Error::usage("`apply` is for Kubernetes resources; component host holds files"))
        }
        Action::Apply { component, kinds, create_namespaces, extras, isolation, .. } => {
            let once = |kind: &'a str, seen: &mut BTreeSet<_>| match seen.insert((*component, kind)) {
                true => Ok(()),
                false if kind.is_empty() => {
                    Err(Error::usage(format!("two steps take all other kinds of component {component}")))
                }
                false => Err(Error::usage(format!("kind `{kind}` is named twice for component {component}"))),
            };
            if kinds.is_empty() {
                once("", seen)?;
            }
            for kind in kinds {
                known(*component, kind)?;
                once(kind, seen)?;
                if *extras == Extras::Delete && !prunable(*component, kind) {
                    return Err(Error::usage(format!("extras: `{kind}` is never deleted"))
                        .hint("only kinds of which the catalog reads every object can have extras"));
                }
            }
            let policies = kinds.is_empty() || kinds.iter().any(|kind| kind.contains("networkpolicies"));
            if isolation.is_some() && !policies {
                return Err(Error::usage("isolation: the step names no kind of network policy"));
            }
            if *create_namespaces && !kinds.iter().any(|kind| kind == "namespaces") {
                return Err(Error::usage("createNamespaces: the step does not name kind `namespaces`"));
            }
            Ok(())
        }
        Action::HelmRelease { releases, .. } => {
            let whole = |name: &str| {
                name.split_once('/').is_some_and(|(n, r)| !n.is_empty() && !r.is_empty() && !r.contains('/'))
            };
            match releases.iter().find(|name| !whole(name)) {
                Some(name) => Err(Error::usage(format!("releases: `{name}` is not namespace/name"))),
                None => Ok(()),
            }
        }
        Action::HostFiles => match seen.insert((Component::Host, "")) {
            true => Ok(()),
            false => Err(Error::usage("two steps restore the node's files")),
        },
        Action::RolloutRestart { workloads } if workloads.is_empty() => {
            Err(Error::usage("rolloutRestart: no workload is named"))
        }
        Action::Run { command, .. } if command.is_empty() => {
            Err(Error::usage("run: the command is empty; write it as [PROGRAM, ARGUMENT, …]"))
        }
        Action::Wait(Wait::HelmCharts { charts }) if charts.is_empty() => {
            Err(Error::usage("wait.helmCharts: no HelmChart is named"))
        }
        Action::Wait(Wait::Ready { kinds, .. }) if kinds.is_empty() => {
            Err(Error::usage("wait.ready.kinds: no kind is named"))
        }
        Action::Wait(Wait::Ready { component, kinds }) => {
            kinds.iter().try_for_each(|kind| known(*component, kind))
        }
        Action::Probe(Probe::Tcp { allowed, denied }) => {
            match allowed.iter().find(|one| denied.contains(one)) {
                Some(both) => Err(Error::usage(format!("probe.tcp: `{both}` is both allowed and denied"))),
                None if allowed.is_empty() && denied.is_empty() => {
                    Err(Error::usage("probe.tcp: neither `allowed` nor `denied` names a target"))
                }
                None => Ok(()),
            }
        }
        Action::RolloutRestart { .. }
        | Action::RenewCertificates
        | Action::Scale { .. }
        | Action::Run { .. }
        | Action::Wait(_)
        | Action::Probe(_)
        | Action::Confirm { .. } => Ok(()),
    }
}

/// Ids become parts of paths and of object names.
fn slug(place: &str, text: &str) -> Result<()> {
    let safe = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if safe && !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(());
    }
    Err(Error::usage(format!("{place}: `{text}` is not lower-case letters, digits and dashes")))
}

fn known(component: Component, kind: &str) -> Result<()> {
    let name = |row: &catalog::Kind| match row.group {
        "" => row.plural.to_owned(),
        group => format!("{}.{group}", row.plural),
    };
    let mut restored: Vec<String> =
        catalog::rows(component).filter(|row| row.class == Class::Config).map(name).collect();
    restored.extend(COMMON.iter().map(|common| (*common).to_owned()));
    restored.sort();
    restored.dedup();
    if restored.iter().any(|known| known == kind) {
        return Ok(());
    }
    if catalog::rows(component).any(|row| name(row) == kind) {
        return Err(Error::usage(format!("kinds: `{kind}` is recorded as evidence and never restored")));
    }
    let restored: Vec<&str> = restored.iter().map(String::as_str).collect();
    Err(unknown("kinds", &format!("kind of component {component}"), kind, &restored)
        .hint("kinds that `scope.extra` adds are taken by a step without `kinds`"))
}

/// Whether the catalog reads every whole object of the kind. Of any other kind only a part is ever seen, so that
/// what a source lacks says nothing; CustomResourceDefinitions and namespaces are among those.
pub(crate) fn prunable(component: Component, kind: &str) -> bool {
    let (plural, group) = kind.split_once('.').unwrap_or((kind, ""));
    catalog::rows(component).any(|row| {
        row.group == group
            && row.plural == plural
            && row.class == Class::Config
            && row.extent() == Extent::Whole
            && matches!(row.select, Select::All)
    })
}
