use Component::Policies;

use super::*;

const STEP: &str = "apply: {component: policies, kinds: [networkpolicies.networking.k8s.io], extras: delete, \
                    isolation: fail-closed}";

/// Allows and a default-deny come back into a bare namespace, and into one that kept its default-deny.
fn two_namespaces() -> World {
    let homes = ["bare", "held"].map(|name| namespace(Policies, name));
    World::new(&[STEP])
        .source(homes.clone())
        .source([policy("bare", "a-deny", None), policy("bare", "dns", Some("10.43.0.10/32"))])
        .source([policy("held", "deny", None), policy("held", "web", Some("10.0.0.0/8"))])
        .live(homes)
        .live([policy("held", "deny", None)])
}

#[test]
fn fail_closed_creates_allows_before_default_deny() -> Result<()> {
    assert_eq!(story(&two_namespaces().resolve()?), "create dns, create web | create a-deny");
    Ok(())
}

#[test]
fn whatever_allows_nothing_comes_after_what_allows() -> Result<()> {
    let spec = |spec: Value| json!({"spec": spec});
    let of = |name: &str, fields| {
        item(Policies, "networking.k8s.io", "networkpolicies", "NetworkPolicy", ("held", name), fields)
    };
    let global = |name: &str, fields| {
        item(
            Policies,
            "crd.projectcalico.org",
            "globalnetworkpolicies",
            "GlobalNetworkPolicy",
            ("", name),
            fields,
        )
    };
    let step = "apply: {component: policies, kinds: [globalnetworkpolicies.crd.projectcalico.org, \
                networkpolicies.networking.k8s.io], isolation: fail-closed}";
    let plan = World::new(&[step])
        .source([namespace(Policies, "held"), policy("held", "deny", None)])
        .source([of("a-cut", spec(json!({"podSelector": {"matchLabels": {"app": "db"}}})))])
        .source([global("a-rest", spec(json!({"selector": "!has(x)", "ingress": [{"action": "Deny"}]})))])
        .source([global("mixed", spec(json!({"ingress": [{"action": "Deny"}, {"action": "Allow"}]})))])
        .source([policy("held", "web", Some("10.0.0.0/8"))])
        .live([namespace(Policies, "held"), policy("held", "deny", Some("0.0.0.0/0"))])
        .resolve()?;
    assert_eq!(story(&plan), "create mixed | create web | create a-rest, create a-cut, replace deny");
    Ok(())
}

#[test]
fn guarded_holds_every_namespace_open_of_which_a_policy_is_written_and_lets_go_last() -> Result<()> {
    let same = [namespace(Policies, "same"), policy("same", "dns", None)];
    let world = two_namespaces().source(same.clone()).live(same);
    let plan = World { isolation: Some(Isolation::Guarded), ..world }.resolve()?;
    let guard = "netdr-guard-20261124t010000z-p-000001";
    assert_eq!(
        story(&plan),
        format!(
            "create {guard}, create {guard} | create dns, create web | create a-deny | \
             delete {guard}, delete {guard}"
        )
    );
    let acts: Vec<&Act> = plan.acts().filter(|act| act.key.name() == guard).collect();
    assert!(acts.iter().all(|act| act.live.is_none()));
    let held: Vec<_> = acts.iter().filter_map(|act| act.key.namespace()).collect();
    assert_eq!(held, ["bare", "held", "bare", "held"]);
    assert!(plan.differences.iter().all(|difference| difference.key.name() != guard));
    Ok(())
}

#[test]
fn the_digest_is_of_what_is_done_and_not_of_the_run() -> Result<()> {
    let guarded = |run| World { isolation: Some(Isolation::Guarded), run, ..two_namespaces() };
    let first = guarded("20261124T010000Z-p-000001").resolve()?.digest();
    assert_eq!(first, guarded("20261124T020000Z-p-000002").resolve()?.digest());
    assert_ne!(first, two_namespaces().resolve()?.digest());
    assert_ne!(
        World { cluster: "another's", ..two_namespaces() }.resolve()?.digest(),
        two_namespaces().resolve()?.digest()
    );
    let changed = two_namespaces().live([policy("bare", "dns", Some("0.0.0.0/0"))]).resolve()?.digest();
    assert_ne!(changed, two_namespaces().resolve()?.digest());
    Ok(())
}

