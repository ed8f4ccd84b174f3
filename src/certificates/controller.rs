//! cert-manager's controller: how it is found, and where it looks for a ClusterIssuer's Secrets.
//!
//! In: its Deployment. Out: a namespace. Invariant: pure.

use serde_json::Value;

/// As its chart and its manifests label the Deployment.
pub const CONTROLLER: &str = "app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller";
/// Where its chart installs cert-manager.
pub const CHART_DEFAULT: &str = "cert-manager";

/// `--cluster-resource-namespace` of the controller. Its chart passes the controller's own namespace; the program's own
/// default is kube-system.
pub fn issuer_namespace(controller: Option<&Value>) -> &str {
    let Some(controller) = controller else { return CHART_DEFAULT };
    let own = controller["metadata"]["namespace"].as_str().unwrap_or(CHART_DEFAULT);
    let containers = controller["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
    let args = containers.flat_map(|c| c["args"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    match resource_namespace(&args.collect::<Vec<_>>()) {
        Some(variable) if variable.starts_with("$(") => own,
        namespace => namespace.unwrap_or("kube-system"),
    }
}

/// The value of the flag, in one argument or in two.
fn resource_namespace<'a>(args: &[&'a str]) -> Option<&'a str> {
    const FLAG: &str = "--cluster-resource-namespace";
    args.iter().enumerate().find_map(|(number, arg)| match arg.strip_prefix(FLAG)? {
        "" => args.get(number + 1).copied(),
        rest => rest.strip_prefix('='),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_namespace_of_cluster_issuers_secrets_is_one_argument_or_two() {
        assert_eq!(resource_namespace(&["--v=2", "--cluster-resource-namespace=a"]), Some("a"));
        assert_eq!(resource_namespace(&["--cluster-resource-namespace", "b", "--v=2"]), Some("b"));
        assert_eq!(resource_namespace(&["--cluster-resource-namespaces=c", "--v=2"]), None);
    }

    #[test]
    fn the_chart_passes_the_controllers_own_namespace() {
        let with = |args: Value| {
            json!({"metadata": {"namespace": "tls"},
                "spec": {"template": {"spec": {"containers": [{"args": args}]}}}})
        };
        let of = |args: Value| issuer_namespace(Some(&with(args))).to_owned();
        assert_eq!(of(json!(["--cluster-resource-namespace=$(POD_NAMESPACE)"])), "tls");
        assert_eq!(of(json!([])), "kube-system");
        assert_eq!(issuer_namespace(None), CHART_DEFAULT);
    }
}
