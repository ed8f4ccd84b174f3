//! The preflight gate of every plan that touches the CNI: facts of the network that a restore must not contradict.
//!
//! In: the facts of the source and of the live cluster. Out: warnings, or the refusal of the whole restore. Invariant:
//! pure; a fact that one side does not have is said, never taken as equal.

mod cidr;

use crate::{Error, Result, model::Facts};
use cidr::{Cidr, networks};

/// Compares; what a person should know comes back.
///
/// "RKE2 does not support changing the primary CNI Plugin, CNI backend, or cluster/service CIDRs on a running cluster"
/// (RKE2 docs, basic network options).
///
/// # Errors
/// Usage, with both values of each contradiction: nothing may be changed.
pub(super) fn preflight(stored: &Facts, live: &Facts) -> Result<Vec<String>> {
    let mut gate = Gate::default();
    gate.warnings.extend(stored.unread.iter().map(|why| format!("when the source was captured, {why}")));
    gate.warnings.extend(live.unread.iter().cloned());
    gate.word("CNI plugin", stored.cni.as_deref(), live.cni.as_deref());
    gate.word("CNI backend", stored.backend.as_deref(), live.backend.as_deref());
    gate.network("cluster CIDR", stored.cluster_cidr.as_deref(), live.cluster_cidr.as_deref());
    gate.network("service CIDR", stored.service_cidr.as_deref(), live.service_cidr.as_deref());
    gate.nodes(stored, live);
    gate.mtu(stored.mtu, live.mtu);
    let Gate { contradictions, warnings } = gate;
    if contradictions.is_empty() {
        return Ok(warnings);
    }
    Err(Error::usage("the source contradicts the cluster in what cannot be changed while it runs; nothing was changed")
        .why(contradictions.join("; "))
        .hint("RKE2 does not support changing CNI plugin, backend, cluster or service CIDR of a running cluster")
        .hint("choose a snapshot that agrees (netdr snapshots, then netdr show ID), or put the cluster's own value right first: kubectl -n kube-system get helmchartconfig rke2-canal -o yaml"))
}

#[derive(Default)]
struct Gate {
    contradictions: Vec<String>,
    warnings: Vec<String>,
}

impl Gate {
    /// Both values, where both are known.
    fn both<'a>(
        &mut self,
        fact: &str,
        stored: Option<&'a str>,
        live: Option<&'a str>,
    ) -> Option<(&'a str, &'a str)> {
        let unknown = match (stored, live) {
            (Some(stored), Some(live)) => return Some((stored, live)),
            (Some(stored), None) => format!("{stored} in the source, unknown of the cluster"),
            (None, Some(live)) => format!("{live} on the cluster, unknown of the source"),
            (None, None) => "unknown of the source and of the cluster".into(),
        };
        self.warnings.push(format!("{fact} could not be compared: {unknown}"));
        None
    }

    fn differ(&mut self, fact: &str, stored: &str, live: &str) {
        self.contradictions.push(format!("{fact} is {stored} in the source and {live} on the cluster"));
    }

    fn word(&mut self, fact: &str, stored: Option<&str>, live: Option<&str>) {
        if let Some((stored, live)) = self.both(fact, stored, live)
            && !stored.eq_ignore_ascii_case(live)
        {
            self.differ(fact, stored, live);
        }
    }

    /// A fact may name one network of each family, and its origin decides which of them it has: only a family that both
    /// sides name can contradict.
    fn network(&mut self, fact: &str, stored: Option<&str>, live: Option<&str>) {
        let Some((stored, live)) = self.both(fact, stored, live) else { return };
        let (Some(theirs), Some(ours)) = (networks(stored), networks(live)) else {
            if stored != live {
                self.differ(fact, stored, live);
            }
            return;
        };
        let twin =
            |one: &Cidr| ours.iter().find(|other| other.is_v4() == one.is_v4()).map(|other| other == one);
        let compared: Vec<bool> = theirs.iter().filter_map(twin).collect();
        if compared.contains(&false) {
            self.differ(fact, stored, live);
        } else if compared.is_empty() {
            self.warnings.push(format!(
                "{fact} could not be compared: {stored} in the source and {live} on the cluster are of different families"
            ));
        }
    }

    /// Flannel refuses a node whose pod CIDR is outside its `Network` (pkg/subnet/kube/kube.go). A node that was built
    /// anew has another one inside it, and that is none of the source's business.
    fn nodes(&mut self, stored: &Facts, live: &Facts) {
        let Some(cluster) = stored.cluster_cidr.as_deref().and_then(networks) else { return };
        if live.pod_cidrs.is_empty() {
            self.warnings.push("pod CIDRs could not be compared: no node of the cluster has one".into());
        }
        for (node, ranges) in &live.pod_cidrs {
            for range in ranges {
                let outside = match networks(range) {
                    Some(parsed) => parsed.iter().any(|pods| {
                        let mut family =
                            cluster.iter().filter(|network| network.is_v4() == pods.is_v4()).peekable();
                        family.peek().is_some() && !family.any(|network| network.contains(pods))
                    }),
                    None => true,
                };
                if outside {
                    let network = stored.cluster_cidr.as_deref().unwrap_or_default();
                    self.contradictions.push(format!(
                        "node {node} of the cluster has pod CIDR {range}, outside of {network}, the source's cluster CIDR: flannel would refuse it"
                    ));
                }
            }
        }
    }

    fn mtu(&mut self, stored: Option<u32>, live: Option<u32>) {
        let (stored, live) = (stored.map(words), live.map(words));
        if let Some((stored, live)) = self.both("MTU", stored.as_deref(), live.as_deref())
            && stored != live
        {
            self.warnings.push(format!(
                "MTU is {stored} in the source and {live} on the cluster: pods keep theirs until they start again"
            ));
        }
    }
}

