//! What is checked of certificates after a run.
//!
//! In: certificates as the plan foresaw them, and as they were read afterwards. Out: checks for the report. Invariant:
//! pure; what was not read is never said to have passed.

use crate::{
    certificates::Leaf,
    model::ItemKey,
    plan::{Fate, Issuance},
    report::Check,
};

const SERIALS: &str = "serial number and notAfter of every restored TLS Secret are the source's";
const REISSUES: &str = "no certificate was issued anew but those predicted";

/// The checks; none where certificates are not in the plan's scope. `after` is None where the cluster could not be
/// read again.
pub(super) fn checks(before: &Issuance, after: Option<&Issuance>) -> Vec<Check> {
    if !before.looked {
        return Vec::new();
    }
    match after {
        Some(after) => vec![serials(before, after), reissues(before, after)],
        None => [SERIALS, REISSUES]
            .map(|what| Check::not_made(what, "the cluster could not be read again"))
            .into(),
    }
}

fn serials(before: &Issuance, after: &Issuance) -> Check {
    let mut check = Check::new(SERIALS);
    for (key, wanted) in &before.wanted {
        let shown = |leaf: &Leaf| format!("serial {}, valid until {:?}", leaf.serial, leaf.not_after);
        match after.live.get(key) {
            Some(live) if (&live.serial, live.not_after) == (&wanted.serial, wanted.not_after) => {
                check.passed(format!("{key}: {}", shown(live)));
            }
            Some(live) if foreseen(before, key).is_some() => {
                check.passed(format!("{key}: {}, issued anew as predicted", shown(live)));
            }
            Some(live) => check.failed(format!("{key}: {}, in the source {}", shown(live), shown(wanted))),
            None => check.failed(format!("{key}: it holds no certificate, in the source {}", shown(wanted))),
        }
    }
    if check.details.is_empty() {
        check.passed("the plan restores no TLS Secret whose certificate reads".into());
    }
    check
}

fn reissues(before: &Issuance, after: &Issuance) -> Check {
    let mut check = Check::new(REISSUES);
    let serial = |leaves: &Issuance, key: &ItemKey| leaves.live.get(key).map(|leaf| leaf.serial.clone());
    let left = |key: &ItemKey| before.wanted.get(key).map(|leaf| leaf.serial.clone()).or(serial(before, key));
    for reissue in &before.reissues {
        let (certificate, secret) = (&reissue.certificate, &reissue.secret);
        let seen = if serial(after, secret).is_some_and(|now| left(secret) != Some(now)) {
            "issued since"
        } else if after.issuing.contains_key(certificate) {
            "being issued"
        } else {
            "not issued so far"
        };
        let foreseen = match reissue.fate {
            Fate::Reissued => "predicted",
            Fate::Renewed => "triggered by this run",
            Fate::Stuck => "predicted to wait for a person",
            Fate::Unknown => "could not be predicted",
        };
        let reason = if reissue.reason.is_empty() { String::new() } else { format!(" ({})", reissue.reason) };
        check.passed(format!("{certificate}: {foreseen}{reason}, {seen}"));
    }
    for (secret, now) in after.live.iter().filter(|(secret, _)| foreseen(before, secret).is_none()) {
        if left(secret).is_some_and(|left| left != now.serial) {
            check.failed(format!(
                "{secret}: another certificate than the plan left there, which was not predicted"
            ));
        }
    }
    let known = |certificate: &ItemKey| before.reissues.iter().any(|r| r.certificate == *certificate);
    for (certificate, reason) in after.issuing.iter().filter(|(certificate, _)| !known(certificate)) {
        check.failed(format!("{certificate}: being issued ({reason}), which was not predicted"));
    }
    if check.details.is_empty() {
        check.passed("none was predicted, none was issued anew, and none is being issued".into());
    }
    check
}

/// What was predicted of the Certificate that has this Secret.
fn foreseen(before: &Issuance, secret: &ItemKey) -> Option<Fate> {
    before.reissues.iter().find(|reissue| reissue.secret == *secret).map(|reissue| reissue.fate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Reissue;

    fn leaf(serial: &str) -> Leaf {
        let at = |text: &str| text.parse().unwrap();
        Leaf {
            serial: serial.into(),
            not_before: at("2026-01-01T00:00:00Z"),
            not_after: at("2027-01-01T00:00:00Z"),
            names: vec![],
            is_temporary: false,
        }
    }

    fn key(plural: &str, name: &str) -> ItemKey {
        ItemKey::resource("", plural, Some("demo"), name)
    }

    fn held(serials: &[(&str, &str)]) -> Issuance {
        let leaves = serials.iter().map(|(name, serial)| (key("secrets", name), leaf(serial)));
        Issuance { looked: true, live: leaves.collect(), ..Issuance::default() }
    }

    fn planned(serials: &[(&str, &str)], predicted: &[&str]) -> Issuance {
        let reissue = |name: &&str| Reissue {
            certificate: key("certificates", name),
            secret: key("secrets", name),
            fate: Fate::Reissued,
            reason: "DoesNotExist".into(),
            why: String::new(),
            counted: true,
        };
        Issuance {
            wanted: held(serials).live,
            reissues: predicted.iter().map(reissue).collect(),
            ..held(&[("kept", "9")])
        }
    }

    fn outcomes(before: &Issuance, after: &Issuance) -> Vec<&'static str> {
        checks(before, Some(after)).iter().map(|check| check.outcome).collect()
    }

    #[test]
    fn equal_serials_pass_and_others_only_where_they_were_predicted() {
        let plan = planned(&[("a", "1"), ("b", "2")], &[]);
        assert_eq!(outcomes(&plan, &held(&[("a", "1"), ("b", "2"), ("kept", "9")])), ["passed", "passed"]);
        assert_eq!(outcomes(&plan, &held(&[("a", "1")])), ["failed", "passed"], "b is missing");
        assert_eq!(outcomes(&plan, &held(&[("a", "1"), ("b", "3")])), ["failed", "failed"]);
        let kept = held(&[("a", "1"), ("b", "2"), ("kept", "8")]);
        assert_eq!(
            outcomes(&plan, &kept),
            ["passed", "failed"],
            "issued anew, though nothing was to change it"
        );
        let plan = planned(&[("a", "1"), ("b", "2")], &["b", "new"]);
        let after = held(&[("a", "1"), ("b", "3"), ("new", "7")]);
        assert_eq!(outcomes(&plan, &after), ["passed", "passed"]);
        let said = checks(&plan, Some(&after))[1].details.join("\n");
        assert!(said.contains("demo/b: predicted (DoesNotExist), issued since"), "{said}");
        assert!(said.contains("demo/new: predicted (DoesNotExist), issued since"), "{said}");
    }

    #[test]
    fn an_issuance_under_way_is_seen_and_what_was_not_read_proves_nothing() {
        let plan = planned(&[], &["a"]);
        let mut after = held(&[("kept", "9")]);
        after.issuing.insert(key("certificates", "a"), "DoesNotExist".into());
        let checked = checks(&plan, Some(&after));
        assert_eq!(checked[1].details, ["certificates demo/a: predicted (DoesNotExist), being issued"]);
        after.issuing.insert(key("certificates", "b"), "SecretMismatch".into());
        assert_eq!(outcomes(&plan, &after), ["passed", "failed"]);
        assert!(checks(&plan, None).iter().all(|check| check.outcome == "not made"));
        assert!(checks(&Issuance::default(), Some(&after)).is_empty());
    }
}
