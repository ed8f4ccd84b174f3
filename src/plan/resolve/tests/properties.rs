use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::plan::guard;
use Component::Policies;

type State = BTreeMap<ItemKey, Content>;

const KNOWN: &[&str] = &["a", "b"];

/// Some policies: default-denies, and allows of one of two networks.
fn any_policies(namespaces: &'static [&'static str]) -> impl Strategy<Value = Vec<Item>> {
    let from = prop::option::of(prop_oneof![Just("10.0.0.0/8"), Just("0.0.0.0/0")]);
    prop::collection::btree_map((0..namespaces.len(), 0..4_u8), from, 0..9).prop_map(move |policies| {
        let policies = policies.into_iter();
        policies.map(|((at, name), from)| policy(namespaces[at], &format!("p{name}"), from)).collect()
    })
}

/// The source knows namespaces `a` and `b`; of those, `a` may be gone. Namespace `c` came since.
fn any_world() -> impl Strategy<Value = World> {
    let live = prop_oneof![any_policies(&["a", "b", "c"]), any_policies(&["b", "c"])];
    (any_policies(KNOWN), live, any::<bool>()).prop_map(|(source, live, guarded)| {
        let homes = KNOWN.iter().map(|name| labelled(Policies, name, json!({"team": name})));
        let there =
            |name: &&&str| **name == "b" || live.iter().any(|item| item.key.namespace() == Some(name));
        let there: Vec<Item> = KNOWN.iter().filter(there).map(|name| namespace(Policies, name)).collect();
        let isolation = guarded.then_some(Isolation::Guarded);
        let world = World { isolation, ..World::built_in("network-policies") };
        world.source(homes).source(source).live(there).live(live)
    })
}

fn state(items: &[Item]) -> State {
    items.iter().map(|item| (item.key.clone(), item.content.clone())).collect()
}

/// What the API server would do; every step of the way is checked.
fn apply(mut live: State, plan: &ResolvedPlan) -> State {
    let mut acted = Vec::new();
    for act in plan.acts() {
        let before = match (&act.verb, &act.item) {
            (Verb::Delete, _) => live.remove(&act.key),
            (_, Some(item)) => live.insert(act.key.clone(), item.content.clone()),
            (_, None) => unreachable!("{act:?} has nothing to write"),
        };
        assert_eq!(before.is_some(), act.verb != Verb::Create, "{act:?}");
        if !guard::is_guard(&act.key) {
            assert_eq!(before, act.live, "{act:?} would lose what it overwrites");
            assert!(!acted.contains(&act.key), "{act:?} comes twice");
            acted.push(act.key.clone());
        }
    }
    live
}

proptest! {
    #[test]
    fn the_live_state_becomes_the_sources_and_nothing_else_is_touched(world in any_world()) {
        let plan = world.resolve().unwrap();
        let (source, live) = (state(&world.source), state(&world.live));
        let after = apply(live.clone(), &plan);
        let known = |key: &ItemKey| key.is_kind("", "namespaces") || key.namespace().is_some_and(|n| KNOWN.contains(&n));
        let part = |state: &State, inside: bool| -> State {
            state.iter().filter(|(key, _)| known(key) == inside).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        prop_assert_eq!(part(&after, true), source);
        prop_assert_eq!(part(&after, false), part(&live, false));
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes(world in any_world()) {
        let text = || world.resolve().unwrap().to_json().to_string();
        prop_assert_eq!(text(), text());
    }

    #[test]
    fn every_item_of_the_source_is_accounted_for(world in any_world()) {
        let plan = world.resolve().unwrap();
        let counts = plan.counts();
        let guards = plan.acts().filter(|act| guard::is_guard(&act.key) && act.verb == Verb::Create).count() as u64;
        let written = counts.create + counts.replace + counts.recreate - guards;
        prop_assert_eq!(written + counts.unchanged, world.source.len() as u64);
    }

    /// Fail-closed: at no time is anything allowed that neither the live state nor the source allows, and in a bare
    /// namespace no default-deny stands before all its allows do.
    #[test]
    fn no_default_deny_is_created_before_an_allow(world in any_world()) {
        let plan = World { isolation: None, ..world }.resolve().unwrap();
        let is_deny = |act: &Act| {
            act.item.as_ref().and_then(Item::json).is_some_and(|json| json.value()["spec"].get("ingress").is_none())
        };
        let created: Vec<bool> = plan
            .acts()
            .filter(|act| act.verb == Verb::Create && act.key.is_kind("networking.k8s.io", "networkpolicies"))
            .map(is_deny)
            .collect();
        prop_assert!(created.is_sorted(), "{created:?}");
        prop_assert!(plan.acts().all(|act| !guard::is_guard(&act.key)));
    }
}
