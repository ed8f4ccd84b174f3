//! TLS Secrets and the Certificates that they are for.

use Component::{Certificates, Ingress};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::*;
use crate::certificates::GROUP;

fn secret(component: Component, fields: Value) -> Item {
    item(component, "", "secrets", "Secret", ("demo", "web-tls"), fields)
}

/// A TLS Secret whose certificate is valid from the first of a month of 2026, for a year.
pub(super) fn tls(component: Component, month: u8, name: &str) -> Item {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = rcgen::date_time_ymd(2026, month, 1);
    params.not_after = rcgen::date_time_ymd(2027, month, 1);
    let pem = params.self_signed(&key).unwrap().pem();
    let data = json!({"tls.crt": STANDARD.encode(pem), "tls.key": STANDARD.encode(key.serialize_pem())});
    let annotations = json!({
        "cert-manager.io/certificate-name": "web", "cert-manager.io/issuer-name": "letsencrypt",
        "cert-manager.io/issuer-kind": "ClusterIssuer", "cert-manager.io/issuer-group": GROUP});
    let metadata = json!({"annotations": annotations});
    secret(component, json!({"type": "kubernetes.io/tls", "data": data, "metadata": metadata}))
}

/// The Certificate that the Secret is for.
fn web(name: &str) -> Item {
    let issuer = json!({"name": "letsencrypt", "kind": "ClusterIssuer", "group": GROUP});
    let spec = json!({"secretName": "web-tls", "dnsNames": [name], "issuerRef": issuer,
        "privateKey": {"algorithm": "ECDSA"}, "renewBefore": "24h"});
    item(Certificates, GROUP, "certificates", "Certificate", ("demo", "web"), json!({"spec": spec}))
}

/// As the API server has it, with this status.
fn observed(certificate: &Item, status: Value) -> Observed {
    let mut live = certificate.json().unwrap().value();
    live["metadata"]["uid"] = json!("u");
    live["status"] = status;
    Observed::new(vec![live], Vec::new(), None)
}

#[test]
fn a_certificate_renewed_since_stays_and_a_broken_one_does_not() -> Result<()> {
    let (older, newer) = (tls(Ingress, 1, "a.example.org"), tls(Ingress, 9, "a.example.org"));
    let broken = secret(Ingress, json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "YnJva2Vu"}}));
    for (stored, live, expected, kept) in [
        (&older, &newer, "", 1),
        (&newer, &older, "replace web-tls", 0),
        (&older, &broken, "replace web-tls", 0),
    ] {
        let plan = World::new(&["apply: {component: ingress, kinds: [secrets]}"])
            .source([namespace(Ingress, "demo"), stored.clone()])
            .live([namespace(Ingress, "demo"), live.clone()])
            .resolve()?;
        assert_eq!((story(&plan).as_str(), plan.kept.len()), (expected, kept));
    }
    Ok(())
}

#[test]
fn a_newer_certificate_for_other_names_gives_way_to_what_the_certificate_asks_for() -> Result<()> {
    let steps = ["apply: {component: certificates, kinds: [secrets, certificates.cert-manager.io]}"];
    let (stored, live) = (tls(Certificates, 1, "a.example.org"), tls(Certificates, 9, "b.example.org"));
    // Somebody changed the Certificate, too: the restore brings the source's back, and with it its Secret.
    let (wanted, changed) = (web("a.example.org"), web("b.example.org"));
    let world =
        |status: Value| World {
            observed: observed(&changed, status),
            ..World::new(&steps)
                .source([namespace(Certificates, "demo"), stored.clone(), wanted.clone()])
                .live([namespace(Certificates, "demo"), live.clone(), changed.clone()])
        };
    assert_eq!(story(&world(json!({})).resolve()?), "replace web-tls | replace web");

    let unchanged = World {
        observed: observed(&changed, json!({})),
        ..World::new(&steps)
            .source([namespace(Certificates, "demo"), stored.clone(), changed.clone()])
            .live([namespace(Certificates, "demo"), live.clone(), changed.clone()])
    };
    let plan = unchanged.resolve()?;
    assert_eq!(
        (story(&plan).as_str(), reasons(&plan.kept)),
        ("", vec!["web-tls: its certificate was renewed since and is valid".to_owned()])
    );
    Ok(())
}

