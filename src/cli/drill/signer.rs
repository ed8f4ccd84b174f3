//! Whether what a drill's key signs will count.
//!
//! In: the key, who may sign, and where that is written. Out: who signs the report, or what to do first. Invariant: a key whose time is over
//! is never proposed once more.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::{
    Error, Result,
    cli::settings::Settings,
    plan::shell_word,
    report::drill::Signer,
    signature::{self, SigningKey, Trust, TrustedSigners},
};

/// The files in use.
pub(super) struct Files<'a> {
    pub(super) signing_key: &'a Path,
    pub(super) trusted_signers: &'a Path,
}

impl<'a> Files<'a> {
    pub(super) fn of(settings: &'a Settings) -> Self {
        let named = |file: &'a Option<PathBuf>| file.as_deref().unwrap_or(Path::new("FILE"));
        Self { signing_key: named(&settings.signing_key), trusted_signers: named(&settings.trusted_signers) }
    }
}

/// Who signs the report. That one which this key signs will count is asked before an hour's drill and not after it.
///
/// # Errors
/// Usage: no trusted signer of reports is the key's.
pub(super) fn would_count(
    signing: &SigningKey,
    trusted: &TrustedSigners,
    files: &Files<'_>,
    now: DateTime<Utc>,
) -> Result<Signer> {
    const WORD: &[u8] = b"netdr drill";
    let signature = signing.sign(signature::REPORT, WORD)?;
    let why = match trusted.check(signature::REPORT, WORD, Some(&signature), now) {
        Trust::Trusted(principal) => {
            let signers = std::path::absolute(files.trusted_signers);
            let signers = signers.unwrap_or_else(|_| files.trusted_signers.to_owned());
            let trusted_signers = signers.display().to_string();
            return Ok(Signer { key: signing.fingerprint(), principal, trusted_signers });
        }
        Trust::Untrusted(why) => why,
    };
    let error = Error::usage("no report that this signing key signs would count").why(why);
    let signers = files.trusted_signers.display().to_string();
    let trust = |key: &str| {
        let line = format!("drill namespaces=\\\"{}\\\" {key}", signature::REPORT);
        format!(
            "trust it, here and where recoverability is checked: echo \"{line}\" >> {}",
            shell_word(&signers)
        )
    };
    if !trusted.bars(signing, now) {
        return Err(error.hint(trust(&signing.public()?)));
    }
    let new = format!("{}-{}", files.signing_key.display(), now.format("%Y%m%d"));
    let (file, public) = (shell_word(&new).into_owned(), format!("{new}.pub"));
    Err(error
        .hint(format!(
            "it is not its time, so make another: ssh-keygen -q -t ed25519 -N '' -C drill -f {file}"
        ))
        .hint(trust(&format!("$(cut -d' ' -f1,2 {})", shell_word(&public))))
        .hint(format!("then drill with --signing-key {file}")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Follows what the error says to do, and asks again by the file as it then is.
    #[test]
    fn what_is_said_to_do_makes_it_count_and_trusts_no_retired_key_again() {
        let now: DateTime<Utc> = "2026-11-26T00:00:00Z".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let shell = |command: &str| {
            assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
        };
        let signers = at("trusted signers");
        let read = |name: &str| SigningKey::read(&at(name), &|_| unreachable!()).unwrap();
        let asked = |name: &str| {
            let files = Files { signing_key: &at(name), trusted_signers: &signers };
            would_count(&read(name), &TrustedSigners::read(&signers).unwrap(), &files, now)
        };
        for (name, options) in [
            ("unknown", None),
            ("snapshots", Some("namespaces=\"netdr-snapshot\"")),
            ("retired", Some("valid-before=\"20261101Z\"")),
            ("stolen", Some("namespaces=\"netdr-snapshot\",valid-before=\"20261101Z\"")),
            ("early", Some("valid-after=\"20270101Z\"")),
        ] {
            shell(&format!("ssh-keygen -q -t ed25519 -N '' -C x -f '{}'", at(name).display()));
            let public = read(name).public().unwrap();
            let before = options.map(|options| format!("x {options} {public}\n")).unwrap_or_default();
            std::fs::write(&signers, before).unwrap();
            let error = asked(name).unwrap_err();
            let commands = error.hints().iter().filter_map(|hint| hint.split_once(": ").map(|(_, it)| it));
            commands.for_each(shell);
            let bounded = options.is_some_and(|options| options.contains("valid"));
            match bounded {
                false => assert_eq!(asked(name).unwrap().key, read(name).fingerprint()),
                true => {
                    assert!(asked(name).is_err(), "{name} is trusted again");
                    asked(&format!("{name}-20261126")).unwrap();
                }
            }
            let times = std::fs::read_to_string(&signers).unwrap().matches(&public).count();
            assert_eq!(times, if options.is_some() != bounded { 2 } else { 1 }, "{name}");
        }
    }
}
