use super::*;
use crate::{
    check::Status::{self, Ok as Fine},
    model::{BundleEntry, Occasion, SnapshotState},
    repository::fixture::{at, listed},
};

const NOW: &str = "2026-11-26T01:00:00Z";

/// A whole snapshot of a set of cluster c1, sealed to `a` and `b`, so many hours old.
fn snapshot(set: Set, hours: i64, state: SnapshotState) -> Listed {
    let time = (at(NOW) - TimeDelta::hours(hours)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut one = listed(&time, state);
    let header = one.header.as_mut().unwrap();
    header.set = set;
    header.id = crate::model::SnapshotId::new(header.captured_at, set, None, 0);
    header.sealed_to = vec!["a".into(), "b".into()];
    let bundle = |component| BundleEntry { component, sha256: String::new(), bytes: 1, items: 1 };
    header.bundles = set.components().map(bundle).collect();
    one.id = header.id.clone();
    one
}

fn whole(set: Set, hours: i64) -> Listed {
    snapshot(set, hours, SnapshotState::Complete)
}

fn local(listed: Vec<Listed>) -> Vec<Place> {
    vec![Place { name: "local".into(), listed: Result::Ok(listed) }]
}

fn proved(recipient: &str, set: Set, days: i64) -> Proved {
    let snapshot = whole(set, 24 * days).id;
    Proved { recipient: recipient.into(), set, snapshot, at: at(NOW) - TimeDelta::days(days) }
}

fn drilled(days: i64, good: bool) -> Past {
    let mut past = crate::report::drill::tests::report().trend.remove(0);
    past.cluster.name = "c1".into();
    Past { ended_at: at(NOW) - TimeDelta::days(days), good, ..past }
}

fn judged(places: &[Place], proved: &[Proved], drills: &[Past]) -> Vec<Check> {
    judge(&Means { places, cluster: None, proved, drills, untrusted: &[] }, at(NOW))
}

#[track_caller]
fn status(checks: &[Check], name: &str) -> Status {
    let check = checks.iter().find(|check| check.name == name);
    let check = check.unwrap_or_else(|| panic!("no {name} in {checks:#?}"));
    assert_eq!(check.next.is_some(), check.status.is_crossed(), "{check:?}");
    check.status
}

#[test]
fn what_changes_occasion_does_not_hide_that_no_night_is_backed_up() {
    let mut change = whole(Set::Network, 0);
    change.header.as_mut().unwrap().occasion = Occasion::Change;
    let places = local(vec![whole(Set::Network, 24 * 9), change, whole(Set::Certificates, 1)]);
    let checks = judged(&places, &[], &[]);
    assert_eq!(status(&checks, "recoverability network in local"), Status::Alert);
    assert_eq!(status(&checks, "recoverability certificates in local"), Fine);
}

#[test]
fn a_repository_in_order_is_ok_in_every_part() {
    let places = local(vec![whole(Set::Network, 24), whole(Set::Certificates, 23)]);
    let sets = [Set::Network, Set::Certificates];
    let all: Vec<Proved> = sets.into_iter().flat_map(|set| ["a", "b"].map(|r| proved(r, set, 80))).collect();
    let checks = judged(&places, &all, &[drilled(30, true)]);
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "recoverability network in local",
            "recoverability identities of network",
            "recoverability certificates in local",
            "recoverability identities of certificates",
            "recoverability drill",
        ]
    );
    assert!(checks.iter().all(|check| check.status == Fine), "{checks:#?}");
}

#[test]
fn a_snapshot_is_due_after_a_day_and_missed_after_two() {
    for (hours, wanted) in [(26, Fine), (27, Warn), (48, Warn), (49, Alert)] {
        let checks = judged(&local(vec![whole(Set::Network, hours)]), &[], &[]);
        assert_eq!(status(&checks, "recoverability network in local"), wanted, "{hours}");
        assert_eq!(status(&checks, "recoverability certificates in local"), Alert, "there is none");
    }
    // One that is newer and cannot be relied on does not count, and is named.
    let partial = snapshot(Set::Network, 3, SnapshotState::Partial);
    let checks = judged(&local(vec![whole(Set::Network, 27), partial]), &[], &[]);
    assert_eq!(status(&checks, "recoverability network in local"), Warn);
    assert!(checks[0].why[0].contains("was passed over: partial"), "{:?}", checks[0]);
}

#[test]
fn a_newer_snapshot_of_a_change_is_named_and_does_not_count() {
    let mut change = whole(Set::Network, 2);
    change.header.as_mut().unwrap().occasion = Occasion::Change;
    let name = "recoverability network in local";
    let of =
        |listed: Vec<Listed>| judged(&local(listed), &[], &[]).into_iter().find(|c| c.name == name).unwrap();
    let dead = of(vec![whole(Set::Network, 60), change.clone()]);
    assert_eq!(dead.status, Alert);
    let id = &change.id;
    assert!(dead.why[0].contains(&format!("{id} is of a change")), "{dead:?}");
    let only = of(vec![change.clone()]);
    assert!(only.status == Alert && only.why[0].contains("of a change"), "{only:?}");
    let (older, fine) = (change, whole(Set::Network, 1));
    assert_eq!(of(vec![older, fine]).status, Fine);
}

#[test]
fn every_place_is_judged_and_one_that_does_not_answer_is_unknown() {
    let mut places = local(vec![whole(Set::Network, 1), whole(Set::Certificates, 1)]);
    places.push(Place { name: "s3".into(), listed: Result::Ok(vec![whole(Set::Network, 60)]) });
    places.push(Place { name: "cold".into(), listed: Err("no answer within 5 s".into()) });
    let checks = judged(&places, &[], &[]);
    assert_eq!(status(&checks, "recoverability network in local"), Fine);
    assert_eq!(status(&checks, "recoverability network in s3"), Alert);
    assert_eq!(status(&checks, "recoverability certificates in s3"), Alert);
    assert_eq!(status(&checks, "recoverability of place cold"), Unknown);
    let network = checks.iter().find(|check| check.name == "recoverability network in s3").unwrap();
    assert_eq!(network.next.as_deref(), Some("netdr replicate"));
}

