//! Alerts, dashboard and metrics as Prometheus' own tool sees them. It is no part of what `make test` needs: `make
//! test-tools` installs it, and `make test-all` runs this.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use crate::support::{Home, Store, expressions, rules};

/// What fires when: series as promtool writes them (a sample a minute), then at which minute, and how often. What takes
/// days has a sample an hour.
struct Case(&'static str, &'static [(&'static str, &'static str)], &'static [(u32, u32)]);

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

/// Each threshold from both sides. Time begins at 0, so that a point in time is that many seconds.
const CASES: &[Case] = &[
    Case(
        "TraefikRequestRate",
        &[("traefik_entrypoint_requests_total{entrypoint=\"websecure\"}", "0+999x30")],
        &[(30, 0)],
    ),
    Case(
        "TraefikRequestRate",
        &[
            ("traefik_entrypoint_requests_total{entrypoint=\"websecure\"}", "0+1001x30"),
            ("traefik_entrypoint_requests_total{entrypoint=\"metrics\"}", "0+9000x30"),
        ],
        &[(5, 0), (30, 1)],
    ),
    Case(
        "TraefikErrorRate",
        &[
            ("traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"200\"}", "0+95x30"),
            ("traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"502\"}", "0+5x30"),
        ],
        &[(30, 0)],
    ),
    Case(
        "TraefikErrorRate",
        &[
            ("traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"200\"}", "0+94x30"),
            ("traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"404\"}", "0+0x30"),
            ("traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"502\"}", "0+6x30"),
        ],
        &[(4, 0), (30, 1)],
    ),
    Case(
        "TraefikLatency",
        &[
            ("traefik_entrypoint_request_duration_seconds_sum{entrypoint=\"web\"}", "0+50x30"),
            ("traefik_entrypoint_request_duration_seconds_count{entrypoint=\"web\"}", "0+100x30"),
        ],
        &[(30, 0)],
    ),
    Case(
        "TraefikLatency",
        &[
            ("traefik_entrypoint_request_duration_seconds_sum{entrypoint=\"web\"}", "0+51x30"),
            ("traefik_entrypoint_request_duration_seconds_count{entrypoint=\"web\"}", "0+100x30"),
        ],
        &[(4, 0), (30, 1)],
    ),
    Case(
        "CNIPodConnectivity",
        &[
            ("netdr_check_value{subject=\"cni pods\",check=\"cni pod connectivity\"}", "95x30"),
            ("netdr_check_last_timestamp_seconds{subject=\"cni pods\"}", "60x30"),
        ],
        &[(30, 0)],
    ),
    Case(
        "CNIPodConnectivity",
        &[
            ("netdr_check_value{subject=\"cni pods\",check=\"cni pod connectivity\"}", "94.9x30"),
            ("netdr_check_last_timestamp_seconds{subject=\"cni pods\"}", "60x30"),
        ],
        &[(4, 0), (6, 1)],
    ),
    // Renewed: the text of another node still has the former certificate.
    Case(
        "CertificateExpiry",
        &[
            (
                "netdr_certificate_not_after_timestamp_seconds{namespace=\"a\",name=\"t\",instance=\"old\"}",
                "60x30",
            ),
            ("netdr_certificate_not_after_timestamp_seconds{namespace=\"a\",name=\"t\"}", "604800x30"),
        ],
        &[(0, 0), (1, 1)],
    ),
    Case(
        "CertificateExpirySoon",
        &[("netdr_certificate_not_after_timestamp_seconds{namespace=\"a\",name=\"t\"}", "1209600x170")],
        &[(0, 0), (HOUR, 1), (7 * DAY, 1), (7 * DAY + HOUR, 0)],
    ),
    Case(
        "CertManagerCertificateExpiry",
        &[
            ("certmanager_certificate_expiration_timestamp_seconds{name=\"t\"}", "604800x30"),
            ("certmanager_certificate_expiration_timestamp_seconds{name=\"never-issued\"}", "0x30"),
        ],
        &[(0, 0), (1, 1)],
    ),
    Case(
        "CertManagerCertificateNotReady",
        &[("certmanager_certificate_ready_status{name=\"t\",condition=\"False\"}", "1x90")],
        &[(59, 0), (60, 1)],
    ),
    Case(
        "MetalLBConfigStale",
        &[("metallb_k8s_client_config_stale_bool", "0x5 1x30")],
        &[(5, 0), (15, 0), (16, 1)],
    ),
    Case(
        "MetalLBPoolNearlyFull",
        &[
            ("metallb_allocator_addresses_in_use_total{pool=\"p\"}", "9x20 10x20"),
            ("metallb_allocator_addresses_total{pool=\"p\"}", "10x40"),
        ],
        &[(20, 0), (31, 1)],
    ),
    Case(
        "NetdrNoCompleteSnapshot",
        &[
            ("netdr_snapshot_last_complete_timestamp_seconds{set=\"network\",place=\"local\"}", "0x1700"),
            (
                "netdr_snapshot_last_complete_timestamp_seconds{set=\"host\",node=\"n1\",place=\"local\"}",
                "86400x1700",
            ),
        ],
        &[(26 * HOUR + 10, 0), (26 * HOUR + 11, 1)],
    ),
    // A server that left the cluster.
    Case(
        "NetdrNoCompleteSnapshot",
        &[(
            "netdr_snapshot_last_complete_timestamp_seconds{set=\"host\",node=\"n1\",place=\"local\"}",
            "0x730",
        )],
        &[(28 * HOUR, 1), (30 * DAY - HOUR, 1), (30 * DAY, 0)],
    ),
    Case(
        "NetdrReplicaBehind",
        &[
            ("netdr_snapshot_last_complete_timestamp_seconds{set=\"network\",place=\"s3\"}", "0x1700"),
            ("netdr_snapshot_last_complete_timestamp_seconds{set=\"network\",place=\"local\"}", "86400x1700"),
        ],
        &[(26 * HOUR + 10, 0), (26 * HOUR + 11, 1)],
    ),
    // Nothing newer is here either: that has an alert of its own.
    Case(
        "NetdrReplicaBehind",
        &[
            ("netdr_snapshot_last_complete_timestamp_seconds{set=\"network\",place=\"s3\"}", "0x1700"),
            ("netdr_snapshot_last_complete_timestamp_seconds{set=\"network\",place=\"local\"}", "0x1700"),
        ],
        &[(27 * HOUR, 0)],
    ),
    Case(
        "NetdrPlaceSilent",
        &[("netdr_place_up{place=\"s3\"}", "0x1700")],
        &[(26 * HOUR - 1, 0), (26 * HOUR, 1)],
    ),
    Case(
        "NetdrTaskFailed",
        &[
            ("netdr_task_last_failure_timestamp_seconds{task=\"prune local\"}", "100x9"),
            ("netdr_task_last_success_timestamp_seconds{task=\"prune local\"}", "0 0 200x7"),
            // An older text on another node.
            ("netdr_task_last_failure_timestamp_seconds{task=\"prune local\",instance=\"n2\"}", "100x9"),
            ("netdr_task_last_success_timestamp_seconds{task=\"prune local\",instance=\"n2\"}", "0x9"),
        ],
        &[(1, 1), (2, 0)],
    ),
    // A watch that was given up after a look that failed.
    Case(
        "NetdrTaskFailed",
        &[
            ("netdr_task_last_failure_timestamp_seconds{task=\"watch network\"}", "60x730"),
            ("netdr_task_last_success_timestamp_seconds{task=\"watch network\"}", "0x730"),
            ("netdr_task_last_timestamp_seconds{task=\"watch network\"}", "60x730"),
        ],
        &[(HOUR, 1), (30 * DAY, 1), (30 * DAY + HOUR, 0)],
    ),
    Case(
        "NetdrSnapshotNotComplete",
        &[
            ("netdr_snapshot_last_timestamp_seconds{set=\"network\",place=\"local\"}", "60x9"),
            ("netdr_snapshot_last_complete_timestamp_seconds{set=\"network\",place=\"local\"}", "0 0 60x7"),
        ],
        &[(1, 1), (2, 0)],
    ),
    Case("NetdrSnapshotUntrusted", &[("netdr_snapshots_untrusted", "0 1x9")], &[(0, 0), (1, 1)]),
    Case(
        "NetdrDrillOverdue",
        &[("netdr_drill_last_success_timestamp_seconds", "0x2170")],
        &[(90 * DAY, 0), (90 * DAY + HOUR, 0), (90 * DAY + 2 * HOUR, 1)],
    ),
    Case(
        "NetdrCheck",
        &[
            ("netdr_check_status{subject=\"s\",check=\"x\"}", "0 1 2 3 4"),
            ("netdr_check_last_timestamp_seconds{subject=\"s\"}", "60x9"),
        ],
        &[(0, 0), (1, 0), (2, 1), (3, 1), (4, 0)],
    ),
    // What a job pushed counts until somebody has looked again: another name was an alert then, and is gone now.
    Case(
        "NetdrCheck",
        &[
            ("netdr_check_status{subject=\"s\",check=\"x\",part=\"check-s\"}", "2x9"),
            ("netdr_check_status{subject=\"s\",check=\"y\",part=\"check-s\"}", "2x9"),
            ("netdr_check_last_timestamp_seconds{subject=\"s\",part=\"check-s\"}", "60x9"),
            ("netdr_check_status{subject=\"s\",check=\"x\"}", "0x9"),
            ("netdr_check_last_timestamp_seconds{subject=\"s\"}", "0 0 120x7"),
        ],
        &[(1, 2), (2, 0)],
    ),
    Case(
        "NetdrCheckWarning",
        &[
            ("netdr_check_status{subject=\"s\",check=\"x\"}", "0 1 2"),
            ("netdr_check_last_timestamp_seconds{subject=\"s\"}", "60x9"),
        ],
        &[(0, 0), (1, 1), (2, 0)],
    ),
    // The text of another node still has what was found there before.
    Case(
        "NetdrDrift",
        &[
            ("netdr_drift_items{set=\"network\",severity=\"high\"}", "0 1 1 0x9"),
            ("netdr_drift_items{set=\"network\",severity=\"critical\"}", "0 0 1 0x9"),
            ("netdr_drift_items{set=\"network\",severity=\"medium\"}", "3x9"),
            ("netdr_drift_last_timestamp_seconds{set=\"network\"}", "60x9"),
            ("netdr_drift_items{set=\"network\",severity=\"high\",instance=\"n2\"}", "1x9"),
            ("netdr_drift_last_timestamp_seconds{set=\"network\",instance=\"n2\"}", "0x9"),
        ],
        &[(0, 0), (1, 1), (2, 1), (3, 0)],
    ),
    // A backup took over what was found at 0, and what was found of the files of n1, nobody.
    Case(
        "NetdrDrift",
        &[
            ("netdr_drift_items{set=\"network\",severity=\"high\"}", "1x800"),
            ("netdr_drift_last_timestamp_seconds{set=\"network\"}", "0x800"),
            ("netdr_snapshot_last_complete_timestamp_seconds{set=\"network\",place=\"local\"}", "3600x800"),
            ("netdr_drift_items{set=\"host\",node=\"n1\",severity=\"critical\"}", "1x800"),
            ("netdr_drift_last_timestamp_seconds{set=\"host\",node=\"n1\"}", "0x800"),
        ],
        &[(HOUR, 2), (26 * HOUR, 2), (27 * HOUR, 1), (30 * DAY, 1), (30 * DAY + HOUR, 0)],
    ),
    // An older text on another node.
    Case(
        "NetdrWatchDead",
        &[
            ("netdr_watch_next_look_timestamp_seconds", "600x40"),
            ("netdr_watch_next_look_timestamp_seconds{instance=\"n2\"}", "0x40"),
        ],
        &[(25, 0), (26, 1)],
    ),
    // Given up for good.
    Case(
        "NetdrWatchDead",
        &[("netdr_watch_next_look_timestamp_seconds", "0x730")],
        &[(HOUR, 1), (30 * DAY - HOUR, 1), (30 * DAY, 0)],
    ),
    Case(
        "NetdrNotificationFailed",
        &[
            ("netdr_notification_last_failure_timestamp_seconds{channel=\"smtp x\"}", "0 60x9"),
            ("netdr_notification_last_success_timestamp_seconds{channel=\"smtp x\"}", "0 0 90x9"),
        ],
        &[(0, 0), (1, 1), (2, 0)],
    ),
    Case(
        "NetdrSilent",
        &[("netdr_metrics_timestamp_seconds", "0x1700")],
        &[(27 * HOUR, 0), (27 * HOUR + 1, 1)],
    ),
    Case("NetdrSilent", &[("up", "1x90")], &[(59, 0), (60, 1)]),
];

/// Files of promtool's unit tests: of what takes minutes, and of what takes days.
fn unit_tests(rules: &Path) -> [Value; 2] {
    let test = |Case(alert, series, moments): &Case, interval: &str| {
        let expression = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}) or vector(0)");
        let series = series.iter().map(|(series, values)| json!({"series": series, "values": values}));
        let moments = moments.iter().map(|(minute, count)| {
            json!({"expr": expression, "eval_time": format!("{minute}m"), "exp_samples": [{"labels": "{}", "value": count}]})
        });
        json!({
            "interval": interval,
            "name": alert,
            "input_series": series.collect::<Vec<_>>(),
            "promql_expr_test": moments.collect::<Vec<_>>(),
        })
    };
    let takes_days = |Case(.., moments): &&Case| moments.iter().any(|(minute, _)| *minute > 2 * DAY);
    let (days, minutes): (Vec<&Case>, Vec<&Case>) = CASES.iter().partition(takes_days);
    [(minutes, "1m"), (days, "1h")].map(|(cases, interval)| {
        let tests: Vec<Value> = cases.into_iter().map(|case| test(case, interval)).collect();
        json!({"rule_files": [rules], "evaluation_interval": interval, "tests": tests})
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_beyond_its_threshold_and_not_at_it() {
    let home = Home::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/monitoring/netdr.rules.yaml");
    home.run("promtool", &["check", "rules", file.to_str().unwrap()]).await.ok();
    for (number, tests) in unit_tests(&file).into_iter().enumerate() {
        let name = format!("tests-{number}.yaml");
        std::fs::write(home.path().join(&name), tests.to_string()).unwrap();
        home.run("promtool", &["test", "rules", &name]).await.ok();
    }
    // No alert is left out, and each is seen to fire and not to.
    for count in [0, 1] {
        let seen = CASES.iter().filter(|Case(.., moments)| moments.iter().any(|(_, n)| *n == count));
        let seen: BTreeSet<&str> = seen.map(|Case(alert, ..)| *alert).collect();
        let all = rules();
        assert_eq!(seen, all.iter().map(|(alert, _)| alert.as_str()).collect(), "seen {count} times");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dashboard_asks_is_promql() {
    let home = Home::new();
    let recorded = expressions().into_iter().enumerate();
    let rules = recorded.map(|(n, expr)| json!({"record": format!("panel:{n}"), "expr": expr.replace("$__rate_interval", "5m").replace("$cluster", "c")}));
    let groups = json!({"groups": [{"name": "dashboard", "rules": rules.collect::<Vec<_>>()}]});
    std::fs::write(home.path().join("dashboard.yaml"), groups.to_string()).unwrap();
    home.run("promtool", &["check", "rules", "dashboard.yaml"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_netdr_writes_is_what_prometheus_reads() {
    let store = Store::new().await;
    store.configure("metrics: {textfile: netdr.prom}");
    store.backup().await;
    let text = std::fs::read_to_string(store.path("netdr.prom")).unwrap();
    let checked = store.shell("promtool check metrics < netdr.prom").await;
    assert_eq!((checked.code, checked.stdout.as_str(), checked.stderr.as_str()), (Some(0), "", ""), "{text}");
}
