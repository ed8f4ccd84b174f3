//! Sets of which no snapshot can be taken, in a plan that goes on without them.
//!
//! In: a set, why there is none, what the repository lists. Out: a warning, or what somebody has to do. Invariant: a plan
//! about one component needs every set that it names; one about several needs one, and what it lacks is said.

use std::collections::BTreeSet;

use super::Picked;
use crate::{
    Error,
    model::{Component, Set},
    plan::NotDone,
    repository::Listed,
};

/// Whether a plan goes on without one of its sets: it is about several components. The node's files count for none: they
/// come before what the others need.
pub(super) fn may_be(components: &BTreeSet<Component>) -> bool {
    components.iter().filter(|component| **component != Component::Host).count() > 1
}

/// Whether the repository has any snapshot of a set of this cluster, good or bad.
pub(super) fn is_there(listed: &[Listed], cluster: &str, set: Set) -> bool {
    listed.iter().any(|listed| match &listed.header {
        Ok(header) if listed.trust.is_trusted() => header.set == set && header.cluster.name == cluster,
        // Nobody answers for what it says: its folder's name does.
        _ => listed.id.is_of(set),
    })
}

impl Picked {
    /// Passes a set over. Where it was never captured nobody can do anything about that now; where it was, somebody has to
    /// find out which snapshot will do.
    pub(super) fn pass_over(
        &mut self,
        set: Set,
        node: Option<&str>,
        error: &Error,
        listed: &[Listed],
        cluster: &str,
    ) {
        if is_there(listed, cluster, set) {
            let hints = error.hints().join("; ");
            let (what, node) = (format!("set {set} is passed over: {error}; {hints}"), node.map(Into::into));
            self.not_done.push(NotDone { what, node, command: None });
        } else {
            self.warnings.push(format!("set {set} is passed over: the repository has no snapshot of it"));
            self.absent.insert(set);
        }
    }
}
