//! The schedules, installed in a cluster by one command; each job's verb under exactly its own rights.

use std::path::Path;

use netdr::{drill::cluster::host_root, model::Set};
use serde_json::Value;

use crate::support::{Home, MARKER, NODE, Objects, Operator, block, everything, fresh};

/// The arguments of a job's container, where the test's host is not the pod's.
fn arguments(job: &Value) -> Vec<String> {
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
    args.map(|arg| if arg == "/host" { "host".to_owned() } else { arg.to_owned() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_does_its_work_with_the_rights_it_has_and_none_to_change_anything() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    home.run("kubectl", &["apply", "-k", schedules.to_str().unwrap()]).await.ok();
    // Again, as an upgrade would: nothing is immutable.
    home.run("kubectl", &["apply", "-k", schedules.to_str().unwrap()]).await.ok();
    host_root(&home.path().join("host"), NODE, MARKER).unwrap();

    let mut jobs = objects.list("cronjobs.batch").await;
    // Drift is what a night begins with, compared with the night before.
    jobs.sort_by_key(|job| job["metadata"]["name"].as_str().unwrap().contains("drift"));
    assert_eq!(jobs.len(), 13);
    // No place outside is configured, so nothing is copied there; nobody has allowed the failover test. Both it and the
    // check that starts pods run under their accounts in stories of their own (check/).
    for job in jobs.iter().filter(|job| job["spec"]["suspend"] == false) {
        let name = job["metadata"]["name"].as_str().unwrap();
        if name == "netdr-cni-check" {
            continue;
        }
        assert_eq!(job["spec"]["timeZone"], "Etc/UTC", "{name}");
        let account = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"];
        let user = format!("system:serviceaccount:netdr:{}", account.as_str().unwrap());
        assert!(objects.get("serviceaccounts", &format!("netdr/{name}")).await.is_some(), "{name}");
        let kubeconfig = plane.kubeconfig_for(&user, Some("system:serviceaccounts")).unwrap();
        let arguments = arguments(job);
        let arguments = [
            &["--kubeconfig", kubeconfig.to_str().unwrap(), "--json"].map(ToOwned::to_owned)[..],
            &arguments,
        ];
        let arguments = arguments.concat();
        let done = home.netdr(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(
            !done.stderr.contains("403") && !done.stderr.contains("forbidden"),
            "{name}: {}",
            done.stderr
        );
        // Nobody has judged the Certificates here, and not every namespace is closed: a check says so, of all it asked.
        let checks = arguments.iter().any(|word| word == "check");
        let document = done.json(if checks { 8 } else { 0 });
        assert!(!document.to_string().contains("unknown"), "{name}: {document:#}");
        for snapshot in document["snapshots"].as_array().into_iter().flatten() {
            assert_eq!(snapshot["state"], "complete", "{name}: {snapshot:#}");
        }
        // What a restore does, this account may not.
        for act in ["create", "update", "patch", "delete"] {
            for kind in [
                "networkpolicies.networking.k8s.io",
                "secrets",
                "ippools.crd.projectcalico.org",
                "jobs.batch",
            ] {
                let answer = home.run("kubectl", &["auth", "can-i", act, kind, "-A", "--as", &user]).await;
                assert_eq!(answer.stdout.trim(), "no", "{user} may {act} {kind}");
            }
        }
    }
    let listed = home.netdr(&["snapshots", "--json"]).await.json(0);
    let sets = listed["snapshots"].as_array().unwrap().iter().map(|s| s["set"].as_str().unwrap());
    let mut sets: Vec<&str> = sets.collect();
    sets.sort_unstable();
    assert_eq!(sets, [Set::Certificates.name(), Set::Host.name(), Set::Network.name()]);
}

/// More servers, and what a configuration captures besides.
#[tokio::test(flavor = "multi_thread")]
async fn what_differs_in_an_installation_is_rendered() {
    let home = Home::new().with_repository().await;
    let file = home.path().join("netdr.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let extra =
        "scope: {extra: [{group: security.istio.io, kinds: [AuthorizationPolicy], component: policies}]}\n";
    std::fs::write(file, text + extra).unwrap();
    home.netdr(&["schedule", "render", "--servers", "5", "--to", "rendered"]).await.ok();
    let read = |name: &str| std::fs::read_to_string(home.path().join("rendered").join(name)).unwrap();
    assert!(read("host.yaml").contains("completions: 5"));
    assert!(read("network.yaml").contains("authorizationpolicies"));
}

/// docs/git.md.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_gives_the_backup_jobs_what_they_push_to_git_with() {
    let home = Home::new();
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    let script = format!(
        "cp -r {} s; sed -i 's/^# components:/components:/' s/kustomization.yaml; kubectl kustomize s",
        schedules.display()
    );
    let text = home.shell(&script).await.ok();
    let with: Vec<String> = netdr::yaml::documents(&text)
        .unwrap()
        .into_iter()
        .filter(|object| object["kind"] == "CronJob" || object["kind"] == "Deployment")
        .filter(|job| job.to_string().contains(r#""secretName":"netdr-git""#))
        .map(|job| job["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(with, ["netdr-watch", "netdr-certificates", "netdr-host", "netdr-network"]);
    assert!(
        !home.shell(&format!("kubectl kustomize {}", schedules.display())).await.ok().contains("netdr-git")
    );
}

/// Both are comments of schedules/kustomization.yaml until somebody wants them.
#[tokio::test(flavor = "multi_thread")]
async fn retention_outside_and_another_volume_are_a_comment_away() {
    let home = Home::new();
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    let script = format!(
        "cp -r {} s; sed -i 's/^# - rendered/  - rendered/; /^# patches:/,/^# A cluster/ {{ /^# A cluster/! s/^# // }}' \
         s/kustomization.yaml; kubectl kustomize s",
        schedules.display()
    );
    let objects = netdr::yaml::documents(&home.shell(&script).await.ok()).unwrap();
    assert!(objects.iter().any(|o| o["kind"] == "CronJob" && o["metadata"]["name"] == "netdr-prune-s3"));
    let local = objects.iter().filter(|o| o.to_string().contains(r#""mountPath":"/backup"#));
    let names: Vec<&str> = local
        .clone()
        .filter(|object| !object.to_string().contains(r#""server":"proj-pg01""#))
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    assert!(local.count() == 14 && names.is_empty(), "{names:?}");
}

/// The commands of docs/schedules.md that come before the CronJobs, word by word but for the place of the repository.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_says_to_do_before_is_done_by_its_commands() {
    let page = include_str!("../../docs/schedules.md");
    let blocks: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
    let block = |first: &str| *blocks.iter().find(|block| block.trim().starts_with(first)).unwrap();
    let plane = fresh(everything()).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig());
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    std::os::unix::fs::symlink(schedules, home.path().join("schedules")).unwrap();
    home.shell("netdr keys generate --out keys").await.ok();
    home.shell(block("kubectl apply -f")).await.ok();
    let init = block("netdr init").replace("/backup", "backup");
    home.shell(&format!("mkdir backup\nchown() {{ :; }}\n{init}")).await.ok();
    home.shell(block("kubectl apply -k")).await.ok();
    let secret = Objects::of(&plane).await.get("secrets", "netdr/netdr-keys").await.unwrap();
    assert_eq!(secret["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["index.txt", "signing"]);
    home.shell("netdr backup --set network").await.ok();
}

/// docs/schedules.md, "Many clusters": the overlay as it stands there has its own configuration, and all else as it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_of_the_page_gives_a_cluster_its_own_configuration() {
    let text = block("docs/schedules.md", "Many clusters");
    let (file, overlay) = text.split_once(":\n").unwrap();
    let home = Home::new();
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    home.run("cp", &["-r", schedules.to_str().unwrap(), "schedules"]).await.ok();
    let file = home.path().join(file);
    let folder = file.parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(&file, overlay).unwrap();
    let own = "cluster: {name: alpha}\nrepository: /backup/netdr\n";
    std::fs::write(folder.join("netdr.yaml"), own).unwrap();
    let rendered = async |folder: &str| {
        netdr::yaml::documents(&home.run("kubectl", &["kustomize", folder]).await.ok()).unwrap()
    };
    let (mut base, mut of_it) = (rendered("schedules").await, rendered(folder.to_str().unwrap()).await);
    let configuration = |objects: &mut Vec<Value>| {
        let is_it =
            |object: &Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "netdr-config";
        let mut found: Vec<Value> = objects.extract_if(.., |object| is_it(object)).collect();
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    };
    let (of_base, overlaid) = (configuration(&mut base), configuration(&mut of_it));
    assert_eq!(overlaid["metadata"]["namespace"], "netdr");
    assert_eq!(overlaid["data"]["netdr.yaml"], own);
    for kept in ["recipients.txt", "trusted_signers"] {
        assert!(
            overlaid["data"][kept].is_string() && overlaid["data"][kept] == of_base["data"][kept],
            "{kept}"
        );
    }
    assert_eq!(of_it, base, "the jobs are those of every cluster");
}

/// Its pods must be of the version that understands them.
#[tokio::test(flavor = "multi_thread")]
async fn the_check_of_the_pod_network_starts_pods_of_the_image_that_it_runs_itself() {
    let home = Home::new();
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    home.run("cp", &["-r", schedules.to_str().unwrap(), "schedules"]).await.ok();
    let file = home.path().join("schedules/kustomization.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("newName: netdr", "newName: registry.example.org/platform/netdr"))
        .unwrap();
    let rendered = home.run("kubectl", &["kustomize", "schedules"]).await.ok();
    let objects = netdr::yaml::documents(&rendered).unwrap();
    let job = objects
        .iter()
        .find(|object| object["metadata"]["name"] == "netdr-cni-check" && object["kind"] == "CronJob");
    let container = &job.unwrap()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let image = container["image"].as_str().unwrap();
    assert!(image.starts_with("registry.example.org/platform/netdr:"), "{image}");
    let env = container["env"].as_array().unwrap().iter().find(|env| env["name"] == "NETDR_PROBE_IMAGE");
    assert_eq!(env.unwrap()["value"], image);
    let role = objects.iter().find(|object| object["kind"] == "Role").unwrap();
    assert_eq!(role["metadata"]["namespace"], "netdr-probe", "nobody moved it");
}
