//! The Containerfiles, as far as it can be checked without a container engine.

use std::{fs, process::Command};

use super::sources::{root, rust_files};

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

#[test]
fn the_image_is_made_of_what_is_there() {
    let user = made_of_what_is_there("Containerfile");
    assert!(read("schedules/rendered/network.yaml").contains(&format!("runAsUser: {user}")));
}

#[test]
fn the_image_of_drills_has_the_programs_that_are_tested_and_a_shell_for_their_watchdogs() {
    let user = made_of_what_is_there("Containerfile.drill");
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
    let (_, image) = image.rsplit_once("\nFROM ").unwrap();
    let authorities = "/etc/ssl/certs/ca-certificates.crt";
    assert!(image.contains(&format!("COPY --from=build {authorities} {authorities}\n")), "{image}");
}

/// The first stage of an image: how netdr is built.
fn building(file: &str) -> String {
    let text = read(file);
    let (_, stage) = text.split_once("\nFROM ").unwrap();
    stage.split("\n\n").next().unwrap().to_owned()
}

/// Cargo itself says whether what is copied is a package: it refuses a manifest that names what is not there, and a lock
/// file that is not the manifest's.
#[test]
fn both_are_built_alike_of_all_that_cargo_and_the_sources_ask_for() {
    let stage = building("Containerfile");
    assert_eq!(stage, building("Containerfile.drill"));
    let package = tempfile::tempdir().unwrap();
    let copied: Vec<&str> = stage.lines().filter_map(|line| line.strip_prefix("COPY ")).collect();
    for line in copied {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [sources @ .., to] = &words[..] else { panic!("{line}") };
        let to = package.path().join(to);
        fs::create_dir_all(if to.ends_with("./") { &to } else { to.parent().unwrap() }).unwrap();
        let made = Command::new("cp").arg("-r").args(sources).arg(&to).current_dir(root()).status().unwrap();
        assert!(made.success(), "{line}");
    }
    let command = stage.lines().find_map(|line| line.strip_prefix("RUN cargo build ")).unwrap();
    assert!(command.contains("--locked") && command.contains("--release"), "{command}");
    let asked = [
        "metadata",
        "--locked",
        "--offline",
        "--format-version=1",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ];
    let cargo = Command::new(env!("CARGO")).args(asked).current_dir(package.path()).output().unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    for file in rust_files("src") {
        let file = package.path().join(file);
        for part in fs::read_to_string(&file).unwrap().split("include_str!(\"").skip(1) {
            let included = file.parent().unwrap().join(part.split('"').next().unwrap());
            assert!(
                included.is_file(),
                "{} includes {}, which is not copied",
                file.display(),
                included.display()
            );
        }
    }
}

/// Checks a file of an image; the uid that it runs as.
fn made_of_what_is_there(file: &str) -> String {
    let text = read(file);
    // Debian's compiler image has a zlib to link with, and the image that netdr goes into has none.
    let built = text.split("RUN cargo build").next().unwrap();
    assert!(built.contains("\nENV LIBZ_SYS_STATIC=1\n"), "{file}");
    let first = |word: &str| {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.find(|line| line.first() == Some(&word)).unwrap()[1]
    };
    let manifest = read("Cargo.toml");
    let compiler = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    let image = first("FROM");
    let has = image.split_once("rust:").unwrap().1.split('-').next().unwrap();
    let number = |version: &str| -> Vec<u32> { version.split('.').map(|n| n.parse().unwrap()).collect() };
    assert!(number(has) >= number(compiler)[..2].to_vec(), "{image} is older than Rust {compiler}");
    // A glibc that is older than the one it was linked with would not start it.
    let last = text.lines().rfind(|line| line.starts_with("FROM")).unwrap();
    let of_debian_13 = |image: &str| image.contains("trixie") || image.contains("debian13");
    assert!(of_debian_13(image) && of_debian_13(last), "{image}, {last}");
    first("USER").split(':').next().unwrap().to_owned()
}
