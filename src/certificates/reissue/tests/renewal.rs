use chrono::{TimeDelta, TimeZone as _};
use serde_json::json;

use super::*;

/// Since when renewal is due for the certificate of 90 days from May 1st, at the end of the day before and at that time.
fn is_due_from(month: u32, day: u32, change: impl Fn(&mut World)) {
    let mut world = World::new();
    change(&mut world);
    let time = Utc.with_ymd_and_hms(2026, month, day, 0, 0, 0).unwrap();
    let message =
        format!("Renewing certificate as renewal was scheduled at 2026-{month:02}-{day:02}T00:00:00Z");
    assert_eq!(world.at(time - TimeDelta::milliseconds(1)), Prediction::Kept, "before {time}");
    assert_eq!(world.at(time), reissued("Renewing", &message));
}

#[test]
fn renewal_is_due_a_third_before_the_end_or_as_the_certificate_says() {
    is_due_from(6, 30, |_| {});
    is_due_from(7, 20, |world| world.spec()["renewBefore"] = json!("240h0m0s"));
    is_due_from(7, 21, |world| world.spec()["renewBeforePercentage"] = json!(10));
    is_due_from(6, 30, |world| world.spec()["renewBefore"] = json!("2160h")); // not below its lifetime
    is_due_from(6, 30, |world| world.spec()["renewBeforePercentage"] = json!(100));
    is_due_from(6, 30, |world| world.spec()["renewal"] = json!({"policy": "RenewBefore"}));
    let suggested =
        json!({"ari": {"suggestedWindow": {"start": "2026-06-10T00:00:00Z", "end": "2026-06-12T00:00:00Z"}}});
    is_due_from(6, 10, |world| world.certificate["status"]["acme"] = suggested.clone());
    let of_a_former = json!({"ari": {"suggestedWindow": {"start": "2026-04-10T00:00:00Z"}}});
    is_due_from(6, 30, |world| world.certificate["status"]["acme"] = of_a_former.clone());
}

#[test]
fn renewal_can_be_off_or_depend_on_windows() {
    let late = now() + TimeDelta::days(100);
    let mut world = World::new();
    world.spec()["renewal"] = json!({"policy": "Disabled"});
    assert_eq!(world.at(late), Prediction::Kept, "even when it has expired");
    world.spec()["renewal"] =
        json!({"policy": "RenewBefore", "windows": [{"cron": "0 2 * * 6", "windowDuration": "2h"}]});
    assert_eq!(world.at(now()), Prediction::Kept, "windows never make it earlier");
    assert!(matches!(world.at(late), Prediction::Unknown { .. }));
    world.spec()["renewal"] = json!({});
    assert!(matches!(world.at(now()), Prediction::Unknown { .. }), "cert-manager cannot say either");
    world.spec()["renewal"] = Value::Null;
    world.spec()["renewBefore"] = json!("a month");
    assert!(matches!(world.at(now()), Prediction::Unknown { .. }));
}

#[test]
fn durations_are_read_as_go_reads_them() {
    let hour = 3_600_000_000_000;
    let cases = [
        ("2h", Some(2 * hour)),
        ("1h30m", Some(hour / 2 * 3)),
        ("1.5h", Some(hour / 2 * 3)),
        (".5h", Some(hour / 2)),
        ("-1h", Some(-hour)),
        ("1s1ms1us1µs1ns", Some(1_001_002_001)),
        ("0", Some(0)),
        ("", None),
        ("1", None),
        ("h", None),
        ("1.2.3h", None),
        ("1d", None),
        ("9223372036854775807h", None),
    ];
    for (text, wanted) in cases {
        assert_eq!(super::super::renewal::nanoseconds(text), wanted, "{text:?}");
    }
}
