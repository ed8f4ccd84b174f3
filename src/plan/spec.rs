//! The authored plan, as it stands in `restore-plans/*.yaml`.
//!
//! In: YAML, strict. Out: a [`RestorePlan`], or an error that names the key and the nearest known one.
//! Invariant: a plan that parses and lints names only components and kinds that netdr knows.

mod lint;
mod node;
mod read;

pub(super) use lint::prunable;

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Result, model::Component, strict};

/// An authored plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// Scenario name, for example `network-policies`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Recovery time objective.
    pub rto: Duration,
    /// Recovery point objective.
    pub rpo: Duration,
    /// Responsible role.
    pub role: String,
    /// Its runbook page, below `docs/`.
    pub runbook: String,
    /// The steps, in order.
    pub steps: Vec<StepSpec>,
}

/// One authored step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepSpec {
    /// Unique within the plan.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// What it does.
    pub action: Action,
    /// How long its gates may take.
    pub timeout: Duration,
}

/// What a step does. (Further actions come with the scenarios that need them.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Action {
    /// Makes the live items of these kinds equal to the source's.
    Apply {
        /// The bundle.
        component: Component,
        /// Kinds as `plural.group` (`secrets` for core), in order, each waited for before the next; empty: every
        /// kind of the component that no other step of the plan names, but never namespaces and
        /// CustomResourceDefinitions, which are touched only where they are named.
        kinds: Vec<String>,
        /// Whether namespaces that are gone are made again.
        create_namespaces: bool,
        /// What happens to live items that differ.
        existing: Existing,
        /// What happens to live items the source lacks, in namespaces the source has.
        extras: Extras,
        /// How policies are ordered; none for other kinds.
        isolation: Option<Isolation>,
    },
    /// Brings back Helm releases from their stored revision: what they rendered in Helm's install order, then the
    /// release's Secret, and removes newer revisions.
    HelmRelease {
        /// The bundle.
        component: Component,
        /// `namespace/name`; empty: every release of the component.
        releases: Vec<String>,
    },
    /// Waits for the workloads (Deployments, DaemonSets, StatefulSets) of a component's releases to be rolled out.
    WaitRollout {
        /// Whose.
        component: Component,
    },
    /// Asks the operator; the clock pauses.
    Confirm {
        /// What is asked.
        question: String,
    },
}

/// What happens to a live item that differs from the source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Existing {
    /// It is replaced in place; a TLS Secret that was renewed since and is valid is kept all the same.
    Replace,
    /// It is left alone and counted as kept: for example a CustomResourceDefinition, which may be newer.
    Keep,
}

/// What happens to a live item that the source lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Extras {
    /// It is listed and left alone.
    Report,
    /// It is listed and deleted, last of all.
    Delete,
}

/// How missing policies come back into a namespace (field guide §4: any one policy isolates a pod).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// What allows comes first, what only denies last: nothing is ever allowed that the source does not allow; short outage.
    FailClosed,
    /// A temporary allow-all policy per namespace while its policies come back: no outage, open for that long.
    Guarded,
}

impl RestorePlan {
    /// Parses and lints; `file` names it in errors.
    ///
    /// # Errors
    /// Usage, naming the place in the file, what stands there, and what may.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let value: serde_json::Value =
            serde_saphyr::from_str(text).map_err(|error| strict::malformed(&error, file))?;
        let plan = read::plan(value).and_then(|plan| lint::lint(&plan).map(|()| plan));
        plan.map_err(|error| error.doing(file))
    }

    /// The plans that are built in, as name and YAML; a file of the same name overrides one.
    pub fn builtin() -> Vec<(&'static str, &'static str)> {
        vec![
            ("network-policies", include_str!("../../restore-plans/network-policies.yaml")),
            ("traefik", include_str!("../../restore-plans/traefik.yaml")),
        ]
    }

    /// The components its steps touch.
    pub fn components(&self) -> BTreeSet<Component> {
        self.steps.iter().filter_map(|step| step.action.component()).collect()
    }
}

impl Action {
    /// The component it is about; none for `confirm`.
    pub fn component(&self) -> Option<Component> {
        match self {
            Self::Apply { component, .. }
            | Self::HelmRelease { component, .. }
            | Self::WaitRollout { component } => Some(*component),
            Self::Confirm { .. } => None,
        }
    }

    /// The word it has in the file.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply",
            Self::HelmRelease { .. } => "helmRelease",
            Self::WaitRollout { .. } => "wait",
            Self::Confirm { .. } => "confirm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_named_by_mistake_is_not_repeated() {
        for key in ["# public key: age1\nAGE-SECRET-KEY-1SECRET\n", "a: [\n  AGE-SECRET-KEY-1SECRET\n"] {
            let error = RestorePlan::parse(key, "operator.txt").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET-KEY"), "{error}");
            assert!(error.to_string().starts_with("operator.txt"), "{error}");
        }
    }

    const PLAN: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: p
