//! The authored plan, as it stands in `restore-plans/*.yaml`.
//!
//! In: YAML, strict. Out: a [`RestorePlan`], or an error that names the key and the nearest known one.
//! Invariant: a plan that parses and lints names only components, kinds and releases that netdr knows.

use std::time::Duration;

use serde::Serialize;

use crate::{Error, Result, model::Component};

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
        /// kind of the component that no other step of the plan names.
        kinds: Vec<String>,
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
    /// It is replaced in place.
    Replace,
    /// It is left alone and counted as kept: for example a TLS Secret that may have been renewed since.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Isolation {
    /// Allows first, default-deny last: nothing is ever allowed that the source does not allow; short outage.
    FailClosed,
    /// A temporary allow-all policy per namespace while its policies come back: no outage, open for that long.
    Guarded,
}

impl RestorePlan {
    /// Parses and lints; `file` names it in errors.
    pub fn parse(_text: &str, _file: &str) -> Result<Self> {
        Err(Error::failed("seam"))
    }
    /// The plans that are built in.
    pub fn builtin() -> Vec<(&'static str, &'static str)> {
        vec![]
    }
    /// The components its steps touch.
    pub fn components(&self) -> std::collections::BTreeSet<Component> {
        Default::default()
    }
}
