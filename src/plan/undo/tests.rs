//! Rules of undoing, one by one.

use serde_json::{Value, json};

use super::*;
use crate::model::Json;

fn policy(name: &str) -> ItemKey {
    ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), name)
}

fn content(value: u64) -> Content {
    Content::Resource(Json::new(&json!({"spec": value})))
}

fn stored(key: &ItemKey, value: u64) -> Item {
    item(key, Component::Policies, Extent::Whole, content(value))
}

fn sha256(value: u64) -> Option<String> {
    Some(stored(&policy("any"), value).sha256())
}

fn found(value: Option<u64>) -> Found {
    value.map_or(Found::Absent, |value| {
        Found::Live(Box::new(Live {
            sha256: sha256(value).unwrap_or_default(),
            content: content(value),
            seen: Precondition { uid: "u".into(), resource_version: "7".into() },
            secret: None,
        }))
    })
}

/// An object that was `before`, and that the run made `after`.
fn changed(key: ItemKey, batch: usize, before: Option<u64>, after: &[Option<u64>]) -> Changed {
    Changed {
        before: before.map(|value| stored(&key, value)),
        key,
        component: Component::Policies,
        step: format!("s{}", batch / 10),
        batch,
        after: after.iter().map(|value| value.and_then(sha256)).collect(),
        extent: Extent::Whole,
    }
}

fn resolve(changes: Vec<(Changed, Found)>) -> ResolvedPlan {
    let head = "apiVersion: netdr/v1\nkind: RestorePlan\nname: p\ntitle: t\nrto: 15m\nrpo: 0s\nrole: r\nrunbook: r\nsteps: \
                [{id: s, title: t, confirm: {question: q}}]";
    undo(UndoInputs {
        plan: RestorePlan::parse(head, "p").unwrap(),
        source: Source::default(),
        cluster: "uid".into(),
        changes,
        warnings: vec![],
    })
}

/// `verb name` of every act; batches apart by `|`.
fn story(plan: &ResolvedPlan) -> String {
    let batch = |batch: &Batch| -> String {
        let acts = batch.acts.iter().map(|act| format!("{} {}", act.verb.name(), act.key.name()));
        acts.collect::<Vec<_>>().join(", ")
    };
    plan.steps.iter().flat_map(|step| &step.batches).map(batch).collect::<Vec<_>>().join(" | ")
}

#[test]
fn what_was_done_last_is_undone_first_and_together_what_was_done_together() {
    let plan = resolve(vec![
        (changed(policy("replaced"), 1, Some(1), &[Some(2)]), found(Some(2))),
        (changed(policy("made"), 2, None, &[Some(2)]), found(Some(2))),
        (changed(policy("made-too"), 2, None, &[Some(3)]), found(Some(3))),
        (changed(policy("gone"), 13, Some(1), &[None]), found(None)),
    ]);
    assert_eq!(story(&plan), "create gone | delete made-too, delete made | replace replaced");
    assert_eq!(plan.steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["s1", "s0"]);
    let act = plan.acts().last().unwrap();
    assert_eq!((&act.live_sha256, act.item.as_ref().map(Item::sha256)), (&sha256(2), sha256(1)));
    assert_eq!(plan.overwritten()[&Component::Policies].len(), 3, "an undo can be undone");
}

#[test]
fn what_is_as_before_is_unchanged_and_what_changed_since_is_left_alone() {
    let other = || changed(policy("x"), 1, Some(1), &[Some(2)]);
    let same = resolve(vec![(other(), found(Some(1)))]);
    assert_eq!((same.unchanged, story(&same).as_str()), (1, ""));
    for since in [Some(3), None] {
        let plan = resolve(vec![(other(), found(since))]);
        assert!(plan.is_empty());
        assert!(plan.refused[0].1.contains("changed since"), "{since:?}");
    }
    let made = resolve(vec![(changed(policy("x"), 1, None, &[Some(2)]), found(Some(3)))]);
    assert!(made.is_empty() && made.refused.len() == 1, "what somebody took over is not deleted");
    let unread = resolve(vec![(other(), Found::Unknown("no (403)".into()))]);
    assert_eq!(unread.refused[0].1, "no (403)");
}