#[test]
fn a_guard_left_by_an_interrupted_run_is_taken_away_and_no_difference() -> Result<()> {
    let guard = |world: &World| super::super::super::guard::guard(world.run, "bare");
    let world = two_namespaces();
    let guard = guard(&world);
    let mut plan = world.live([guard.clone()]).resolve()?;
    let name = guard.key.name();
    assert_eq!(story(&plan), format!("create dns, create web | create a-deny | delete {name}"));
    let acts = plan.steps.iter_mut().flat_map(|step| &mut step.batches).flat_map(|batch| &mut batch.acts);
    let delete = acts.filter(|act| act.verb == Verb::Delete);
    delete.for_each(|act| act.live = Some(guard.content.clone())); // as if it had been read since
    assert_eq!(plan.overwritten().values().flatten().count(), 0, "undo would open the namespace");
    assert_eq!(plan.acts().last().and_then(|act| act.seen.clone()), Some(seen(&guard.key)));
    Ok(())
}

#[test]
fn a_guard_that_a_backup_saw_is_not_brought_back() -> Result<()> {
    let world = two_namespaces();
    let guard = super::super::super::guard::guard(world.run, "bare");
    let plan = world.source([guard]).resolve()?;
    assert_eq!(story(&plan), "create dns, create web | create a-deny");
    Ok(())
}

#[test]
fn a_kind_that_is_read_in_part_and_a_namespace_that_goes_have_no_extras() -> Result<()> {
    let secret = |name| item(Policies, "", "secrets", "Secret", ("held", name), json!({}));
    let world = two_namespaces().source([secret("named")]).live([secret("named"), secret("named-since")]);
    let rest = World::new(&["apply: {component: policies, kinds: [secrets]}"]);
    let plan = World { plan: rest.plan, ..world }.resolve()?;
    assert_eq!((story(&plan), plan.kept.len()), (String::new(), 0));

    let leaving = two_namespaces().live([policy("held", "extra", None)]);
    let plan = World { terminating: vec!["held"], ..leaving }.resolve()?;
    assert_eq!(plan.counts().delete, 0);
    Ok(())
}

#[test]
fn extras_go_last_and_only_from_namespaces_the_source_knows() -> Result<()> {
    let world = two_namespaces().live([
        policy("held", "a-hole", Some("0.0.0.0/0")),
        policy("held", "z-cut", None),
        policy("unknown", "theirs", Some("0.0.0.0/0")),
    ]);
    let plan = world.resolve()?;
    assert_eq!(story(&plan), "create dns, create web | create a-deny | delete z-cut | delete a-hole");
    let stays = "stays: policies in namespaces that the source lacks: networkpolicies.networking.k8s.io unknown/theirs;";
    assert!(plan.warnings.iter().any(|warning| warning.starts_with(stays)), "{:?}", plan.warnings);
    let delete = plan.acts().last().map(|act| (act.verb, act.seen.is_some(), act.live.is_some()));
    assert_eq!(delete, Some((Verb::Delete, true, true)));

    let kept = World { keep_extras: true, ..world };
    let plan = kept.resolve()?;
    assert_eq!(plan.counts().delete, 0);
    assert_eq!(plan.kept.len(), 2);

    let partial = World { keep_extras: false, complete: false, ..kept };
    let plan = partial.resolve()?;
    assert_eq!(plan.counts().delete, 0);
    assert!(reasons(&plan.kept)[0].contains("not complete"));

    let reporting = World { plan: partial.plan.replace("extras: delete, ", ""), complete: true, ..partial };
    let plan = reporting.resolve()?;
    assert_eq!((plan.counts().delete, plan.kept.len()), (0, 2));
    Ok(())
}

#[test]
fn the_shipped_plan_puts_tiers_before_policies_and_takes_them_away_after() -> Result<()> {
    let calico = |plural, kind, at, fields| item(Policies, "crd.projectcalico.org", plural, kind, at, fields);
    let tier = |name| calico("tiers", "Tier", ("", name), json!({"spec": {"order": 1}}));
    let global = |name, spec| {
        calico("globalnetworkpolicies", "GlobalNetworkPolicy", ("", name), json!({"spec": spec}))
    };
    let allow = json!({"tier": "t", "selector": "all()", "ingress": [{"action": "Allow"}]});
    let endpoint = |name| calico("hostendpoints", "HostEndpoint", ("", name), json!({}));
    let plan = World::built_in("network-policies")
        .source([labelled(Policies, "demo", json!({"a": "b"})), tier("t"), endpoint("node")])
        .source([global("cut", json!({"tier": "t", "selector": "all()"})), global("let", allow.clone())])
        .source([policy("demo", "web", Some("10.0.0.0/8"))])
        .live([namespace(Policies, "demo"), tier("extra-tier"), tier("default"), global("extra", allow)])
        .live([namespace(Policies, "new-since")])
        .resolve()?;
    assert_eq!(
        story(&plan),
        "merge demo | create t | create let | create web | create cut | delete extra | delete extra-tier \
         | create node"
    );
    assert_eq!(reasons(&plan.kept), ["default: extra: Calico makes this tier itself"]);
    Ok(())
}

