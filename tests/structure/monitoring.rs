//! Alerts and dashboard, held against what netdr exports, and the page that lists it.

use std::{collections::BTreeSet, env, fs};

use netdr::{metrics::METRICS, notify::Message, task::Event, yaml};

use super::sources::{code, root, rust_files};
use crate::support::{expressions, groups, kept, monitoring, panels, rules};

const OPERATOR: &str = "schedules/monitoring/prometheusrule.yaml";

/// The names in an expression that are netdr's metrics, and not part of another word.
fn named(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("netdr_"))
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let exported: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let asked: Vec<String> =
        rules().into_iter().map(|(_, expression)| expression).chain(expressions()).collect();
    assert!(asked.len() > 40, "{}", asked.len());
    for expression in &asked {
        for name in named(expression) {
            assert!(exported.contains(name), "{name} in {expression}");
        }
    }
}

/// The thresholds of the operations guide, and the metric that each is about.
const THRESHOLDS: [(&str, &str, &str, &str); 5] = [
    ("TraefikRequestRate", "> 1000", "Request rate", "traefik_entrypoint_requests_total"),
    ("TraefikErrorRate", "> 5", "Error rate", "traefik_entrypoint_requests_total"),
    ("TraefikLatency", "> 500", "Latency", "traefik_entrypoint_request_duration_seconds_sum"),
    ("CNIPodConnectivity", "< 95", "CNI pod connectivity", "check=\"cni pod connectivity\""),
    ("CertificateExpiry", "< 7", "Certificate expiry", "netdr_certificate_not_after_timestamp_seconds"),
];

#[test]
fn each_threshold_of_the_operations_guide_has_an_alert_and_a_panel() {
    let (rules, panels) = (rules(), panels());
    for (alert, threshold, panel, metric) in THRESHOLDS {
        let (_, expression) = rules.iter().find(|(name, _)| name == alert).unwrap();
        assert!(expression.contains(metric) && expression.contains(threshold), "{alert}: {expression}");
        let (_, asks) = panels.iter().find(|(title, _)| title == panel).unwrap();
        assert!(asks.iter().any(|expression| expression.contains(metric)), "{panel}: {asks:?}");
    }
}

/// The plain file is the one that people edit.
#[test]
fn the_operators_rules_are_the_plain_ones() {
    let text = monitoring("netdr.rules.yaml");
    let (_, body) = text.split_once("\ngroups:\n").unwrap();
    let file = root().join(OPERATOR);
    let written = fs::read_to_string(&file).unwrap();
    let (head, _) = written.split_once("\nspec:\n").unwrap();
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    let now = format!("{head}\nspec:\n  groups:\n{}", body.lines().map(line).collect::<String>());
    if env::var_os("NETDR_UPDATE").is_some() {
        fs::write(file, &now).unwrap();
    } else {
        assert!(written == now, "write it anew: NETDR_UPDATE=1 cargo test --test integration monitoring");
    }
    let object = yaml::documents(&now).unwrap().remove(0);
    assert_eq!((&object["kind"], &object["spec"]["groups"]), (&"PrometheusRule".into(), &groups()));
}

/// docs/monitoring.md lists every metric, as the code has them.
#[test]
fn the_page_lists_every_metric() {
    let mut table = "| metric | labels besides `cluster` | what it says |\n|---|---|---|\n".to_owned();
    for metric in &METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        table += &format!("| `{}` | {} | {} |\n", metric.name, labels.join(", "), metric.help);
    }
    kept("docs/monitoring.md", "metrics", &table);
}

/// The page lists every alert by its name, and no other.
#[test]
fn the_page_lists_every_alert() {
    let page = fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let (_, rest) = page.split_once("## Alerts").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let listed = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: BTreeSet<&str> = listed.collect();
    let rules = rules();
    assert_eq!(listed, rules.iter().map(|(alert, _)| alert.as_str()).collect());
}

/// A section of the page, up to the next.
fn section(name: &str) -> String {
    let page = fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let (_, rest) = page.split_once(&format!("\n## {name}\n")).unwrap();
    rest.split("\n## ").next().unwrap().to_owned()
}

#[test]
fn the_page_says_what_a_webhook_gets_and_of_what_somebody_can_be_told() {
    let page = section("Messages");
    let sent = Message::test("c", chrono::DateTime::UNIX_EPOCH).json("n1");
    for field in sent.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
    for event in Event::ALL {
        assert!(page.contains(&format!("| `{}` |", event.name())), "{}", event.name());
    }
}

/// Which file says of which tasks how they ended: a new one is to be written down here, and on the page.
const TASKS: [(&str, &[&str]); 10] = [
    ("after/checked.rs", &["check SUBJECT", "check cluster"]),
    ("after/watched.rs", &["watch network", "watch certificates"]),
    ("backup.rs", &["backup network", "backup certificates", "backup host NODE"]),
    ("course.rs", &["restore SCENARIO", "undo"]),
    ("drift.rs", &["drift", "drift git", "drift ID"]),
    ("drill.rs", &["drill", "drill SCENARIO"]),
    ("history.rs", &["commit to git"]),
    ("prune.rs", &["prune PLACE"]),
    ("replicate.rs", &["replicate PLACE"]),
    ("verify.rs", &["verify"]),
];

/// Those say it under a name that one of the others gave.
const UNDER_ANOTHERS_NAME: [&str; 2] = ["check.rs", "watch.rs"];

#[test]
fn the_page_lists_every_task() {
    let says = |path: &std::path::PathBuf| {
        let text = code(path);
        ["cx.about(", "cx.ended(", "self.ended(&check(", "fn looked("].iter().any(|word| text.contains(word))
    };
    let files = rust_files("src/cli").into_iter().filter(says);
    let files: BTreeSet<String> =
        files.map(|path| path.strip_prefix("src/cli").unwrap().to_str().unwrap().to_owned()).collect();
    let known = TASKS.iter().map(|(file, _)| *file).chain(UNDER_ANOTHERS_NAME);
    assert_eq!(files, known.map(ToOwned::to_owned).collect());
    let page = section("Metrics");
    for task in TASKS.iter().flat_map(|(_, tasks)| *tasks) {
        assert!(page.contains(&format!("`{task}`")), "{task}");
    }
}
