//! Reports with something of everything: long names, failures, what was not probed.

use chrono::{DateTime, Utc};
use netdr::{
    model::{ClusterIdentity, Set, SnapshotState},
    report::{
        Check, Phase, RecoveryReport,
        drill::{Broken, DrillReport, Expiry, Nights, Place, Scenario, Signer, Source},
    },
    restore::{Probed, StepOutcome},
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn step(number: usize, outcome: &'static str) -> StepOutcome {
    StepOutcome {
        id: format!("step-{number}-with-a-name-that-is-longer-than-its-column"),
        title: "TLS options, stores, transports, middlewares".into(),
        action: "apply",
        outcome,
        began_s: number as f64,
        acting_s: 0.4,
        waiting_s: 0.3,
        applied: 12,
        unchanged: 3,
        deleted: 1,
        failures: if outcome == "done" { vec![] } else { vec!["networkpolicies demo/a: 403".into()] },
        probes: vec![],
        skipped: None,
        ran: false,
        idle: false,
        unready: vec![],
        acts: vec![],
    }
}

pub(super) fn restore() -> RecoveryReport {
    let phases = ["open", "plan", "confirm", "apply", "wait", "probe"];
    RecoveryReport {
        run: "20261124T031500Z-traefik-5b21d0".parse().unwrap(),
        scenario: "traefik".into(),
        undoes: None,
        title: "Traefik as the snapshot has it".into(),
        role: "Infrastructure Admin".into(),
        cluster: ClusterIdentity {
            name: "proj-k8s".into(),
            uid: "4c8c6a4e-0d5a-4f3b-9a35-3d2f1f3a9b10".into(),
            kubernetes: "v1.36.3".into(),
        },
        source: vec!["20261124T010000Z-network-7f3a9c".parse().unwrap()],
        signed_by: "netdr".into(),
        captured_at: at("2026-11-24T01:00:00Z"),
        incident_start: at("2026-11-24T03:10:00Z"),
        started_at: at("2026-11-24T03:15:00Z"),
        ended_at: at("2026-11-24T03:15:06Z"),
        tool: "0.1.0".into(),
        operator: "ada@custody".into(),
        outcome: "partial",
        recovery_time_s: 305.9,
        rto_s: 900,
        rto_met: false,
        recovery_point_s: 7800,
        rpo_s: 0,
        rpo_met: Some(false),
        phases: phases.map(|name| Phase { name, seconds: 1.2 }).into(),
        steps: vec![step(0, "done"), step(1, "partial"), step(2, "done"), step(3, "failed")],
        differences_left: 1,
        not_begun: vec![],
        not_done: vec![],
        checks: vec![Check::not_made("serial numbers", "the cluster could not be read again")],
        remarks: vec!["networkpolicies.networking.k8s.io demo/a still differs".into()],
        simulated: vec!["3 nodes and their pods (kwok)".into()],
        unseen: vec![],
        probes: vec![Probed { name: "DNS".into(), result: "passed", detail: "10.43.0.10".into() }],
        not_probed: vec!["HTTP through the ingress".into()],
        next: vec![],
    }
}

pub(super) fn drill() -> DrillReport {
    let scenario = |name: &str, outcome: &'static str| Scenario {
        outcome,
        why: (outcome != "recovered")
            .then(|| "nothing differs from the snapshot afterwards: 1 difference is left".into()),
        own_time_s: Some(2.5),
        recovery_time_s: Some(4.0),
        recovery_point_s: Some(7800),
        rpo_met: Some(true),
        not_tested: vec!["step `service`: `systemctl restart rke2-server` was not run".into()],
        caused: vec!["networkpolicies.networking.k8s.io demo/a is lost".into(); 40],
        broken: vec![Broken {
            kind: "networkpolicies.networking.k8s.io".into(),
            broken: 38,
            of: 74,
            slipped_in: 1,
        }],
        checks: restore().checks,
        runs: vec![restore()],
        ..Scenario::without(
            outcome,
            name,
            "The whole network",
            "Infrastructure Admin",
            (3600, 86_400),
            String::new(),
        )
    };
    let mut scenarios: Vec<Scenario> =
        [("cni", "recovered"), ("full-stack", "partial")].map(|(n, o)| scenario(n, o)).into();
    for (number, scenario) in scenarios.iter_mut().enumerate() {
        scenario.runs[0].run = format!("20261124T031500Z-drilled-00000{number}").parse().unwrap();
    }
    let mut report = DrillReport {
        report: "20261124T031500Z-drill-5b21d0".parse().unwrap(),
        place: Place::Sandbox,
        target: None,
        cluster: restore().cluster,
        kubernetes: "v1.36.3".into(),
        tool: "0.1.0".into(),
        operator: "ada@custody".into(),
        signed_by: Signer {
            key: "SHA256:K8q0iG5b9nLwGqQm0T6vA1xWfS3yZr2uYtJ4hDpNcEo".into(),
            principal: "drill".into(),
            trusted_signers: "/etc/netdr/trusted_signers".into(),
        },
        started_at: at("2026-11-24T03:15:00Z"),
        ended_at: at("2026-11-24T03:16:00Z"),
        complete: true,
        interrupted: false,
        good: false,
        sources: vec![Source {
            snapshot: "20261124T010000Z-network-7f3a9c".parse().unwrap(),
            set: Set::Network,
            node: None,
            captured_at: at("2026-11-24T01:00:00Z"),
            state: SnapshotState::Complete,
            signed_by: "netdr".into(),
            opened_by: vec!["3f2a9c0d11e24b57".into()],
        }],
        nights: vec![Nights { set: Set::Network, node: None, days: 6, longest_gap_s: Some(86_520) }],
        scenarios,
        simulated: vec!["nodes and their pods (kwok)".into()],
        unseen: vec![],
        not_tested: vec!["identities that were not used here".into()],
        certificates: vec![Expiry {
            secret: "secrets traefik/wildcard-radioastronomy-tls".into(),
            not_after: Some(at("2027-01-01T00:00:00Z")),
            wrong: None,
        }],
        checks: vec![Check::new("place s3 has the snapshots that were drilled")],
        trend: vec![],
    };
    report.trend = vec![serde_json::from_value(report.to_json()).unwrap()];
    report
}
