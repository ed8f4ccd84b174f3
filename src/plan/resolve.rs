//! Resolving: authored plan + source + live state → exactly what will be done.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Isolation, ResolvedPlan, RestorePlan, Source};
use crate::{
    Result,
    capture::Capture,
    cluster::Discovery,
    model::{Component, Index, Item, ItemKey},
};

/// What a plan is resolved from.
pub struct Inputs<'a> {
    /// The authored plan.
    pub plan: RestorePlan,
    /// Where the wanted state comes from.
    pub source: Source,
    /// Index lines of the source, all snapshots together.
    pub index: &'a Index,
    /// Whether the source read every kind. Of one that did not, what it lacks may only be unread: nothing is deleted.
    pub source_complete: bool,
    /// The source's items that differ from live (all others are equal and never opened), by component and key.
    pub items: BTreeMap<(Component, ItemKey), Item>,
    /// The live state, same scope, read with `Scope::also` naming the source's config items; content kept for what
    /// differs.
    pub live: &'a Capture,
    /// What the cluster serves now.
    pub discovery: &'a Discovery,
    /// `--keep-extras`.
    pub keep_extras: bool,
    /// `--policy-order`; the plan's own where none.
    pub isolation: Option<Isolation>,
    /// Names the run's guard policies.
    pub run: &'a str,
    /// Judges validity of certificates.
    pub now: DateTime<Utc>,
}

/// Resolves.
///
/// # Errors
/// When the source lacks a component that the plan needs.
pub fn resolve(_inputs: Inputs<'_>) -> Result<ResolvedPlan> {
    Err(crate::Error::failed("seam"))
}