#[test]
fn an_extra_of_a_kind_that_is_newer_than_the_source_stays() -> Result<()> {
    let of = |group, plural, kind, name| item(Policies, group, plural, kind, ("", name), json!({}));
    let name = "adminnetworkpolicies.policy.networking.k8s.io";
    let definition =
        of("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", name);
    let admin = of("policy.networking.k8s.io", "adminnetworkpolicies", "AdminNetworkPolicy", "fence");
    let world = World::built_in("network-policies").source([namespace(Policies, "demo")]).live([
        namespace(Policies, "demo"),
        policy("demo", "hole", Some("0.0.0.0/0")),
        admin,
    ]);
    let plan = world.resolve()?;
    assert_eq!(story(&plan), "delete hole");
    assert!(reasons(&plan.kept)[0].contains("fence: extra: left alone, for the source has neither"));
    let plan = world.source([definition.clone()]).live([definition]).resolve()?;
    assert_eq!(story(&plan), "delete fence | delete hole");
    Ok(())
}

#[test]
fn a_kind_of_policy_comes_back_with_its_definition() -> Result<()> {
    let (group, plural) = ("apiextensions.k8s.io", "customresourcedefinitions");
    let name = "adminnetworkpolicies.policy.networking.k8s.io";
    let definition = item(Policies, group, plural, "CustomResourceDefinition", ("", name), json!({}));
    let admin = ("policy.networking.k8s.io", "adminnetworkpolicies", "AdminNetworkPolicy");
    let admin = item(Policies, admin.0, admin.1, admin.2, ("", "let"), json!({}));
    let world = World::built_in("network-policies").source([definition, admin]);
    let plan = World { absent_kinds: vec!["adminnetworkpolicies"], ..world }.resolve()?;
    assert_eq!(story(&plan), format!("create {name} | create let"));
    assert_eq!(plan.steps[0].gates, [crate::plan::Gate::Established(name.into())]);
    Ok(())
}

/// A namespace of RKE2's, with the gates of its default policies that are open.
fn gated(gates: &[&str]) -> Item {
    let annotations: BTreeMap<String, &str> =
        gates.iter().map(|gate| (format!("np.rke2.io{gate}"), "resolved")).collect();
    let fields = json!({"metadata": {"annotations": annotations}});
    Item {
        extent: Extent::Fields,
        ..item(Policies, "", "namespaces", "Namespace", ("", "kube-system"), fields)
    }
}

#[test]
fn rke2s_own_policies_come_back_with_the_annotations_that_gate_them() -> Result<()> {
    let defaults = [
        policy("kube-system", "default-network-policy", None),
        policy("kube-system", "default-network-dns-policy", Some("0.0.0.0/0")),
    ];
    let flannel = |cidr| Item {
        class: Class::Generated,
        ..policy("kube-system", "rke2-flannel-host-networking", Some(cidr))
    };
    let world = World::built_in("network-policies")
        .source([gated(&["", "/dns"]), flannel("10.42.0.0/32")])
        .source(defaults.clone())
        .live([gated(&["/dns"]), flannel("10.42.9.0/32")]);
    // With its annotation RKE2 never makes a policy again; without it RKE2 deletes what it finds and makes its own.
    assert_eq!(
        story(&world.resolve()?),
        "merge kube-system | create default-network-dns-policy | create default-network-policy"
    );
    // One that RKE2 learnt to make since goes with its gate, so that RKE2 makes it again.
    let plan = World::built_in("network-policies")
        .source([gated(&[""]), defaults[0].clone()])
        .live([
            gated(&["", "/traefik"]),
            defaults[0].clone(),
            policy("kube-system", "default-network-traefik-policy", Some("0.0.0.0/0")),
        ])
        .resolve()?;
    assert_eq!(story(&plan), "merge kube-system | delete default-network-traefik-policy");
    Ok(())
}

fn calico(plural: &str, name: &str, order: u8) -> Item {
    let at = (if plural == "networkpolicies" { "demo" } else { "" }, name);
    let spec = json!({"spec": {"order": order, "tier": "default", "ingress": [{"action": "Allow"}]}});
    item(Policies, "crd.projectcalico.org", plural, "Policy", at, spec)
}

