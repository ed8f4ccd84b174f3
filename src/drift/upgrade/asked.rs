//! A live object beside what manifests ask for.
//!
//! In: canonical objects. Out: whether a manifest asks for all that is live, and what there was before it did. Invariant: what
//! a manifest leaves out, and the API server does not fill in itself, is not asked for.

use serde_json::{Map, Value, json};

use crate::model::ItemKey;

/// Groups whose fields the API server fills in by defaults that are known here (pkg/apis/*/v1/defaults.go), and from which it
/// drops what is empty. Of all others an object has to be what the manifest says, letter by letter.
const DEFAULTED: [&str; 3] = ["", "apps", "rbac.authorization.k8s.io"];

/// Below these people name the fields: one that has the name of a field with a default has none.
const NAMED: [&str; 11] = [
    "annotations",
    "binaryData",
    "data",
    "labelSelector",
    "labels",
    "matchLabels",
    "namespaceSelector",
    "nodeSelector",
    "selector",
    "stringData",
    "volumeAttributes",
];
/// Empty, one of these selects everything, and left out nothing, or what is beside it (core/v1, PodAffinityTerm).
const SELECTORS: [&str; 2] = ["labelSelector", "namespaceSelector"];

/// How the objects of a kind are compared. What is not there is null here: no manifest asks for a null.
pub(super) struct Asked {
    is_defaulted: bool,
}

impl Asked {
    pub(super) fn of(key: &ItemKey) -> Self {
        let ItemKey::Resource { group, .. } = key else { return Self { is_defaulted: false } };
        Self { is_defaulted: DEFAULTED.contains(&group.as_str()) }
    }

    /// How what is in a field of this name is compared.
    fn within(&self, name: &str) -> Self {
        Self { is_defaulted: self.is_defaulted && !NAMED.contains(&name) }
    }

    /// Whether an empty field of this name is as good as none.
    fn drops_empty(&self, name: &str) -> bool {
        self.is_defaulted && !SELECTORS.contains(&name)
    }

    /// Whether the manifest asks for all that is live, and all that it asks for is.
    pub(super) fn is_all(&self, live: &Value, new: &Value) -> bool {
        self.is(live, &self.plain(new))
    }

    /// The object before `new` took the place of `old`; none where it is not what `new` asks for, and that alone, wherever the
    /// two differ.
    pub(super) fn before(&self, live: &Value, new: &Value, old: &Value) -> Option<Value> {
        self.undone(live, &self.plain(new), &self.plain(old))
    }

    /// Without what the API server drops: nulls, and of some kinds what is empty.
    fn plain(&self, asked: &Value) -> Value {
        let is_nothing = |name: &str, value: &Value| match value {
            Value::Null => true,
            Value::Object(map) => map.is_empty() && self.drops_empty(name),
            Value::Array(list) => list.is_empty() && self.drops_empty(name),
            _ => false,
        };
        match asked {
            Value::Object(map) => {
                let plain = map.iter().map(|(name, value)| (name.clone(), self.within(name).plain(value)));
                plain.filter(|(name, value)| !is_nothing(name, value)).collect::<Map<_, _>>().into()
            }
            Value::Array(list) => list.iter().map(|value| self.plain(value)).collect::<Vec<_>>().into(),
            other => other.clone(),
        }
    }

    fn is(&self, live: &Value, new: &Value) -> bool {
        match (live, new) {
            (Value::Object(live), Value::Object(new)) => {
                let is = |(name, new): (&String, &Value)| {
                    live.get(name).is_some_and(|live| self.within(name).is(live, new))
                };
                new.iter().all(is)
                    && live.iter().all(|(name, live)| new.contains_key(name) || self.fills_in(name, live))
            }
            (Value::Array(live), Value::Array(new)) => self.are(live, new),
            (live, new) => live == new,
        }
    }

    fn are(&self, live: &[Value], new: &[Value]) -> bool {
        live.len() == new.len() && live.iter().zip(new).all(|(live, new)| self.is(live, new))
    }

    /// Whether the API server writes this where a manifest writes nothing, or it is as good as nothing.
    fn fills_in(&self, name: &str, live: &Value) -> bool {
        let is_empty = live.as_object().is_some_and(Map::is_empty) && self.drops_empty(name);
        is_empty || (self.default(name) == *live && !live.is_null())
    }

