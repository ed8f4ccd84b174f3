//! The Containerfiles, as far as it can be checked without a container engine.

use std::fs;

use super::sources::root;

#[test]
fn the_image_is_made_of_what_is_there() {
    let user = made_of_what_is_there("Containerfile");
    let rendered = fs::read_to_string(root().join("schedules/rendered/network.yaml")).unwrap();
    assert!(rendered.contains(&format!("runAsUser: {user}")));
}

#[test]
fn the_image_of_drills_has_the_programs_that_are_tested_and_a_shell_for_their_watchdogs() {
    let user = made_of_what_is_there("Containerfile.drill");
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    assert!(read("schedules/drill/cronjob.yaml").contains(&format!("runAsUser: {user}")));
    let image = read("Containerfile.drill");
    let kubernetes = read("tests/control-plane/build");
    let kubernetes = kubernetes.split("kubernetes_version=").nth(1).unwrap().lines().next().unwrap();
    assert!(image.contains(&format!("kube-apiserver:{kubernetes} ")), "{kubernetes}");
    let etcd = read("tests/control-plane/etcd/go.mod");
    let etcd = etcd.split("go.etcd.io/etcd/server/v3 ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(image.contains(&format!("etcd:{etcd} ")), "{etcd}");
    let last = image.lines().rfind(|line| line.starts_with("FROM")).unwrap();
    assert!(!last.contains("distroless"), "{last} has no shell");
}

/// Checks a file of an image; the uid that it runs as.
fn made_of_what_is_there(file: &str) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let words = |line: &'static str| -> Vec<&str> { line.split_whitespace().collect() };
    let text: &'static str = text.leak();
    let lines = || text.lines().filter(|line| !line.starts_with('#')).map(words);
    for copied in lines().filter(|line| line.first() == Some(&"COPY") && !line[1].starts_with("--from")) {
        for source in &copied[1..copied.len() - 1] {
            assert!(root().join(source).exists(), "{source} is copied into the image and is not there");
        }
    }
    // What the manifest names must be in the build, or cargo refuses it.
    // Debian's compiler image has a zlib to link with, and the image that netdr goes into has none.
    let built = text.split("RUN cargo build").next().unwrap();
    assert!(built.contains("\nENV LIBZ_SYS_STATIC=1\n"), "{file}");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for path in manifest.split("path = \"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let copied = lines()
            .any(|line| line.first() == Some(&"COPY") && line[1..].iter().any(|w| path.starts_with(w)));
        assert!(copied, "Cargo.toml names {path}, which the image's build has not");
    }
    let compiler = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    let image = lines().find(|line| line.first() == Some(&"FROM")).unwrap()[1];
    let has = image.split_once("rust:").unwrap().1.split('-').next().unwrap();
    let number = |version: &str| -> Vec<u32> { version.split('.').map(|n| n.parse().unwrap()).collect() };
    assert!(number(has) >= number(compiler)[..2].to_vec(), "{image} is older than Rust {compiler}");
    let user = lines().find(|line| line.first() == Some(&"USER")).unwrap()[1];
    user.split(':').next().unwrap().to_owned()
}
