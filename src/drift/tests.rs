//! The rules on examples; the page that has their table.

use chrono::TimeDelta;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};

use super::*;

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn resource(value: &Value) -> Content {
    Content::Resource(Json::new(value))
}

/// A difference as a comparison leaves it: fields where both sides are known.
pub(super) fn seen(
    component: Component,
    key: ItemKey,
    before: Option<Value>,
    after: Option<Value>,
    opened: bool,
) -> Seen {
    let change = match (&before, &after) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    let stored = before.as_ref().map(|before| {
        let (key, content) = (key.clone(), resource(before));
        Item { key, component, class: Class::Config, extent: Extent::Whole, content }.sha256()
    });
    let before = before.filter(|_| opened);
    let fields = match (&before, &after) {
        (Some(before), Some(after)) => diff::fields(&key, &resource(before), &resource(after)),
        _ => Vec::new(),
    };
    Seen {
        difference: Difference { key, component, change, fields },
        before: before.as_ref().map(resource),
        after: after.as_ref().map(resource),
        stored,
        was_tls: false,
        autoscaled: false,
        since: now() - TimeDelta::days(1),
    }
}

fn judged(seen: Seen) -> Report {
    Report::of(vec![seen], &Traces::default(), Severity::Low, now())
}

fn worst(report: &Report) -> Option<Severity> {
    report.items.first().map(|finding| finding.severity)
}

fn severity(seen: Seen) -> Severity {
    worst(&judged(seen)).unwrap()
}

fn policy(before: Option<Value>, after: Option<Value>, opened: bool) -> Seen {
    let key = ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), "x");
    let whole = |spec: Value| json!({"metadata": {"name": "x"}, "spec": spec});
    seen(Component::Policies, key, before.map(whole), after.map(whole), opened)
}