#[test]
fn policies_that_calico_renamed_since_are_neither_made_twice_nor_deleted() -> Result<()> {
    for (before, after) in [("default.web", "web"), ("web", "default.web")] {
        let plan = World::built_in("network-policies")
            .source([
                namespace(Policies, "demo"),
                calico("networkpolicies", before, 1),
                calico("networkpolicies", "gone", 1),
            ])
            .source([calico("globalnetworkpolicies", "default.edge", 1)])
            .live([namespace(Policies, "demo"), calico("networkpolicies", after, 1)])
            .resolve()?;
        assert_eq!(story(&plan), "create default.edge", "{after}");
        assert_eq!(plan.refused.len(), 2);
        assert!(reasons(&plan.refused)[0].contains("Calico renamed its policies"), "{:?}", plan.refused);
        assert!(reasons(&plan.kept)[0].contains("Calico renamed"), "{:?}", plan.kept);
    }
    // Names that look alike on one side are two policies.
    let both = [calico("networkpolicies", "default.web", 1), calico("networkpolicies", "web", 1)];
    let plan = World::built_in("network-policies")
        .source([namespace(Policies, "demo")])
        .source(both.clone())
        .live([namespace(Policies, "demo"), both[1].clone()])
        .resolve()?;
    assert_eq!(story(&plan), "create default.web");
    Ok(())
}

#[test]
fn another_calico_is_said_where_its_policies_are_written() -> Result<()> {
    let definition = |version: u8| {
        let (group, plural) = ("apiextensions.k8s.io", "customresourcedefinitions");
        let name = "globalnetworkpolicies.crd.projectcalico.org";
        item(
            Policies,
            group,
            plural,
            "CustomResourceDefinition",
            ("", name),
            json!({"spec": {"version": version}}),
        )
    };
    let world = |live: u8| {
        World::built_in("network-policies")
            .source([definition(1), calico("globalnetworkpolicies", "default.edge", 1)])
            .live([definition(live)])
    };
    assert_eq!(world(1).resolve()?.warnings, Vec::<String>::new());
    let plan = world(2).resolve()?;
    assert_eq!(story(&plan), "create default.edge");
    assert!(
        plan.warnings[0].contains("its Calico is another one: 3.32 and later name a policy NAME"),
        "{:?}",
        plan.warnings
    );
    let untouched = world(2).live([calico("globalnetworkpolicies", "default.edge", 1)]);
    assert_eq!(untouched.resolve()?.warnings, Vec::<String>::new());
    Ok(())
}

/// As `drift --against git` judges it: what nobody authors is left alone where it has no namespace, and goes where somebody
/// authors the namespace.
#[test]
fn what_only_the_cluster_has_counts_where_somebody_authors_something() -> Result<()> {
    let calico = |plural: &str, kind: &str, at: (&str, &str)| {
        item(Policies, "crd.projectcalico.org", plural, kind, at, json!({"spec": {}}))
    };
    let global = |name: &str| calico("globalnetworkpolicies", "GlobalNetworkPolicy", ("", name));
    let live = [
        namespace(Policies, "demo"),
        namespace(Policies, "other"),
        policy("other", "theirs", None),
        calico("networkpolicies", "NetworkPolicy", ("demo", "slipped-in")),
        global("metadata-service"),
    ];
    let mut world = World::built_in("network-policies").source([namespace(Policies, "demo")]).live(live);
    world.source_names = vec![SourceName::Git { url: "/k8s".into(), commit: "a".repeat(40) }];
    let plan = world.resolve()?;
    assert_eq!(story(&plan), "delete slipped-in");
    assert_eq!(
        reasons(&plan.kept),
        ["metadata-service: extra: left alone, for nobody authors an object of its kind there"]
    );
    let authored = world.source([global("edge")]).live([global("edge")]);
    assert_eq!(authored.resolve()?.changes().count(), 2, "somebody authors one: the other is an extra");
    Ok(())
}

/// Any other source would have it: a snapshot that lacks it says that somebody added it.
#[test]
fn what_velero_never_saves_is_no_extra_of_its_backup() -> Result<()> {
    let mut kept = policy("demo", "kept", Some("10.0.0.0/8"));
    let mut object = kept.json().map(Json::value).unwrap_or_default();
    object["metadata"]["labels"] = json!({"velero.io/exclude-from-backup": "true"});
    kept.content = Content::Resource(Json::new(&object));
    let mut world = World::built_in("network-policies")
        .source([namespace(Policies, "demo")])
        .live([namespace(Policies, "demo"), kept]);
    assert_eq!(story(&world.resolve()?), "delete kept");
    world.source_names = vec![SourceName::Velero { file: "nightly.tar.gz".into(), sha256: "0".repeat(64) }];
    let plan = world.resolve()?;
    assert_eq!(story(&plan), "");
    assert!(reasons(&plan.kept)[0].contains("exclude-from-backup"), "{:?}", plan.kept);
    Ok(())
}
