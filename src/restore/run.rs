//! A run: safety snapshot, acts, gates, then the proof that nothing is left to do, and the report.
//!
//! In: a prepared restore or undo that was said yes to. Out: a [`RecoveryReport`] and, in the run's folder, the journal and
//! what was overwritten. Invariant: the report claims only what was looked at after the last act.

mod dropped;
mod next;
mod summary;
mod unproved;

use std::{
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    Engine, Entry, Event, Journal, Prepared, Probed, StepOutcome, checks, execute,
    lease::{Clock, Lease},
    prepared::Part,
    ready, safety,
};
use crate::{
    Result,
    host::Writer,
    plan::Compared,
    report::{RecoveryReport, tool},
    seal::Recipients,
};
use summary::{Proof, outcome, proof, recovery_point, recovery_time, remarks, spent};

/// What a run needs besides the prepared restore.
pub struct Running<'a> {
    /// The run's folder, made if need be: journal and safety snapshot go there.
    pub folder: &'a Path,
    /// Whom the safety snapshot is sealed to.
    pub recipients: &'a Recipients,
    /// Who runs it.
    pub operator: &'a str,
    /// When `now` of the prepared restore was: the wall clock may be set since, and would meet objectives that were missed.
    pub began: Instant,
    /// How long the question "go on?" took to be answered, in seconds.
    pub confirm_s: f64,
    /// The wall clock.
    pub clock: Clock,
    /// The cluster's Lease, where whoever runs it holds that already, for more than this run; else the run takes it.
    pub held: Option<&'a Lease>,
    /// Told what happens.
    pub event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Answers `confirm` steps.
    pub confirm: &'a (dyn Fn(&str) -> Result<bool> + Sync),
    /// Answers whether the rest of a plan is done, which could not be resolved before the API server answered; shows it.
    pub proceed: &'a (dyn Fn(&Prepared<'_>) -> Result<bool> + Sync),
    /// Acts in flight.
    pub parallel: usize,
    /// Pause between looks at a gate.
    pub poll: Duration,
}

/// What a run does to an item, as it is said where it did not.
const RESTORED: &str = "restored";
const PUT_BACK: &str = "put back";

/// A run at work, and what it came to so far.
struct AtWork<'a> {
    running: &'a Running<'a>,
    journal: Journal,
    files: Option<Writer>,
    began: Instant,
    steps: Vec<StepOutcome>,
    /// Sealing what will be overwritten, in seconds.
    saving: f64,
    /// What a person should know of the part that is over.
    remarks: Vec<String>,
    /// Whether there was anything to do.
    needed: bool,
}

/// Runs it, while it holds the cluster's Lease. What fails on the cluster is in the report.
///
/// Where no API server answers, nobody can hold a Lease: the node's files come first, without one, and the rest is
/// resolved and asked for when the API server does.
///
/// # Errors
/// When another restore is at work there (nothing was changed) or takes over, journal or safety snapshot cannot be
/// written, the API server can no longer be reached, or the one that comes back is another cluster's.
pub async fn run(mut prepared: Prepared<'_>, running: &Running<'_>) -> Result<RecoveryReport> {
    prepared.may_write()?;
    let mut begun = None;
    if prepared.offline {
        let mut work = AtWork::begin(&prepared, running)?;
        work.act(&prepared, None).await?;
        if prepared.part != Part::First {
            return work.conclude(prepared).await;
        }
        prepared = match work.reach(prepared).await? {
            ControlFlow::Break(ended) => return work.conclude(ended).await,
            ControlFlow::Continue(rest) => rest,
        };
        begun = Some(work);
    }
    let go = async |prepared: Prepared<'_>, lease: &Lease| {
        let mut work = begun.map_or_else(|| AtWork::begin(&prepared, running), Ok)?;
        work.act(&prepared, Some(lease)).await?;
        work.conclude(prepared).await
    };
    if let Some(held) = running.held {
        return go(prepared, held).await;
    }
    let lease = Lease::take(prepared.target, &prepared.run, running.operator, running.clock).await?;
    let report = go(prepared, &lease).await;
    match (report, lease.release().await) {
        (Ok(mut report), kept) => {
            report.remarks.extend(kept);
            Ok(report)
        }
        (Err(error), Some(kept)) => Err(error.hint(kept)),
        (Err(error), None) => Err(error),
    }
}

