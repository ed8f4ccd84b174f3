//! Source files as the rules read them, and the rules about files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// More than this is more than one subject.
const LONGEST: usize = 450;

/// The repository's root.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the repository, by its path from the root.
pub(super) fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(root()).unwrap().into());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    found
}

/// The code of a file: without comments, and without its tests, which stand at its end or in files of their own.
pub(super) fn code(path: &Path) -> String {
    if is_unit_test(path) {
        return String::new();
    }
    let text = fs::read_to_string(root().join(path)).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Whether a file below src/ is `tests.rs`, or below `tests/`.
fn is_unit_test(path: &Path) -> bool {
    path.starts_with("src") && path.iter().any(|part| part == "tests.rs" || part == "tests")
}

/// Whether `word` stands in the text on its own, not as a part of a longer path or name.
pub(super) fn says(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '.'))
    })
}

#[test]
fn a_file_has_one_subject() {
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let lines = fs::read_to_string(root().join(&path)).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines: split it", path.display());
    }
}

#[test]
fn every_module_says_what_it_is() {
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        assert!(is_unit_test(&path) || text.starts_with("//! "), "{} does not open with //!", path.display());
    }
}

#[test]
fn nothing_is_silenced() {
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        for silence in
            [["#[", "ignore"], ["allow(", "dead_code"], ["allow(", "unused"]].map(|parts| parts.concat())
        {
            assert!(!text.contains(&silence), "{} has {silence}", path.display());
        }
    }
}

/// A file that no `mod` names is never compiled, and its tests never run.
#[test]
fn no_test_file_is_forgotten() {
    let mut reached = BTreeSet::from([PathBuf::from("tests/integration.rs")]);
    let mut open: Vec<(PathBuf, PathBuf)> = vec![("tests/integration.rs".into(), "tests".into())];
    while let Some((file, folder)) = open.pop() {
        for line in code(&file).lines() {
            let Some((_, name)) = line.split_once("mod ").filter(|(before, _)| before.trim().is_empty())
            else {
                continue;
            };
            let Some(name) = name.trim().strip_suffix(';') else { continue };
            let child = folder.join(format!("{name}.rs"));
            reached.insert(child.clone());
            open.push((child, folder.join(name)));
        }
    }
    let found = BTreeSet::from_iter(rust_files("tests"));
    assert_eq!(found.difference(&reached).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}
