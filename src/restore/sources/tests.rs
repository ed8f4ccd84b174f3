//! Choosing, and what a person is told.

use super::*;
use crate::model::{BundleEntry, Extent, IndexEntry, ItemKey, Occasion};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn identity(name: &str, uid: &str) -> ClusterIdentity {
    ClusterIdentity { name: name.into(), uid: uid.into(), kubernetes: "v1.36.3".into() }
}

fn listed(id: &str, cluster: ClusterIdentity, state: SnapshotState, trust: Trust) -> Listed {
    let id: SnapshotId = id.parse().unwrap();
    let header = SnapshotHeader {
        format: 1,
        id: id.clone(),
        set: Set::Network,
        node: None,
        cluster,
        captured_at: time("2026-11-24T01:00:00Z"),
        tool: "0.1.0".into(),
        state,
        reasons: vec!["policies: 403".into()],
        bundles: vec![],
        index_sha256: String::new(),
        sealed_to: vec![],
        occasion: Occasion::Backup,
        reseals: None,
    };
    Listed { id, header: Ok(header), trust, damage: Vec::new(), unseen: Vec::new() }
}

fn named_one(l: &Listed, from_cluster: Option<&str>) -> Result<(SnapshotHeader, String)> {
    let asked = Asked {
        ids: &[],
        anew: "restore --scenario p",
        command_line: &CommandLine::default(),
        node: None,
        components: &BTreeSet::new(),
        cluster: &identity("prod", "u"),
        from_cluster,
        elsewhere: false,
        before: time("2026-11-24T02:00:00Z"),
        now: time("2026-11-24T03:00:00Z"),
    };
    named(std::slice::from_ref(l), &l.id, &asked)
}

const ID: &str = "20261124T010000Z-network-7f3a9c";

#[test]
fn an_untrusted_snapshot_is_refused_even_by_name() {
    let bad =
        listed(ID, identity("prod", "u"), SnapshotState::Complete, Trust::Untrusted("no signature".into()));
    let error = named_one(&bad, None).unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Damaged);
    assert!(error.to_string().contains("no signature"));
}

#[test]
fn another_clusters_snapshot_needs_its_name() {
    let other = listed(ID, identity("test", "v"), SnapshotState::Complete, Trust::Trusted("job".into()));
    let error = named_one(&other, None).unwrap_err();
    assert!(error.hints()[0].contains("--from-cluster test"), "{error:?}");
    assert!(named_one(&other, Some("test")).is_ok());
    assert!(named_one(&other, Some("third")).is_err());
}