const STEPS: [&str; 2] = [
    "apply: {component: certificates, kinds: [secrets, clusterissuers.cert-manager.io, certificates.cert-manager.io]}",
    "renewCertificates: {}",
];

fn issuer() -> Item {
    let acme = json!({"server": "https://acme-v02.api.letsencrypt.org/directory"});
    let at = ("", "letsencrypt");
    item(Certificates, GROUP, "clusterissuers", "ClusterIssuer", at, json!({"spec": {"acme": acme}}))
}

/// A cluster that is as the source has it, but for what a test changes.
fn world(source: &[Item], live: &[Item], status: Value) -> World {
    let common = [namespace(Certificates, "demo"), issuer()];
    let certificates: Vec<Value> = live
        .iter()
        .filter(|item| item.key.is_kind(GROUP, "certificates"))
        .map(|item| {
            let mut object = item.json().unwrap().value();
            object["metadata"]["uid"] = json!("u");
            object["status"] = status.clone();
            object
        })
        .collect();
    World {
        observed: Observed::new(certificates, Vec::new(), None),
        ..World::new(&STEPS)
            .source(common.iter().chain(source).cloned())
            .live(common.iter().chain(live).cloned())
    }
}

/// `name fate reason`, one by one.
fn foreseen(plan: &ResolvedPlan) -> Vec<String> {
    let line = |r: &crate::plan::Reissue| {
        format!("{} {:?} {}", r.certificate.name(), r.fate, r.reason).trim_end().to_owned()
    };
    plan.issuance.reissues.iter().map(line).collect()
}

const NAME: &str = "a.example.org";

#[test]
fn what_comes_back_as_it_was_is_not_issued_anew() -> Result<()> {
    let source = [tls(Certificates, 6, NAME), web(NAME)];
    for live in [&source[..], &source[..1], &source[1..], &[]] {
        let plan = world(&source, live, json!({"revision": 3})).resolve()?;
        assert_eq!(foreseen(&plan), Vec::<String>::new());
        let serials: Vec<&str> = plan.issuance.wanted.values().map(|leaf| leaf.serial.as_str()).collect();
        assert_eq!(serials.len(), 1, "{serials:?}");
    }
    Ok(())
}

#[test]
fn what_nobody_has_is_issued_by_cert_manager_and_triggered_only_where_that_waits() -> Result<()> {
    let source = [web(NAME)];
    let fresh = world(&source, &[], json!({})).resolve()?;
    assert_eq!(
        (foreseen(&fresh), story(&fresh)),
        (vec!["web Reissued DoesNotExist".into()], "create web".into())
    );
    assert_eq!(fresh.issuance.quota.sets[&vec![NAME.to_owned()]], 1);
    assert!(fresh.issuance.broken().is_empty());

    let failed = json!({"lastFailureTime": "2026-11-24T00:30:00Z", "failedIssuanceAttempts": 1});
    let waits = world(&source, &source, failed);
    let plan = waits.resolve()?;
    assert_eq!(
        (foreseen(&plan), story(&plan)),
        (vec!["web Renewed DoesNotExist".into()], "renew web".into())
    );
    let why = "Issuing certificate as Secret does not exist; after a failed attempt cert-manager waits until 2026-11-24T01:30:00Z";
    assert_eq!(plan.acts().next().unwrap().remarks, [why]);
    assert_eq!((plan.counts().operations, plan.changes().count()), (1, 0));

    let key = source[0].key.clone();
    let earlier = Earlier { done: [("s1".to_owned(), key, Verb::Renew)].into(), ..Earlier::default() };
    assert_eq!(
        story(&World { earlier, ..waits }.resolve()?),
        "",
        "an earlier process of the run triggered it"
    );

    let issuing = json!({"conditions": [{"type": "Issuing", "status": "True", "reason": "DoesNotExist"}]});
    let plan = world(&source, &source, issuing).resolve()?;
    assert_eq!((foreseen(&plan), story(&plan)), (vec!["web Reissued DoesNotExist".into()], String::new()));
    assert_eq!(plan.issuance.issuing.len(), 1);
    Ok(())
}

