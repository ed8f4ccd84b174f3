//! How long does cert-manager wait after issuances that failed?
//!
//! In: a Certificate's status, a time. Out: until when. Invariant: pure.
//!
//! As shouldBackoffReissuingOnFailure (pkg/controller/certificates/trigger/trigger_controller.go) with its defaults, an
//! hour doubling to 32; not looked at: a spec that was changed since the last attempt ends the wait.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

const FIRST: TimeDelta = TimeDelta::hours(1);
/// So often the first fits into the longest.
const DOUBLINGS: i64 = 5;

/// Until when cert-manager does not try again to issue, None where it does not wait.
pub fn backs_off(certificate: &Value, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let status = &certificate["status"];
    let failed: DateTime<Utc> = status["lastFailureTime"].as_str()?.parse().ok()?;
    let attempts = status["failedIssuanceAttempts"].as_i64().unwrap_or(1);
    let until = failed + FIRST * (1 << (attempts - 1).clamp(0, DOUBLINGS));
    (now < until).then_some(until)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wait_doubles_from_an_hour_to_thirty_two() {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let hours = |attempts: Value| {
            let status =
                json!({"lastFailureTime": "2026-11-24T11:30:00Z", "failedIssuanceAttempts": attempts});
            let until = backs_off(&json!({"status": status}), now)?;
            Some((until - now + TimeDelta::minutes(30)).num_hours())
        };
        let waits: Vec<_> =
            [json!(null), json!(0), json!(1), json!(2), json!(6), json!(99)].map(hours).into();
        assert_eq!(waits, [Some(1), Some(1), Some(1), Some(2), Some(32), Some(32)]);
        let over = json!({"status": {"lastFailureTime": "2026-11-24T11:00:00Z"}});
        assert_eq!(backs_off(&over, now), None);
        assert_eq!(backs_off(&json!({}), now), None);
    }
}
