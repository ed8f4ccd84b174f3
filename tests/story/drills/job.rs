//! The drill in a cluster, as far as it runs without one and without a container engine: the CronJob's own words, as its user,
//! with what its image has.

use std::{fs, io::Write as _, path::Path};

use serde_json::Value;

use super::{custody, memory, recovered};
use crate::support::{Home, Hook, Outcome, built, says};

/// Libraries that Debian's image has, and that are libc's but for one: the images link zlib into netdr (Containerfile).
const LIBRARIES: [&str; 6] = [
    "linux-vdso.so.1",
    "libgcc_s.so.1",
    "libm.so.6",
    "libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
    "libz.so.1",
];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Runs the CronJob's own words as its user, with nothing but these programs: a script that makes `image`.
async fn as_the_job(home: &Home, memory: &Path, programs: &str) -> Outcome {
    let container = &pod()["containers"][0];
    let here = |word: &str| match word {
        "--all" => "--scenario full-stack".to_owned(),
        word => word
            .replace("/etc/netdr-drill/identity.txt", "keys/operator.txt")
            .replace("/etc/netdr-drill", "keys"),
    };
    let words: Vec<String> =
        container["args"].as_array().unwrap().iter().map(|word| here(word.as_str().unwrap())).collect();
    assert_eq!(container["env"][0]["name"], "NETDR_CONFIG");
    let user = &pod()["securityContext"]["runAsUser"];
    let at = memory.display();
    let script = format!(
        "mkdir image; cp $(command -v netdr) image; {programs}; chown -R {user}:{user} . {at}
         setpriv --reuid {user} --regid {user} --clear-groups \
           env -i PATH=image NETDR_CONFIG=netdr.yaml image/netdr {} --json --memory {at}",
        words.join(" "),
    );
    home.shell(&script).await
}

fn objects() -> Vec<Value> {
    netdr::yaml::documents(&read("schedules/drill/cronjob.yaml")).unwrap()
}

fn pod() -> Value {
    let job = objects().into_iter().find(|object| object["kind"] == "CronJob").unwrap();
    job["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_drills_as_its_user_and_says_that_files_of_nodes_are_not_tested() {
    let (home, memory) = (custody().await, memory());
    let bin = built().join("bin").display().to_string();
    let programs = format!("cp {bin}/etcd {bin}/kube-apiserver image");
    let document = as_the_job(&home, memory.path(), &programs).await.json(0);
    recovered(&document);
    says(&document["simulated"].to_string(), &["the controllers of workloads"]);
    says(
        &document["not_tested"].to_string(),
        &["files of nodes: only root can put", "step `host-files`: no files of a node were restored"],
    );
}

/// By the channel whose file it sees, and past the namespace's own policy.
#[tokio::test(flavor = "multi_thread")]
async fn the_job_tells_of_a_drill_that_failed() {
    let (home, memory) = (custody().await, memory());
    let hook = Hook::start();
    fs::create_dir(home.path().join("netdr-notify")).unwrap();
    fs::write(home.path().join("netdr-notify/hook"), hook.address() + "\n").unwrap();
    let mut file = fs::File::options().append(true).open(home.path().join("netdr.yaml")).unwrap();
    file.write_all(b"\nnotify: [{webhook_file: netdr-notify/hook, on: [failed, recovered]}]\n").unwrap();
    let broken = "printf '#!/bin/sh\\necho no more room >&2\\nexit 3\\n' | tee image/etcd > image/kube-apiserver; chmod +x image/*";
    let document = as_the_job(&home, memory.path(), broken).await.json(1);
    let messages = hook.taken();
    let [message] = &messages[..] else { panic!("{messages:#?}") };
    assert_eq!((&message["task"], &message["event"]), (&"drill full-stack".into(), &"failed".into()));
    says(&message["why"].to_string(), &["full-stack: failed", "no more room"]);
    says(&message["next"].to_string(), &[document["report"].as_str().unwrap()]);

    let volumes = pod()["volumes"].as_array().unwrap().clone();
    for name in ["netdr-notify", "netdr-drill-s3"] {
        let volume = volumes.iter().find(|volume| volume["name"] == name).unwrap();
        assert_eq!(volume["secret"]["optional"], true, "{name}: who has none starts all the same");
    }
    // rendered/namespace.yaml denies all but DNS to whoever is in the network of pods.
    assert!(pod()["hostNetwork"].is_null());
    let job = objects().into_iter().find(|object| object["kind"] == "CronJob").unwrap();
    let policy = objects().into_iter().find(|object| object["kind"] == "NetworkPolicy").unwrap();
    let label = "/spec/podSelector/matchLabels/app.kubernetes.io~1name";
    let labels = &job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"];
    assert_eq!(policy.pointer(label).unwrap(), &labels["app.kubernetes.io/name"]);
    let ports = policy["spec"]["egress"][0]["ports"].as_array().unwrap();
    for port in [443, 465, 587] {
        assert!(ports.iter().any(|one| one["port"] == port), "{port}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_into_the_image_needs_nothing_that_the_image_has_not() {
    let home = custody().await;
    let bin = built().join("bin");
    for program in ["etcd", "kube-apiserver"] {
        let said = home.shell(&format!("ldd {}/{program} 2>&1 || true", bin.display())).await.ok();
        says(&said, &["not a dynamic executable"]);
    }
    let said = home.shell("ldd $(command -v netdr)").await.ok();
    for line in said.lines() {
        let library = line.split_whitespace().next().unwrap();
        assert!(LIBRARIES.contains(&library), "{library} is in no image");
    }
    // The unit of a custody host says the same words.
    let unit = read("schedules/drill/netdr-drill.service");
    let words = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/netdr ")).unwrap();
    home.shell(&format!("netdr {words} --help")).await.ok();
}
