//! What may stand in a file stands in one that is kept: every kind of line of a journal, every key of a configuration.
//!
//! What netdr knows is asked of its own readers, which name all that they know to whoever writes something else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use netdr::{config::Config, restore::journal::Line};
use serde_json::{Value, json};

use super::Frozen;
use crate::support::kinds;

const UNKNOWN: &str = "qqqq";

#[test]
fn every_kind_of_line_of_a_journal_is_frozen() {
    let line = json!({"at": "2026-11-24T03:15:00Z", "event": UNKNOWN});
    let refused = serde_json::from_value::<Line>(line).unwrap_err().to_string();
    let known: BTreeSet<&str> =
        refused.split('`').skip(1).step_by(2).filter(|word| *word != UNKNOWN).collect();
    assert!(known.contains("begun"), "{refused}");
    let frozen = Frozen::newest();
    let runs = fs::read_dir(frozen.folder.join("repo/runs")).unwrap();
    let journals: String =
        runs.map(|run| fs::read_to_string(run.unwrap().path().join("journal.jsonl")).unwrap()).collect();
    let missing: Vec<&&str> =
        known.iter().filter(|word| !journals.contains(&format!(r#""event":"{word}""#))).collect();
    assert!(
        missing.is_empty(),
        "{missing:?}: an older netdr takes a journal with such a line for damaged: raise journal::FORMAT, then freeze"
    );
}

#[test]
fn the_page_of_the_format_has_every_kind_of_file() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/snapshot-format.md")).unwrap();
    for kind in kinds(&Frozen::newest().folder.join("repo")) {
        let (folder, name) = kind.rsplit_once('/').unwrap_or(("", &kind));
        let word = name.split('*').next().unwrap();
        let word = if word.is_empty() { format!("{folder}/") } else { word.to_owned() };
        assert!(page.contains(&word), "{kind} is not on it");
    }
}

/// Where the maps of a configuration are, and which keys each has.
fn maps(value: &Value, place: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
    if let Value::Object(map) = value {
        found.push((place.to_owned(), map.keys().cloned().collect()));
    }
    let list = value.as_array().into_iter().flatten().enumerate();
    let map = value.as_object().into_iter().flatten();
    list.map(|(number, one)| (number.to_string(), one))
        .chain(map.map(|(key, one)| (key.clone(), one)))
        .for_each(|(key, one)| maps(one, &format!("{place}/{key}"), found));
}

/// The keys that may stand there, as the refusal of another says.
fn known(document: &Value, place: &str) -> BTreeSet<String> {
    let mut wrong = document.clone();
    wrong.pointer_mut(place).unwrap()[UNKNOWN] = 1.into();
    let refused = Config::parse(&wrong.to_string(), Path::new("netdr.yaml")).unwrap_err();
    let hint = refused.hints().iter().find_map(|hint| hint.strip_prefix("known here: "));
    hint.unwrap_or_else(|| panic!("{place}: {refused:?}")).split(", ").map(ToOwned::to_owned).collect()
}

#[test]
fn every_key_of_a_configuration_is_kept_and_none_is_taken_away() {
    let kept = |folder: PathBuf| ["netdr.yaml", "every-key.yaml"].map(|file| folder.join(file));
    let frozen = Frozen::all().into_iter().flat_map(|one| kept(one.folder)).filter(|file| file.exists());
    let next = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/every-key.yaml");
    let (mut wanted, mut there) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for file in frozen.chain([next]) {
        let text = fs::read_to_string(&file).unwrap();
        Config::parse(&text, &file).unwrap_or_else(|e| panic!("{}: {e:?}", file.display()));
        let document: Value = netdr::strict::parse(&text, "netdr.yaml").unwrap();
        let mut found = Vec::new();
        maps(&document, "", &mut found);
        for (place, keys) in found {
            let name = |part| if str::parse::<usize>(part).is_ok() { "*" } else { part };
            let shown = place.split('/').map(name).collect::<Vec<_>>().join("/");
            wanted.insert(shown.clone(), known(&document, &place));
            there.entry(shown).or_default().extend(keys);
        }
    }
    assert_eq!(
        there, wanted,
        "write what is missing into tests/formats/every-key.yaml: it is frozen with the next"
    );
}