impl<'a> AtWork<'a> {
    fn begin(prepared: &Prepared<'_>, running: &'a Running<'a>) -> Result<Self> {
        let began = Instant::now();
        let files = prepared.writer()?;
        let journal = match prepared.sessions {
            0 => Journal::create(running.folder)?,
            _ => Journal::reopen(running.folder)?,
        };
        journal.write((running.clock)(), [prepared.entry(running.operator)])?;
        let (steps, remarks) = (Vec::new(), Vec::new());
        Ok(Self { running, journal, files, began, steps, saving: 0.0, remarks, needed: false })
    }

    /// Saves what will be overwritten, then does what the plan says.
    async fn act(&mut self, prepared: &Prepared<'_>, lease: Option<&Lease>) -> Result<()> {
        let Running { folder, recipients, clock, .. } = *self.running;
        let began = Instant::now();
        let (overwritten, session) = (prepared.plan.overwritten(), prepared.sessions + 1);
        let saved = safety::save(&overwritten, recipients, folder, session, prepared.part, clock())?;
        drop(overwritten);
        if !saved.is_empty() {
            self.journal.write(clock(), saved)?;
        }
        self.saving += began.elapsed().as_secs_f64();
        let engine = Engine {
            cluster: prepared.target,
            files: self.files.as_ref(),
            journal: &self.journal,
            folder,
            recipients,
            session,
            began: self.began,
            lease,
            clock,
            event: self.running.event,
            confirm: self.running.confirm,
            parallel: self.running.parallel,
            poll: self.running.poll,
        };
        self.steps.extend(execute(&engine, &prepared.plan).await?);
        self.needed |= !prepared.plan.is_empty();
        Ok(())
    }

