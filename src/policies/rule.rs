//! The rules of the audit, and what a rule finds.

use super::{World, allow_all, dead_selector, default_deny, dns, host_network, rke2};

/// A rule of the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Every namespace denies by default, in both directions.
    DefaultDeny,
    /// No policy allows everything.
    AllowAll,
    /// Every selector selects something.
    DeadSelector,
    /// Whoever is denied egress by default may ask for names.
    Dns,
    /// No allow relies on a selector that pods on their node's network never match.
    HostNetwork,
    /// RKE2's own policies are there, where it will not make them again.
    Rke2,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It should be seen to.
    Warn,
    /// It is open, or broken.
    Alert,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// By which rule.
    pub rule: Rule,
    /// How grave.
    pub severity: Severity,
    /// With what, as kubectl says it: `networkpolicies.networking.k8s.io demo/allow-dns`.
    pub object: String,
    /// What was found, in a few words.
    pub what: String,
    /// Why that matters, and what to do about it.
    pub why: String,
    /// The command to begin with.
    pub next: String,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 6] =
        [Self::DefaultDeny, Self::AllowAll, Self::DeadSelector, Self::Dns, Self::HostNetwork, Self::Rke2];

    /// The name used in checks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DefaultDeny => "default-deny",
            Self::AllowAll => "allow-all",
            Self::DeadSelector => "dead-selector",
            Self::Dns => "dns",
            Self::HostNetwork => "host-network",
            Self::Rke2 => "rke2",
        }
    }

    /// What it wants, in words.
    pub const fn wants(self) -> &'static str {
        match self {
            Self::DefaultDeny => "every namespace denies ingress and egress by default",
            Self::AllowAll => "no policy allows everyone",
            Self::DeadSelector => "every selector selects something",
            Self::Dns => "names resolve under default-deny egress",
            Self::HostNetwork => "no allow by selector for pods on the host's network",
            Self::Rke2 => "RKE2's own policies are there",
        }
    }

    /// Whether it cannot be judged without knowing the pods.
    pub(super) const fn needs_pods(self) -> bool {
        matches!(self, Self::DeadSelector | Self::Dns | Self::HostNetwork)
    }

    pub(super) fn findings(self, world: &World) -> Vec<Finding> {
        match self {
            Self::DefaultDeny => default_deny::findings(world),
            Self::AllowAll => allow_all::findings(world),
            Self::DeadSelector => dead_selector::findings(world),
            Self::Dns => dns::findings(world),
            Self::HostNetwork => host_network::findings(world),
            Self::Rke2 => rke2::findings(world),
        }
    }
}
