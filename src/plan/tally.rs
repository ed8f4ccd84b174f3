//! What judging objects leaves besides acts.
//!
//! In: verdicts, one object after the other. Out: a [`ResolvedPlan`]. Invariant: differences are in one order, whatever
//! order they were found in.

use super::{Difference, Issuance, ResolvedPlan, RestorePlan, Source, Step};
use crate::model::ItemKey;

/// What is counted and named for every plan, whether it restores or undoes.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) unchanged: u64,
    pub(super) kept: Vec<(ItemKey, String)>,
    pub(super) refused: Vec<(ItemKey, String)>,
    pub(super) differences: Vec<Difference>,
}

impl Tally {
    /// The plan of these steps, with nothing more to say.
    pub(super) fn plan(
        self,
        plan: RestorePlan,
        source: Source,
        cluster: String,
        steps: Vec<Step>,
    ) -> ResolvedPlan {
        let Self { unchanged, kept, refused, mut differences } = self;
        differences.sort_by(|a, b| (a.component, &a.key).cmp(&(b.component, &b.key)));
        ResolvedPlan {
            plan,
            source,
            cluster,
            steps,
            unchanged,
            kept,
            refused,
            unread: Vec::new(),
            warnings: Vec::new(),
            differences,
            authored: Vec::new(),
            issuance: Issuance::default(),
            not_done: Vec::new(),
            later: Vec::new(),
        }
    }
}
