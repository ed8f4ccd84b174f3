//! deny.toml's bans and sources, read against Cargo.lock: what cargo-deny does, without installing it.

use std::fs;

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
    for name in values(&lock, "\nname") {
        assert!(
            !banned.contains(&name),
            "Cargo.lock has {name}, which deny.toml forbids; see: cargo tree -i {name}"
        );
    }
    for source in values(&lock, "\nsource") {
        assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index");
    }
}
