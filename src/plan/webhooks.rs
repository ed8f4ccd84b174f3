//! Admission webhooks that refuse what a plan writes while nobody answers for them (field guide §5, §6).
//!
//! In: webhook configurations, the namespaces, what stands behind the webhooks' Services. Out: which of those that a
//! kind of object must pass are not ready, and why. Invariant: pure; a webhook is named only if it surely is asked (one with
//! an object selector or match conditions may not be), and only if its failurePolicy is Fail.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::{
    model::ItemKey,
    policies::selector::{is_empty, selects},
};

/// A kind that is written, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Target {
    /// API group, empty for core.
    pub group: String,
    /// Plural resource name.
    pub plural: String,
    /// In which namespaces; none for cluster-scoped objects.
    pub namespaces: BTreeSet<String>,
}

/// A Service, by namespace and name.
pub type Service = (String, String);

/// What of a cluster decides whether webhooks answer.
#[derive(Clone, Debug, Default)]
pub struct Webhooks {
    /// Validating and mutating webhook configurations.
    pub configurations: Vec<Value>,
    /// The labels of every namespace; empty where no selector asks for them.
    pub namespaces: BTreeMap<String, Value>,
    /// Why nobody answers at a Service; none where somebody does.
    pub services: BTreeMap<Service, Option<String>>,
}

/// Who stands behind a webhook that did not answer, and how one sees why; `kind` is that of the configuration. None where the
/// webhook is not this configuration's.
pub fn behind_webhook(kind: &str, configuration: &Value, webhook: &str) -> Option<String> {
    let mut hooks = configuration["webhooks"].as_array()?.iter();
    let hook = hooks.find(|hook| hook["name"] == webhook)?;
    let name = configuration["metadata"]["name"].as_str().unwrap_or_default();
    let of = format!("webhook {webhook} is of {kind} {name}");
    Some(match (Hook { configuration: name, webhook: hook }).service() {
        Some((namespace, service)) => format!(
            "{of}: bring Service {namespace}/{service} its endpoints back (kubectl get endpointslices -n {namespace} -l \
             kubernetes.io/service-name={service})"
        ),
        None => {
            format!("{of}: make it answer at its `url` (kubectl get {} {name} -o yaml)", kind.to_lowercase())
        }
    })
}

/// One webhook of a configuration.
struct Hook<'a> {
    configuration: &'a str,
    webhook: &'a Value,
}

impl Target {
    /// The kinds of these objects, each once.
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a ItemKey>) -> Vec<Self> {
        let mut kinds: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
        for key in keys {
            let ItemKey::Resource { group, plural, namespace, .. } = key else { continue };
            kinds.entry((group, plural)).or_default().extend(namespace.clone());
        }
        let target = |((group, plural), namespaces): ((&str, &str), _)| Self {
            group: group.into(),
            plural: plural.into(),
            namespaces,
        };
        kinds.into_iter().map(target).collect()
    }

    /// `plural.group`.
    fn name(&self) -> String {
        ItemKey::resource(&self.group, &self.plural, None, "").kind_name()
    }
}

impl Webhooks {
    /// The Services whose webhooks may be asked about these kinds: who stands behind them is to be looked up.
    pub fn asked(&self, targets: &[Target]) -> BTreeSet<Service> {
        let hooks = self.hooks().filter(|hook| targets.iter().any(|target| hook.has_rule_for(target)));
        hooks.filter_map(|hook| hook.service()).collect()
    }

    /// Whether which namespaces there are matters.
    pub fn selects_namespaces(&self, targets: &[Target]) -> bool {
        let mut hooks = self.hooks().filter(|hook| targets.iter().any(|target| hook.has_rule_for(target)));
        hooks.any(|hook| !is_empty(&hook.webhook["namespaceSelector"]))
    }

    /// What would be refused, in words: a line for each configuration and reason, with the kinds.
    pub fn unready(&self, targets: &[Target]) -> Vec<String> {
        let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for hook in self.hooks() {
            let asked = targets.iter().filter(|target| hook.has_rule_for(target));
            let asked: BTreeSet<String> =
                asked.filter(|target| self.reaches(&hook, target)).map(Target::name).collect();
            let Some(why) = self.why_not(&hook).filter(|_| !asked.is_empty()) else { continue };
            found.entry((hook.configuration.to_owned(), why)).or_default().extend(asked);
        }
        let line = |((configuration, why), kinds): ((String, String), BTreeSet<String>)| {
            let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
            format!("webhooks of {configuration} must let {kinds} through, and {why}")
        };
        found.into_iter().map(line).collect()
    }

    fn hooks(&self) -> impl Iterator<Item = Hook<'_>> {
        self.configurations.iter().flat_map(|configuration| {
            let name = configuration["metadata"]["name"].as_str().unwrap_or_default();
            let webhooks = configuration["webhooks"].as_array().into_iter().flatten();
            webhooks.map(move |webhook| Hook { configuration: name, webhook }).filter(Hook::is_sure)
        })
    }

    fn reaches(&self, hook: &Hook<'_>, target: &Target) -> bool {
        let selector = &hook.webhook["namespaceSelector"];
        // Of a namespace that is still to be made the labels are not known: it is taken to be selected.
        let selected =
            |name: &String| self.namespaces.get(name).is_none_or(|labels| selects(selector, labels));
        is_empty(selector) || target.namespaces.is_empty() || target.namespaces.iter().any(selected)
    }

    fn why_not(&self, hook: &Hook<'_>) -> Option<String> {
        let service = hook.service()?;
        if let Some(why) = self.services.get(&service).cloned().flatten() {
            return Some(why);
        }
        let bundle = hook.webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default();
        bundle.is_empty().then(|| "its caBundle is empty: its controller has not filled it in yet".into())
    }
}

