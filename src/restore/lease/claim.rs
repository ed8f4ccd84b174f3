//! Whose turn it is.
//!
//! In: the Lease as it stands, who asks, the time. Out: whether to take it, to renew it, or to leave it. Invariant: pure;
//! what another run holds is never taken before its time is up, and of two runs with one name only the later one holds it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

/// How long a holder that says nothing more is believed, in seconds.
pub(super) const LASTS: i64 = 30;
pub(super) const NAMESPACE: &str = "kube-system";
pub(super) const NAME: &str = "netdr-restore";

/// A tenure: `spec` of a Lease (coordination.k8s.io/v1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// `RUN operator@host`.
    pub(super) holder: String,
    pub(super) since: DateTime<Utc>,
    pub(super) renewed: DateTime<Utc>,
    pub(super) lasts: TimeDelta,
}

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody holds it any more, or an earlier process of the same run does.
    Take,
    /// It is ours.
    Renew,
    /// Another holds it.
    Leave,
}

/// Decides; `lease` is none where there is no Lease, or one that nobody holds. A process that held it before and finds
/// another tenure of its own run there has been replaced by `--resume`.
pub(super) fn turn(lease: Option<&Claim>, me: &Claim, holds: bool, now: DateTime<Utc>) -> Turn {
    match lease {
        None => Turn::Take,
        Some(lease) if lease.is_tenure_of(me) => Turn::Renew,
        Some(lease) if lease.run() == me.run() && !holds => Turn::Take,
        Some(lease) if lease.run() != me.run() && lease.ends() <= now => Turn::Take,
        Some(_) => Turn::Leave,
    }
}

impl Claim {
    pub(super) fn new(run: &str, operator: &str, now: DateTime<Utc>) -> Self {
        Self {
            holder: format!("{run} {operator}"),
            since: now,
            renewed: now,
            lasts: TimeDelta::seconds(LASTS),
        }
    }

    /// Reads a Lease object; none where nobody holds it.
    pub(super) fn of(lease: &Value) -> Option<Self> {
        let spec = &lease["spec"];
        let time = |field: &str| spec[field].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        let holder = spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty())?;
        Some(Self {
            holder: holder.to_owned(),
            since: time("acquireTime"),
            renewed: time("renewTime"),
            lasts: TimeDelta::seconds(spec["leaseDurationSeconds"].as_i64().unwrap_or(LASTS).clamp(0, 3600)),
        })
    }

    /// The Lease that says so.
    pub(super) fn object(&self) -> Value {
        // MicroTime: six digits, or the API server drops what is more.
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "holderIdentity": self.holder,
                "leaseDurationSeconds": self.lasts.num_seconds(),
                "acquireTime": time(self.since),
                "renewTime": time(self.renewed),
            },
        })
    }

    pub(super) fn run(&self) -> &str {
        self.holder.split(' ').next().unwrap_or_default()
    }

    /// Whether a drill holds it, by its report's id: no plan that people write is called that.
    pub(super) fn is_drill(&self) -> bool {
        matches!(self.run().split('-').collect::<Vec<_>>()[..], [_, "drill", _])
    }

    pub(super) fn operator(&self) -> &str {
        self.holder.split_once(' ').map_or("somebody", |(_, operator)| operator)
    }

    pub(super) fn ends(&self) -> DateTime<Utc> {
        self.renewed + self.lasts
    }

    /// The same process, renewed or not: no two begin in the same microsecond.
    fn is_tenure_of(&self, other: &Self) -> bool {
        self.holder == other.holder && self.since.timestamp_micros() == other.since.timestamp_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 123_456_000).unwrap()
    }

    fn claim(run: &str, since: i64, renewed: i64) -> Claim {
        Claim { renewed: at(renewed), ..Claim::new(run, "op@n1", at(since)) }
    }

    #[test]
    fn a_lease_that_nobody_holds_or_that_is_over_is_taken() {
        let me = claim("mine", 100, 100);
        assert_eq!(turn(None, &me, false, at(100)), Turn::Take);
        let other = claim("theirs", 0, 70);
        assert_eq!(turn(Some(&other), &me, false, at(99)), Turn::Leave);
        assert_eq!(turn(Some(&other), &me, false, at(100)), Turn::Take);
    }

    #[test]
    fn a_resumed_run_takes_over_at_once_and_who_was_replaced_stays_away() {
        let (dead, resumed) = (claim("mine", 0, 95), claim("mine", 100, 100));
        assert_eq!(turn(Some(&dead), &resumed, false, at(100)), Turn::Take);
        assert_eq!(turn(Some(&resumed), &dead, true, at(101)), Turn::Leave);
        assert_eq!(turn(Some(&resumed), &dead, true, at(999)), Turn::Leave, "not even when it is over");
    }

    #[test]
    fn ones_own_is_renewed_even_when_it_was_over() {
        let me = claim("mine", 0, 10);
        assert_eq!(turn(Some(&me), &me, true, at(20)), Turn::Renew);
        assert_eq!(turn(Some(&claim("mine", 0, 0)), &me, true, at(500)), Turn::Renew);
        assert_eq!(turn(Some(&claim("theirs", 50, 60)), &me, true, at(70)), Turn::Leave);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let claim = claim("20261124T031500Z-traefik-5b21d0", 0, 7);
        assert_eq!(Claim::of(&claim.object()), Some(claim.clone()));
        assert_eq!((claim.run(), claim.operator()), ("20261124T031500Z-traefik-5b21d0", "op@n1"));
        let mut released = claim.object();
        released["spec"]["holderIdentity"] = "".into();
        assert_eq!(Claim::of(&released), None);
        let foreign = Claim::of(&json!({"spec": {"holderIdentity": "x", "renewTime": "nonsense"}}));
        assert!(foreign.is_some_and(|claim| claim.ends() < at(0)), "nonsense does not block a recovery");
    }
}
