//! What shipped plans probe.

use super::{certificates::tls, *};
use crate::plan::Look;

fn looks(plan: &ResolvedPlan) -> Vec<&Look> {
    plan.steps.iter().flat_map(|step| &step.looks).collect()
}

#[test]
fn live_routes_say_where_certificates_alone_are_probed() -> Result<()> {
    let stored = tls(Component::Certificates, 1, "a.example.org");
    let route = |host: &str, secret: &str| {
        let key = ItemKey::resource("networking.k8s.io", "ingresses", Some("demo"), host);
        (key, json!({"spec": {"tls": [{"hosts": [host], "secretName": secret}]}}))
    };
    let routes = vec![route("a.example.org", "web-tls"), route("b.example.org", "another-tls")];
    let world = World { routes, ..World::built_in("certificates") }.source([stored.clone()]);
    let plan = world.resolve()?;
    let [Look::Http(look)] = looks(&plan)[..] else { panic!("{:?}", looks(&plan)) };
    assert_eq!((look.host.as_str(), look.serial.is_some()), ("a.example.org", true), "{look}");

    // One that a Certificate names and no route does is said, too.
    let spec = json!({"spec": {"secretName": "mail-tls", "dnsNames": ["mail.example.org"]}});
    let group = crate::certificates::GROUP;
    let mail = item(Component::Certificates, group, "certificates", "Certificate", ("demo", "mail"), spec);
    let held = item(Component::Certificates, "", "secrets", "Secret", ("demo", "mail-tls"), json!({}));
    let routes = vec![route("a.example.org", "web-tls")];
    let world = World { routes, ..World::built_in("certificates") }.source([stored.clone(), mail, held]);
    let plan = world.resolve()?;
    let [Look::Http(_), Look::Nothing { what, .. }] = looks(&plan)[..] else { panic!("{:?}", looks(&plan)) };
    assert_eq!(what, "the certificates of secrets demo/mail-tls");

    let plan = World::built_in("certificates").source([stored]).resolve()?;
    let [Look::Nothing { why, .. }] = looks(&plan)[..] else { panic!("{:?}", looks(&plan)) };
    assert!(why.contains("probe: {http: {hosts: [HOST]}}"), "{why}");
    Ok(())
}

#[test]
fn policies_are_probed_by_what_every_cluster_needs() -> Result<()> {
    let plan = World::built_in("network-policies").source([policy("demo", "deny", None)]).resolve()?;
    let said: Vec<String> = looks(&plan).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "95 % of connections between pods of different nodes come about",
            "the cluster's DNS knows kubernetes.default.svc.cluster.local"
        ]
    );
    Ok(())
}
