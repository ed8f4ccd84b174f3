//! Whether a capture lost so much since the snapshot before that it may hold the disaster already.

use std::collections::BTreeMap;

use crate::model::{Class, Component, IndexEntry};

/// The kinds that vanished or lost more than a fifth of their items, as "policies: kind had 40 items and has 3".
///
/// Only config counts: evidence and generated items come and go by themselves. A kind with fewer than five items
/// is shrunk only when it vanished, because one deletion of three is a day's work.
pub fn shrunk<'a>(
    before: impl Iterator<Item = &'a IndexEntry>,
    now: impl Iterator<Item = &'a IndexEntry>,
) -> Vec<String> {
    let (before, now) = (count(before), count(now));
    let mut reasons = Vec::new();
    for ((component, kind), had) in before {
        let has = now.get(&(component, kind.clone())).copied().unwrap_or(0);
        let lost = had.saturating_sub(has);
        if has == 0 || (had >= 5 && lost * 5 > had) {
            reasons.push(format!("{component}: {kind} had {had} items and has {has}"));
        }
    }
    reasons
}

fn count<'a>(entries: impl Iterator<Item = &'a IndexEntry>) -> BTreeMap<(Component, String), u64> {
    let mut counts = BTreeMap::new();
    for entry in entries.filter(|e| e.class == Class::Config) {
        *counts.entry((entry.component, entry.key.kind_name())).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Extent, ItemKey};

    fn policies(n: usize) -> Vec<IndexEntry> {
        (0..n)
            .map(|i| IndexEntry {
                key: ItemKey::resource(
                    "networking.k8s.io",
                    "networkpolicies",
                    Some("demo"),
                    &format!("p{i}"),
                ),
                component: Component::Policies,
                class: Class::Config,
                extent: Extent::Whole,
                sha256: String::new(),
            })
            .collect()
    }

    fn lost(had: usize, has: usize) -> bool {
        !shrunk(policies(had).iter(), policies(has).iter()).is_empty()
    }

    #[test]
    fn more_than_a_fifth_or_all_of_a_kind_is_shrunk() {
        assert!(lost(10, 7));
        assert!(!lost(10, 8), "a fifth is not more than a fifth");
        assert!(lost(1, 0));
        assert!(!lost(3, 2));
        assert!(!lost(3, 30));
        assert!(!lost(0, 5));
    }

    #[test]
    fn the_reason_names_the_kind_and_both_counts() {
        let reasons = shrunk(policies(40).iter(), policies(3).iter());
        assert_eq!(reasons, ["policies: networkpolicies.networking.k8s.io had 40 items and has 3"]);
    }
}
