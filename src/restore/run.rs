//! A run: safety snapshot, acts, gates, then the proof that nothing is left to do, and the report.
//!
//! In: a prepared restore or undo that was said yes to. Out: a [`RecoveryReport`] and, in the run's folder, the journal and
//! what was overwritten. Invariant: the report claims only what was looked at after the last act.

mod unproved;

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{
    Engine, Entry, Event, Journal, Prepared, Probed, StepOutcome, checks, execute,
    lease::{Clock, Lease},
    safety,
};
use crate::{
    Result,
    model::ItemKey,
    plan::{Issuance, ResolvedPlan},
    report::{Phase, RecoveryReport},
    seal::Recipients,
};

/// What a run needs besides the prepared restore.
pub struct Running<'a> {
    /// The run's folder, made if need be: journal and safety snapshot go there.
    pub folder: &'a Path,
    /// Whom the safety snapshot is sealed to.
    pub recipients: &'a Recipients,
    /// Who runs it.
    pub operator: &'a str,
    /// How long the question "go on?" took to be answered, in seconds.
    pub confirm_s: f64,
    /// The wall clock.
    pub clock: Clock,
    /// Told what happens.
    pub event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Answers `confirm` steps.
    pub confirm: &'a (dyn Fn(&str) -> Result<bool> + Sync),
    /// Acts in flight.
    pub parallel: usize,
    /// Pause between looks at a gate.
    pub poll: Duration,
}

/// What looking again came to.
struct Proof {
    left: u64,
    remarks: Vec<String>,
    seconds: f64,
    /// Certificates as they are; none where they could not be read.
    issuance: Option<Issuance>,
}

/// Runs it, while it holds the cluster's Lease. What fails on the cluster is in the report.
///
/// # Errors
/// When another restore is at work there (nothing was changed) or takes over, journal or safety snapshot cannot be
/// written, or the API server can no longer be reached.
pub async fn run(prepared: Prepared<'_>, running: &Running<'_>) -> Result<RecoveryReport> {
    prepared.may_write()?;
    let lease = Lease::take(prepared.target, &prepared.run, running.operator, running.clock).await?;
    let report = act(prepared, running, &lease).await;
    lease.release().await;
    report
}