#[test]
fn a_person_is_told_what_is_odd_about_a_snapshot() {
    let partial = listed(ID, identity("prod", "old"), SnapshotState::Partial, Trust::Trusted("job".into()));
    let asked = Asked {
        ids: &[],
        anew: "restore --scenario p",
        command_line: &CommandLine::default(),
        node: None,
        components: &BTreeSet::new(),
        cluster: &identity("prod", "new"),
        from_cluster: None,
        elsewhere: false,
        before: time("2026-11-24T00:30:00Z"),
        now: time("2026-11-27T03:00:00Z"),
    };
    let said = remarks(&partial.header.unwrap(), &asked).join("\n");
    for part in ["is partial: policies: 403", "rebuilt", "after the incident began", "3 days old"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    let other = listed(ID, identity("prod", "old"), SnapshotState::Complete, Trust::Trusted("job".into()));
    let drilled = remarks(&other.header.unwrap(), &Asked { elsewhere: true, ..asked }).join("\n");
    assert!(!drilled.contains("rebuilt") && drilled.contains("3 days old"), "{drilled}");
    let asked = Asked { elsewhere: false, ..asked };
    let unknown = listed(ID, identity("prod", ""), SnapshotState::Complete, Trust::Trusted("job".into()));
    assert!(!remarks(&unknown.header.unwrap(), &asked).join("\n").contains("rebuilt"));
}

#[test]
fn why_files_of_another_node_are_passed_over_is_said_with_the_way_out() {
    let mut partial = listed(
        "20261124T010000Z-host-n2-7f3a9c",
        identity("prod", "u"),
        SnapshotState::Partial,
        Trust::Trusted("job".into()),
    );
    let header = partial.header.as_mut().unwrap();
    (header.set, header.node) = (Set::Host, Some("n2".into()));
    let bundle = BundleEntry { component: Component::Host, sha256: String::new(), bytes: 0, items: 0 };
    header.bundles = vec![bundle];
    let components = BTreeSet::from([Component::Host]);
    let asked = Asked {
        ids: &[],
        anew: "restore --scenario cni",
        command_line: &CommandLine::default(),
        node: Some("n1"),
        components: &components,
        cluster: &identity("prod", "u"),
        from_cluster: None,
        elsewhere: false,
        before: time("2026-11-24T02:00:00Z"),
        now: time("2026-11-24T03:00:00Z"),
    };
    let mut picked =
        Picked { headers: BTreeMap::new(), warnings: vec![], not_done: vec![], absent: BTreeSet::new() };
    hosts::elsewhere(std::slice::from_ref(&partial), "prod", &asked, &mut picked);
    let [left] = &picked.not_done[..] else { panic!("{:?}", picked.not_done) };
    for part in [
        "files of node n2: no snapshot of set host of node n2",
        "partial",
        "--snapshot 20261124T010000Z-host-n2-7f3a9c",
    ] {
        assert!(left.what.contains(part), "{part} is missing in {}", left.what);
    }
    assert_eq!((left.node.as_deref(), &left.command), (Some("n2"), &None));
}

#[test]
fn a_namespace_that_is_left_out_now_is_not_restored_from_an_older_snapshot() {
    let entry = |key: ItemKey| IndexEntry {
        key,
        component: Component::Policies,
        class: Class::Config,
        extent: Extent::Whole,
        sha256: String::new(),
    };
    let policy = |namespace| ItemKey::resource("networking.k8s.io", "networkpolicies", Some(namespace), "x");
    let spared = ItemKey::resource("apiextensions.k8s.io", "customresourcedefinitions", None, "a.b");
    let keys = [
        policy("dev"),
        policy("prod"),
        spared.clone(),
        ItemKey::resource("", "namespaces", None, "dev"),
        ItemKey::resource("crd.projectcalico.org", "tiers", None, "dev"),
    ];
    let index = Index { entries: keys.map(entry).into(), ..Index::default() };
    let mut sources = Sources {
        headers: vec![],
        given: None,
        signed_by: String::new(),
        index,
        warnings: vec![],
        not_done: vec![],
        absent: BTreeSet::new(),
    };
    sources.leave_out(&BTreeSet::from(["dev".to_owned()]), &BTreeSet::from([spared]));
    let classes: Vec<Class> = sources.index.entries.iter().map(|entry| entry.class).collect();
    assert_eq!(classes, [Class::Evidence, Class::Config, Class::Evidence, Class::Evidence, Class::Config]);
}

fn host(node: &str, day: u32) -> Listed {
    let id = format!("202611{day:02}T010000Z-host-{node}-7f3a9c");
    let mut listed =
        listed(&id, identity("prod", "u"), SnapshotState::Complete, Trust::Trusted("job".into()));
    if let Ok(header) = &mut listed.header {
        (header.set, header.node) = (Set::Host, Some(node.into()));
        header.captured_at = time(&format!("2026-11-{day:02}T01:00:00Z"));
        let (sha256, bytes, items) = (String::new(), 0, 0);
        header.bundles = vec![BundleEntry { component: Component::Host, sha256, bytes, items }];
    }
    listed
}

fn picked(listed: &[Listed], ids: &[SnapshotId], node: Option<&str>) -> Result<(Vec<String>, Vec<String>)> {
    let asked = Asked {
        ids,
        anew: "restore --plan my.yaml",
        command_line: &CommandLine::default().with("--repo", "r".as_ref()).here("--host-root", "h".as_ref()),
        node,
        components: &BTreeSet::from([Component::Host]),
        cluster: &identity("prod", "u"),
        from_cluster: None,
        elsewhere: false,
        before: time("2026-11-24T02:00:00Z"),
        now: time("2026-11-24T03:00:00Z"),
    };
    let picked = pick(listed, &asked)?;
    let here = picked.headers.values().map(|(header, _)| header.id.to_string()).collect();
    Ok((here, picked.not_done.iter().map(ToString::to_string).collect()))
}

#[test]
fn of_each_nodes_files_one_snapshot_is_taken_and_only_this_nodes_here() {
    let all = [host("n1", 20), host("n1", 21), host("n2", 20), host("n2", 21)];
    let id = |number: usize| all[number].id.to_string();
    let command = |id: &str| format!("on n2: netdr restore --plan my.yaml --snapshot {id} --repo r");
    let (here, elsewhere) = picked(&all, &[], Some("n1")).unwrap();
    assert_eq!(here, [id(1)]);
    assert!(elsewhere.len() == 1 && elsewhere[0].ends_with(&command(&id(3))), "{elsewhere:?}");
    let ids = [all[0].id.clone(), all[2].id.clone()];
    let (here, elsewhere) = picked(&all, &ids, Some("n1")).unwrap();
    assert_eq!(here, [id(0)]);
    assert!(elsewhere[0].ends_with(&command(&id(2))), "{elsewhere:?}");
    let (here, elsewhere) = picked(&all, &[], None).unwrap();
    assert_eq!((here.len(), elsewhere.len()), (0, 2), "no node: all of them are elsewhere");
    let twice = [all[0].id.clone(), all[1].id.clone()];
    assert_eq!(picked(&all, &twice, Some("n1")).unwrap_err().kind(), crate::Kind::Usage);
    let unknown = picked(&all, &[], Some("n3")).unwrap_err();
    assert!(unknown.to_string().contains("there are files of n1, n2"), "{unknown}");
}

#[test]
fn a_plan_of_several_components_goes_on_without_a_set_and_says_so() {
    let network = || {
        let mut network =
            listed(ID, identity("prod", "u"), SnapshotState::Complete, Trust::Trusted("job".into()));
        if let Ok(header) = &mut network.header {
            let bundle = |component| BundleEntry { component, sha256: String::new(), bytes: 0, items: 0 };
            header.bundles = [Component::Cni, Component::Policies].map(bundle).into();
        }
        network
    };
    let pick_for = |listed: &[Listed], components: &[Component], node| {
        let asked = Asked {
            ids: &[],
            anew: "restore --scenario p",
            command_line: &CommandLine::default(),
            node,
            components: &components.iter().copied().collect(),
            cluster: &identity("prod", "u"),
            from_cluster: None,
            elsewhere: false,
            before: time("2026-11-24T02:00:00Z"),
            now: time("2026-11-24T03:00:00Z"),
        };
        pick(listed, &asked)
    };
    let all = [Component::Host, Component::Cni, Component::Policies, Component::Certificates];
    // Never captured: nobody can do anything about that.
    let picked = pick_for(&[network()], &all, Some("n1")).unwrap();
    assert_eq!((picked.headers.len(), picked.not_done.len()), (1, 0), "{picked:?}");
    assert_eq!(picked.absent, BTreeSet::from([Set::Host, Set::Certificates]));
    assert!(picked.warnings.iter().any(|w| w.contains("set certificates is passed over")), "{picked:?}");
    // A machine that is no server has none either, where there is none at all.
    assert_eq!(pick_for(&[network()], &all, None).unwrap().absent.len(), 2);
    // Captured, and of no use: somebody has to see to it.
    let bad = "20261124T010000Z-certificates-7f3a9c";
    let bad = listed(bad, identity("prod", "u"), SnapshotState::Complete, Trust::Untrusted("no".into()));
    let picked = pick_for(&[network(), bad, host("n2", 20)], &all, Some("n1")).unwrap();
    let said: Vec<String> = picked.not_done.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    let says = |parts: [&str; 2]| said.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(says(["of node n1", "there are files of n2"]), "{said:?}");
    assert!(says(["is untrusted: no", "netdr verify 2026"]), "{said:?}");
    // A plan about one component needs its sets, and every plan needs one.
    let one = [Component::Host, Component::Cni];
    assert!(
        pick_for(&[network()], &one, Some("n1")).unwrap_err().to_string().contains("set host of node n1")
    );
    assert!(pick_for(&[], &all, None).is_err());
}

#[test]
fn a_source_that_is_gone_is_what_it_was_sealed_anew_as_and_that_is_said() {
    let trusted =
        |id| listed(id, identity("prod", "u"), SnapshotState::Complete, Trust::Trusted("job".into()));
    let (old, mut anew) = (trusted(ID), trusted("20261124T010000Z-network-000001"));
    if let Ok(header) = &mut anew.header {
        header.reseals = Some(old.id.clone());
    }
    let mut chosen = Chosen::Snapshots(vec![old.id.clone()]);
    assert!(chosen.follow(&[old.clone(), anew.clone()]).is_empty(), "it is there");
    let said = chosen.follow(std::slice::from_ref(&anew));
    assert!(said.len() == 1 && said[0].contains(ID) && said[0].ends_with(anew.id.as_str()), "{said:?}");
    assert_eq!(chosen, Chosen::Snapshots(vec![anew.id]));
    let mut gone = Chosen::Snapshots(vec![old.id.clone()]);
    assert!(gone.follow(&[]).is_empty());
    assert_eq!(gone.snapshots(), [old.id], "it is missed by the name under which it was known");
}

#[test]
fn a_set_that_the_plan_does_not_use_is_a_usage_error() {
    let network = listed(ID, identity("prod", "u"), SnapshotState::Complete, Trust::Trusted("job".into()));
    let asked = Asked {
        ids: std::slice::from_ref(&network.id),
        anew: "restore --scenario p",
        command_line: &CommandLine::default(),
        node: None,
        components: &BTreeSet::from([Component::Certificates]),
        cluster: &identity("prod", "u"),
        from_cluster: None,
        elsewhere: false,
        before: time("2026-11-24T02:00:00Z"),
        now: time("2026-11-24T03:00:00Z"),
    };
    assert_eq!(pick(std::slice::from_ref(&network), &asked).unwrap_err().kind(), crate::Kind::Usage);
}

#[test]
fn what_a_change_occasioned_is_latest_only_where_the_incident_is_dated() {
    let of = |id: &str, occasion| {
        let mut one =
            listed(id, identity("prod", "u"), SnapshotState::Complete, Trust::Trusted("job".into()));
        let header = one.header.as_mut().unwrap();
        let bundle =
            BundleEntry { component: Component::Policies, sha256: String::new(), bytes: 0, items: 0 };
        (header.bundles, header.occasion, header.captured_at) =
            (vec![bundle], occasion, one.id.captured_at());
        one
    };
    let night = of(ID, Occasion::Backup);
    let changes = ["20261124T010500Z-network-00000a", "20261124T011000Z-network-00000b"]
        .map(|id| of(id, Occasion::Change));
    let [_, newest] = &changes;
    let all = [std::slice::from_ref(&night), &changes[..]].concat();
    let now = time("2026-11-24T03:00:00Z");
    let pick_before = |listed: &[Listed], ids: &[SnapshotId], before| {
        let asked = Asked {
            ids,
            anew: "restore --scenario p",
            command_line: &CommandLine::default(),
            node: None,
            components: &BTreeSet::from([Component::Policies]),
            cluster: &identity("prod", "u"),
            from_cluster: None,
            elsewhere: false,
            before,
            now,
        };
        pick(listed, &asked).map(|picked| {
            let ids: Vec<SnapshotId> = picked.headers.into_values().map(|(header, _)| header.id).collect();
            (ids, picked.warnings)
        })
    };
    let way_out = format!("it is taken with --incident-start TIME or --snapshot {}", newest.id);
    let (ids, said) = pick_before(&all, &[], now).unwrap();
    assert_eq!((ids, said.len()), (vec![night.id.clone()], 1), "many are one line");
    assert!(said[0].contains(&format!("newer snapshot {} was passed over", newest.id)), "{said:?}");
    assert!(said[0].ends_with(&way_out), "{said:?}");
    let (ids, _) = pick_before(&all, &[], time("2026-11-24T01:07:00Z")).unwrap();
    assert_eq!(ids, [changes[0].id.clone()], "it is the newest from before the incident");
    let named = std::slice::from_ref(&newest.id);
    assert_eq!(pick_before(&all, named, now).unwrap(), (named.to_vec(), vec![]));
    let none = pick_before(&changes, &[], now).unwrap_err();
    assert!(none.hints().iter().any(|hint| hint.ends_with(&way_out)), "{none:?}");
}