title: A plan
rto: 15m
rpo: 0s
role: Admin
runbook: runbooks/p.md
steps:
  - id: sets
    title: Sets
    timeout: 1m30s
    apply: {component: policies, kinds: [tiers.crd.projectcalico.org]}
  - id: ask
    title: Ask
    confirm: {question: Go on?}
";

    /// The error of the plan above with one text put in another's place.
    fn error(old: &str, new: &str) -> String {
        assert!(PLAN.contains(old), "{old}");
        match RestorePlan::parse(&PLAN.replace(old, new), "p.yaml") {
            Ok(plan) => format!("{plan:?}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_plan_reads_as_written_with_cautious_defaults() -> Result<()> {
        let plan = RestorePlan::parse(PLAN, "p.yaml")?;
        assert_eq!((plan.rto, plan.rpo), (Duration::from_secs(900), Duration::ZERO));
        assert_eq!(plan.steps[0].timeout, Duration::from_secs(90));
        assert_eq!(
            plan.steps[0].action,
            Action::Apply {
                component: Component::Policies,
                kinds: vec!["tiers.crd.projectcalico.org".into()],
                create_namespaces: false,
                existing: Existing::Replace,
                extras: Extras::Report,
                isolation: None,
            }
        );
        assert_eq!(plan.components(), BTreeSet::from([Component::Policies]));
        Ok(())
    }

    #[test]
    fn what_is_built_in_parses_under_its_own_name() -> Result<()> {
        for (name, text) in RestorePlan::builtin() {
            let plan = RestorePlan::parse(text, name)?;
            assert_eq!(plan.name, name);
            assert_eq!((plan.rto, plan.rpo), (Duration::from_secs(15 * 60), Duration::ZERO));
        }
        Ok(())
    }

    #[test]
    fn an_error_names_the_place_the_word_and_the_nearest_known_one() {
        for (old, new, expected) in [
            ("    title: Sets", "    titel: Sets", &["p.yaml: steps[0]: unknown key `titel`", "`title`"][..]),
            ("kinds:", "kindz:", &["steps[0].apply: unknown key `kindz`", "did you mean `kinds`?"]),
            (
                "component: policies",
                "component: polices",
                &["steps[0].apply.component", "`polices`", "`policies`"],
            ),
            (
                "tiers.crd",
                "tires.crd",
                &["`tires.crd.projectcalico.org`", "did you mean `tiers.crd.projectcalico.org`?"],
            ),
            ("rto: 15m", "rto: 15", &["rto", "`15`", "15m, 24h or 0s"]),
            ("rto: 15m", "rto: 15min", &["rto", "`15min`", "15m, 24h or 0s"]),
            ("role: Admin\n", "", &["`role` is missing"]),
            ("question: Go on?", "question: 3", &["steps[1].confirm.question", "a text"]),
            (
                "confirm: {question: Go on?}",
                "timeout: 1s",
                &["steps[1]", "apply, helmRelease, wait, confirm"],
            ),
            ("netdr/v1", "netdr/v2", &["apiVersion", "netdr/v2"]),
            ("name: p\n", "name: ../p\n", &["name", "`../p`"]),
            ("kind: RestorePlan", "kind: [", &["p.yaml is not valid YAML"]),
        ] {
            let text = error(old, new);
            for part in expected {
                assert!(text.contains(part), "{old} → {new}: {text}");
            }
        }
    }

    #[test]
    fn a_plan_that_could_not_do_what_it_says_is_refused() {
        let tiers = "kinds: [tiers.crd.projectcalico.org]";
        for (old, new, expected) in [
            ("id: ask", "id: sets", "`sets` is used twice"),
            (tiers, "kinds: [namespaces, namespaces]", "`namespaces` is named twice"),
            (tiers, "kinds: [namespaces], extras: delete", "`namespaces` is never deleted"),
            (tiers, "kinds: [tiers.crd.projectcalico.org], isolation: guarded", "no kind of network policy"),
            (tiers, "kinds: [tiers.crd.projectcalico.org], createNamespaces: true", "`namespaces`"),
            ("component: policies, kinds: [tiers.crd.projectcalico.org]", "component: host", "files"),
            (
                "component: policies, kinds: [tiers.crd.projectcalico.org]",
                "component: cni, kinds: [ipamblocks.crd.projectcalico.org]",
                "never restored",
            ),
            (
                "confirm: {question: Go on?}",
                "helmRelease: {component: ingress, releases: [traefik]}",
                "namespace/name",
            ),
        ] {
            let text = error(old, new);
            assert!(text.contains(expected), "{new}: {text}");
        }
    }
}