#[test]
fn where_certificates_are_passed_over_none_is_triggered() -> Result<()> {
    let (around, deny) = (namespace(Component::Policies, "demo"), policy("demo", "deny", None));
    let failed = json!({"lastFailureTime": "2026-11-24T00:30:00Z", "failedIssuanceAttempts": 1});
    let world = World {
        observed: observed(&web(NAME), failed),
        ..World::new(&["apply: {component: policies}", STEPS[0], STEPS[1]])
    };
    let live = [around.clone(), deny.clone(), namespace(Certificates, "demo"), issuer(), web(NAME)];
    let plan = world.source([around, deny]).live(live).resolve()?;
    assert!(plan.warnings[0].contains("certificates is passed over"), "{:?}", plan.warnings);
    assert_eq!(story(&plan), "");
    Ok(())
}

#[test]
fn a_certificate_that_works_is_never_triggered_and_an_expired_one_only_where_nobody_renews_it() -> Result<()>
{
    let failed = json!({"lastFailureTime": "2026-11-24T00:30:00Z"});
    let due = {
        let mut item = web(NAME).json().unwrap().value();
        item["spec"]["renewBefore"] = json!("8000h");
        Item { content: Content::Resource(Json::new(&item)), ..web(NAME) }
    };
    let source = [tls(Certificates, 6, NAME), due];
    let plan = world(&source, &source, failed).resolve()?;
    assert_eq!((foreseen(&plan), story(&plan)), (vec!["web Reissued Renewing".into()], String::new()));

    let disabled = {
        let mut item = web(NAME).json().unwrap().value();
        item["spec"]["renewal"] = json!({"policy": "Disabled"});
        Item { content: Content::Resource(Json::new(&item)), ..web(NAME) }
    };
    let mut expired = World {
        now: "2027-11-24T01:00:00Z",
        ..world(&[tls(Certificates, 6, NAME), disabled], &[], json!({}))
    };
    let plan = expired.resolve()?;
    assert_eq!(foreseen(&plan), ["web Renewed ManuallyTriggered"]);
    assert_eq!(story(&plan), "create web-tls | create web | renew web");
    expired.plan = expired.plan.replace(STEPS[1], "confirm: {question: Done?}");
    assert_eq!(foreseen(&expired.resolve()?), Vec::<String>::new(), "a plan that renews nothing");
    Ok(())
}

#[test]
fn traps_of_a_restore_are_foreseen() -> Result<()> {
    let stored = tls(Certificates, 6, NAME);
    // Stripped of its annotations, a Secret counts as an Issuer's, and this is a ClusterIssuer's.
    let mut bare = stored.json().unwrap().value();
    bare["metadata"]["annotations"] = json!({});
    let bare = Item { content: Content::Resource(Json::new(&bare)), ..stored.clone() };
    let plan = world(&[bare, web(NAME)], &[web(NAME)], json!({})).resolve()?;
    assert_eq!(foreseen(&plan), ["web Reissued IncorrectIssuer"]);

    // Renewed since with a new key, and the Secret is lost: the request of that renewal no longer matches.
    let other = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    let request = json!({"metadata": {"namespace": "demo",
            "annotations": {"cert-manager.io/certificate-revision": "2"},
            "ownerReferences": [{"uid": "u", "controller": true}]},
        "spec": {"request": STANDARD.encode(params.serialize_request(&other).unwrap().pem().unwrap())}});
    let renewed = world(&[stored.clone(), web(NAME)], &[web(NAME)], json!({"revision": 2}));
    let certificates: Vec<Value> = renewed.observed.certificates().map(|(_, live)| live.clone()).collect();
    let observed = Observed::new(certificates.clone(), vec![request], None);
    let plan = World { observed, ..renewed }.resolve()?;
    assert_eq!(foreseen(&plan), ["web Reissued SecretMismatch"]);

    let unread =
        Observed::new(certificates, Vec::new(), Some("certificaterequests could not be read: 403".into()));
    let unread = World { observed: unread, ..world(&[stored, web(NAME)], &[web(NAME)], json!({})) };
    let plan = unread.resolve()?;
    assert_eq!(foreseen(&plan), ["web Unknown"]);
    assert!(plan.issuance.reissues[0].why.contains("403"));

    let kind = "secrets".to_owned();
    let failures = vec![Failure { component: Certificates, kind, why: "403".into() }];
    let unseen = World { failures, ..world(&[], &[web(NAME)], json!({})) };
    let unseen = World { source: vec![namespace(Certificates, "demo")], ..unseen };
    assert_eq!(foreseen(&unseen.resolve()?), ["web Unknown"], "not read is not missing");
    Ok(())
}

