//! Every kind of the catalog: an object that changes, goes or comes is drift, whatever it is.

use std::collections::BTreeSet;

use netdr::{
    catalog::{KINDS, Select},
    model::{Class, ItemKey},
};
use serde_json::Value;

use super::{Watched, said};

/// Kinds of which only fields are netdr's: `planted` changes those.
const SHARED: [&str; 2] = ["nodes", "services"];

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_any_kind_is_told_when_it_changes_and_when_it_goes_and_when_it_comes() {
    let world = Watched::new().await;
    let served = world.kubectl("api-resources -o name").await;
    let served: BTreeSet<&str> = served.lines().collect();
    let rows = KINDS.iter().filter(|row| row.class == Class::Config && matches!(row.select, Select::All));
    let kinds: BTreeSet<String> = rows
        .map(|row| ItemKey::resource(row.group, row.plural, None, "x").kind_name())
        .filter(|kind| served.contains(kind.as_str()) && !SHARED.contains(&kind.as_str()))
        .collect();
    assert!(kinds.len() >= 40, "{kinds:?}");
    let more = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/every-kind.yaml");
    world.kubectl(&format!("create -f {more}")).await;
    back_up(&world).await;

    for kind in &kinds {
        world.kubectl(&format!("annotate {kind} --all -A example.org/planted=yes")).await;
    }
    let changed = told(&world, "changed").await;
    assert_eq!(of(&changed), kinds);
    let mut there = Vec::new();
    for (kind, name) in &changed {
        there.push((kind, name, world.objects.get(kind, name).await));
    }
    back_up(&world).await;
    for kind in &kinds {
        world.kubectl(&format!("delete {kind} --all -A --wait=false")).await;
    }
    assert_eq!(told(&world, "removed").await, changed);
    back_up(&world).await;
    for (kind, name, was) in there {
        world.objects.put_back(kind, name, was).await;
    }
    let mut added = told(&world, "added").await;
    added.retain(|(kind, _)| kinds.contains(kind)); // and Secrets to which only these lead
    assert_eq!(added, changed);
}

async fn back_up(world: &Watched) {
    let words = ["backup", "--set", "all", "--host-root", "host", "--accept-shrunk"];
    world.operator.home.netdr(&words).await.ok();
}

/// What is told as that: kind and name. Nothing is told as anything else.
async fn told(world: &Watched, change: &str) -> BTreeSet<(String, String)> {
    let report = world.drift().await.json(4);
    let item = |item: &Value| {
        assert_eq!(item["change"], change, "{item:#}");
        let said = said(item);
        let (kind, name) = said.split_once(' ').unwrap();
        (kind.to_owned(), name.to_owned())
    };
    report["items"].as_array().unwrap().iter().map(item).collect()
}

fn of(items: &BTreeSet<(String, String)>) -> BTreeSet<String> {
    items.iter().map(|(kind, _)| kind.clone()).collect()
}
