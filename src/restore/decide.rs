//! What an act does about what it finds.
//!
//! In: digests of what is there, what the plan saw and what is wanted; or a live and a wanted object.
//! Out: write, nothing to do, or hands off; a merge patch. Invariant: pure; what is neither as planned nor as wanted
//! is never written over.

use serde_json::{Map, Value, json};

use crate::{
    canonical,
    cluster::{FIELD_MANAGER, Refusal},
    helm,
    model::{Content, Extent, Item, ItemKey, Json},
    plan::Act,
};

/// What to do with an object, given what is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is as the plan saw it: write.
    Write,
    /// It is as wanted already.
    Unchanged,
    /// Somebody changed it since the plan was made: leave it alone.
    Leave,
}

/// Decides by digests; none stands for "no such object", which is also what a delete wants.
pub(super) fn next(live: Option<&str>, planned: Option<&str>, wanted: Option<&str>) -> Next {
    if live == wanted {
        Next::Unchanged
    } else if live == planned {
        Next::Write
    } else {
        Next::Leave
    }
}

/// sha256 of the part of a live object that is netdr's, to be compared with the act's; none where nothing of it is.
pub(super) fn digest(act: &Act, live: Value) -> Option<String> {
    let extent = act.item.as_ref().map_or(Extent::Whole, |item| item.extent);
    let content = match &act.key {
        ItemKey::Release { .. } => Content::Release(Json::new(&helm::decode(&live).ok()?)),
        key => Content::Resource(Json::new(&canonical::present(key, extent, live)?)),
    };
    let (key, component, class) = (act.key.clone(), act.component, act.class);
    Some(Item { key, component, class, extent, content }.sha256())
}

/// The merge patch (RFC 7396) that turns netdr's part of `live` into `wanted`: changed keys with their value, keys
/// that the source lacks as null, everything of others untouched.
pub(super) fn merge_patch(live: &Value, wanted: &Value) -> Value {
    let (Value::Object(live), Value::Object(wanted)) = (live, wanted) else { return wanted.clone() };
    let mut patch = Map::new();
    for (key, value) in live.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
        // A whole map of null would take what others put into it.
        let gone = if value.is_object() { merge_patch(value, &json!({})) } else { Value::Null };
        patch.insert(key.clone(), gone);
    }
    for (key, value) in wanted {
        match live.get(key) {
            Some(same) if same == value => {}
            Some(other) => drop(patch.insert(key.clone(), merge_patch(other, value))),
            None => drop(patch.insert(key.clone(), value.clone())),
        }
    }
    patch.into()
}

/// Whether an object is on its way out; and who holds it.
pub(super) fn terminating(live: &Value) -> Option<String> {
    let metadata = &live["metadata"];
    if metadata["deletionTimestamp"].is_null() {
        return None;
    }
    let finalizers = metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Some(finalizers.collect::<Vec<_>>().join(", "))
}

/// Whether netdr is among those who wrote an object: the API server keeps the field managers.
pub(super) fn written(live: &Value) -> bool {
    let managers = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    managers.into_iter().any(|entry| entry["manager"] == FIELD_MANAGER)
}

/// What a server said no with, unless it quotes a secret value of the item that it refused.
pub(super) fn said(item: Option<&Item>, refusal: &Refusal) -> String {
    let words = refusal.to_string();
    if item.map(secrets).unwrap_or_default().iter().any(|secret| words.contains(secret.as_str())) {
        let fields = refusal.fields.join(", ");
        return format!("{} ({}) {fields}: the words hold a secret value", refusal.reason, refusal.code);
    }
    words
}

/// Fields of an item that a strict server does not know, unless their names quote a secret value.
pub(super) fn unknown_fields(item: &Item, refusal: &Refusal) -> Option<String> {
    let fields = refusal.unknown_fields()?;
    let shown = said(Some(item), refusal).contains(fields);
    Some(if shown { fields } else { "a field whose name holds a secret value" }.to_owned())
}

