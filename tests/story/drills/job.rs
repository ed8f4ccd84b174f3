//! The drill in a cluster, as far as it runs without one and without a container engine: the CronJob's own words, as its user,
//! with what its image has.

use std::{fs, path::Path};

use super::{custody, memory, recovered};
use crate::support::{built, says};

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

#[tokio::test(flavor = "multi_thread")]
async fn the_job_drills_as_its_user_and_says_that_files_of_nodes_are_not_tested() {
    let (home, memory) = (custody().await, memory());
    let objects = netdr::yaml::documents(&read("schedules/drill/cronjob.yaml")).unwrap();
    let pod = &objects.iter().find(|object| object["kind"] == "CronJob").unwrap()["spec"]["jobTemplate"]["spec"]
        ["template"]["spec"];
    let container = &pod["containers"][0];
    let here = |word: &str| match word {
        "--all" => "--scenario full-stack".to_owned(),
        word => word
            .replace("/etc/netdr-drill/identity.txt", "keys/operator.txt")
            .replace("/etc/netdr-drill", "keys"),
    };
    let words: Vec<String> =
        container["args"].as_array().unwrap().iter().map(|word| here(word.as_str().unwrap())).collect();
    assert_eq!(container["env"][0]["name"], "NETDR_CONFIG");
    let user = &pod["securityContext"]["runAsUser"];
    let (at, bin) = (memory.path().display(), built().join("bin"));
    let script = format!(
        "mkdir image; cp $(command -v netdr) {bin}/etcd {bin}/kube-apiserver image; chown -R {user}:{user} . {at}
         setpriv --reuid {user} --regid {user} --clear-groups \
           env -i PATH=image NETDR_CONFIG=netdr.yaml image/netdr {} --json --memory {at}",
        words.join(" "),
        bin = bin.display(),
    );
    let document = home.shell(&script).await.json(0);
    recovered(&document);
    says(&document["simulated"].to_string(), &["the controllers of workloads"]);
    says(
        &document["not_tested"].to_string(),
        &["files of nodes: only root can put", "step `host-files`: no files of a node were restored"],
    );
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
