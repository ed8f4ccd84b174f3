//! A refused act in words: what the API server said, and what to do.
//!
//! In: an act and a refusal. Out: one line. Invariant: pure; no secret value is repeated, though servers and
//! webhooks quote what they refuse.

use crate::{
    cluster::Refusal,
    plan::{Act, Verb},
    restore::decide,
};

/// One line for a person; `behind` says who stands behind the webhook that did not answer.
pub(super) fn failure(act: &Act, refusal: &Refusal, behind: Option<&str>, server: &str) -> String {
    format!("{}; {}", decide::said(act.item.as_ref(), refusal), way_out(act, refusal, behind, server))
}

/// As [`failure`], of an object that was deleted to be created anew: what is missing now is the creation.
pub(super) fn half_done(act: &Act, refusal: &Refusal, behind: Option<&str>, server: &str) -> String {
    let creation = Act { verb: Verb::Create, ..act.clone() };
    format!("deleted, not created again: {}", failure(&creation, refusal, behind, server))
}

fn way_out(act: &Act, refusal: &Refusal, behind: Option<&str>, server: &str) -> String {
    let kind = act.key.kind_name();
    let namespace = act.key.namespace().unwrap_or_default();
    let place = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
    match refusal.code {
        0 => format!("is the API server up? try: curl -k {server}/readyz; then run the same command again"),
        401 => "get a new kubeconfig, then run the same command again".into(),
        403 if refusal.message.contains("being terminated") => {
            format!("wait until namespace {namespace} is gone, then run the same command again")
        }
        403 => {
            let verb = match act.verb {
                Verb::Create => "create",
                Verb::Replace => "update",
                Verb::Merge | Verb::Restart | Verb::Scale => "patch",
                Verb::Renew => "update --subresource=status",
                Verb::Recreate | Verb::Delete => "delete",
            };
            format!("ask for this right: kubectl auth can-i {verb} {kind}{place}")
        }
        404 if act.verb == Verb::Create && !namespace.is_empty() => {
            format!(
                "if namespace {namespace} is missing: kubectl create namespace {namespace}, then run the same command again"
            )
        }
        // Of an object that is netdr's in part, the rest would be lost with it.
        422 if refusal.message.contains("immutable") && act.verb == Verb::Merge => {
            format!(
                "a field that cannot be changed differs: its owner must make {kind} {} anew",
                act.key.name()
            )
        }
        422 if refusal.message.contains("immutable") => format!(
            "a field that cannot be changed differs: kubectl delete {kind}{place} {}, then run the same command again",
            act.key.name()
        ),
        422 => "this API server does not accept the stored object; look at it with: netdr extract".into(),
        429 => "the API server is overloaded; run the same command again".into(),
        500..=599 if refusal.message.contains("webhook") => {
            let behind = behind.unwrap_or("bring the webhook's Service its endpoints back");
            format!("{behind}, then run the same command again")
        }
        _ => "run the same command again".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Class, Component, Content, Extent, Item, ItemKey, Json};

    fn act(verb: Verb) -> Act {
        let key = ItemKey::resource("metallb.io", "bgppeers", Some("metallb-system"), "edge");
        let item = Item {
            key: key.clone(),
            component: Component::Loadbalancer,
            class: Class::Config,
            extent: Extent::Whole,
            content: Content::Resource(Json::new(&json!({"spec": {"password": "hunter2", "myASN": 64500}}))),
        };
        Act { item: Some(item), ..Act::of(key, Component::Loadbalancer, verb) }
    }

    fn refusal(code: u16, message: &str) -> Refusal {
        Refusal {
            code,
            reason: "Invalid".into(),
            message: message.into(),
            fields: vec!["spec.password".into()],
            retry_after: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn a_server_that_quotes_a_secret_is_not_repeated() {
        let said =
            failure(&act(Verb::Create), &refusal(422, "spec.password: Invalid value: \"hunter2\""), None, "");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains("spec.password"), "{said}");
    }

    #[test]
    fn what_is_deleted_and_not_created_is_said_with_the_right_that_is_missing() {
        let said = half_done(&act(Verb::Recreate), &refusal(403, "quota"), None, "");
        assert!(said.starts_with("deleted, not created again: quota (403)"), "{said}");
        assert!(said.contains("kubectl auth can-i create bgppeers.metallb.io -n metallb-system"), "{said}");
        let said =
            half_done(&act(Verb::Recreate), &refusal(0, "connection refused"), None, "https://n1:6443");
        assert!(said.contains("curl -k https://n1:6443/readyz; then run the same command again"), "{said}");
    }

    #[test]
    fn the_servers_words_and_the_way_out_are_both_there() {
        let said = failure(&act(Verb::Replace), &refusal(422, "spec.myASN: field is immutable"), None, "");
        assert!(said.contains("field is immutable (422)"), "{said}");
        assert!(said.contains("kubectl delete bgppeers.metallb.io -n metallb-system edge"), "{said}");
        let said =
            failure(&act(Verb::Merge), &refusal(422, "spec.loadBalancerClass: field is immutable"), None, "");
        assert!(!said.contains("kubectl delete"), "{said}");
        let said = failure(&act(Verb::Replace), &refusal(403, "no"), None, "");
        assert!(said.contains("kubectl auth can-i update bgppeers.metallb.io -n metallb-system"), "{said}");
    }
}
