//! The rows of the operations guide's compliance tables that a drill is about, and what those controls are called today.
//!
//! Sources: the guide's sections 5.2 and 5.3 (CIS v8.1 and NIST CSF ids as it prints them); CIS Controls v8.1, safeguards 11.1 to
//! 11.5; NIST CSF 2.0; NIST SP 800-53 rev. 5; ISO/IEC 27001:2022 Annex A. A row says where evidence is, and never that
//! anything conforms.

use serde::Serialize;

/// A row.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Control {
    /// What it is about.
    pub what: &'static str,
    /// As the guide has it; empty where it has none.
    pub guide: &'static str,
    /// As it is called today.
    pub today: &'static str,
    /// Where in this report, or in a drill, evidence for it is.
    pub evidence: &'static str,
}

const fn row(
    what: &'static str,
    guide: &'static str,
    today: &'static str,
    evidence: &'static str,
) -> Control {
    Control { what, guide, today, evidence }
}

/// The rows.
pub const CONTROLS: &[Control] = &[
    row(
        "Restores are tested",
        "every 90 days test restoration (guide 6.1)",
        "CIS v8.1 11.5; NIST CSF 2.0 RC.RP-03, PR.DS-11; NIST 800-53 CP-4, CP-9(1); ISO 27001:2022 A.8.13, A.5.30",
        "this report: scenarios, checks, trend",
    ),
    row(
        "Recovery follows a documented procedure",
        "recovery procedure (guide 6.2)",
        "CIS v8.1 11.1; NIST CSF 2.0 RC.RP-01; NIST 800-53 CP-10; ISO 27001:2022 A.5.29, A.5.30",
        "the plans that were drilled, step by step",
    ),
    row(
        "Backups are automatic",
        "backup schedule (guide 6.1)",
        "CIS v8.1 11.2; NIST 800-53 CP-9; ISO 27001:2022 A.8.13",
        "when each snapshot was captured",
    ),
    row(
        "Recovery data is protected",
        "A.14.1.3, PR.DS-2",
        "CIS v8.1 11.3; NIST CSF 2.0 PR.DS-01; NIST 800-53 CP-9(8); ISO 27001:2022 A.8.24",
        "signature of each snapshot; it opened with the drill’s identity alone",
    ),
    row(
        "A copy is isolated",
        "secondary: S3 Glacier Deep Archive (guide 6.1)",
        "CIS v8.1 11.4; NIST 800-53 CP-6; ISO 27001:2022 A.8.14",
        "the check of each place outside",
    ),
    row(
        "Network boundary",
        "CIS.12.1, A.13.1.1, PR.AC-5",
        "CIS v8.1 12.2, 13.4; NIST CSF 2.0 PR.IR-01; NIST 800-53 SC-7; ISO 27001:2022 A.8.20, A.8.22",
        "scenarios network-policies and full-stack: policies equal the snapshot afterwards",
    ),
    row(
        "Deny by default, allow by exception",
        "CIS.12.3, A.13.1.3, PR.PT-4",
        "CIS v8.1 4.4, 13.4; NIST CSF 2.0 PR.IR-01; NIST 800-53 AC-4, SC-7(5); ISO 27001:2022 A.8.22",
        "scenario network-policies: what slipped in was deleted, what was lost came back",
    ),
    row(
        "Filtering between domains",
        "CIS.12.6, A.13.1.3, PR.AC-5",
        "CIS v8.1 13.4; NIST CSF 2.0 PR.IR-01; NIST 800-53 AC-4; ISO 27001:2022 A.8.22",
        "scenario network-policies: namespaces have their labels, on which policies select",
    ),
    row(
        "Traffic is encrypted",
        "CIS.9.1, A.13.2.1, PR.DS-2",
        "CIS v8.1 3.10; NIST CSF 2.0 PR.DS-02; NIST 800-53 SC-8; ISO 27001:2022 A.8.24",
        "scenario certificates; expiry of each certificate",
    ),
    row(
        "Control plane traffic is encrypted",
        "CIS.9.2, A.14.1.3, PR.DS-2",
        "CIS v8.1 3.10; NIST CSF 2.0 PR.DS-02; NIST 800-53 SC-8; ISO 27001:2022 A.8.24",
        "none: RKE2’s own certificates are not in a snapshot",
    ),
];