#[test]
fn a_policy_is_judged_by_what_it_became() {
    let (deny, allow) = (json!({"podSelector": {}}), json!({"podSelector": {}, "ingress": [{}]}));
    let port = json!({"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]});
    let app = json!({"podSelector": {"matchLabels": {"app": "a"}}});
    assert_eq!(severity(policy(Some(deny.clone()), None, false)), Severity::Critical);
    assert_eq!(severity(policy(None, Some(allow.clone()), false)), Severity::Critical);
    assert_eq!(severity(policy(Some(deny.clone()), Some(allow.clone()), false)), Severity::Critical);
    assert_eq!(severity(policy(Some(deny.clone()), Some(port), false)), Severity::High);
    assert_eq!(severity(policy(None, Some(deny.clone()), false)), Severity::High);
    // Only who opens the snapshot sees that it denied by default, or that it allowed everything before.
    assert_eq!(severity(policy(Some(deny.clone()), Some(app.clone()), false)), Severity::High);
    assert_eq!(severity(policy(Some(deny), Some(app), true)), Severity::Critical);
    let both = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let one = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    assert_eq!(severity(policy(Some(both), Some(one), true)), Severity::Critical, "egress is open");
    let wider = json!({"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]});
    assert_eq!(severity(policy(Some(allow), Some(wider), true)), Severity::High);
}

#[test]
fn what_may_be_graver_than_is_known_is_said_and_no_limit_hides_it() {
    let (deny, app) = (json!({"podSelector": {}}), json!({"podSelector": {"matchLabels": {"app": "a"}}}));
    let at_least = |seen: Seen, least| Report::of(vec![seen], &Traces::default(), least, now());
    let sealed = policy(Some(deny.clone()), Some(app.clone()), false);
    let report = at_least(sealed, Severity::Critical);
    let [finding] = &report.items[..] else { panic!("{report:?}") };
    assert_eq!((finding.severity, finding.may_be), (Severity::High, Some(Severity::Critical)));
    let said = lines(finding).join("\n");
    assert!(
        said.contains("may be critical, for what it was is sealed: a default-deny denies no longer"),
        "{said}"
    );
    assert_eq!((report.sealed(), report.less_grave), (1, 0));
    // Who opens the snapshot knows, and what still denies all has lost nothing.
    let opened = at_least(policy(Some(app.clone()), Some(json!({})), true), Severity::Critical);
    assert_eq!((opened.items.len(), opened.less_grave), (0, 1));
    let both = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    assert_eq!(judged(policy(Some(deny), Some(both), false)).sealed(), 0);
    assert_eq!(judged(policy(None, Some(app), false)).sealed(), 0, "of what is new all is known");
}

/// The index names the Secrets that had a certificate; of others nobody knows what they were.
#[test]
fn a_secret_that_is_gone_was_a_tls_secret_only_where_the_index_says_so() {
    let key = ItemKey::resource("", "secrets", Some("cert-manager"), "cloudflare-tls");
    let gone = |was_tls| {
        let before = Some(json!({"type": "Opaque"}));
        let seen = seen(Component::Certificates, key.clone(), before, None, false);
        judged(Seen { was_tls, ..seen }).items.remove(0)
    };
    assert_eq!((gone(true).severity, gone(true).may_be), (Severity::Critical, None));
    assert_eq!((gone(false).severity, gone(false).may_be), (Severity::High, Some(Severity::Critical)));
}

/// What was open to everybody already is not news; that it was is known where nothing but the mode differs.
#[test]
fn a_file_is_exposed_where_it_was_not_before() {
    let key = ItemKey::File { node: "n1".into(), path: "/etc/rancher/rke2/config.yaml".into() };
    let file = |mode, bytes: &str| FileContent { mode, uid: 0, gid: 0, bytes: bytes.into() };
    let change = |before: FileContent, after: FileContent, opened: bool| {
        let difference = Difference {
            component: Component::Host,
            key: key.clone(),
            change: Change::Changed,
            fields: vec![],
        };
        let stored = Some(before.sha256());
        let before = opened.then_some(Content::File(before));
        let (after, since) = (Some(Content::File(after)), now() - TimeDelta::days(1));
        let seen = Seen { difference, before, after, stored, was_tls: false, autoscaled: false, since };
        let found = judged(seen).items.remove(0);
        (found.severity, found.may_be)
    };
    let (closed, open) = (file(0o600, "a"), file(0o644, "a"));
    assert_eq!(change(closed.clone(), open.clone(), false), (Severity::Critical, None), "the mode alone");
    assert_eq!(change(closed, file(0o644, "b"), true), (Severity::Critical, None));
    let edited = file(0o644, "b");
    assert_eq!(change(open.clone(), edited.clone(), false), (Severity::High, Some(Severity::Critical)));
    assert_eq!(change(open, edited, true), (Severity::High, None));
}

#[test]
fn words_that_nothing_reads_are_low_and_those_that_something_reads_are_not() {
    let ingress = |annotation: &str, opened: bool| {
        let object =
            |value: Value| json!({"metadata": {"name": "x", "annotations": value}, "spec": {"rules": []}});
        let key = ItemKey::resource("networking.k8s.io", "ingresses", Some("demo"), "x");
        severity(seen(
            Component::Ingress,
            key,
            Some(object(json!({}))),
            Some(object(json!({annotation: "y"}))),
            opened,
        ))
    };
    assert_eq!(ingress("example.org/owner", true), Severity::Low);
    assert_eq!(ingress("example.org/owner", false), Severity::Medium, "nobody knows what else differs");
    assert_eq!(ingress("traefik.ingress.kubernetes.io/router.tls", true), Severity::Medium);
    let labels = |labels: Value| Some(json!({"metadata": {"name": "x", "labels": labels}}));
    for (component, key) in [
        (Component::Policies, ItemKey::resource("", "namespaces", None, "x")),
        (
            Component::Loadbalancer,
            ItemKey::resource("metallb.io", "ipaddresspools", Some("metallb-system"), "x"),
        ),
        (Component::Cni, ItemKey::resource("rbac.authorization.k8s.io", "clusterroles", None, "x")),
    ] {
        let labelled = seen(component, key.clone(), labels(json!({})), labels(json!({"a": "b"})), true);
        assert_eq!(severity(labelled), Severity::High, "{key}");
    }
}

#[test]
fn a_route_that_lost_what_guards_it_is_graver_than_one_that_has_it_elsewhere() {
    let key = ItemKey::resource("traefik.io", "ingressroutes", Some("demo"), "x");
    let route = |middlewares: Value| json!({"spec": {"routes": [{"match": "Host(`x`)", "middlewares": middlewares}]}});
    let (guarded, open) = (route(json!([{"name": "lab-only"}])), route(json!([])));
    let change = |before: &Value, after: &Value| {
        severity(seen(Component::Ingress, key.clone(), Some(before.clone()), Some(after.clone()), true))
    };
    assert_eq!(change(&guarded, &open), Severity::High);
    assert_eq!(change(&open, &guarded), Severity::Medium);
}

#[test]
fn an_item_of_several_bundles_is_one_finding_and_the_gravest_comes_first() {
    let namespace = |component| {
        let key = ItemKey::resource("", "namespaces", None, "x");
        let labels = |value: Value| Some(json!({"metadata": {"name": "x", "labels": value}}));
        seen(component, key, labels(json!({})), labels(json!({"a": "b"})), false)
    };
    let critical = policy(Some(json!({})), None, false);
    let low = seen(
        Component::Policies,
        ItemKey::resource("", "configmaps", Some("d"), "x"),
        None,
        Some(json!({})),
        false,
    );
    let all = vec![low, namespace(Component::Ingress), namespace(Component::Policies), critical];
    let report = Report::of(all.clone(), &Traces::default(), Severity::Low, now());
    let severities: Vec<Severity> = report.items.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Critical, Severity::High, Severity::Low]);
    let report = Report::of(all, &Traces::default(), Severity::High, now());
    assert_eq!((report.items.len(), report.less_grave), (2, 1));
}

#[test]
fn a_secret_shows_that_it_came_and_nothing_of_what_it_holds() {
    let key = ItemKey::resource("", "secrets", Some("demo"), "x");
    let secret = json!({"metadata": {"name": "x"}, "type": "Opaque", "data": {"password": "TUFSS0VS"}});
    let report = judged(seen(Component::Ingress, key, None, Some(secret), false));
    let text = serde_json::to_string(&report).unwrap() + &lines(&report.items[0]).join("\n");
    assert!(!text.contains("TUFSS0VS") && text.contains("\"secret\":true"), "{text}");
}

/// A TLS Secret as cert-manager leaves it, and what it keeps of it: the Certificate, and the request.
fn renewal(issuer: &str, not_before_days: i64) -> (Value, Vec<Value>, Vec<Value>) {
    let mut params = CertificateParams::new(["x.lab".to_owned()]).unwrap();
    let at = |days: i64| {
        use chrono::Datelike as _;
        let day = now() + TimeDelta::days(days);
        rcgen::date_time_ymd(day.year(), day.month() as u8, day.day() as u8)
    };
    (params.not_before, params.not_after) = (at(not_before_days), at(90));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
    let secret = json!({"type": "kubernetes.io/tls",
        "metadata": {"name": "x-tls", "namespace": "demo", "annotations": {
            "cert-manager.io/certificate-name": "x", "cert-manager.io/issuer-name": issuer,
            "cert-manager.io/issuer-kind": "ClusterIssuer", "cert-manager.io/issuer-group": "cert-manager.io"}},
        "data": {"tls.crt": BASE64.encode(&certificate), "tls.key": BASE64.encode(key.serialize_pem())}});
    let certificates = vec![json!({"metadata": {"name": "x", "namespace": "demo"}, "spec": {
        "secretName": "x-tls", "issuerRef": {"name": "le", "kind": "ClusterIssuer"}}})];
    let requests = vec![json!({"metadata": {"name": "x-2", "namespace": "demo"},
        "status": {"certificate": BASE64.encode(certificate)}})];
    (secret, certificates, requests)
}

fn renewed(secret: Value, certificates: Vec<Value>, requests: Vec<Value>) -> Report {
    let key = ItemKey::resource("", "secrets", Some("demo"), "x-tls");
    let before = json!({"type": "kubernetes.io/tls", "data": {}});
    let seen = seen(Component::Certificates, key, Some(before), Some(secret), false);
    let issued = Observed::new(certificates, requests, None);
    Report::of(vec![seen], &Traces { issued, ..Traces::default() }, Severity::Low, now())
}

#[test]
fn what_cert_manager_renewed_is_expected_and_what_it_did_not_issue_is_not() {
    let (secret, certificates, requests) = renewal("le", 0);
    let report = renewed(secret.clone(), certificates.clone(), requests);
    assert_eq!(report.items, []);
    assert!(report.expected[0].why.contains("renewed by cert-manager"), "{:?}", report.expected);

    let no_request = renewed(secret.clone(), certificates.clone(), vec![]);
    assert_eq!(worst(&no_request), Some(Severity::High));
    let (_, _, another) = renewal("le", 0);
    assert_eq!(worst(&renewed(secret.clone(), certificates.clone(), another)), Some(Severity::High));
    let (strange, _, requests) = renewal("mallory", 0);
    assert_eq!(worst(&renewed(strange, certificates.clone(), requests)), Some(Severity::High));
    let (old, _, requests) = renewal("le", -30);
    assert_eq!(
        worst(&renewed(old, certificates.clone(), requests)),
        Some(Severity::High),
        "put back by somebody"
    );
    let (mut torn, _, requests) = renewal("le", 0);
    torn["data"]["tls.key"] = secret["data"]["tls.key"].clone();
    assert_eq!(worst(&renewed(torn, certificates, requests)), Some(Severity::Critical));
}

#[test]
fn what_an_autoscaler_scaled_is_expected_if_nothing_else_differs() {
    let key = ItemKey::resource("apps", "deployments", Some("traefik"), "traefik");
    let deployment = |replicas: u64, image: &str| json!({"spec": {"replicas": replicas, "image": image}});
    let change = |autoscaled: bool, image: &str| {
        let before = Some(deployment(2, "a"));
        let mut seen = seen(Component::Ingress, key.clone(), before, Some(deployment(5, image)), false);
        seen.autoscaled = autoscaled;
        judged(seen)
    };
    let scaled = change(true, "a");
    assert!(scaled.items.is_empty() && scaled.expected[0].why.contains("2 → 5 replicas"), "{scaled:?}");
    assert_eq!(worst(&change(false, "a")), Some(Severity::High));
    assert_eq!(worst(&change(true, "b")), Some(Severity::High));
}

#[test]
fn the_table_is_ordered_and_the_page_has_it() {
    let graver = RULES.iter().take_while(|rule| rule.severity >= Severity::High).map(|rule| rule.severity);
    assert!(graver.is_sorted_by(|a, b| a >= b));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/drift.md");
    let page = std::fs::read_to_string(file).unwrap();
    let (before, rest) = page.split_once("<!-- severities -->\n").unwrap();
    let (written, after) = rest.split_once("<!-- end -->").unwrap();
    if std::env::var_os("NETDR_UPDATE").is_some() {
        std::fs::write(file, format!("{before}<!-- severities -->\n{}<!-- end -->{after}", markdown()))
            .unwrap();
    } else {
        assert!(written == markdown(), "make it anew: NETDR_UPDATE=1 cargo test --lib drift");
    }
}

/// What an item may be like: of the kinds whose severity depends on what they were.
fn content() -> impl Strategy<Value = Value> {
    let policy = |spec: Value| json!({"metadata": {"name": "x"}, "spec": spec});
    prop::sample::select(vec![
        policy(json!({"podSelector": {}})),
        policy(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})),
        policy(json!({"podSelector": {}, "ingress": [{}]})),
        policy(json!({"podSelector": {"matchLabels": {"app": "a"}}})),
        policy(json!({"selector": "all()", "types": ["Ingress"]})),
        policy(json!({"routes": [{"match": "Host(`x`)", "middlewares": [{"name": "lab-only"}]}]})),
        policy(json!({"routes": [{"match": "Host(`y`)"}]})),
        policy(json!({"ipAllowList": {"sourceRange": []}})),
        policy(json!({"headers": {}})),
        json!({"metadata": {"name": "x"}, "type": "kubernetes.io/tls", "data": {}}),
        json!({"metadata": {"name": "x"}, "type": "Opaque"}),
        json!({"metadata": {"name": "x"}, "roleRef": {"name": "cluster-admin"}}),
        json!({"metadata": {"name": "x"}, "spec": {"replicas": 0}}),
    ])
}