#[test]
fn a_recreation_that_stopped_half_way_is_put_back() {
    let half = changed(policy("x"), 1, Some(1), &[Some(2), None]);
    assert_eq!(story(&resolve(vec![(half, found(None))])), "create x");
}

#[test]
fn a_namespace_or_a_definition_is_kept_and_named() {
    for key in [
        ItemKey::resource("", "namespaces", None, "demo"),
        ItemKey::resource("apiextensions.k8s.io", "customresourcedefinitions", None, "x.y"),
    ] {
        let plan = resolve(vec![(changed(key.clone(), 1, None, &[Some(2)]), found(Some(2)))]);
        assert!(plan.is_empty() && plan.refused.is_empty());
        assert!(plan.kept[0].1.contains(&format!("kubectl delete {}", key.kind_name())));
    }
}

#[test]
fn a_guard_is_taken_away_and_never_put_back() {
    let guard = policy("netdr-guard-r");
    assert_eq!(story(&resolve(vec![(changed(guard.clone(), 1, Some(1), &[None]), found(None))])), "");
    let left = resolve(vec![(changed(guard, 1, None, &[Some(2)]), found(Some(2)))]);
    assert_eq!(story(&left), "delete netdr-guard-r");
}

#[test]
fn part_of_an_object_is_merged_back() {
    let key = ItemKey::resource("", "namespaces", None, "demo");
    let labels = Changed { extent: Extent::Fields, ..changed(key, 1, Some(1), &[Some(2)]) };
    assert_eq!(story(&resolve(vec![(labels, found(Some(2)))])), "merge demo");
}

fn release(version: u64) -> Content {
    let content: Value =
        json!({"name": format!("v{version}"), "labels": {}, "release": {"version": version}});
    Content::Release(Json::new(&content))
}

fn releases_of(before: Option<u64>, twin: bool) -> Vec<(Changed, Found)> {
    let key = ItemKey::Release { namespace: "demo".into(), name: "r".into() };
    let of = |version| item(&key, Component::Policies, Extent::Whole, release(version));
    let secret = ItemKey::resource("", "secrets", Some("demo"), "v1");
    let live = Live {
        sha256: of(1).sha256(),
        content: release(1),
        seen: Precondition { uid: "u".into(), resource_version: "7".into() },
        secret: Some((secret.clone(), content(11))),
    };
    let changed_release = Changed {
        before: before.map(of),
        after: BTreeSet::from([Some(of(1).sha256())]),
        ..changed(key.clone(), 2, None, &[])
    };
    let mut changes = vec![(changed_release, Found::Live(Box::new(live)))];
    if twin {
        changes.insert(0, (changed(secret, 1, Some(5), &[None]), found(Some(11))));
    }
    changes
}

#[test]
fn a_release_is_undone_where_its_secret_is() {
    let v2_gone =
        (changed(ItemKey::resource("", "secrets", Some("demo"), "v2"), 3, Some(8), &[None]), found(None));
    let mut changes = releases_of(Some(2), true);
    changes.push(v2_gone);
    assert_eq!(story(&resolve(changes)), "create v2 | replace v1", "history is as it was");
    assert_eq!(story(&resolve(releases_of(Some(2), false))), "delete v1");
    assert_eq!(story(&resolve(releases_of(None, false))), "delete v1");
}

#[test]
fn a_release_that_was_written_over_in_place_is_written_over_again() {
    let key = ItemKey::Release { namespace: "demo".into(), name: "r".into() };
    let mut changes = releases_of(Some(1), false);
    let other = json!({"name": "v1", "labels": {"edited": "by hand"}, "release": {"version": 1}});
    changes[0].0.before =
        Some(item(&key, Component::Policies, Extent::Whole, Content::Release(Json::new(&other))));
    assert_eq!(story(&resolve(changes)), "replace r");
}
