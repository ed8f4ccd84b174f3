//! What must hold before the next step.
//!
//! In: nothing. Out: the words for it. Invariant: one variant for each thing that is looked at.

use std::fmt;

use serde::Serialize;

use crate::{
    model::{Component, ItemKey},
    plan::Target,
};

/// A condition that must hold before the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Gate {
    /// A CustomResourceDefinition's `Established` is true; discovery is read again afterwards.
    Established(String),
    /// A workload's newest generation is rolled out and available.
    RolledOut(ItemKey),
    /// An issuer or a Certificate has the condition Ready for its newest generation.
    Ready(ItemKey),
    /// RKE2's helm-controller has installed a HelmChart as it is configured now.
    HelmChart {
        /// Which.
        chart: ItemKey,
        /// Whether the plan changes its configuration; else one without a Job is installed.
        changed: bool,
        /// The configuration, by its hash, that its Job is for when the plan is made, where only that tells the old Job
        /// from the new one: a Secret that it takes values from is changed.
        replaces: Option<String>,
    },
    /// Every node is ready.
    Nodes,
    /// Admission webhooks answer that a component's objects must pass.
    Webhooks {
        /// Whose.
        component: Component,
        /// Its kinds.
        targets: Vec<Target>,
    },
}

/// What it is about.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Established(name) => write!(f, "customresourcedefinitions {name}"),
            Self::RolledOut(key) | Self::Ready(key) | Self::HelmChart { chart: key, .. } => key.fmt(f),
            Self::Nodes => f.write_str("nodes"),
            Self::Webhooks { component, .. } => write!(f, "webhooks of {component}"),
        }
    }
}