proptest! {
    /// Whoever opens the snapshot finds nothing graver than what was said to be possible before.
    #[test]
    fn nothing_is_graver_than_it_was_said_to_be(
        row in 0..crate::catalog::KINDS.len() + 4, before in content(), after in prop::option::of(content()),
    ) {
        let more = [("", "secrets"), ("apps", "deployments"), ("rbac.authorization.k8s.io", "roles"), ("", "configmaps")];
        let (component, group, plural) = match crate::catalog::KINDS.get(row) {
            Some(row) => (row.component, row.group, row.plural),
            None => (Component::Ingress, more[row - crate::catalog::KINDS.len()].0, more[row - crate::catalog::KINDS.len()].1),
        };
        let key = ItemKey::resource(group, plural, Some("demo"), "x");
        prop_assume!(after.as_ref() != Some(&before));
        let see = |opened| judged(seen(component, key.clone(), Some(before.clone()), after.clone(), opened));
        let (sealed, opened) = (see(false), see(true));
        prop_assert!(worst(&opened) <= Some(sealed.items[0].gravest()), "{opened:?} and {sealed:?}");
        prop_assert_eq!(opened.items[0].may_be, None);
    }

    /// Every item is judged, with a reason, whatever it is.
    #[test]
    fn nothing_is_passed_over(row in 0..crate::catalog::KINDS.len(), change in 0..3u8, opened in any::<bool>()) {
        let row = crate::catalog::KINDS[row];
        let key = ItemKey::resource(row.group, row.plural, Some("demo"), "x");
        let (one, other) = (Some(json!({"spec": {"a": 1}})), Some(json!({"spec": {"a": 2}})));
        let (before, after) = match change { 0 => (None, other), 1 => (one, None), _ => (one, other) };
        let report = judged(seen(row.component, key, before, after, opened));
        prop_assert_eq!(report.items.len(), 1);
        prop_assert!(!report.items[0].reasons.is_empty());
    }
}
