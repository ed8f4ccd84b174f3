//! deny.toml's bans, sources and licences, read against Cargo.lock and Cargo's metadata: what cargo-deny does, without
//! installing it.

use std::{fs, process::Command};

use serde_json::Value;

use super::sources::root;

fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let opening = format!("{key} = \"");
    text.split(&opening).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn no_forbidden_crate_and_no_foreign_source() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let banned = values(&deny, "crate");
    assert!(banned.contains(&"aws-lc-rs"), "{banned:?}");
    for package in lock.split("[[package]]").skip(1) {
        let name = values(package, "\nname")[0];
        for used in package.lines().filter_map(|line| line.strip_prefix(" \"")).chain([name]) {
            let used = used.split(['"', ' ']).next().unwrap();
            // A crate with wrappers may be used by those, and be there for them.
            let entry = deny.lines().find(|line| line.contains(&format!("crate = \"{used}\"")));
            let wrapped = entry.and_then(|entry| entry.split_once("wrappers = [")?.1.split(']').next());
            let allowed = wrapped.is_some_and(|w| used == name || w.contains(&format!("\"{name}\"")));
            assert!(
                !banned.contains(&used) || allowed,
                "{name} has {used}, which deny.toml forbids; see: cargo tree -i {used}"
            );
        }
    }
    for source in values(&lock, "\nsource") {
        assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index");
    }
}

/// Whether one of the licences that an expression offers is allowed, for every part that is under one of its own. `AND`
/// binds closer than `OR`; a slash is how Cargo once wrote `OR`.
fn licensed(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.replace('/', " OR ");
    // The innermost brackets become one word that is allowed, or one that is not.
    if let Some(close) = expression.find(')') {
        let open = expression[..close].rfind('(').unwrap();
        let word = if licensed(&expression[open + 1..close], allowed) { allowed[0] } else { "NOT-ALLOWED" };
        return licensed(&format!("{}{word}{}", &expression[..open], &expression[close + 1..]), allowed);
    }
    expression.split(" OR ").any(|one| one.split(" AND ").all(|part| allowed.contains(&part.trim())))
}

#[test]
fn every_licence_is_allowed() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let list = deny.split_once("[licenses]\nallow = [").unwrap().1.split_once(']').unwrap().0;
    let allowed: Vec<&str> = list.split(',').map(|line| line.trim().trim_matches('"')).collect();
    assert!(
        !licensed("GPL-2.0-only", &allowed) && !licensed("MIT AND (GPL-2.0-only OR GPL-3.0-only)", &allowed)
    );
    // What a build for this machine links, all of which is here.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", &target])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or_default());
        assert!(licensed(licence, &allowed), "deny.toml does not allow {name}: {licence}");
    }
}