#[test]
fn each_recipients_identity_was_proved_within_ninety_days() {
    let name = "recoverability identities of network";
    let of = |proofs: &[Proved]| {
        let checks = judged(&local(vec![whole(Set::Network, 1)]), proofs, &[]);
        let check = checks.iter().find(|check| check.name == name).unwrap().clone();
        (status(&checks, name), check.value, check.why.len())
    };
    let network = |recipient, days| proved(recipient, Set::Network, days);
    assert_eq!(of(&[network("a", 90), network("b", 1)]), (Fine, 2.into(), 0));
    assert_eq!(of(&[network("a", 91), network("b", 1)]), (Warn, 1.into(), 1));
    assert_eq!(of(&[network("b", 1)]), (Warn, 1.into(), 1), "nobody knows where the break-glass one is");
    assert_eq!(of(&[]), (Alert, 0.into(), 2));
    assert_eq!(of(&[network("c", 1), proved("a", Set::Certificates, 1)]), (Alert, 0.into(), 2));
    let mut old = whole(Set::Network, 1);
    old.header.as_mut().unwrap().sealed_to.clear();
    assert_eq!(status(&judged(&local(vec![old]), &[], &[]), name), Unknown);
}

#[test]
fn a_drill_is_good_for_ninety_days_and_a_bad_one_for_none() {
    let of = |drills: &[Past]| status(&judged(&local(vec![]), &[], drills), "recoverability drill");
    assert_eq!(of(&[drilled(90, true)]), Fine);
    assert_eq!(of(&[drilled(91, true)]), Alert);
    assert_eq!(of(&[drilled(1, false)]), Alert);
    assert_eq!(of(&[]), Alert);
}

#[test]
fn where_no_good_drill_is_on_record_a_report_that_does_not_count_is_named() {
    let untrusted = [("a.json".to_owned(), "it is damaged".to_owned())];
    let of = |drills: &[Past]| {
        let means = Means { places: &[], cluster: None, proved: &[], drills, untrusted: &untrusted };
        judge(&means, at(NOW)).pop().unwrap().why.join("; ")
    };
    assert!(of(&[]).ends_with("report a.json counts for nothing: it is damaged"), "{}", of(&[]));
    assert_eq!(of(&[drilled(1, true)]), "");
}

#[test]
fn clusters_of_one_repository_are_apart_and_files_of_nodes_are_theirs() {
    let mut host = whole(Set::Host, 60);
    let header = host.header.as_mut().unwrap();
    header.node = Some("n1".into());
    let mut other = whole(Set::Network, 1);
    other.header.as_mut().unwrap().cluster.name = "c2".into();
    let places = local(vec![whole(Set::Network, 1), host, other]);
    let checks = judged(&places, &[], &[]);
    assert_eq!(status(&checks, "recoverability host of node n1 of cluster c1 in local"), Alert);
    assert_eq!(status(&checks, "recoverability network of cluster c2 in local"), Fine);
    let checks = judged(&places, &[], &[drilled(1, true)]);
    assert_eq!(status(&checks, "recoverability drill of cluster c1"), Fine);
    assert_eq!(
        status(&checks, "recoverability drill of cluster c2"),
        Alert,
        "nobody has shown it of that one"
    );
    let of_c2 = judge(
        &Means { places: &places, cluster: Some("c2"), proved: &[], drills: &[], untrusted: &[] },
        at(NOW),
    );
    assert!(of_c2.iter().all(|check| !check.name.contains("host")), "{of_c2:#?}");
    assert_eq!(status(&of_c2, "recoverability network in local"), Fine);
    // What is expected of a cluster that is named is missed, too.
    let of_c3 = judge(
        &Means { places: &places, cluster: Some("c3"), proved: &[], drills: &[], untrusted: &[] },
        at(NOW),
    );
    assert_eq!(status(&of_c3, "recoverability network in local"), Alert);
}

#[test]
fn what_nobody_who_is_trusted_answers_for_does_not_count() {
    let mut forged = whole(Set::Network, 1);
    forged.trust = crate::signature::Trust::Untrusted("it is not signed".into());
    let checks = judged(&local(vec![forged]), &[], &[]);
    assert_eq!(status(&checks, "recoverability snapshots"), Alert);
}

#[test]
fn a_snapshot_whose_file_is_gone_is_not_good_however_new_it_is() {
    let mut cut = whole(Set::Network, 2);
    cut.damage = vec![(Some(crate::model::Component::Policies), "policies.tar.zst.age is missing".into())];
    let id = cut.id.clone();
    for before in [vec![], vec![whole(Set::Network, 3)]] {
        let places = local(before.into_iter().chain([cut.clone()]).collect());
        let checks = judged(&places, &[], &[]);
        assert_eq!(status(&checks, "recoverability network in local"), Status::Alert);
        let check = checks.iter().find(|check| check.name == "recoverability network in local").unwrap();
        assert_eq!(check.next, Some(format!("netdr verify {id}")), "{check:?}");
        let why = check.why.join("\n");
        assert!(why.contains(&format!("{id} is damaged: policies.tar.zst.age is missing")), "{why}");
    }
    // A newer good one is the way back.
    let checks = judged(&local(vec![cut, whole(Set::Network, 1)]), &[], &[]);
    assert_eq!(status(&checks, "recoverability network in local"), Fine);
}
