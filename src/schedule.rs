//! The schedules of an installation: CronJobs and what watches, each under a service account that may do what its verb does and no more.
//!
//! In: what a configuration adds to the catalog, and how many servers there are. Out: files of Kubernetes objects, which
//! `kubectl apply -k` takes. Invariant: pure; what a job may read follows from the catalog and the lists of the
//! checks, so that they cannot drift apart, and no job that backs up may write anything to the cluster.

mod namespaces;
mod pod;
mod rights;

use serde_json::{Value, json};

use crate::{
    Result,
    catalog::ExtraKind,
    check::{self, Source},
    model::Set,
    yaml,
};
use rights::Right;

/// Where they are installed.
const NAMESPACE: &str = "netdr";
/// What the objects carry, so that they can be found and removed together.
const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "netdr");

/// One schedule.
struct Job {
    name: &'static str,
    /// Cron, in UTC.
    schedule: &'static str,
    /// What `netdr` is called with.
    args: &'static [&'static str],
    /// What it reads of the cluster.
    reads: Reads,
    /// What it may do besides.
    also: &'static [Right],
    /// Seconds that it may take.
    deadline_s: u64,
    /// Of use only where the configuration has something for it.
    suspended: bool,
}

/// What a job reads of the cluster.
#[derive(Clone, Copy)]
enum Reads {
    /// It never asks the API server.
    Nothing,
    /// The same; it works in a place outside, under credentials of its own.
    Place,
    /// What the catalog names of a set.
    Set(Set),
    /// The same of these.
    Sets(&'static [Set]),
    /// The same of these, followed.
    Followed(&'static [Set]),
    /// What a check lists; it needs neither keys nor repository.
    Check(fn() -> Vec<Source>),
}

/// A night, in order: each begins when the one before is done, as a rule; those that meet wait for each other's lock. Drift
/// comes first: after the backup nothing would differ any more. Then the routine checks of the operations guide, at its
/// intervals.
const JOBS: [Job; 11] = [
    Job {
        name: "netdr-drift",
        schedule: "15 0 * * *",
        args: &["drift", "--set", "network", "--set", "certificates"],
        reads: Reads::Sets(&[Set::Network, Set::Certificates]),
        also: rights::ISSUED,
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-drift-host",
        schedule: "20 0 * * *",
        args: &["drift", "--set", "host", "--host-root", pod::HOST_ROOT],
        reads: Reads::Set(Set::Host),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-host",
        schedule: "45 0 * * *",
        args: &["backup", "--set", "host", "--host-root", pod::HOST_ROOT],
        reads: Reads::Set(Set::Host),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-network",
        schedule: "0 1 * * *",
        args: &["backup", "--set", "network"],
        reads: Reads::Set(Set::Network),
        also: &[],
        deadline_s: 1_500,
        suspended: false,
    },
    Job {
        name: "netdr-certificates",
        schedule: "30 1 * * *",
        args: &["backup", "--set", "certificates"],
        reads: Reads::Set(Set::Certificates),
        also: &[],
        deadline_s: 1_500,
        suspended: false,
    },
    // A backup copies what it made; this copies what a place would not take then.
    Job {
        name: "netdr-replicate",
        schedule: "0 2 * * *",
        args: &["replicate"],
        reads: Reads::Nothing,
        also: &[],
        deadline_s: 3_000,
        suspended: true,
    },
    Job {
        name: "netdr-prune",
        schedule: "30 3 * * *",
        args: &["prune"],
        reads: Reads::Nothing,
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-certificate-check",
        schedule: "0 6 1 * *", // monthly
        args: &["check", "certificates"],
        reads: Reads::Check(|| check::certificates::SOURCES.to_vec()),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-policy-audit",
        schedule: "30 6 1 1,4,7,10 *", // quarterly
        args: &["check", "policies"],
        reads: Reads::Check(|| check::policies::SOURCES.to_vec()),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-cni-check",
        schedule: "0 6 * * 1", // weekly
        args: &["check", "cni"],
        reads: Reads::Check(|| check::cni::SOURCES.to_vec()),
        also: rights::PROBES,
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-failover-test",
        schedule: "0 5 1 1,7 *", // semi-annually, once somebody has given it the right to
        args: &["check", "loadbalancer", "--failover", "--yes"],
        reads: Reads::Check(|| check::loadbalancer::SOURCES.to_vec()),
        also: rights::LOOKS,
        deadline_s: 900,
        suspended: true,
    },
];

/// What deletes in places outside: with rights that a cluster had better not have, so it is installed by itself.
const PRUNE_S3: Job = Job {
    name: "netdr-prune-s3",
    schedule: "45 3 * * *",
    args: &["prune", "--place", "s3"],
    reads: Reads::Place,
    also: &[],
    deadline_s: 900,
    suspended: false,
};

/// What follows changes, where somebody wants that: as it is installed, no pod of it runs.
const WATCH: Job = Job {
    name: "netdr-watch",
    schedule: "",
    args: &["watch"],
    reads: Reads::Followed(&[Set::Network, Set::Certificates]),
    also: &[],
    deadline_s: 0,
    suspended: true,
};

/// A file of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// YAML documents.
    pub text: String,
}

/// The files of an installation on a cluster with so many `servers` (control-plane nodes), whose configuration captures
/// the `extra` kinds besides the catalog's.
///
/// # Errors
/// When an object cannot be written as YAML, which none is known to do.
pub fn render(servers: u32, extra: &[ExtraKind]) -> Result<Vec<File>> {
    let mut files = vec![
        File::of("namespace", &namespaces::jobs())?,
        File::of("probe-namespace", &namespaces::probes())?,
    ];
    for job in &JOBS {
        let mut objects = rights::objects(job, extra);
        objects.push(pod::cron_job(job, servers));
        files.push(File::of(job.name.trim_start_matches("netdr-"), &objects)?);
    }
    let mut objects = rights::objects(&WATCH, extra);
    objects.push(pod::deployment(&WATCH));
    files.push(File::of("watch", &objects)?);
    let resources: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": resources});
    files.push(File::of("kustomization", &[kustomization])?);
    // Not among the resources: whoever wants the test applies it, where MetalLB's namespace is.
    files.push(File::of("failover-rights", &rights::failover())?);
    // Nor is this: schedules/kustomization.yaml names it where somebody wants it.
    let mut objects = rights::objects(&PRUNE_S3, extra);
    objects.push(pod::cron_job(&PRUNE_S3, servers));
    files.push(File::of("prune-s3", &objects)?);
    Ok(files)
}

impl File {
    fn of(name: &str, objects: &[Value]) -> Result<Self> {
        let mut text = "# Made by `netdr schedule render`: change it there, not here.\n".to_owned();
        for (number, object) in objects.iter().enumerate() {
            text += if number > 0 { "---\n" } else { "" };
            text += &yaml::write(object)?;
        }
        Ok(Self { name: format!("{name}.yaml"), text })
    }
}

/// What every object of a job begins with.
fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": NAMESPACE, "labels": {PART_OF.0: PART_OF.1, "app.kubernetes.io/name": name}})
}

#[cfg(test)]
mod tests {
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
            let has = |rule: &Value, field: &str, value: &str| {
                rule[field].as_array().unwrap().contains(&json!(value))
            };
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
        assert_eq!(
            (&pod["restartPolicy"], &pod["containers"][0]["args"]),
            (&json!("Always"), &json!(["watch"]))
        );
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
        assert!(
            !objects.iter().any(|o| o["kind"] == "ClusterRole" && o["metadata"]["name"] == "netdr-prune")
        );
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
                (!acts.is_empty())
                    .then(|| format!("{kind} {namespace} {} {}", rule["resources"], acts.join(",")))
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
}