async fn act(mut prepared: Prepared<'_>, running: &Running<'_>, lease: &Lease) -> Result<RecoveryReport> {
    let began = Instant::now();
    let files = prepared.writer()?;
    let journal = match prepared.sessions {
        0 => Journal::create(running.folder)?,
        _ => Journal::reopen(running.folder)?,
    };
    journal.write((running.clock)(), [prepared.entry(running.operator)])?;
    let (overwritten, session) = (prepared.plan.overwritten(), prepared.sessions + 1);
    let saved = safety::save(&overwritten, running.recipients, running.folder, session, (running.clock)())?;
    drop(overwritten);
    if !saved.is_empty() {
        journal.write((running.clock)(), saved)?;
    }
    let saving = began.elapsed().as_secs_f64();
    let engine = Engine {
        cluster: prepared.target,
        files: files.as_ref(),
        journal: &journal,
        folder: running.folder,
        recipients: running.recipients,
        session,
        lease,
        clock: running.clock,
        event: running.event,
        confirm: running.confirm,
        parallel: running.parallel,
        poll: running.poll,
    };
    let steps = execute(&engine, &prepared.plan).await?;
    let nothing_to_do = prepared.plan.is_empty();
    prepared.plan.steps.clear(); // their contents are no longer needed, and the cluster is about to be read again
    let proof = if nothing_to_do {
        let left = prepared.plan.refused.len() + prepared.plan.unread.len();
        let issuance = Some(prepared.plan.issuance.clone());
        Proof { left: left as u64, remarks: Vec::new(), seconds: 0.0, issuance }
    } else {
        (running.event)(Event::Waiting("reading the cluster again: nothing must be left to do"));
        let began = Instant::now();
        let again = prepared.resolve((running.clock)()).await;
        proof(again, began.elapsed())
    };
    // Of a run that goes on, what was done before counts.
    let checks = checks::checks(&prepared.plan.issuance, proof.issuance.as_ref());
    let unproved = proof.left + checks.iter().filter(|check| check.is_failure()).count() as u64;
    let elsewhere = !prepared.plan.not_done.is_empty();
    let outcome = outcome(nothing_to_do && prepared.sessions == 0, &steps, unproved, elsewhere);
    let ended_at = (running.clock)();
    journal.write(ended_at, [Entry::Ended { outcome: outcome.into(), differences_left: proof.left }])?;

    let (components, signed_by) = (prepared.components(), prepared.signed_by());
    let probes: Vec<Probed> = steps.iter().flat_map(|step| step.probes.iter().cloned()).collect();
    let not_probed = unproved::not_probed(&prepared.plan.plan, &components, &probes);
    let Prepared { mut plan, cluster, target, run, incident_start, now, sessions, mut phases, .. } = prepared;
    phases.extend(spent(&steps, running.confirm_s, saving, proof.seconds));
    let recovery_time = (ended_at - incident_start).to_std().unwrap_or_default();
    let recovery_point_s = recovery_point(incident_start, plan.source.captured_at);
    let recovered = matches!(outcome, "recovered" | "nothing-to-do");
    let mut remarks = std::mem::take(&mut plan.warnings);
    remarks.extend(plan.not_done.iter().map(|part| format!("not done here: {part}")));
    remarks.extend(plan.refused.iter().map(|(key, why)| format!("{key} was not restored: {why}")));
    remarks.extend(plan.kept.iter().map(|(key, why)| format!("{key} was left as it is: {why}")));
    remarks.extend(proof.remarks);
    if sessions > 0 {
        remarks.push(format!("the run was resumed; what was done before: netdr runs show {run}"));
    }
    Ok(RecoveryReport {
        run,
        scenario: plan.plan.name,
        title: plan.plan.title,
        role: plan.plan.role,
        cluster,
        source: plan.source.snapshots,
        signed_by,
        captured_at: plan.source.captured_at,
        incident_start,
        started_at: now,
        ended_at,
        tool: env!("CARGO_PKG_VERSION").into(),
        operator: running.operator.into(),
        outcome,
        recovery_time_s: recovery_time.as_secs_f64(),
        rto_s: plan.plan.rto.as_secs(),
        rto_met: recovered && recovery_time <= plan.plan.rto,
        recovery_point_s,
        rpo_s: plan.plan.rpo.as_secs(),
        rpo_met: recovery_point_s <= i64::try_from(plan.plan.rpo.as_secs()).unwrap_or(i64::MAX),
        phases,
        steps,
        differences_left: proof.left,
        not_done: plan.not_done,
        checks,
        remarks,
        simulated: unproved::simulated(target).await,
        probes,
        not_probed,
    })
}

/// What the same plan would still have to do, resolved against the cluster as it is after the run. Items kept by
/// choice are no differences; a kind that could not be read may hold some, and counts as one.
fn proof(again: Result<ResolvedPlan>, took: Duration) -> Proof {
    let seconds = took.as_secs_f64();
    let plan = match again {
        Ok(plan) => plan,
        Err(error) => {
            let remark =
                format!("whether anything is left could not be looked at: {error}; run: netdr drift");
            return Proof { left: 1, remarks: vec![remark], seconds, issuance: None };
        }
    };
    let refused = plan.refused.iter().map(|(key, _)| key);
    let differing = plan.differences.iter().map(|difference| &difference.key);
    let left: BTreeSet<&ItemKey> =
        plan.changes().map(|act| &act.key).chain(differing).chain(refused).collect();
    let mut remarks: Vec<String> = left.iter().map(|key| format!("{key} still differs")).collect();
    let left = (left.len() + plan.unread.len()) as u64;
    remarks.extend(plan.unread);
    Proof { left, remarks, seconds, issuance: Some(plan.issuance) }
}

