//! What is left behind to be read: the report, and when it counts from.

use std::{fs, path::Path};

use chrono::{SecondsFormat, TimeDelta, Utc};
use netdr::drill::failures::break_policies;
use serde_json::Value;

use crate::support::{Library, Operator, everything, fresh};

const SCENARIO: &str = "network-policies";

#[tokio::test(flavor = "multi_thread")]
async fn a_report_counts_from_the_incident_and_takes_a_snapshot_from_before_it() {
    let plane = fresh(everything()).await.loaded().await;
    let operator = Operator::of(&plane).await;
    let cluster = plane.cluster().await.unwrap();
    let library = Library::of(operator.home.path());
    let (now, hours) = (Utc::now(), TimeDelta::hours);
    let before = library.backup_at(&cluster, now - hours(3)).await;
    break_policies(&cluster).await.unwrap();
    let after = library.backup_at(&cluster, now - hours(1)).await; // with the damage in it
    let at = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);

    let latest = operator.plan(SCENARIO, &[]).await;
    assert_eq!(latest["source"]["names"], serde_json::json!([after.as_str()]));
    let hint = format!("the newest one before it that differs is {before}");
    assert!(latest["warnings"].to_string().contains(&hint), "{latest:#}");
    let future = at(now + hours(1));
    let refused = operator.restore(SCENARIO, &["--yes", "--incident-start", &future]).await.failed(2);
    assert!(refused.contains("in the future"), "{refused}");

    let incident = at(now - hours(2));
    let all = ["--yes", "--incident-start", &incident, "--report", "evidence"];
    let report = operator.restore(SCENARIO, &all).await.json(6);
    assert_eq!(report["source"], serde_json::json!([before.as_str()]));
    assert_eq!([&report["rto_met"], &report["rpo_met"]], [false, false]);
    assert_eq!([&report["rto_s"], &report["rpo_s"]], [900, 0]);
    let seconds = |field: &str| report[field].as_f64().unwrap();
    assert!((7200.0..7300.0).contains(&seconds("recovery_time_s")), "{}", report["recovery_time_s"]);
    assert!((3599.0..3602.0).contains(&seconds("recovery_point_s")), "{}", report["recovery_point_s"]);
    for (field, wanted) in [("scenario", SCENARIO), ("outcome", "recovered")] {
        assert_eq!(report[field], wanted);
    }
    assert_eq!(report["differences_left"], 0);
    for phase in ["open", "plan", "confirm", "apply", "wait", "probe"] {
        assert!(report["phases"].to_string().contains(phase), "{phase}: {}", report["phases"]);
    }
    for field in ["id", "action", "outcome", "seconds", "applied", "unchanged", "deleted", "failed"] {
        assert!(!report["steps"][0][field].is_null(), "{field}");
    }

    let run = report["run"].as_str().unwrap();
    for folder in ["repo/reports", "evidence"] {
        let file = |form: &str| operator.home.path().join(folder).join(format!("{run}.{form}"));
        same_report(&report, &file("json"));
        for form in ["html", "md"] {
            let text = fs::read_to_string(file(form)).unwrap().to_lowercase();
            assert!(
                text.contains(&before.as_str().to_lowercase()) && text.contains("recovered"),
                "{form}: {text}"
            );
        }
    }
}

/// The file says what was said on stdout, but for where the files are.
fn same_report(said: &Value, file: &Path) {
    let mut said = said.clone();
    for place in ["reports", "run_folder"] {
        assert!(said.as_object_mut().unwrap().remove(place).is_some(), "{place}");
    }
    let written: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(written, said);
}
