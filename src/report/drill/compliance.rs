//! The rows of the operations guide's compliance tables that a drill is about, and what those controls are called today.
//!
//! Sources: the guide's sections 5.2 and 5.3 (CIS v8.1 and NIST CSF ids as it prints them); CIS Controls v8.1, NIST CSF 2.0, NIST
//! SP 800-53 rev. 5 and ISO/IEC 27001:2022 Annex A, as docs/compliance.md says where each was read. A row says where evidence is, and never that
//! anything conforms; a report's row names only evidence that this report has.

use serde_json::{Value, json};

use super::{DrillReport, Nights, Scenario};
use crate::report::words::{count, duration};

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// What it is about.
    pub what: &'static str,
    /// As the guide has it.
    pub guide: &'static str,
    /// As it is called today.
    pub today: &'static str,
    from: From,
}

/// What in a report is evidence, and of what.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Scenarios that came back, whichever.
    Restores,
    /// Runs of plans.
    Plans,
    /// How regularly there were backups.
    Nights,
    /// The snapshots.
    Sources(&'static str),
    /// Looks at places outside.
    Places,
    /// One of these scenarios, where it came back.
    Scenarios(&'static [&'static str], &'static str),
    /// Scenario `certificates`, where it came back, and when each certificate expires.
    Certificates,
    /// Nothing, and why.
    Nowhere(&'static str),
}

/// What the check of a place is called.
const PLACES: &str = "the check of each place outside";
/// Of certificates, the scenario, and what it shows.
const CERTIFICATES: (&str, &str) = ("certificates", "certificates equal the snapshot afterwards");

impl Control {
    /// Where evidence for it is, in a report that has any.
    pub fn evidence(&self) -> String {
        match self.from {
            From::Restores => "this report: scenarios, checks, trend".into(),
            From::Plans => "the plans that were drilled, step by step".into(),
            From::Nights => format!("on how many of the last {} days each set was backed up", Nights::OF),
            From::Sources(what) => what.into(),
            From::Places => PLACES.into(),
            From::Scenarios(names, what) => scenarios(names, what),
            From::Certificates => {
                format!("{}; expiry of each", scenarios(&[CERTIFICATES.0], CERTIFICATES.1))
            }
            From::Nowhere(why) => format!("none: {why}"),
        }
    }

    /// Where evidence for it is in a report; `none`, with why, where it has none.
    pub fn found_in(&self, report: &DrillReport) -> String {
        match self.from {
            From::Restores => match report.ended("recovered") {
                0 => "none: no scenario came back".into(),
                n => format!(
                    "{n} of {} came back: their checks; trend: {}",
                    count(report.scenarios.len() as u64, "scenario"),
                    count(report.trend.len() as u64, "earlier drill")
                ),
            },
            From::Plans => {
                let drilled = report.scenarios.iter().filter(|scenario| !scenario.runs.is_empty());
                match drilled.map(|scenario| scenario.name.as_str()).collect::<Vec<_>>()[..] {
                    [] => "none: no plan was replayed".into(),
                    ref names => {
                        format!("step by step: {}; each plan’s origin and digest below", names.join(", "))
                    }
                }
            }
            From::Nights => nights(&report.nights),
            From::Sources(_) if report.sources.is_empty() => "none: no snapshot was drilled".into(),
            From::Sources(_) | From::Nowhere(_) => self.evidence(),
            From::Places => {
                match (report.unasked(), report.checks.iter().filter(|check| !check.is_failure()).count()) {
                    (Some(why), _) => format!("none: {why}"),
                    (None, 0) => "none: no place outside was seen to have the snapshots".into(),
                    (None, n) => format!("{PLACES}: {n} of {} passed", report.checks.len()),
                }
            }
            From::Scenarios(names, what) => came_back(names, what, report),
            From::Certificates => {
                let expiry = match report.certificates.len() as u64 {
                    0 => "no certificate in the snapshots".into(),
                    n => format!("expiry of {}", count(n, "certificate")),
                };
                format!("{}; {expiry}", came_back(&[CERTIFICATES.0], CERTIFICATES.1, report))
            }
        }
    }

    /// As scripts read it.
    pub(super) fn to_json(self, report: &DrillReport) -> Value {
        json!({"what": self.what, "guide": self.guide, "today": self.today, "evidence": self.found_in(report)})
    }
}

fn nights(nights: &[Nights]) -> String {
    if nights.iter().all(|one| one.days == 0) {
        return format!("none: no complete backup of the last {} days is in the repository", Nights::OF);
    }
    let said = nights.iter().map(|Nights { set, node, days, longest_gap_s }| {
        let node = node.as_ref().map(|node| format!(" of {node}")).unwrap_or_default();
        let apart = longest_gap_s.map(|gap| format!(", at most {} apart", duration(gap as f64)));
        format!("{set}{node} on {days}{}", apart.unwrap_or_default())
    });
    format!("complete backups of the last {} days: {}", Nights::OF, said.collect::<Vec<_>>().join("; "))
}

fn scenarios(names: &[&str], what: &str) -> String {
    let plural = if names.len() > 1 { "scenarios" } else { "scenario" };
    format!("{plural} {}: {what}", names.join(" and "))
}

fn came_back(names: &[&str], what: &str, report: &DrillReport) -> String {
    let of = |name: &&str| report.scenarios.iter().find(|scenario| scenario.name == **name);
    let back = |name: &&&str| of(name).is_some_and(Scenario::is_back);
    let proved: Vec<&str> = names.iter().filter(back).copied().collect();
    if !proved.is_empty() {
        return scenarios(&proved, what);
    }
    let why = names.iter().map(|name| match of(name) {
        None => format!("scenario {name} was not drilled"),
        Some(scenario) => format!("scenario {name}: {}", scenario.outcome),
    });
    format!("none: {}", why.collect::<Vec<_>>().join(", "))
}

const fn row(what: &'static str, guide: &'static str, today: &'static str, from: From) -> Control {
    Control { what, guide, today, from }
}

/// The rows.
pub const CONTROLS: &[Control] = &[
    row(
        "Restores are tested",
        "every 90 days test restoration (guide 6.1)",
        "CIS v8.1 11.5; NIST CSF 2.0 RC.RP-03, RC.RP-05, PR.DS-11; NIST 800-53 CP-4, CP-9(1); ISO 27001:2022 A.8.13, A.5.30",
        From::Restores,
    ),
    row(
        "Recovery follows a documented procedure",
        "recovery procedure (guide 6.2)",
        "CIS v8.1 11.1; NIST CSF 2.0 RC.RP-01; NIST 800-53 CP-10; ISO 27001:2022 A.5.29, A.5.30",
        From::Plans,
    ),
    row(
        "Backups are automatic",
        "backup schedule (guide 6.1)",
        "CIS v8.1 11.2; NIST CSF 2.0 PR.DS-11; NIST 800-53 CP-9; ISO 27001:2022 A.8.13",
        From::Nights,
    ),
    row(
        "Recovery data is protected",
        "no row of its own",
        "CIS v8.1 11.3; NIST CSF 2.0 PR.DS-01, PR.DS-11; NIST 800-53 CP-9(8); ISO 27001:2022 A.8.24",
        From::Sources("signature of each snapshot; it opened with the drill’s identity alone"),
    ),
    row(
        "A copy is isolated",
        "secondary: S3 Glacier Deep Archive (guide 6.1)",
        "CIS v8.1 11.4; NIST CSF 2.0 PR.DS-11; NIST 800-53 CP-6; ISO 27001:2022 A.8.14",
        From::Places,
    ),
    row(
        "Network boundary",
        "CIS.12.1, A.13.1.1, PR.AC-5",
        "CIS v8.1 12.2, 13.4; NIST CSF 2.0 PR.IR-01; NIST 800-53 SC-7; ISO 27001:2022 A.8.20, A.8.22",
        From::Scenarios(&["network-policies", "full-stack"], "policies equal the snapshot afterwards"),
    ),
    row(
        "Deny by default, allow by exception",
        "CIS.12.3, A.13.1.3, PR.PT-4",
        "CIS v8.1 4.4, 13.4; NIST CSF 2.0 PR.IR-01; NIST 800-53 AC-4, SC-7(5); ISO 27001:2022 A.8.22",
        From::Scenarios(&["network-policies"], "what slipped in was deleted, what was lost came back"),
    ),
    row(
        "Filtering between domains",
        "CIS.12.6, A.13.1.3, PR.AC-5",
        "CIS v8.1 13.4; NIST CSF 2.0 PR.IR-01; NIST 800-53 AC-4; ISO 27001:2022 A.8.22",
        From::Scenarios(&["network-policies"], "namespaces have their labels, on which policies select"),
    ),
    row(
        "Traffic is encrypted",
        "CIS.9.1, A.13.2.1, PR.DS-2",
        "CIS v8.1 3.10; NIST CSF 2.0 PR.DS-02; NIST 800-53 SC-8; ISO 27001:2022 A.5.14, A.8.24",
        From::Certificates,
    ),
    row(
        "Control plane traffic is encrypted",
        "CIS.9.2, A.14.1.3, PR.DS-2",
        "CIS v8.1 3.10; NIST CSF 2.0 PR.DS-02; NIST 800-53 SC-8; ISO 27001:2022 A.8.24, A.8.26",
        From::Nowhere("RKE2’s own certificates are not in a snapshot"),
    ),
];
