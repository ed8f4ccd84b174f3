//! What a step can do: one word of the plan file each.
//!
//! In: nothing. Out: the words of plans. Invariant: an action is data; what it comes to on one cluster, resolving says.

use serde::{Deserialize, Serialize};

use super::Probe;
use crate::{
    helm,
    model::{Component, ItemKey},
};

/// What a step does.
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
    /// release's Secret, and removes newer revisions. Of component `cni`, whose release RKE2's helm-controller renders, only
    /// revisions are removed that an interrupted Helm left pending.
    HelmRelease {
        /// The bundle.
        component: Component,
        /// `namespace/name`; empty: every release of the component.
        releases: Vec<String>,
    },
    /// Makes the files of the node that netdr runs on equal to the source's; files that the source lacks are listed.
    HostFiles,
    /// Restarts workloads as `kubectl rollout restart` does, and waits until they are rolled out.
    RolloutRestart {
        /// Deployments, DaemonSets, StatefulSets.
        workloads: Vec<ItemKey>,
    },
    /// Gives a workload another number of replicas, and waits until it is rolled out.
    Scale {
        /// A Deployment or StatefulSet.
        workload: ItemKey,
        /// How many.
        replicas: Replicas,
    },
    /// Has certificates issued anew that are missing, expired or untrusted, where cert-manager would not by itself.
    RenewCertificates,
    /// Runs a program on the machine where netdr runs; its timeout is the step's.
    Run {
        /// Program and arguments; no shell reads them.
        command: Vec<String>,
        /// Whether the plan's author allows it; else the operator must.
        allowed: bool,
        /// A step before it: where that changes nothing, there is nothing to run.
        if_changed: Option<String>,
    },
    /// Waits.
    Wait(Wait),
    /// Looks at whether what was restored works.
    Probe(Probe),
    /// Asks the operator; that time is a phase of its own.
    Confirm {
        /// What is asked.
        question: String,
    },
}

/// What a `wait` step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Wait {
    /// The workloads (Deployments, DaemonSets, StatefulSets) of a component's releases are rolled out.
    Rollout {
        /// Whose.
        component: Component,
    },
    /// RKE2's helm-controller has installed these HelmCharts as they are configured now.
    HelmCharts {
        /// HelmCharts.
        charts: Vec<ItemKey>,
    },
    /// Every node takes pods and has a network.
    Nodes,
    /// The source's objects of these kinds have the condition Ready.
    Ready {
        /// The bundle.
        component: Component,
        /// Kinds as `plural.group`.
        kinds: Vec<String>,
    },
    /// The admission webhooks answer that a component's objects must pass.
    Webhooks {
        /// Whose.
        component: Component,
    },
}

/// How many replicas a workload gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Replicas {
    /// This many.
    Count(u32),
    /// As many as it had, or as the source gives it, before the plan's first `scale` of it.
    Before,
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

impl Action {
    /// The component it is about; none where it is about none, or about objects by name.
    pub fn component(&self) -> Option<Component> {
        match self {
            Self::Apply { component, .. }
            | Self::HelmRelease { component, .. }
            | Self::Wait(
                Wait::Rollout { component } | Wait::Ready { component, .. } | Wait::Webhooks { component },
            )
            | Self::Probe(Probe::Workloads { component }) => Some(*component),
            Self::HostFiles => Some(Component::Host),
            Self::RenewCertificates => Some(Component::Certificates),
            Self::Wait(Wait::HelmCharts { charts }) => {
                let named = |chart: &ItemKey| helm::release_component(chart.namespace()?, chart.name(), &[]);
                charts.first().and_then(named)
            }
            Self::RolloutRestart { .. }
            | Self::Scale { .. }
            | Self::Run { .. }
            | Self::Wait(Wait::Nodes)
            | Self::Probe(_)
            | Self::Confirm { .. } => None,
        }
    }

    /// The word it has in the file.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply",
            Self::HelmRelease { .. } => "helmRelease",
            Self::HostFiles => "hostFiles",
            Self::RolloutRestart { .. } => "rolloutRestart",
            Self::Scale { .. } => "scale",
            Self::RenewCertificates => "renewCertificates",
            Self::Run { .. } => "run",
            Self::Wait(_) => "wait",
            Self::Probe(_) => "probe",
            Self::Confirm { .. } => "confirm",
        }
    }

    /// The workloads that it names: what they are now must be read before it is known what it comes to.
    pub(crate) fn workloads(&self) -> &[ItemKey] {
        match self {
            Self::RolloutRestart { workloads } => workloads,
            Self::Scale { workload, .. } => std::slice::from_ref(workload),
            _ => &[],
        }
    }

    /// The HelmCharts that it waits for: what helm-controller did last for them must be read before.
    pub(crate) fn charts(&self) -> &[ItemKey] {
        match self {
            Self::Wait(Wait::HelmCharts { charts }) => charts,
            _ => &[],
        }
    }
}
