use super::*;
use crate::model::Component;

fn objects(extra: &[ExtraKind]) -> Vec<Value> {
    let files = render(3, extra).unwrap();
    files.iter().flat_map(|file| yaml::documents(&file.text).unwrap()).collect()
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    objects.iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name).unwrap()
}

#[test]
fn the_committed_files_are_those_that_are_rendered() {
    for File { name, text } in render(3, &[]).unwrap() {
        let path = format!("{}/schedules/rendered/{name}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{path}: make it anew: netdr schedule render --to schedules/rendered");
    }
}

#[test]
fn a_job_reads_what_the_catalog_names_and_writes_nothing() {
    let objects = objects(&[ExtraKind {
        group: "security.istio.io".into(),
        kind: "AuthorizationPolicy".into(),
        component: Component::Policies,
    }]);
    let installed = |o: &&Value| o["metadata"]["name"] != "netdr-failover-acts";
    for role in objects.iter().filter(|o| o["kind"] == "ClusterRole").filter(installed) {
        for rule in role["rules"].as_array().unwrap() {
            for verb in rule["verbs"].as_array().unwrap() {
                let watches = role["metadata"]["name"] == "netdr-watch" && verb == "watch";
                assert!(verb == "get" || verb == "list" || watches, "{role:#}");
            }
            assert!(!rule.to_string().contains('*'), "{rule}");
        }
    }
    let lists = |role: &str, resource: &str| {
        let rules = named(&objects, "ClusterRole", role)["rules"].as_array().unwrap().clone();
        let has =
            |rule: &Value, field: &str, value: &str| rule[field].as_array().unwrap().contains(&json!(value));
        rules.iter().any(|rule| has(rule, "resources", resource) && has(rule, "verbs", "list"))
    };
    assert!(lists("netdr-network", "authorizationpolicies") && lists("netdr-network", "ippools"));
    assert!(lists("netdr-certificates", "clusterissuers") && !lists("netdr-network", "clusterissuers"));
    assert!(!lists("netdr-certificates", "networkpolicies") && !lists("netdr-host", "secrets"));
    let rules = named(&objects, "ClusterRole", "netdr-cni-check")["rules"].as_array().unwrap();
    let of_maps = |rule: &&Value| rule["resources"].as_array().unwrap().contains(&json!("configmaps"));
    let maps: Vec<&Value> = rules.iter().filter(of_maps).collect();
    assert_eq!(maps.len(), 1);
    assert_eq!(maps[0]["resourceNames"], json!(["rke2-canal-config"]), "others are nobody's concern");
    assert!(lists("netdr-policy-audit", "pods") && !lists("netdr-policy-audit", "secrets"));
    assert!(lists("netdr-certificate-check", "secrets") && !lists("netdr-certificate-check", "pods"));
}

#[test]
fn what_watches_is_installed_and_asleep() {
    let objects = objects(&[]);
    let deployment = named(&objects, "Deployment", "netdr-watch");
    assert_eq!(deployment["spec"]["replicas"], 0);
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!((&pod["restartPolicy"], &pod["containers"][0]["args"]), (&json!("Always"), &json!(["watch"])));
    let rules = named(&objects, "ClusterRole", "netdr-watch")["rules"].as_array().unwrap();
    let watched = rules.iter().filter(|rule| rule["verbs"].as_array().unwrap().contains(&json!("watch")));
    let watched: Vec<&Value> = watched.flat_map(|rule| rule["resources"].as_array().unwrap()).collect();
    for resource in
        ["networkpolicies", "certificates", "secrets", "customresourcedefinitions", "helmchartconfigs"]
    {
        assert!(watched.contains(&&json!(resource)), "{resource}: {watched:?}");
    }
    for resource in ["ipamblocks", "deployments"] {
        assert!(!watched.contains(&&json!(resource)), "{resource}: {watched:?}");
    }
}

