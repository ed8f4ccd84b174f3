//! Earlier drills, as the reports in a repository say.
//!
//! In: the folder of reports, who may sign. Out: each drill, oldest first, and reports that nobody answers for. Invariant: a
//! report that no trusted signer signed, as `netdr-report`, is none; and none vanishes without a word.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::{
    Error, Result,
    model::RunId,
    report::drill::Past,
    repository::regular,
    signature::{self, Trust, TrustedSigners},
};

pub use crate::report::drill::last;

/// By how much a clock may differ from that of the machine that drilled.
const CLOCKS: TimeDelta = TimeDelta::days(1);
/// No report of ours comes near.
const LARGEST: u64 = 16 << 20;

/// The drills on record.
#[derive(Debug, Default)]
pub struct Drills {
    /// Each, oldest first.
    pub signed: Vec<Past>,
    /// Names of reports that count for nothing, oldest first, with why.
    pub untrusted: Vec<(String, String)>,
}

/// Reads the reports in a folder; none where there is no such folder.
///
/// # Errors
/// When it cannot be read.
pub fn drills(folder: &Path, trusted: &TrustedSigners, now: DateTime<Utc>) -> Result<Drills> {
    let failed =
        |e: io::Error| Error::failed(format!("cannot read the reports in {}", folder.display())).because(e);
    let mut drills = Drills::default();
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(drills),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        let Some(Ok(id)) = name.strip_suffix(".json").map(str::parse::<RunId>) else { continue };
        if !matches!(id.as_str().split('-').collect::<Vec<_>>()[..], [_, "drill", _]) {
            continue; // a restore's
        }
        match proved(&folder.join(&name), &id, trusted, now) {
            Ok(past) => drills.signed.extend(past),
            Err(why) => drills.untrusted.push((name, why)),
        }
    }
    drills.signed.sort_by_key(|past| past.ended_at);
    drills.untrusted.sort();
    Ok(drills)
}

/// What the report of a restore has, and that of a drill has not.
#[derive(Deserialize)]
struct OfARestore {
    #[serde(rename = "scenario")]
    _scenario: String,
}

/// What a report says, or why it counts for nothing; none where it is no drill's, but that of a restore by a plan called `drill`,
/// which earlier netdr took.
fn proved(
    path: &Path,
    id: &RunId,
    trusted: &TrustedSigners,
    now: DateTime<Utc>,
) -> Result<Option<Past>, String> {
    let bytes = small(path).map_err(|e| format!("it cannot be read: {e}"))?;
    let Ok(past) = serde_json::from_slice::<Past>(&bytes) else {
        return match serde_json::from_slice::<OfARestore>(&bytes) {
            Ok(_) => Ok(None),
            Err(_) => Err("it is damaged: it does not read as a drill's report".into()),
        };
    };
    let signature = small(&path.with_added_extension("sig")).ok();
    let signature = signature.as_deref().map(String::from_utf8_lossy);
    match trusted.check(signature::REPORT, &bytes, signature.as_deref(), now) {
        Trust::Untrusted(why) => Err(why),
        Trust::Trusted(_) if past.report != *id => Err(format!("it is the report of {}", past.report)),
        // It would be the last good one for years.
        Trust::Trusted(_) if past.ended_at - now > CLOCKS => {
            Err(format!("it ended at {}, which is still to come", past.ended_at.to_rfc3339()))
        }
        Trust::Trusted(_) => Ok(Some(past)),
    }
}

fn small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    regular::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys, report::drill::tests::report, signature::SigningKey};

    #[test]
    fn only_what_a_trusted_signer_signed_under_its_own_name_is_a_drill() {
        let folder = tempfile::tempdir().unwrap();
        let now = report().ended_at + TimeDelta::days(3);
        let made = keys::generate(&folder.path().join("keys"), now).unwrap();
        let key = SigningKey::read(&made.signing, &|_| unreachable!()).unwrap();
        let trusted = TrustedSigners::read(&made.trusted_signers).unwrap();
        let reports = folder.path().join("reports");
        let read = || drills(&reports, &trusted, now).unwrap();
        assert!(read().signed.is_empty(), "no folder");
        fs::create_dir(&reports).unwrap();
        let text = report().to_json().to_string();
        let write = |name: &str, namespace: Option<&str>| {
            fs::write(reports.join(name), &text).unwrap();
            if let Some(namespace) = namespace {
                let signature = key.sign(namespace, text.as_bytes()).unwrap();
                fs::write(reports.join(format!("{name}.sig")), signature).unwrap();
            }
        };
        write("20261124T031500Z-drill-5b21d0.json", Some(signature::REPORT));
        write("20261125T031500Z-drill-5b21d1.json", Some(signature::REPORT)); // the same one, later
        write("20261126T031500Z-drill-5b21d2.json", Some(signature::SNAPSHOT));
        write("20261127T031500Z-drill-5b21d3.json", None);
        fs::write(reports.join("notes.json"), "{}").unwrap();
        let found = read();
        assert_eq!(found.signed.len(), 1, "{found:?}");
        assert_eq!(found.untrusted.len(), 3, "{found:?}");
        assert!(last(&found.signed, Some("proj-k8s")).is_some());
        // By a clock that was years ahead.
        let found = drills(&reports, &trusted, now - TimeDelta::days(5)).unwrap();
        assert!(found.signed.is_empty(), "{found:?}");
        assert!(found.untrusted[0].1.contains("still to come"), "{found:?}");

        // A disk that was full when it was written.
        fs::write(reports.join("20261124T031500Z-drill-5b21d0.json"), &text[..text.len() / 2]).unwrap();
        fs::write(reports.join("20261124T031500Z-my-drill-5b21d0.json"), "a restore's").unwrap();
        fs::write(reports.join("20261128T031500Z-drill-5b21d4.json"), r#"{"scenario": "drill"}"#).unwrap();
        let found = read();
        assert!(found.signed.is_empty() && found.untrusted.len() == 4, "{found:?}");
        assert!(found.untrusted[0].1.contains("it is damaged"), "{found:?}");
    }
}
