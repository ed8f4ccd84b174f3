//! netdr's own configuration: objectives that it cannot meet.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    check::{
        Check,
        Status::{Alert, Warn},
    },
    config::Config,
    model::{Component, Set},
    plan::RestorePlan,
    repository::{Watched, s3::Place},
};

/// Judges plans against where their content comes from: `here` are the last looks of `netdr watch` that this machine's
/// repository has, where there is one.
pub fn judge(
    config: &Config,
    plans: &[RestorePlan],
    here: Option<&[Watched]>,
    now: DateTime<Utc>,
) -> Vec<Check> {
    let ours = |watched: &&Watched| config.cluster_name.as_ref().is_none_or(|name| *name == watched.cluster);
    let last = here.unwrap_or_default().iter().filter(ours).max_by_key(|watched| watched.until);
    let watched = match last {
        Some(last) if now <= last.until => Ok(()),
        Some(last) => {
            Err(format!("it looked last at {}", last.at.to_rfc3339_opts(SecondsFormat::Secs, true)))
        }
        None => Err("it has left no word here".into()),
    };
    let lossless = plans.iter().filter(|plan| plan.rpo.is_zero());
    let mut checks: Vec<Check> = lossless.map(|plan| of_plan(config, plan, &watched)).collect();
    let archives: Vec<&str> =
        config.replicas.iter().filter(|place| archives_all(place)).map(|place| place.name.as_str()).collect();
    if !archives.is_empty() {
        let check = Check::ok("doctor archives", archives.join(", "), "a copy that is not archived, too");
        let sooner = here.is_some() || archives.len() < config.replicas.len();
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

/// "No loss at all" cannot follow from a backup a day. Files of hosts are not watched; `watched` says why nothing is.
fn of_plan(config: &Config, plan: &RestorePlan, watched: &Result<(), String>) -> Check {
    let authored: BTreeSet<Component> = config.git_sources.iter().map(|source| source.component).collect();
    let daily = plan.components().into_iter().filter(|component| {
        !authored.contains(component) && (watched.is_err() || *component == Component::Host)
    });
    let daily: Vec<&str> = daily.map(Component::name).collect();
    let check = Check::ok(
        format!("doctor objective of plan {}", plan.name),
        "0 s",
        "its components are in git.sources, or watched now",
    );
    let why = watched.as_ref().err().map(|why| format!(" ({why})")).unwrap_or_default();
    match daily.is_empty() {
        true => check,
        false => check.found(
            Warn,
            format!(
                "its RPO is 0, and {} is saved once a day: name in git.sources what people author of it, and restore with \
                 --from git; or let netdr watch take a snapshot of each change, which does not run{why}",
                daily.join(", ")
            ),
            "netdr watch",
        ),
    }
}