    fn default(&self, name: &str) -> Value {
        match name {
            _ if !self.is_defaulted => Value::Null,
            "protocol" => json!("TCP"),
            "imagePullPolicy" => json!("IfNotPresent"),
            "terminationMessagePath" => json!("/dev/termination-log"),
            "terminationMessagePolicy" => json!("File"),
            "failureThreshold" => json!(3),
            "periodSeconds" => json!(10),
            "successThreshold" | "timeoutSeconds" | "replicas" => json!(1),
            "resources" => json!({}),
            "scheme" => json!("HTTP"),
            "defaultMode" => json!(420),
            "divisor" => json!("0"),
            "restartPolicy" => json!("Always"),
            "dnsPolicy" => json!("ClusterFirst"),
            "schedulerName" => json!("default-scheduler"),
            "terminationGracePeriodSeconds" => json!(30),
            "progressDeadlineSeconds" => json!(600),
            "revisionHistoryLimit" => json!(10),
            "sessionAffinity" => json!("None"),
            "internalTrafficPolicy" | "externalTrafficPolicy" => json!("Cluster"),
            "allocateLoadBalancerNodePorts" => json!(true),
            "ipFamilyPolicy" => json!("SingleStack"),
            "ipFamilies" => json!(["IPv4"]),
            "apiGroup" => json!("rbac.authorization.k8s.io"),
            _ => Value::Null,
        }
    }

    fn undone(&self, live: &Value, new: &Value, old: &Value) -> Option<Value> {
        match (live, new, old) {
            _ if new == old => Some(live.clone()),
            (_, _, Value::Null) if self.is(live, new) => Some(Value::Null), // all of it came, defaults and all
            (Value::Object(live), Value::Object(new), Value::Object(old)) => self.map(live, new, old),
            (Value::Object(live), Value::Object(new), Value::Null) => {
                self.map(live, new, &Map::new()).filter(|was| *was != json!({})) // what was there was not Helm's
            }
            (Value::Object(live), Value::Null, Value::Object(old))
                if self.is_defaulted || !live.is_empty() =>
            {
                self.map(live, &Map::new(), old)
            }
            (Value::Array(live), Value::Array(new), Value::Array(old)) => self.list(live, new, old),
            _ => self.is(live, new).then(|| old.clone()),
        }
    }

    fn map(
        &self,
        live: &Map<String, Value>,
        new: &Map<String, Value>,
        old: &Map<String, Value>,
    ) -> Option<Value> {
        let of = |map: &Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or_default();
        let mut was = live.clone();
        for name in new.keys().chain(old.keys().filter(|name| !new.contains_key(*name))) {
            let (live, new, old, within) = (of(live, name), of(new, name), of(old, name), self.within(name));
            let before = match self.default(name) {
                // What a manifest no longer says is as if it had never said it.
                default if new.is_null() && live == default => old,
                default if old.is_null() && !new.is_null() => {
                    within.undone(&live, &new, &old).map(|was| if was.is_null() { default } else { was })?
                }
                _ => within.undone(&live, &new, &old)?,
            };
            match before {
                Value::Null => was.remove(name),
                before => was.insert(name.clone(), before),
            };
        }
        Some(was.into())
    }

    /// By name where every item has one, so that one that came or went is one; else by position where as many were there.
    fn list(&self, live: &[Value], new: &[Value], old: &[Value]) -> Option<Value> {
        if let (Some(names), Some(new_names), Some(old_names)) = (names(live), names(new), names(old)) {
            let is_as_asked = |at: usize| old_names.contains(&names[at]) || self.is(&live[at], &new[at]);
            if names != new_names || !(0..names.len()).all(is_as_asked) {
                return None;
            }
            let was = old_names.iter().zip(old).map(|(name, old)| {
                let at = names.iter().position(|other| other == name);
                at.map_or(Some(old.clone()), |at| self.undone(&live[at], &new[at], old))
            });
            return was.collect::<Option<Vec<_>>>().map(Value::from);
        }
        if live.len() == new.len() && new.len() == old.len() {
            let items = live.iter().zip(new).zip(old).map(|((live, new), old)| self.undone(live, new, old));
            return items.collect::<Option<Vec<_>>>().map(Value::from);
        }
        self.are(live, new).then(|| old.to_vec().into())
    }
}

/// The names of a list's items, where all have one and no two the same.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Vec<&str> = list.iter().map(|item| item["name"].as_str()).collect::<Option<_>>()?;
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    (once.len() == names.len()).then_some(names)
}