/// How old the source was when the incident began, in whole seconds and rounded up: half a second lost is no
/// objective of 0 met.
fn recovery_point(incident_start: DateTime<Utc>, captured_at: DateTime<Utc>) -> i64 {
    (incident_start - captured_at).num_milliseconds().saturating_add(999).div_euclid(1000)
}

/// The word for the run.
fn outcome(nothing_to_do: bool, steps: &[StepOutcome], left: u64, elsewhere: bool) -> &'static str {
    let any = |word: &str| steps.iter().any(|step| step.outcome == word);
    if any("interrupted") {
        "interrupted"
    } else if any("failed") {
        "failed"
    } else if any("partial") || any("skipped") || left > 0 || elsewhere {
        "partial"
    } else if nothing_to_do {
        "nothing-to-do"
    } else {
        "recovered"
    }
}

/// Where the time went since the plan was shown.
fn spent(steps: &[StepOutcome], asked: f64, saving: f64, verifying: f64) -> [Phase; 4] {
    let seconds = |action: fn(&str) -> bool, of: fn(&StepOutcome) -> f64| -> f64 {
        steps.iter().filter(|step| action(step.action)).map(of).sum()
    };
    let (acting, waiting) = (|step: &StepOutcome| step.acting_s, |step: &StepOutcome| step.waiting_s);
    let looking = |step: &StepOutcome| step.acting_s + step.waiting_s;
    [
        Phase { name: "confirm", seconds: asked + seconds(|action| action == "confirm", acting) },
        Phase {
            name: "apply",
            seconds: saving + seconds(|action| !matches!(action, "confirm" | "probe"), acting),
        },
        Phase { name: "wait", seconds: seconds(|action| action != "probe", waiting) },
        Phase { name: "probe", seconds: verifying + seconds(|action| action == "probe", looking) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: &'static str, outcome: &'static str) -> StepOutcome {
        StepOutcome {
            id: "s".into(),
            title: "S".into(),
            action,
            outcome,
            began_s: 0.0,
            acting_s: 2.0,
            waiting_s: 1.0,
            applied: 1,
            unchanged: 0,
            deleted: 0,
            failures: vec![],
            probes: vec![],
            acts: vec![],
        }
    }

    #[test]
    fn a_run_is_recovered_only_when_all_is_done_and_nothing_is_left() {
        assert_eq!(outcome(false, &[step("apply", "done")], 0, false), "recovered");
        assert_eq!(outcome(false, &[step("apply", "done")], 1, false), "partial");
        assert_eq!(outcome(false, &[step("apply", "partial")], 0, false), "partial");
        assert_eq!(outcome(false, &[step("apply", "failed"), step("wait", "skipped")], 0, false), "failed");
        assert_eq!(outcome(false, &[step("confirm", "interrupted")], 3, false), "interrupted");
        assert_eq!(outcome(false, &[step("run", "skipped"), step("apply", "done")], 0, false), "partial");
        assert_eq!(outcome(true, &[], 0, false), "nothing-to-do");
        assert_eq!(outcome(true, &[step("wait", "failed")], 0, false), "failed");
        assert_eq!(outcome(true, &[], 0, true), "partial", "something is left on another node");
    }

    #[test]
    fn a_part_of_a_second_that_is_lost_is_lost() {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap();
        assert_eq!(recovery_point(at(0), at(0)), 0);
        assert_eq!(recovery_point(at(1), at(0)), 1);
        assert_eq!(recovery_point(at(3_000), at(0)), 3);
    }

    #[test]
    fn time_spent_asking_is_told_apart_from_time_spent_acting() {
        let steps = [step("apply", "done"), step("confirm", "done"), step("probe", "done")];
        let seconds: Vec<f64> = spent(&steps, 4.0, 0.5, 0.25).iter().map(|phase| phase.seconds).collect();
        assert_eq!(seconds, [6.0, 2.5, 2.0, 3.25]);
    }

    #[test]
    fn a_cluster_that_cannot_be_read_again_proves_nothing() {
        let unproved = proof(Err(crate::Error::failed("no answer")), Duration::ZERO);
        assert_eq!(outcome(false, &[step("apply", "done")], unproved.left, false), "partial");
    }
}
