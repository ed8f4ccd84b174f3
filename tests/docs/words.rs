//! Whether the program would understand a command, without running it.
//!
//! In: a command as a page or a string of the program has it, with `…`, `[…]` and words in capitals where a person puts
//! their own. Out: why it would be refused. What a mention leaves out, such as a flag that must be there, is no mistake.

use std::fs;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::pages::root;

/// What stands in a page for one of several words that the program knows.
const STAND_INS: &[(&str, &str)] = &[("SHELL", "bash"), ("VERB", "backup"), ("SET", "network"), ("N", "3")];

/// Why the program would refuse it; none of what is no netdr command.
pub(super) fn misunderstood(command: &str) -> Option<String> {
    let command = command.replace('…', " ").replace(['[', ']'], "");
    let mut words =
        command.split_whitespace().take_while(|word| !word.starts_with(['|', '>', '<', '&', ';']));
    let is_version = |word: &&String| word.starts_with(|c: char| c.is_ascii_digit());
    if words.next() != Some("netdr") {
        return None;
    }
    let words: Vec<String> = words.map(word).collect();
    if words.first().filter(is_version).is_some() {
        return None;
    }
    let parsed = netdr::cli::command().try_get_matches_from(["netdr".to_owned()].into_iter().chain(words));
    let Err(error) = parsed else { return None };
    let said = error.to_string().lines().next().unwrap_or_default().to_owned();
    let open = |c: char| c.is_ascii_uppercase() || c == '{';
    let refused = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => None,
        // `--incident-start T`: a person knows that it is a time. `--resume`: and that it takes a run.
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if refused.contains(open) => None,
        ErrorKind::InvalidValue if said.contains("none was supplied") => None,
        ErrorKind::InvalidSubcommand if said.contains('{') => None,
        _ => Some(said),
    }
}

fn word(word: &str) -> String {
    let word =
        word.split('|').next().unwrap().trim_matches(['\'', '"']).trim_end_matches([',', ';', ':', ')']);
    STAND_INS.iter().find(|(in_capitals, _)| *in_capitals == word).map_or(word, |(_, known)| known).to_owned()
}

/// The commands that errors, hints and answers name: behind a colon, or as a text of their own.
pub(super) fn named_by_the_program() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (file, text) in sources(&root().join("src")) {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        // Odd parts between quotation marks are texts, near enough: a mark within one ends a command anyway.
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for said in line.split('"').skip(1).step_by(2) {
                for (at, _) in said.match_indices("netdr ") {
                    let end = |rest: &str| rest.find(['\\', ';', ',', '`', '(']).unwrap_or(rest.len());
                    let rest = said[at..][..end(&said[at..])].trim();
                    if (said[..at].ends_with(": ") && !rest.starts_with("netdr namespaces="))
                        || (at == 0 && !is_prose(rest))
                    {
                        found.push((file.clone(), rest.to_owned()));
                    }
                }
            }
        }
    }
    assert!(found.len() > 60, "{found:?}");
    found
}

/// A sentence about netdr, or a line of `trusted_signers`.
fn is_prose(text: &str) -> bool {
    let mut words = text.split_whitespace().skip(1);
    let command = netdr::cli::command();
    let verb = words.next().and_then(|word| command.find_subcommand(word));
    let plain = |word: &str| word.starts_with(|c: char| c.is_ascii_lowercase());
    verb.is_none_or(|verb| !verb.has_subcommands() && words.next().is_some_and(plain))
}

fn sources(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("tests") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

#[test]
fn a_verb_or_a_flag_that_is_none_is_found() {
    for wrong in [
        "netdr bakcup",
        "netdr backup --sets all",
        "netdr plan shwo NAME",
        "netdr backup --set netwrok",
        "netdr drift --set networks --identity FILE",
    ] {
        assert!(misunderstood(wrong).is_some(), "{wrong}");
    }
    for right in [
        "kubectl get pods",
        "netdr restore",
        "netdr drift [--set SET]… [--against latest|ID|git]",
        "netdr restore … --snapshot OLDER_ID --dry-run",
        "netdr plan show NAME > FILE",
        "netdr VERB --help",
    ] {
        assert_eq!(misunderstood(right), None, "{right}");
    }
}