/// Text values of an item that must not be repeated, in every form in which a server may quote them.
fn secrets(item: &Item) -> Vec<String> {
    // Of a release the server sees one compressed value, which it can quote but nobody read.
    let Content::Resource(json) = &item.content else { return Vec::new() };
    let mut found = Vec::new();
    walk(&item.key, &json.value(), &mut Vec::new(), &mut found);
    found
}

fn walk<'a>(key: &ItemKey, value: &'a Value, path: &mut Vec<&'a str>, found: &mut Vec<String>) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name);
                walk(key, value, path, found);
                path.pop();
            }
        }
        Value::Array(values) => {
            for value in values {
                path.push("*");
                walk(key, value, path, found);
                path.pop();
            }
        }
        Value::String(text) if crate::catalog::is_sensitive(key, path) => {
            let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            for text in decoded.iter().chain([text]) {
                // A value of many lines is quoted with its line ends escaped, or in part.
                found.extend(text.lines().map(str::trim).filter(|line| line.len() >= 4).map(Into::into));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Component};

    #[test]
    fn only_what_the_plan_saw_is_written_over() {
        let (planned, wanted, other) = (Some("planned"), Some("wanted"), Some("other"));
        // Replace.
        assert_eq!(next(planned, planned, wanted), Next::Write);
        assert_eq!(next(wanted, planned, wanted), Next::Unchanged);
        assert_eq!(next(other, planned, wanted), Next::Leave);
        assert_eq!(next(None, planned, wanted), Next::Leave);
        // Create.
        assert_eq!(next(None, None, wanted), Next::Write);
        assert_eq!(next(wanted, None, wanted), Next::Unchanged);
        assert_eq!(next(other, None, wanted), Next::Leave);
        // Delete.
        assert_eq!(next(planned, planned, None), Next::Write);
        assert_eq!(next(None, planned, None), Next::Unchanged);
        assert_eq!(next(other, planned, None), Next::Leave);
    }

    #[test]
    fn a_merge_patch_sets_what_differs_and_removes_what_the_source_lacks() {
        let live =
            json!({"kind": "Namespace", "metadata": {"name": "x", "labels": {"a": "1", "extra": "2"}}});
        let wanted = json!({"kind": "Namespace", "metadata": {"name": "x", "labels": {"a": "9", "b": "3"},
            "annotations": {"np.rke2.io/dns": "resolved"}}});
        assert_eq!(
            merge_patch(&live, &wanted),
            json!({"metadata": {"labels": {"a": "9", "b": "3", "extra": null},
                "annotations": {"np.rke2.io/dns": "resolved"}}})
        );
        let bare = json!({"kind": "Namespace", "metadata": {"name": "x"}});
        assert_eq!(merge_patch(&live, &bare), json!({"metadata": {"labels": {"a": null, "extra": null}}}));
        assert_eq!(merge_patch(&live, &live), json!({}));
    }

    #[test]
    fn server_fields_make_no_difference_to_a_digest() {
        let wanted = json!({"metadata": {"name": "x"}, "spec": {"podSelector": {}}});
        let item = Item {
            key: ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), "x"),
            component: Component::Policies,
            class: Class::Config,
            extent: Extent::Whole,
            content: Content::Resource(Json::new(&wanted)),
        };
        let sha256 = item.sha256();
        let act = Act::of(item.key.clone(), item.component, crate::plan::Verb::Create);
        let act = Act { item: Some(item), ..act };
        let mut live = wanted;
        live["metadata"]["uid"] = "u".into();
        live["status"] = json!({});
        assert_eq!(digest(&act, live), Some(sha256));
    }

    #[test]
    fn values_that_may_not_be_repeated_are_known_in_both_spellings() {
        let item = Item {
            key: ItemKey::resource("", "secrets", Some("demo"), "x"),
            component: Component::Certificates,
            class: Class::Config,
            extent: Extent::Whole,
            content: Content::Resource(Json::new(
                &json!({"kind": "Secret", "type": "Opaque", "data": {"k": "aHVudGVyMg=="}}),
            )),
        };
        assert_eq!(secrets(&item), ["hunter2", "aHVudGVyMg=="]);
    }
}
