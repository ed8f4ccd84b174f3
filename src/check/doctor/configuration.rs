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
    repository::s3::Place,
    task::Watched,
};

/// Judges plans against where their content comes from: `here` is what `netdr watch` last did with this cluster, as this
/// machine's repository has it, where there is one.
pub fn judge(
    config: &Config,
    plans: &[RestorePlan],
    here: Option<&[Watched]>,
    now: DateTime<Utc>,
) -> Vec<Check> {
    let watched = watched(here.unwrap_or_default(), now);
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

/// That all that can be watched is saved within seconds, or why not.
fn watched(here: &[Watched], now: DateTime<Utc>) -> Result<(), String> {
    if here.iter().any(|watched| watched.saves(now)) {
        return Ok(());
    }
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    Err(match here.iter().max_by_key(|watched| watched.looked_at) {
        None => "does not run (it has left no word here)".into(),
        Some(last) if !last.looks(now) => {
            format!("does not run (it looked last at {})", time(last.looked_at))
        }
        Some(Watched { saved_at: Some(at), .. }) => format!("has not read and saved all since {}", time(*at)),
        Some(_) => "could not read and save all yet".into(),
    })
}

/// Whether bundles of every set are archived there.
fn archives_all(place: &Place) -> bool {
    Set::ALL.into_iter().all(|set| place.class_of(set).is_archive())
}

/// "No loss at all" cannot follow from a backup a day. Files of hosts are not watched; `watched` says why not
/// all else is.
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
    let why = watched.as_ref().err().map_or("does not follow files of hosts", String::as_str);
    match daily.is_empty() {
        true => check,
        // The same of every such plan, so that it is said of all together.
        false => check
            .found(Warn, format!("its RPO is 0, and it is saved once a day: {}", daily.join(", ")), "netdr watch")
            .found(
                Warn,
                format!(
                    "name in git.sources what people author of it, and restore with --from git; or let netdr watch take a \
                     snapshot of each change, which {why}"
                ),
                "netdr watch",
            ),
    }
}