impl Hook<'_> {
    /// Whether it refuses when nobody answers, and is asked whatever the object holds.
    fn is_sure(&self) -> bool {
        let conditions = self.webhook["matchConditions"].as_array().is_some_and(|c| !c.is_empty());
        self.webhook["failurePolicy"] != "Ignore" && is_empty(&self.webhook["objectSelector"]) && !conditions
    }

    fn service(&self) -> Option<Service> {
        let service = &self.webhook["clientConfig"]["service"];
        Some((service["namespace"].as_str()?.into(), service["name"].as_str()?.into()))
    }

    fn has_rule_for(&self, target: &Target) -> bool {
        let rules = self.webhook["rules"].as_array().into_iter().flatten();
        rules.into_iter().any(|rule| {
            let has = |field: &str, words: &[&str]| {
                let given = rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
                given.into_iter().any(|given| words.contains(&given))
            };
            has("apiGroups", &["*", &target.group])
                && has("resources", &["*", "*/*", &target.plural])
                && has("operations", &["*", "CREATE", "UPDATE", "DELETE"])
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pools() -> Vec<Target> {
        let key = ItemKey::resource("metallb.io", "ipaddresspools", Some("metallb-system"), "default");
        Target::of([&key, &key])
    }

    /// MetalLB's, with other fields.
    fn configuration(fields: Value) -> Value {
        let mut webhook = json!({
            "name": "ipaddresspoolvalidationwebhook.metallb.io",
            "clientConfig": {"caBundle": "Q0E=", "service": {"namespace": "metallb-system", "name": "hook"}},
            "rules": [{"apiGroups": ["metallb.io"], "resources": ["ipaddresspools"], "operations": ["CREATE", "UPDATE"]}],
            "failurePolicy": "Fail",
        });
        for (field, value) in fields.as_object().unwrap() {
            webhook[field] = value.clone();
        }
        json!({"metadata": {"name": "metallb"}, "webhooks": [webhook]})
    }

    fn unready(fields: Value, why: Option<&str>) -> Vec<String> {
        let service = ("metallb-system".to_owned(), "hook".to_owned());
        let labels = json!({"kubernetes.io/metadata.name": "metallb-system"});
        let webhooks = Webhooks {
            configurations: vec![configuration(fields)],
            namespaces: BTreeMap::from([("metallb-system".into(), labels)]),
            services: BTreeMap::from([(service.clone(), why.map(Into::into))]),
        };
        let asked = webhooks.asked(&pools());
        assert!(asked.is_empty() || asked == BTreeSet::from([service]));
        webhooks.unready(&pools())
    }

    #[test]
    fn a_webhook_that_must_answer_and_cannot_is_named_with_why() {
        assert_eq!(
            unready(json!({}), Some("Service metallb-system/hook has no ready endpoint")),
            [
                "webhooks of metallb must let ipaddresspools.metallb.io through, and Service metallb-system/hook has \
              no ready endpoint"
            ]
        );
        assert!(unready(json!({}), None).is_empty());
        let no_bundle = json!({"clientConfig": {"service": {"namespace": "metallb-system", "name": "hook"}}});
        assert!(unready(no_bundle, None)[0].contains("caBundle"));
    }

    #[test]
    fn who_stands_behind_a_webhook_is_named_with_its_configuration() {
        let of = |configuration: &Value, name| {
            behind_webhook("ValidatingWebhookConfiguration", configuration, name)
        };
        let said = of(&configuration(json!({})), "ipaddresspoolvalidationwebhook.metallb.io").unwrap();
        assert!(
            said.contains("is of ValidatingWebhookConfiguration metallb: bring Service metallb-system/hook"),
            "{said}"
        );
        assert_eq!(of(&configuration(json!({})), "another"), None);
        let by_url = configuration(json!({"name": "w", "clientConfig": {"url": "https://127.0.0.1/x"}}));
        let said = of(&by_url, "w").unwrap();
        assert!(said.ends_with("(kubectl get validatingwebhookconfiguration metallb -o yaml)"), "{said}");
    }

    #[test]
    fn one_that_is_not_asked_or_may_not_be_is_no_obstacle() {
        let rule = |field: &str, value: &str| {
            let mut rule = json!({"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]});
            rule[field] = json!([value]);
            json!({"rules": [rule]})
        };
        let selector = |value: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": value}}});
        for (fields, asked) in [
            (json!({"failurePolicy": "Ignore"}), false),
            (json!({"failurePolicy": null}), true), // Fail is the default of admissionregistration.k8s.io/v1
            (json!({"objectSelector": {"matchLabels": {"a": "b"}}}), false),
            (json!({"objectSelector": {}}), true),
            (json!({"matchConditions": [{"name": "n", "expression": "false"}]}), false),
            (rule("apiGroups", "*"), true),
            (rule("apiGroups", "apps"), false),
            (rule("resources", "ipaddresspools/status"), false),
            (rule("operations", "CONNECT"), false),
            (selector("metallb-system"), true),
            (selector("jupyter"), false),
        ] {
            assert_eq!(!unready(fields.clone(), Some("nobody answers")).is_empty(), asked, "{fields}");
        }
    }
}
