//! What of a file is filtered changes, and the history says so.

use super::*;

#[test]
fn a_change_of_what_is_filtered_is_a_commit_that_says_so_and_shows_nothing() {
    let mut bench = Bench::new();
    let peer = |name: &str, password: &str, asn: u32| {
        let object = json!({"metadata": {"name": name, "namespace": "shop"},
            "spec": {"myASN": asn, "password": password}});
        resource(Component::Loadbalancer, "metallb.io", "bgppeers", name, object)
    };
    let release = |token: &str| Item {
        key: ItemKey::Release { namespace: "traefik".into(), name: "traefik".into() },
        content: Content::Release(Json::new(&json!({"release": {"name": "traefik", "namespace": "traefik",
            "config": {"token": token}, "chart": {"metadata": {"name": "traefik"}}}}))),
        ..resource(Component::Ingress, "", "", "", json!({}))
    };
    bench.record(&[peer("a", MARKER, 1), peer("b", MARKER, 1), release(MARKER)]);
    let same = bench.record(&[peer("a", MARKER, 1), peer("b", MARKER, 1), release(MARKER)]);
    assert_eq!(same.commits, [], "the same secrets have the same marks");
    let mark = |name: &str| {
        let file = bench.show(&format!("loadbalancer/review/metallb.io/bgppeers/shop/{name}.yaml"));
        file.lines().next().unwrap().to_owned()
    };
    assert_ne!(mark("a"), mark("b"), "nobody sees that two have the same secret");

    let changed = bench.record(&[peer("a", "other", 1), peer("b", "other", 2), release("other")]);
    assert_eq!((changed.commits.len(), changed.commits[0].changed), (1, 3));
    let message = bench.git(&["log", "-1", "--format=%B", "netdr"]);
    let told = "changed:\n  bgppeers.metallb.io shop/b (loadbalancer)\n\nchanged in filtered fields:\n  helm release \
                traefik/traefik (ingress)\n  bgppeers.metallb.io shop/a (loadbalancer)\n";
    assert!(message.starts_with("network of lab: 1 changed, 2 changed in filtered fields\n"), "{message}");
    assert!(message.contains(told), "{message}");
    let all = bench.git(&["cat-file", "--batch-all-objects", "--batch", "--buffer"]);
    assert!(!all.contains(MARKER), "{all}");
}
