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
    repository::{Listed, s3::Place},
};

/// Judges plans against where their content comes from: `snapshots` are those of this machine's repository, where it has
/// one.
pub fn judge(config: &Config, plans: &[RestorePlan], snapshots: Option<&[Listed]>) -> Vec<Check> {
    let watched = snapshots
        .is_some_and(|all| all.iter().any(|listed| listed.trust.is_trusted() && listed.is_of_a_change()));
    let lossless = plans.iter().filter(|plan| plan.rpo.is_zero());
    let mut checks: Vec<Check> = lossless.map(|plan| of_plan(config, plan, watched)).collect();
    let archives: Vec<&str> =
        config.replicas.iter().filter(|place| archives_all(place)).map(|place| place.name.as_str()).collect();
    if !archives.is_empty() {
        let check = Check::ok("doctor archives", archives.join(", "), "a copy that is not archived, too");
        let sooner = snapshots.is_some() || archives.len() < config.replicas.len();
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

/// "No loss at all" cannot follow from a backup a day. Files of hosts are not watched.
fn of_plan(config: &Config, plan: &RestorePlan, watched: bool) -> Check {
    let authored: BTreeSet<Component> = config.git_sources.iter().map(|source| source.component).collect();
    let daily = plan
        .components()
        .into_iter()
        .filter(|component| !authored.contains(component) && (!watched || *component == Component::Host));
    let daily: Vec<&str> = daily.map(Component::name).collect();
    let check = Check::ok(
        format!("doctor objective of plan {}", plan.name),
        "0 s",
        "its components are in git.sources, or watched",
    );
    match daily.is_empty() {
        true => check,
        false => check.found(
            Warn,
            format!(
                "its RPO is 0, and {} is saved once a day: name in git.sources what people author of it, and restore with \
                 --from git; or let netdr watch take a snapshot of each change, none of which is here",
                daily.join(", ")
            ),
            format!("netdr restore --scenario {} --dry-run", plan.name),
        ),
    }
}