#[test]
fn who_asks_no_api_server_has_no_token() {
    let objects = objects(&[]);
    let pod = |name: &str| {
        named(&objects, "CronJob", name)["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone()
    };
    assert_eq!(pod("netdr-prune")["automountServiceAccountToken"], false);
    assert_eq!(pod("netdr-network")["automountServiceAccountToken"], true);
    assert!(!objects.iter().any(|o| o["kind"] == "ClusterRole" && o["metadata"]["name"] == "netdr-prune"));
}

#[test]
fn what_prunes_outside_has_credentials_of_its_own_and_nothing_else() {
    let job = named(&objects(&[]), "CronJob", "netdr-prune-s3").to_string();
    assert!(
        job.contains(r#""secretName":"netdr-prune-s3""#) && !job.contains(r#""secretName":"netdr-keys""#),
        "{job}"
    );
    assert!(!job.contains("/backup") && job.contains(r#""automountServiceAccountToken":false"#), "{job}");
}

#[test]
fn a_check_has_no_keys_and_of_the_repository_its_status_alone() {
    let objects = objects(&[]);
    let job = named(&objects, "CronJob", "netdr-policy-audit");
    let audit = job.to_string();
    assert!(audit.contains("/etc/netdr/netdr.yaml") && !audit.contains("netdr-keys"), "{audit}");
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let mounts = container["volumeMounts"].as_array().unwrap().iter();
    let of_it: Vec<&Value> = mounts.filter(|mount| mount["name"] == "repository").collect();
    assert_eq!(
        of_it,
        [&json!({"name": "repository", "mountPath": "/backup/netdr/status", "subPath": "netdr/status"})]
    );
    assert!(audit.contains("\"runAsNonRoot\":true"), "{audit}");
}

/// All of it is read, and nothing but the status written; metrics lose no certificate, for they are made of the index.
#[test]
fn the_check_of_the_repository_cannot_write_what_it_judges_nor_sign_nor_ask_the_cluster() {
    let job = named(&objects(&[]), "CronJob", "netdr-recoverability-check").clone();
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap().iter();
    let of_it: Vec<&Value> = mounts.filter(|mount| mount["name"] == "repository").collect();
    let mount = |at: &str, sub: &str| json!({"name": "repository", "mountPath": at, "subPath": sub});
    let mut whole = mount("/backup/netdr", "netdr");
    whole["readOnly"] = true.into();
    assert_eq!(
        of_it,
        [
            &json!({"name": "repository", "mountPath": "/backup"}),
            &whole,
            &mount("/backup/netdr/status", "netdr/status"),
        ]
    );
    let volumes = pod["volumes"].as_array().unwrap();
    let keys = volumes.iter().find(|volume| volume["name"] == "keys").unwrap();
    let of_keys: Vec<&Value> =
        keys["secret"]["items"].as_array().unwrap().iter().map(|item| &item["key"]).collect();
    assert_eq!(of_keys, ["index.txt", "s3-credentials"]);
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
}

#[test]
fn every_job_can_tell_somebody_and_gets_no_key_for_it() {
    let objects = objects(&[]);
    let jobs: Vec<&Value> =
        objects.iter().filter(|o| o["kind"] == "CronJob" || o["kind"] == "Deployment").collect();
    assert!(jobs.len() > 10, "{}", jobs.len());
    for job in jobs {
        let template =
            if job["kind"] == "CronJob" { "/spec/jobTemplate/spec/template" } else { "/spec/template" };
        let pod = &job.pointer(template).unwrap()["spec"];
        let volumes = pod["volumes"].as_array().unwrap();
        let channels = volumes.iter().find(|volume| volume["name"] == "netdr-notify").unwrap();
        assert_eq!(
            (&channels["secret"]["secretName"], &channels["secret"]["optional"]),
            (&json!("netdr-notify"), &json!(true))
        );
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        let mount = json!({"name": "netdr-notify", "mountPath": "/etc/netdr-notify", "readOnly": true});
        assert!(mounts.contains(&mount), "{job}");
    }
}

#[test]
fn only_what_is_asked_for_by_name_may_be_done_and_only_where() {
    let files = render(3, &[]).unwrap();
    let resources = &files.iter().find(|file| file.name == "kustomization.yaml").unwrap().text;
    assert!(!resources.contains("failover-rights") && resources.contains("failover-test"));
    assert!(!resources.contains("prune-s3"));
    let writes = |file: &File| {
        let objects = yaml::documents(&file.text).unwrap();
        let roles = objects.into_iter().filter(|object| object["rules"].is_array());
        let rules = roles.flat_map(|role| {
            let (kind, namespace) = (role["kind"].clone(), role["metadata"]["namespace"].clone());
            let rules = role["rules"].as_array().unwrap().clone();
            rules.into_iter().map(move |rule| (kind.clone(), namespace.clone(), rule))
        });
        let act = |(kind, namespace, rule): (Value, Value, Value)| {
            let verbs = rule["verbs"].as_array().unwrap();
            let acts: Vec<&str> = verbs
                .iter()
                .filter_map(Value::as_str)
                .filter(|verb| !["get", "list", "watch"].contains(verb))
                .collect();
            (!acts.is_empty()).then(|| format!("{kind} {namespace} {} {}", rule["resources"], acts.join(",")))
        };
        rules.filter_map(act).collect::<Vec<_>>()
    };
    let all: Vec<String> = files.iter().flat_map(writes).collect();
    assert_eq!(
        all,
        [
            r#""Role" "netdr-probe" ["pods"] create,delete"#,
            r#""Role" "netdr-probe" ["networkpolicies"] create,delete"#,
            r#""ClusterRole" null ["nodes"] patch"#,
            r#""Role" "metallb-system" ["pods"] delete"#,
        ]
    );
}

#[test]
fn every_server_is_reached_and_only_its_files_are_read_as_root() {
    let objects = objects(&[]);
    let host = named(&objects, "CronJob", "netdr-host");
    let job = &host["spec"]["jobTemplate"]["spec"];
    assert_eq!((&job["completions"], &job["backoffLimitPerIndex"]), (&json!(3), &json!(0)));
    assert!(job["backoffLimit"].is_null(), "one server's failure would end the others' backups");
    let pod = &host["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let of_host = mounts.iter().filter(|m| m["mountPath"].as_str().unwrap().starts_with("/host"));
    assert!(of_host.clone().count() >= 3 && of_host.clone().all(|mount| mount["readOnly"] == true));
    for folder in crate::catalog::HOST_FILES.iter().map(|row| row.folder) {
        let inside = |m: &Value| {
            let path = m["mountPath"].as_str().unwrap().trim_start_matches("/host");
            std::path::Path::new(folder).starts_with(path)
        };
        assert!(of_host.clone().any(inside), "{folder} is not mounted");
    }
    let network = named(&objects, "CronJob", "netdr-network");
    let context = &network["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
}
