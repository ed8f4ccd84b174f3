//! What a release rendered, object by object, in the order in which Helm installs it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{Error, Result, yaml};

/// Helm's InstallOrder (pkg/release/util/kind_sorter.go).
const INSTALL_ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The place of a kind in Helm's install order; unknown kinds come last.
pub fn install_rank(kind: &str) -> usize {
    INSTALL_ORDER.iter().position(|known| *known == kind).unwrap_or(INSTALL_ORDER.len())
}

/// The objects of the stored manifest, in Helm's install order. Lists are taken apart. Where the template left the
/// namespace out it is absent here too: only the caller knows whether the kind has one.
///
/// # Errors
/// Names the release and the document that does not parse or is no object.
pub fn manifest_objects(content: &Value) -> Result<Vec<Value>> {
    let release = &content["release"];
    let manifest = release["manifest"].as_str().unwrap_or_default();
    objects(manifest).map_err(|error| error.doing(format!("manifest of {}", title(content))))
}

/// The CustomResourceDefinitions of the stored chart's `crds/` folder, which Helm installs before the manifest and
/// never upgrades or deletes.
///
/// # Errors
/// Names the release and the file that does not parse.
pub fn crds(content: &Value) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for file in content["release"]["chart"]["files"].as_array().into_iter().flatten() {
        let name = file["name"].as_str().unwrap_or_default();
        if !name.starts_with("crds/") || ![".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let text = STANDARD.decode(file["data"].as_str().unwrap_or_default()).ok();
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let objects = text.ok_or_else(|| Error::damaged("it is not text")).and_then(|text| objects(&text));
        let objects =
            objects.map_err(|error| error.doing(format!("{name} in the chart of {}", title(content))))?;
        found.extend(objects.into_iter().filter(|o| o["kind"] == "CustomResourceDefinition"));
    }
    Ok(found)
}

fn title(content: &Value) -> String {
    let text = |field: &str| content["release"][field].as_str().unwrap_or("?").to_owned();
    format!("helm release {}/{}", text("namespace"), text("name"))
}

fn objects(text: &str) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for document in yaml::documents(text)? {
        flatten(document, &mut objects)?;
    }
    objects.sort_by(|a, b| rank(a).cmp(&rank(b)));
    Ok(objects)
}

/// Kinds Helm does not know come last, by name; within a kind the chart's order stays.
fn rank(object: &Value) -> (usize, &str) {
    let kind = object["kind"].as_str().unwrap_or_default();
    let rank = install_rank(kind);
    (rank, if rank == INSTALL_ORDER.len() { kind } else { "" })
}

fn flatten(mut object: Value, into: &mut Vec<Value>) -> Result<()> {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    if is_list && let Some(Value::Array(items)) = object.get_mut("items").map(Value::take) {
        return items.into_iter().try_for_each(|item| flatten(item, into));
    }
    if ![&object["apiVersion"], &object["kind"], &object["metadata"]["name"]].iter().all(|v| v.is_string()) {
        return Err(Error::damaged("a document is no Kubernetes object with apiVersion, kind and name"));
    }
    into.push(object);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with_manifest(manifest: &str) -> Value {
        json!({"release": {"name": "traefik", "namespace": "edge", "manifest": manifest}})
    }

    fn names(objects: &[Value]) -> Vec<&str> {
        objects.iter().filter_map(|o| o["metadata"]["name"].as_str()).collect()
    }

    #[test]
    fn a_manifest_comes_in_install_order_with_lists_taken_apart() {
        let manifest = "---\n# Source: t/templates/routes.yaml\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: route}\n\
            ---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: deployment\n---\n# nothing\n---\n\
            apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: service}}\n\
            - {apiVersion: v1, kind: ServiceAccount, metadata: {name: account}}\n---\n\
            apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: pool}\n";
        let objects = manifest_objects(&with_manifest(manifest)).unwrap();
        assert_eq!(names(&objects), ["account", "service", "deployment", "pool", "route"]);
        assert!(manifest_objects(&with_manifest("")).unwrap().is_empty());
    }

    #[test]
    fn install_order_is_helms() {
        let wanted =
            ["Namespace", "NetworkPolicy", "Secret", "ConfigMap", "Service", "Deployment", "Ingress"];
        assert!(wanted.windows(2).all(|pair| install_rank(pair[0]) < install_rank(pair[1])));
        assert!(install_rank("ValidatingWebhookConfiguration") < install_rank("Middleware"));
        assert_eq!(install_rank("Middleware"), install_rank("IngressRoute"));
    }

    #[test]
    fn what_does_not_parse_is_named_without_its_content() {
        let error = manifest_objects(&with_manifest("a: MARKER\n  b: MARKER\n: x")).unwrap_err().to_string();
        assert!(error.starts_with("manifest of helm release edge/traefik: document 1 "), "{error}");
        assert!(!error.contains("MARKER"), "{error}");
        assert!(manifest_objects(&with_manifest("just text")).is_err());
    }

    #[test]
    fn crds_come_from_the_charts_crds_folder_only() {
        let crd = |name: &str| {
            format!(
                "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {name}\n"
            )
        };
        let file = |name: &str, text: &str| json!({"name": name, "data": STANDARD.encode(text)});
        let mut content = with_manifest("");
        content["release"]["chart"]["files"] = json!([
            file(
                "crds/a.yaml",
                &(crd("a1") + &crd("a2") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
            ),
            file("crds/b.yml", &crd("b")),
            file("crds/README.md", "# crds"),
            file("other/c.yaml", &crd("c")),
        ]);
        assert_eq!(names(&crds(&content).unwrap()), ["a1", "a2", "b"]);
        content["release"]["chart"]["files"] = json!([{"name": "crds/a.yaml", "data": "!"}]);
        let error = crds(&content).unwrap_err().to_string();
        assert!(error.starts_with("crds/a.yaml in the chart of helm release edge/traefik"), "{error}");
    }
}