    /// Waits for the API server, resolves the rest and has it agreed to; breaks off where that does not come to pass.
    async fn reach<'p>(&mut self, prepared: Prepared<'p>) -> Result<ControlFlow<Prepared<'p>, Prepared<'p>>> {
        let Running { clock, event, poll, .. } = *self.running;
        let later = prepared.plan.later.join(", ");
        let stopped = self.steps.iter().any(|step| matches!(step.outcome, "failed" | "interrupted"));
        if !stopped {
            let mut waited =
                StepOutcome::named("api-server", "The API server answers", "wait", self.began.elapsed());
            let began = Instant::now();
            let title = format!("waiting for {}/readyz", prepared.target.server());
            event(Event::Step { number: self.steps.len(), title: &title, acts: 0 });
            let timeout = prepared.plan.steps.iter().map(|step| step.timeout_s).max().unwrap_or_default();
            let answer = ready::wait(prepared.target, Duration::from_secs(timeout), poll, event).await;
            waited.failures.extend(answer.err());
            waited.judge(waited.failures.is_empty());
            waited.waiting_s = began.elapsed().as_secs_f64();
            self.ended(waited)?;
        }
        if self.steps.iter().any(|step| step.outcome == "failed") || stopped {
            self.remarks.push(format!("not begun: {later}"));
            return Ok(ControlFlow::Break(prepared));
        }
        self.remarks.extend(remarks(&prepared.plan, RESTORED));
        let go_on = prepared.go_on(false);
        let rest = prepared.rest(clock()).await?;
        let reached = Entry::Reached { cluster: rest.cluster.clone(), plan: rest.plan.digest() };
        self.journal.write(clock(), [reached])?;
        let mut asked =
            StepOutcome::named("rest", "The rest of the plan is agreed to", "confirm", self.began.elapsed());
        let began = Instant::now();
        self.needed |= !rest.plan.is_empty(); // whether it is agreed to or not
        let agreed = (self.running.proceed)(&rest)?;
        asked.acting_s = began.elapsed().as_secs_f64();
        if !agreed {
            asked.outcome = "interrupted";
            asked.failures.push(format!(
                "{later}: not agreed to; look at what is left with: {go_on} --dry-run, and go on with: {go_on}"
            ));
        }
        self.ended(asked)?;
        Ok(if agreed { ControlFlow::Continue(rest) } else { ControlFlow::Break(rest) })
    }

    fn ended(&mut self, step: StepOutcome) -> Result<()> {
        self.journal.write((self.running.clock)(), [step.entry()])?;
        (self.running.event)(Event::Ended(&step));
        self.steps.push(step);
        Ok(())
    }

    /// Looks again, and sums up.
    async fn conclude(self, mut prepared: Prepared<'_>) -> Result<RecoveryReport> {
        let Self { running, journal, steps, saving, remarks: mut said, needed, files, .. } = self;
        drop(files);
        prepared.plan.steps.clear(); // their contents are no longer needed, and the cluster is about to be read again
        let not_begun = prepared.plan.later.clone(); // no API server let anybody look at them
        let proof = if needed {
            (running.event)(Event::Waiting("reading the cluster again: nothing must be left to do"));
            let began = Instant::now();
            let again = prepared.resolve((running.clock)()).await;
            let dropped = match &again {
                Ok(left) => dropped::fields(prepared.target, left, &steps).await,
                Err(_) => Vec::new(),
            };
            let mut proof = proof(again, began.elapsed());
            proof.remarks.extend(dropped);
            proof
        } else {
            let left = prepared.plan.refused.len() + prepared.plan.unread.len();
            let issuance = Some(prepared.plan.issuance.clone());
            Proof { left: left as u64, remarks: Vec::new(), seconds: 0.0, issuance }
        };
        // Of a run that goes on, what was done before counts.
        let checks = checks::checks(&prepared.plan.issuance, proof.issuance.as_ref());
        let unproved = proof.left
            + not_begun.len() as u64
            + checks.iter().filter(|check| check.is_failure()).count() as u64;
        let elsewhere = !prepared.plan.not_done.is_empty();
        let outcome = outcome(!needed && prepared.sessions == 0, &steps, unproved, elsewhere);
        let undoes = prepared.undoes().cloned();
        let outcome = if undoes.is_some() && outcome == "recovered" { "undone" } else { outcome };
        let next = next::next(&prepared, outcome, &steps, unproved);
        let ended_at = (running.clock)();
        let ended = Entry::Ended {
            outcome: outcome.into(),
            differences_left: proof.left,
            not_begun: not_begun.len() as u64,
        };
        journal.write(ended_at, [ended])?;

        let before = prepared.command_line().again(&format!("runs show {}", prepared.run));
        let changed = steps.iter().any(|step| step.applied + step.deleted > 0) || prepared.sessions > 0;
        let restored = changed && undoes.is_none();
        let (components, signed_by) = (prepared.components(), prepared.signed_by());
        let probes: Vec<Probed> = steps.iter().flat_map(|step| step.probes.iter().cloned()).collect();
        let not_probed = unproved::not_probed(&prepared.plan.plan, &components, &probes);
        let Prepared {
            plan, cluster, target, run, incident_start, now, sessions, offline, mut phases, ..
        } = prepared;
        phases.extend(spent(&steps, running.confirm_s, saving, proof.seconds));
        let recovery_time = recovery_time(incident_start, now, running.began.elapsed());
        let recovery_point_s = match plan.source.lossless {
            true => 0,
            false => recovery_point(incident_start, plan.source.captured_at),
        };
        let recovered = matches!(outcome, "recovered" | "nothing-to-do");
        said.extend(remarks(&plan, if undoes.is_some() { PUT_BACK } else { RESTORED }));
        said.extend(plan.not_done.iter().map(|part| format!("not done here: {part}")));
        said.extend(proof.remarks);
        if sessions > 0 {
            said.push(format!("the run was resumed; what was done before: {before}"));
        }
        let looked = if offline { Ok(None) } else { unproved::simulated(target).await };
        let (simulated, unseen) = looked.map_or_else(|why| (None, Some(why)), |simulated| (simulated, None));
        Ok(RecoveryReport {
            run,
            scenario: plan.plan.name,
            undoes,
            title: plan.plan.title,
            role: plan.plan.role,
            cluster,
            source: plan.source.names,
            signed_by,
            captured_at: plan.source.captured_at,
            incident_start,
            started_at: now,
            ended_at,
            tool: tool(),
            operator: running.operator.into(),
            outcome,
            recovery_time_s: recovery_time.as_secs_f64(),
            rto_s: plan.plan.rto.as_secs(),
            rto_met: recovered && recovery_time <= plan.plan.rto,
            recovery_point_s,
            rpo_s: plan.plan.rpo.as_secs(),
            rpo_met: restored.then(|| {
                recovery_point_s <= i64::try_from(plan.plan.rpo.as_secs()).unwrap_or(i64::MAX)
                    && !(plan.plan.rpo.is_zero() && plan.authored.iter().any(Compared::differs))
            }),
            phases,
            steps,
            differences_left: proof.left,
            not_begun,
            not_done: plan.not_done,
            checks,
            remarks: said,
            simulated: simulated.into_iter().collect(),
            unseen: unseen.into_iter().collect(),
            probes,
            not_probed,
            next,
        })
    }
}
