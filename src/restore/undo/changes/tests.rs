//! What counts as changed, line by line of a journal.

use std::collections::BTreeMap;

use super::*;
use crate::{
    model::{Class, Content, Item, Json},
    restore::journal::{Asked, Line},
};

fn key(name: &str) -> ItemKey {
    ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), name)
}

fn intent(name: &str, verb: Verb, live: Option<&str>, wanted: Option<&str>) -> Entry {
    let (live, wanted) = (live.map(str::to_owned), wanted.map(str::to_owned));
    Entry::Intent {
        step: "s".into(),
        key: key(name),
        component: Some(Component::Policies),
        verb,
        live,
        wanted,
        replicas: None,
    }
}

fn outcome(name: &str, verb: Verb, outcome: &str) -> Entry {
    Entry::Outcome { step: "s".into(), key: key(name), verb, outcome: outcome.into(), why: None }
}

fn past(entries: Vec<Entry>) -> Past {
    let asked = Asked {
        plan: String::new(),
        plan_flag: None,
        incident_start: chrono::DateTime::default(),
        from_cluster: None,
        keep_extras: false,
        isolation: None,
        allow_run: false,
        git: None,
    };
    Past {
        run: "20261124T031500Z-traefik-5b21d0".parse().unwrap(),
        scenario: "traefik".into(),
        source: vec![],
        cluster: crate::model::ClusterIdentity {
            name: "c".into(),
            uid: "u".into(),
            kubernetes: "v1.36.3".into(),
        },
        asked,
        undoes: None,
        sessions: 1,
        ended: None,
        lines: entries.into_iter().map(|entry| Line { at: chrono::DateTime::default(), entry }).collect(),
    }
}

/// A safety snapshot that holds x under these digests.
fn saved(digests: &[&str]) -> Saved {
    let item = |digest: &str| Item {
        key: key("x"),
        component: Component::Policies,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::Resource(Json::new(&serde_json::json!(digest))),
    };
    digests.iter().map(|digest| ((key("x"), (*digest).to_owned()), item(digest))).collect::<BTreeMap<_, _>>()
}

/// What x was before, and may be now.
fn x(entries: Vec<Entry>) -> Option<(Option<String>, Vec<Option<String>>)> {
    let changes = changes(&past(entries), saved(&["a", "c"])).unwrap();
    let x = changes.into_iter().find(|changed| changed.key == key("x"))?;
    let before = x.before.map(|item| item.json().unwrap().value().as_str().unwrap().to_owned());
    Some((before, x.after.into_iter().collect()))
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

#[test]
fn what_was_done_or_may_be_done_counts_and_nothing_else() {
    use Verb::{Create, Delete, Recreate, Replace};
    let replace = |live| intent("x", Replace, Some(live), Some("b"));
    for not_done in ["unchanged", "changed-since-planned"] {
        assert_eq!(x(vec![replace("a"), outcome("x", Replace, not_done)]), None);
    }
    let changed = Some((some("a"), vec![some("b")]));
    assert_eq!(x(vec![replace("a"), outcome("x", Replace, "done")]), changed);
    assert_eq!(x(vec![replace("a")]), changed, "killed before its outcome");
    assert_eq!(x(vec![replace("a"), outcome("x", Replace, "failed")]), changed, "its answer may be lost");
    assert_eq!(x(vec![intent("x", Create, None, Some("b"))]), Some((None, vec![some("b")])));
    assert_eq!(x(vec![intent("x", Delete, Some("a"), None)]), Some((some("a"), vec![None])));
    let recreate = intent("x", Recreate, Some("a"), Some("b"));
    assert_eq!(x(vec![recreate]), Some((some("a"), vec![None, some("b")])));
}

#[test]
fn a_resumed_run_is_undone_to_before_its_first_change() {
    use Verb::Replace;
    let replace = |live| intent("x", Replace, Some(live), Some("b"));
    let resumed = || Entry::Resumed { plan: "d".into(), operator: "me".into(), cluster: None };
    let done = || outcome("x", Replace, "done");
    // Changed by somebody between the two processes.
    let twice = vec![replace("a"), done(), resumed(), replace("c"), done()];
    assert_eq!(x(twice), Some((some("a"), vec![some("b")])));
    // The first was killed before it did anything.
    assert_eq!(x(vec![replace("a"), resumed(), replace("c"), done()]), Some((some("c"), vec![some("b")])));
    assert_eq!(x(vec![replace("a"), resumed(), replace("a")]), Some((some("a"), vec![some("b")])));
}

#[test]
fn intents_that_stand_together_are_one_batch() {
    let entries = vec![
        intent("p", Verb::Create, None, Some("1")),
        intent("q", Verb::Create, None, Some("1")),
        outcome("q", Verb::Create, "done"),
        outcome("p", Verb::Create, "done"),
        intent("o", Verb::Create, None, Some("1")),
    ];
    let changes = changes(&past(entries), Saved::new()).unwrap();
    let batches: Vec<(&str, usize)> = changes.iter().map(|c| (c.key.name(), c.batch)).collect();
    assert_eq!(batches, [("p", 1), ("q", 1), ("o", 2)]);
}

#[test]
fn without_what_was_overwritten_nothing_is_undone() {
    let gone = past(vec![intent("x", Verb::Replace, Some("z"), Some("b"))]);
    let error = changes(&gone, saved(&["a"])).unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Damaged);
    let Entry::Intent { step, key, verb, live, wanted, .. } = intent("x", Verb::Create, None, Some("b"))
    else {
        unreachable!("an intent")
    };
    let old = Entry::Intent { step, key, component: None, verb, live, wanted, replicas: None };
    assert!(changes(&past(vec![old]), Saved::new()).unwrap_err().to_string().contains("netdr 0.1"));
}

#[test]
fn operations_have_no_way_back_but_scaling_does() {
    use Verb::{Create, Renew, Replace, Restart, Scale};
    for gone in [Restart, Renew] {
        assert_eq!(x(vec![intent("x", gone, None, Some("b")), outcome("x", gone, "done")]), None);
    }
    let scaled = |live| vec![intent("x", Scale, Some(live), Some("b")), outcome("x", Scale, "done")];
    assert_eq!(x(scaled("a")), Some((some("a"), vec![some("b")])));
    assert_eq!(x(scaled("not saved")), None, "what it scaled back was another process's doing");
    // Up and back: what it is now is what it was.
    let back = vec![intent("x", Scale, Some("b"), Some("a")), outcome("x", Scale, "done")];
    assert_eq!(x([scaled("a"), back].concat()), Some((some("a"), vec![some("a")])));
    // Written as a whole by the run: that is undone, and with it what was scaled.
    for (write, before) in [(Create, None), (Replace, Some("c"))] {
        let whole = vec![intent("x", write, before, Some("d")), outcome("x", write, "done")];
        assert_eq!(x([whole, scaled("a")].concat()), Some((before.map(str::to_owned), vec![some("d")])));
    }
}
