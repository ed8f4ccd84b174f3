//! Components that the source does not have.
//!
//! In: the plan, the source's index, the live state. Out: an error where the plan is about that component alone, else the
//! components that are passed over, each said. Invariant: of what is passed over nothing is changed.

use std::collections::BTreeSet;

use super::Inputs;
use crate::{
    Error, Result,
    model::{Class, Component},
};

/// The components that are passed over, and what a person should know of them.
pub(super) fn passed_over(inputs: &Inputs<'_>) -> Result<(BTreeSet<Component>, Vec<String>)> {
    let Inputs { plan, source, index, live, .. } = inputs;
    let components = plan.components();
    // Where no node's files are, there are none to compare with: the caller says so.
    let here = |component: &Component| *component != Component::Host || live.node.is_some();
    let stored = |component: Component| index.entries.iter().any(|entry| entry.component == component);
    let missing: BTreeSet<Component> =
        components.iter().copied().filter(here).filter(|component| !stored(*component)).collect();
    if let Some(component) = missing.first()
        && missing.len() == components.len()
    {
        let what = format!("the source has no {component}, which plan {} needs", plan.name);
        return Err(Error::failed(what).hint(
            match source.names.iter().all(|name| name.snapshot().is_some()) {
                true => format!(
                    "choose a snapshot of set {} that has some: netdr snapshots, then netdr show ID",
                    component.set()
                ),
                false => "restore from a snapshot instead: --from snapshot".into(),
            },
        ));
    }
    let lives = |component: Component| {
        let config = |class: Class, of: Component| class == Class::Config && of == component;
        live.items.iter().any(|item| config(item.entry.class, item.entry.component))
    };
    let said = |component: &Component| match lives(*component) {
        true => {
            format!("{component} is passed over: the source has none of it; what the cluster has of it stays")
        }
        false => format!("{component} is passed over: neither the source nor the cluster has any of it"),
    };
    let warnings = missing.iter().map(said).collect();
    Ok((missing, warnings))
}
