//! Could this cluster be recovered tonight? By what the repository and its places hold, and nothing else.
//!
//! In: the snapshots of each place, which identities were proved, the drills on record, a time. Out: a check for each set
//! and place, for each set's identities, and for each cluster's drill. Invariant: pure; what nobody proved is never ok.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{
    Check,
    Status::{Alert, Unknown, Warn},
};
use crate::report::drill::{Past, last};
use crate::{
    model::{Set, SnapshotHeader},
    repository::{Choice, Listed, Proved, choose, passed},
};

/// Backups are made daily; a job begins within an hour of its time and may take half an hour.
const WARN: TimeDelta = TimeDelta::hours(26);
/// Twice the schedule: as `restore --yes` refuses what is older.
const ALERT: TimeDelta = TimeDelta::hours(48);
/// The operations guide's: every 90 days a test restoration.
const VERIFIED: TimeDelta = TimeDelta::days(90);

/// What there is to recover from.
pub struct Means<'a> {
    /// The places, this machine's first.
    pub places: &'a [Place],
    /// The cluster that is asked about; every one of the repository where none.
    pub cluster: Option<&'a str>,
    /// Which identities opened what.
    pub proved: &'a [Proved],
    /// Drills on record that a trusted signer answers for.
    pub drills: &'a [Past],
    /// Reports of drills that count for nothing, oldest first, each with why.
    pub untrusted: &'a [(String, String)],
}

/// The snapshots of a place.
pub struct Place {
    /// Its name.
    pub name: String,
    /// Those that are wholly there; an error says why it could not be asked.
    pub listed: Result<Vec<Listed>, String>,
}

/// What is backed up by itself: cluster, set, node.
type Series = (String, Set, Option<String>);

/// Judges them.
pub fn judge(means: &Means<'_>, now: DateTime<Utc>) -> Vec<Check> {
    let mut checks = Vec::new();
    for place in means.places {
        if let Err(why) = &place.listed {
            let name = format!("recoverability of place {}", place.name);
            checks.push(Check::unknown(name, why, "netdr snapshots"));
        }
    }
    // Those that changes occasion say nothing of the schedule: by them, one that fails every night would not show.
    let divided = means.places.iter().enumerate().filter_map(|(number, place)| {
        let listed = place.listed.as_ref().ok()?.iter().cloned();
        let (changes, backups): (Vec<Listed>, Vec<Listed>) = listed.partition(Listed::is_of_a_change);
        Some((number, place, changes, backups))
    });
    let divided: Vec<_> = divided.collect();
    let all = series(means);
    let clusters: BTreeSet<&str> = all.iter().map(|(cluster, ..)| cluster.as_str()).collect();
    let of_cluster = |name: &str| match clusters.len() {
        0 | 1 => String::new(),
        _ => format!(" of cluster {name}"),
    };
    for (cluster, set, node) in &all {
        let of_node = node.as_ref().map(|node| format!(" of node {node}")).unwrap_or_default();
        let of_cluster = of_cluster(cluster);
        let what = format!("{set}{of_node}{of_cluster}");
        let mut last = None;
        let last_of = |listed: &[Listed]| {
            choose(listed, cluster, *set, node.as_deref(), &set.components().collect(), now)
        };
        for (number, place, changes, backups) in &divided {
            let (good, change) = (last_of(backups), last_of(changes).ok());
            let next =
                if *number == 0 { format!("netdr backup --set {set}") } else { "netdr replicate".into() };
            let name = format!("recoverability {what} in {}", place.name);
            let (check, header) = match good {
                Ok(choice) => (age(name, &choice, change.as_ref(), next, now), Some(choice.header)),
                Err(none) => {
                    let check = Check::ok(name, Value::Null, threshold());
                    let why = none.to_compare().to_string() + &of_a_change(change.as_ref());
                    (check.found(Alert, why, next), None)
                }
            };
            let look = if *number == 0 { "netdr verify" } else { "netdr replicate" };
            let check = damage(check, backups, (cluster, *set, node.as_deref()), header.as_ref(), look);
            checks.push(check);
            last = last.or(header);
        }
        checks.extend(last.map(|header| identities(&what, &header, means.proved, now)));
    }
    if all.is_empty() {
        let check = Check::ok("recoverability snapshots", 0, "at least 1 of each set");
        checks.push(check.found(
            Alert,
            "there is no snapshot that can be relied on",
            "netdr backup --set all",
        ));
    }
    // What was shown of one cluster was not shown of another.
    checks.extend(clusters.iter().map(|name| drill(means, Some(name), &of_cluster(name), now)));
    if clusters.is_empty() {
        checks.push(drill(means, None, "", now));
    }
    checks
}

