//! When is a certificate renewed?
//!
//! In: a Certificate, the validity of its X.509 certificate, a time. Out: since when renewal is due.
//! Invariant: pure; what is not computed (renewal windows) is an error, never "not due".

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::text;

/// CurrentCertificateNearingExpiry and RenewalTime (cert-manager's pkg/util/pki/renewaltime.go): the time at which
/// renewal was due, None where it is still to come.
///
/// # Errors
/// Where that cannot be said, for people.
pub(super) fn due(
    certificate: &Value,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, String> {
    let spec = &certificate["spec"];
    let renewal = spec.get("renewal").filter(|renewal| renewal.is_object());
    let policy = renewal.map(|renewal| text(&renewal["policy"]));
    if policy == Some("Disabled") {
        return Ok(None);
    }
    // There only where cert-manager follows what the ACME server suggests (RFC 9773).
    let suggested = certificate["status"]["acme"]["ari"]["suggestedWindow"]["start"].as_str();
    let suggested = suggested.and_then(|start| start.parse::<DateTime<Utc>>().ok());
    if let Some(start) = suggested.filter(|start| *start > not_before) {
        return Ok(Some(start).filter(|start| *start <= now));
    }
    let ahead = ahead(spec, not_after - not_before)?;
    let Some(at) = whole_second(not_after - ahead) else { return Err(OUT_OF_RANGE.to_owned()) };
    match policy {
        None | Some("RenewBefore") if at > now => Ok(None),
        None => Ok(Some(at)),
        // Windows only ever put a renewal off.
        Some("RenewBefore") if renewal.is_some_and(has_windows) => Err(format!(
            "renewal was due at {at:?}, and spec.renewal.windows puts it off to a time unknown to netdr"
        )),
        Some("RenewBefore") => Ok(Some(at)),
        Some(other) => Err(format!("cert-manager does not know the renewal policy {other:?}")),
    }
}

const OUT_OF_RANGE: &str = "its times are out of range";

fn has_windows(renewal: &Value) -> bool {
    renewal["windows"].as_array().is_some_and(|windows| !windows.is_empty())
}

/// desiredRenewalTime: how long before its end a certificate is renewed, a third of its lifetime by default.
/// The percentage is computed in floating point, as cert-manager does.
fn ahead(spec: &Value, lifetime: TimeDelta) -> Result<TimeDelta, String> {
    let lifetime = lifetime.num_nanoseconds().unwrap_or(i64::MAX); // as Go's time.Sub saturates
    let before = match spec["renewBefore"].as_str() {
        Some(text) => nanoseconds(text).ok_or_else(|| format!("renewBefore {text:?} is no duration"))?,
        None => 0,
    };
    let percentage = spec["renewBeforePercentage"].as_i64().filter(|share| (1..100).contains(share));
    let ahead = match percentage {
        _ if before > 0 && before < lifetime => before,
        Some(share) => (lifetime as f64 * share as f64 / 100.0) as i64,
        None => lifetime / 3,
    };
    Ok(TimeDelta::nanoseconds(ahead))
}

/// Go's Truncate(time.Second).
fn whole_second(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.timestamp(), 0)
}

/// A duration as Go's time.ParseDuration reads it ("1h30m", "1.5h"), which metav1.Duration is written in.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let is_digit = |c: char| c.is_ascii_digit() || c == '.';
        let (number, tail) = rest.split_at(rest.find(|c| !is_digit(c))?);
        let (unit, next) = tail.split_at(tail.find(is_digit).unwrap_or(tail.len()));
        total += amount(number, unit)?;
        rest = next;
    }
    i64::try_from(sign * total).ok()
}

/// So many of a unit, in nanoseconds.
fn amount(number: &str, unit: &str) -> Option<i128> {
    let unit = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000_i128,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let part =
        |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok().map(i128::from) };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(18)]; // finer than a nanosecond of an hour
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    Some(part(whole)? * unit + part(fraction)? * unit / scale)
}