#[test]
fn more_than_an_authority_issues_is_a_warning_and_another_plan() -> Result<()> {
    let many = |count: usize| -> Vec<Item> {
        let certificate = |n: usize| {
            let mut object = web(NAME).json().unwrap().value();
            object["metadata"]["name"] = json!(format!("web-{n}"));
            object["spec"]["secretName"] = json!(format!("web-{n}-tls"));
            let key = ItemKey::resource(GROUP, "certificates", Some("demo"), &format!("web-{n}"));
            Item { key, content: Content::Resource(Json::new(&object)), ..web(NAME) }
        };
        (0..count).map(certificate).collect()
    };
    let five = world(&many(5), &many(5), json!({})).resolve()?;
    assert!(five.issuance.broken().is_empty() && five.warnings.is_empty());
    let six = world(&many(6), &many(6), json!({})).resolve()?;
    let limit = "6 certificates for exactly a.example.org, and Let's Encrypt issues 5 in seven days";
    assert_eq!(six.warnings, [limit]);
    assert_eq!(six.to_json()["lets_encrypt"]["broken"], json!([limit]));
    assert_ne!(six.digest(), five.digest(), "nobody says yes to it unseen");
    let elsewhere = world(&many(6), &many(6), json!({}));
    let staging = "https://acme-staging-v02.api.letsencrypt.org/directory";
    let other = item(
        Certificates,
        GROUP,
        "clusterissuers",
        "ClusterIssuer",
        ("", "letsencrypt"),
        json!({"spec": {"acme": {"server": staging}}}),
    );
    let swap = |items: Vec<Item>| {
        items.into_iter().map(|i| if i.key == other.key { other.clone() } else { i }).collect()
    };
    let (source, live) = (swap(elsewhere.source.clone()), swap(elsewhere.live.clone()));
    let elsewhere = World { source, live, ..elsewhere }.resolve()?;
    assert_eq!((elsewhere.issuance.expected().count(), elsewhere.warnings.len()), (6, 0));
    Ok(())
}

#[test]
fn of_two_certificates_that_name_one_secret_only_its_owner_counts() -> Result<()> {
    let second = {
        let mut object = web(NAME).json().unwrap().value();
        object["metadata"]["name"] = json!("a-second");
        let key = ItemKey::resource(GROUP, "certificates", Some("demo"), "a-second");
        Item { key, content: Content::Resource(Json::new(&object)), ..web(NAME) }
    };
    let source = [tls(Certificates, 6, NAME), web(NAME), second];
    assert_eq!(foreseen(&world(&source, &source, json!({})).resolve()?), Vec::<String>::new());
    Ok(())
}

#[test]
fn what_the_plan_makes_is_waited_for_and_what_it_cannot_make_is_not() -> Result<()> {
    let wait = "wait: {ready: {component: certificates, kinds: [certificates.cert-manager.io]}}";
    let mut world = world(&[web(NAME)], &[], json!({}));
    world.plan = World::new(&[STEPS[0], wait]).plan;
    let plan = world.resolve()?;
    assert_eq!(plan.steps[1].gates, [crate::plan::Gate::Ready(web(NAME).key)]);
    world.absent_kinds = vec!["certificates"];
    assert_eq!(world.resolve()?.steps[1].gates, []);
    Ok(())
}