/// Those newer than the last good one whose files are gone or cut off are no matter of age: somebody looks first what else
/// is wrong, which for a place outside `netdr replicate` says.
fn damage(
    check: Check,
    listed: &[Listed],
    (cluster, set, node): (&str, Set, Option<&str>),
    good: Option<&SnapshotHeader>,
    look: &str,
) -> Check {
    let components = set.components().collect();
    let newer = |header: &SnapshotHeader| good.is_none_or(|good| header.captured_at > good.captured_at);
    let damaged = listed.iter().rev().filter_map(|one| {
        let header = one.believed().ok()?;
        let ours = header.cluster.name == cluster && one.is_of(set, node);
        Some((&one.id, one.damage_of(&components).filter(|_| ours && newer(header))?))
    });
    let damaged: Vec<_> = damaged.collect();
    let Some((newest, _)) = damaged.first() else { return check };
    let next = Some(format!("{look} {newest}"));
    // Where there is no good one it has been said why not.
    let check = damaged.iter().filter(|_| good.is_some()).fold(check, |check, (id, what)| {
        check.found(Alert, format!("{id} is damaged: {what}"), String::new())
    });
    Check { next, ..check }
}

/// What is backed up, and of a cluster that is named what should be: files of nodes are known by those that were.
fn series(means: &Means<'_>) -> BTreeSet<Series> {
    let listed = means.places.iter().filter_map(|place| place.listed.as_ref().ok()).flatten();
    let headers = listed.filter(|one| one.trust.is_trusted()).filter_map(|one| one.header.as_ref().ok());
    let headers = headers.filter(|header| means.cluster.is_none_or(|cluster| header.cluster.name == cluster));
    let found: BTreeSet<Series> =
        headers.map(|header| (header.cluster.name.clone(), header.set, header.node.clone())).collect();
    let clusters: BTreeSet<&str> =
        found.iter().map(|(cluster, ..)| cluster.as_str()).chain(means.cluster).collect();
    let wanted = clusters
        .into_iter()
        .flat_map(|cluster| [Set::Network, Set::Certificates].map(|set| (cluster.to_owned(), set, None)));
    wanted.chain(found.iter().cloned()).collect()
}

fn threshold() -> String {
    format!("warn > {} hours, alert > {} hours", WARN.num_hours(), ALERT.num_hours())
}

/// That there is one of a change, where somebody may take it for a backup.
fn of_a_change(change: Option<&Choice>) -> String {
    change.map_or_else(String::new, |change| {
        format!(
            "; {} is of a change: `netdr watch` keeps it for a day, and in no other place",
            change.header.id
        )
    })
}

fn age(name: String, choice: &Choice, change: Option<&Choice>, next: String, now: DateTime<Utc>) -> Check {
    let age = now - choice.header.captured_at;
    let check = Check::ok(name, age.num_hours(), threshold());
    let status = match age {
        age if age > ALERT => Alert,
        age if age > WARN => Warn,
        _ => return check,
    };
    let bad =
        passed::lines(&choice.passed_over, false).iter().map(|line| format!("; {line}")).collect::<String>();
    let change = of_a_change(change.filter(|change| change.header.captured_at > choice.header.captured_at));
    check.found(status, format!("the last good one is {}{bad}{change}", choice.header.id), next)
}

/// Whether the recipients of the last good snapshot have an identity that somebody has, and that opened one of its set.
fn identities(what: &str, header: &SnapshotHeader, proved: &[Proved], now: DateTime<Utc>) -> Check {
    let days = VERIFIED.num_days();
    let (name, next) =
        (format!("recoverability identities of {what}"), "netdr keys check --identity FILE --identity FILE");
    let threshold = format!("every recipient's proved within {days} days");
    if header.sealed_to.is_empty() {
        let check = Check::ok(name, Value::Null, threshold);
        return check.found(
            Unknown,
            format!("an older netdr made {}, which did not record its recipients", header.id),
            next,
        );
    }
    let last = |recipient: &String| {
        let of = proved.iter().filter(|one| one.recipient == *recipient && one.set == header.set);
        of.map(|one| one.at).max()
    };
    let (mut good, mut why) = (0_u64, Vec::new());
    for recipient in &header.sealed_to {
        match last(recipient).map(|at| now - at) {
            Some(age) if age <= VERIFIED => good += 1,
            Some(age) => {
                why.push(format!("that of recipient {recipient} was proved {} days ago", age.num_days()))
            }
            None => {
                why.push(format!("that of recipient {recipient} was never proved: does anybody have it?"))
            }
        }
    }
    let check = Check::ok(name, good, threshold);
    // With one that opens it there is a way back; without any there may be none.
    let status = if good == 0 { Alert } else { Warn };
    why.into_iter().fold(check, |check, why| check.found(status, why, next))
}

fn drill(means: &Means<'_>, cluster: Option<&str>, of_cluster: &str, now: DateTime<Utc>) -> Check {
    let days = VERIFIED.num_days();
    let last = last(means.drills, cluster).map(|drill| drill.ended_at);
    let age = last.map(|at| (now - at).num_days());
    let check = Check::ok(
        format!("recoverability drill{of_cluster}"),
        age.map_or(Value::Null, Value::from),
        format!("alert > {days} days"),
    );
    let rehearse = "netdr drill --all --identity FILE";
    let check = match last {
        Some(at) if now - at <= VERIFIED => return check,
        Some(at) => check.found(Alert, format!("the last good one was at {}", at.to_rfc3339()), rehearse),
        None => check.found(
            Alert,
            "no good drill is on record: that a restore works here, nobody has shown",
            rehearse,
        ),
    };
    match means.untrusted.last() {
        Some((report, why)) => {
            check.found(Alert, format!("report {report} counts for nothing: {why}"), rehearse)
        }
        None => check,
    }
}

#[cfg(test)]
mod tests;
