//! Kinds of files that netdr leaves in a repository, and which of them a frozen repository has.
//!
//! In: a repository. Out: what of its files no frozen one has the like of. Names are the program's own; ids, hosts and
//! hashes in them are put out.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Where frozen repositories are.
pub(crate) fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/frozen")
}

static FROZEN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let folders = fs::read_dir(frozen()).unwrap().map(|folder| folder.unwrap().path().join("repo"));
    folders.flat_map(|repository| kinds(&repository)).collect()
});

/// What no frozen repository has the like of.
pub(crate) fn unfrozen(repository: &Path) -> Vec<String> {
    kinds(repository).into_iter().filter(|kind| !FROZEN.contains(kind)).collect()
}

/// The kinds of all files there that anybody reads again.
pub(crate) fn kinds(repository: &Path) -> BTreeSet<String> {
    let files = files(repository).into_iter();
    files.filter_map(|file| kind(file.strip_prefix(repository).unwrap().to_str()?)).collect()
}

/// Whatever is gone meanwhile, with a process that still runs, is left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    fs::read_dir(folder).into_iter().flatten().flatten().flat_map(|entry| below(entry.path())).collect()
}

/// Of a path in a repository; none of a file on its way to its name, of pages that only people read, and of what somebody
/// moved away because it was damaged, as `fetch` advises.
fn kind(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let name = *parts.last()?;
    let is_read = !name.starts_with('.')
        && !name.ends_with(".new")
        && !name.contains(".html")
        && !path.starts_with("damaged-");
    is_read.then(|| match parts[..] {
        [folder @ ("git" | "locks" | "thaws"), _] => format!("{folder}/*"),
        ["status", name] => format!("status/{}-*", name.split('-').next().unwrap_or(name)),
        ["reports", name] => format!("reports/*.{}", ending(name)),
        // Of the output of each program, and of what each session and part of a run saves.
        ["runs", _, name] if name.contains('-') => {
            format!("runs/*/{}-*.{}", name.split('-').next().unwrap_or(name), ending(name))
        }
        [folder @ ("runs" | "snapshots"), _, name] => format!("{folder}/*/{name}"),
        _ => path.to_owned(),
    })
}

fn ending(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, ending)| ending)
}

#[test]
fn a_name_is_of_its_kind_whatever_it_names() {
    for (path, wanted) in [
        ("status/ran-backup-network-8105fc49.json", Some("status/ran-*")),
        ("reports/20261126T063742Z-drill-f52e82.json.sig", Some("reports/*.json.sig")),
        ("reports/20261126T063742Z-drill-f52e82.html", None),
        (
            "runs/20261126T063740Z-cni-586c07/safety-2-rest-policies.tar.zst.age",
            Some("runs/*/safety-*.tar.zst.age"),
        ),
        ("runs/20261126T063740Z-cni-586c07/journal.jsonl", Some("runs/*/journal.jsonl")),
        ("snapshots/20261126T063738Z-network-e85eaf/snapshot.json", Some("snapshots/*/snapshot.json")),
        ("status/.new-x7", None),
        ("damaged-20261126T063738Z-network-e85eaf/snapshot.json", None),
        ("secrets.json", Some("secrets.json")),
    ] {
        assert_eq!(kind(path).as_deref(), wanted, "{path}");
    }
}
