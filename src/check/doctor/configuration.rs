//! netdr's own configuration: objectives that it cannot meet.

use std::collections::BTreeSet;

use crate::{
    check::{
        Check,
        Status::{Alert, Warn},
    },
    config::Config,
    model::{Component, Set},
    plan::RestorePlan,
    repository::s3::Place,
};

/// Judges plans against where their content comes from. `has_repository` says whether there are snapshots on this machine.
pub fn judge(config: &Config, plans: &[RestorePlan], has_repository: bool) -> Vec<Check> {
    let mut checks: Vec<Check> =
        plans.iter().filter(|plan| plan.rpo.is_zero()).map(|plan| of_plan(config, plan)).collect();
    let archives: Vec<&str> =
        config.replicas.iter().filter(|place| archives_all(place)).map(|place| place.name.as_str()).collect();
    if !archives.is_empty() {
        let check = Check::ok("doctor archives", archives.join(", "), "a copy that is not archived, too");
        let sooner = has_repository || archives.len() < config.replicas.len();
        checks.push(match sooner {
            true => check,
            false => check.found(
                Alert,
                "every copy is in an archive, out of which it takes 12 to 48 h: no objective of a plan is met from there",
                "netdr fetch latest",
            ),
        });
    }
    checks
}

/// Whether bundles of every set are archived there.
fn archives_all(place: &Place) -> bool {
    Set::ALL.into_iter().all(|set| place.class_of(set).is_archive())
}

/// "No loss at all" cannot follow from a backup a day.
fn of_plan(config: &Config, plan: &RestorePlan) -> Check {
    let authored: BTreeSet<Component> = config.git_sources.iter().map(|source| source.component).collect();
    let daily: Vec<&str> =
        plan.components().difference(&authored).map(|component| component.name()).collect();
    let check = Check::ok(
        format!("doctor objective of plan {}", plan.name),
        "0 s",
        "its components are in git.sources",
    );
    match daily.is_empty() {
        true => check,
        false => check.found(
            Warn,
            format!(
                "its RPO is 0, and {} is saved once a day: name in git.sources what people author of it, and restore with \
                 --from git",
                daily.join(", ")
            ),
            format!("netdr restore --scenario {} --dry-run", plan.name),
        ),
    }
}