fn words(mtu: u32) -> String {
    if mtu == 0 { "detected by Canal".into() } else { mtu.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn facts() -> Facts {
        Facts {
            cni: Some("canal".into()),
            backend: Some("vxlan".into()),
            cluster_cidr: Some("10.42.0.0/16".into()),
            service_cidr: Some("10.43.0.0/16".into()),
            mtu: Some(1450),
            pod_cidrs: [("n1".into(), vec!["10.42.0.0/24".into()])].into(),
            ..Facts::default()
        }
    }

    /// The refusal of a cluster that differs so.
    fn refusal(change: impl FnOnce(&mut Facts)) -> String {
        let mut live = facts();
        change(&mut live);
        let error = preflight(&facts(), &live).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    }

    /// The warnings about a cluster that differs so.
    fn warnings(change: impl FnOnce(&mut Facts)) -> Vec<String> {
        let mut live = facts();
        change(&mut live);
        preflight(&facts(), &live).unwrap()
    }

    #[test]
    fn what_cannot_be_changed_is_refused_with_both_values() {
        for (said, theirs, ours) in [
            (refusal(|live| live.cni = Some("cilium".into())), "canal", "cilium"),
            (refusal(|live| live.backend = Some("host-gw".into())), "vxlan", "host-gw"),
            (refusal(|live| live.cluster_cidr = Some("10.52.0.0/16".into())), "10.42.0.0/16", "10.52.0.0/16"),
            (refusal(|live| live.cluster_cidr = Some("10.42.0.0/15".into())), "10.42.0.0/16", "10.42.0.0/15"),
            (refusal(|live| live.service_cidr = Some("10.96.0.0/12".into())), "10.43.0.0/16", "10.96.0.0/12"),
            (
                refusal(|live| live.service_cidr = Some("10.96.0.0/12,fd01::/112".into())),
                "10.43.0.0/16",
                "10.96.0.0/12,fd01::/112",
            ),
        ] {
            assert!(said.contains(&format!("{theirs} in the source")), "{said}");
            assert!(said.contains(&format!("{ours} on the cluster")), "{said}");
        }
        let both = refusal(|live| {
            live.backend = Some("wireguard".into());
            live.service_cidr = Some("10.96.0.0/12".into());
        });
        assert!(both.contains("wireguard") && both.contains("10.96.0.0/12"), "{both}");
    }

    #[test]
    fn a_node_that_was_built_anew_is_no_contradiction_but_one_outside_is() {
        let anew = |range: &str| {
            let range = range.to_owned();
            move |live: &mut Facts| live.pod_cidrs = [("n9".to_owned(), vec![range])].into()
        };
        assert_eq!(warnings(anew("10.42.77.0/24")), [""; 0]);
        let said = refusal(anew("10.52.0.0/24"));
        assert!(
            said.contains("n9") && said.contains("10.52.0.0/24") && said.contains("10.42.0.0/16"),
            "{said}"
        );
        assert!(refusal(anew("10.42.0.0/15")).contains("outside"));
        assert!(refusal(anew("not a range")).contains("not a range"));
        // Of IPv6 the source says nothing.
        assert_eq!(warnings(anew("fd00::/64")), [""; 0]);
    }

    #[test]
    fn what_one_side_does_not_know_is_said_and_not_equal() {
        assert_eq!(
            warnings(|live| live.backend = None),
            ["CNI backend could not be compared: vxlan in the source, unknown of the cluster"]
        );
        assert_eq!(warnings(|live| *live = Facts::default()).len(), 6);
        let said = preflight(&Facts::default(), &facts()).unwrap();
        assert!(said[0].contains("canal on the cluster, unknown of the source"), "{said:?}");
        let said = preflight(&Facts::default(), &Facts::default()).unwrap();
        assert!(said[0].contains("unknown of the source and of the cluster"), "{said:?}");
    }

    #[test]
    fn an_mtu_that_differs_is_a_warning() {
        let said = warnings(|live| live.mtu = Some(0));
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("1450") && said[0].contains("detected by Canal"), "{said:?}");
    }

    #[test]
    fn the_same_network_in_other_words_is_equal() {
        assert_eq!(warnings(|live| live.backend = Some("VXLAN".into())), [""; 0]);
        // The chart's setting names both families, Canal's own configuration the first alone.
        assert_eq!(warnings(|live| live.cluster_cidr = Some("10.42.0.0/16,fd00::/48".into())), [""; 0]);
        assert_eq!(warnings(|live| live.cluster_cidr = Some("10.42.7.0/16".into())), [""; 0]);
        let other = warnings(|live| live.service_cidr = Some("fd01::/112".into()));
        assert!(other[0].contains("different families"), "{other:?}");
    }
}
