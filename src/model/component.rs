//! Components (what recovers together) and sets (what one schedule captures together).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A part of the networking state that is sealed into a bundle of its own and recovered on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// Files of one server node.
    Host,
    /// Canal: its Helm configuration and Calico's configuration resources.
    Cni,
    /// Traefik: Helm release, routes, Ingress and Gateway resources.
    Ingress,
    /// MetalLB: pools, advertisements, peers, and Services' load-balancer fields.
    Loadbalancer,
    /// cert-manager: issuers, certificates, and the Secrets they need and make.
    Certificates,
    /// Network policies of every API that has them.
    Policies,
}

impl Component {
    /// Every component, in the order in which a full restore brings them back.
    pub const ALL: [Self; 6] =
        [Self::Host, Self::Cni, Self::Certificates, Self::Ingress, Self::Loadbalancer, Self::Policies];

    /// The name used on the command line, in file names and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Cni => "cni",
            Self::Ingress => "ingress",
            Self::Loadbalancer => "loadbalancer",
            Self::Certificates => "certificates",
            Self::Policies => "policies",
        }
    }

    /// The set whose schedule captures this component.
    pub const fn set(self) -> Set {
        match self {
            Self::Host => Set::Host,
            Self::Certificates => Set::Certificates,
            Self::Cni | Self::Ingress | Self::Loadbalancer | Self::Policies => Set::Network,
        }
    }
}

/// What one schedule captures together, as one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Set {
    /// CNI, ingress, load balancer and policies (01:00 UTC).
    Network,
    /// Certificates (01:30 UTC).
    Certificates,
    /// The files of one server node.
    Host,
}

impl Set {
    /// Every set.
    pub const ALL: [Self; 3] = [Self::Network, Self::Certificates, Self::Host];

    /// The name used on the command line, in snapshot ids and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Certificates => "certificates",
            Self::Host => "host",
        }
    }

    /// The components a snapshot of this set has.
    pub fn components(self) -> impl Iterator<Item = Component> {
        Component::ALL.into_iter().filter(move |c| c.set() == self)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Component {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|c| c.name() == s).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|c| c.name()).collect();
            Error::usage(format!("unknown component `{s}`; there are: {}", known.join(", ")))
        })
    }
}

impl FromStr for Set {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|c| c.name() == s).ok_or_else(|| {
            Error::usage(format!("unknown set `{s}`")).hint("sets: network, certificates, host")
        })
    }
}
