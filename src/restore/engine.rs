//! The engine: steps in order, batches in order, acts of a batch in parallel, then gates.
//!
//! In: a resolved plan, a cluster, a journal. Out: what became of every step and act. Invariant: a failing act never
//! stops independent ones; a step whose gates do not hold, or that the operator declines, is the last one done.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use tokio::sync::OnceCell;

use super::{
    Done, Journal, StepOutcome,
    acts::Acting,
    command,
    gates::{self, Waiting},
    journal::Entry,
    lease::{Clock, Known, Lease},
    probes, ready,
};
use crate::{
    Error, Result,
    cluster::{Cluster, Discovery},
    host::Writer,
    model::{Item, ItemKey},
    plan::{self, Act, Batch, Command, Gate, ResolvedPlan, Step, Verb},
    seal::Recipients,
};

/// What the caller is told while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step begins; how many acts it has.
    Step {
        /// Its number, from 0.
        number: usize,
        /// Its title.
        title: &'a str,
        /// How many acts.
        acts: usize,
    },
    /// One more act is done.
    Act,
    /// Waiting, for what.
    Waiting(&'a str),
    /// A step ended.
    Ended(&'a StepOutcome),
    /// These are not tried, and why.
    Skipped {
        /// What became of the step that stopped the run.
        because: &'a str,
        /// Their ids.
        steps: &'a [&'a str],
    },
}

/// What the engine needs besides the plan.
pub struct Engine<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Writes the files of this node, where the plan has some.
    pub(super) files: Option<&'a Writer>,
    /// The run's journal.
    pub journal: &'a Journal,
    /// The run's folder: what programs write is sealed there.
    pub(super) folder: &'a Path,
    /// Whom it is sealed to.
    pub(super) recipients: &'a Recipients,
    /// Which process of the run this is, from 1.
    pub(super) session: usize,
    /// When the run began to act.
    pub(super) began: Instant,
    /// Whether the run may still act; none where no API server can say.
    pub(super) lease: Option<&'a Lease>,
    /// The wall clock, for the journal's times.
    pub clock: Clock,
    /// Told what happens.
    pub event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Answers `confirm` steps; false ends the run.
    pub confirm: &'a (dyn Fn(&str) -> Result<bool> + Sync),
    /// Acts in flight.
    pub parallel: usize,
    /// Pause between looks at a gate.
    pub poll: Duration,
}

/// Executes the plan. A failing act never stops independent ones; a step whose gates do not hold ends the run, as
/// does a `confirm` that is declined: the steps after it are `skipped`, and named.
///
/// # Errors
/// When the journal cannot be written (nothing is done that is not journalled), the Lease is another's, the operator
/// cannot be asked, or the API server does not say what it serves.
pub async fn execute(engine: &Engine<'_>, plan: &ResolvedPlan) -> Result<Vec<StepOutcome>> {
    let mut discovery = Discovery::default(); // asked for as soon as something needs it
    let mut outcomes = Vec::with_capacity(plan.steps.len());
    let mut stopped: Option<String> = None;
    for (number, step) in plan.steps.iter().enumerate() {
        let mut outcome = StepOutcome::new(step, engine.began.elapsed());
        if let Some(because) = &stopped {
            outcome.skip(step, because);
            engine.journal.write((engine.clock)(), [outcome.entry()])?;
        } else {
            let acts = step.batches.iter().map(|batch| batch.acts.len()).sum();
            (engine.event)(Event::Step { number, title: &step.title, acts });
            engine.step(step, &mut discovery, &mut outcome).await?;
            stopped = outcome.stops();
            engine.journal.write((engine.clock)(), [outcome.entry()])?;
            (engine.event)(Event::Ended(&outcome));
        }
        outcomes.push(outcome);
    }
    if let Some(because) = &stopped {
        let skipped = outcomes.iter().filter(|outcome| outcome.skipped.is_some());
        let steps: Vec<&str> = skipped.map(|outcome| outcome.id.as_str()).collect();
        if !steps.is_empty() {
            (engine.event)(Event::Skipped { because, steps: &steps });
        }
    }
    Ok(outcomes)
}

impl Engine<'_> {
    async fn step(&self, step: &Step, discovery: &mut Discovery, outcome: &mut StepOutcome) -> Result<()> {
        let began = Instant::now();
        self.cluster.forget_webhooks();
        if let Some(question) = &step.question
            && !(self.confirm)(question)?
        {
            outcome.outcome = "interrupted";
            outcome.failures.push("declined by the operator".into());
        } else {
            for batch in step.batches.iter().filter(|batch| !batch.acts.is_empty()) {
                self.ours(Known::Now).await?;
                if batch.acts.iter().any(|act| !served(discovery, &act.key)) {
                    *discovery = self.cluster.discover().await?; // what was done before may have made the kind
                }
                self.batch(&step.id, batch, discovery, outcome).await?;
            }
        }
        if let Some(command) = step.command.as_ref().filter(|command| !command.done) {
            self.command(step, command, outcome).await?;
        }
        outcome.acting_s = began.elapsed().as_secs_f64();
        if outcome.outcome == "done" {
            self.probes(step, discovery, outcome).await?;
            let held = self.answers(step, outcome).await && self.gates(step, discovery, outcome).await;
            outcome.judge(held);
        }
        outcome.waiting_s = began.elapsed().as_secs_f64() - outcome.acting_s;
        Ok(())
    }

    async fn ours(&self, known: Known) -> Result<()> {
        match self.lease {
            Some(lease) => lease.check(known).await,
            None => Ok(()),
        }
    }

    /// All intents of a batch are durable before its first act; its outcomes are written as they come. Once the journal
    /// cannot be written, or the Lease is another's, no further act begins, and those under way are waited for: what is
    /// deleted to be made anew is made.
    async fn batch(
        &self,
        step: &str,
        batch: &Batch,
        discovery: &Discovery,
        outcome: &mut StepOutcome,
    ) -> Result<()> {
        self.journal.write((self.clock)(), batch.acts.iter().map(|act| intent(step, act)))?;
        let acting = Acting {
            cluster: self.cluster,
            discovery,
            files: self.files,
            poll: self.poll,
            clock: self.clock,
            webhooks: OnceCell::new(),
        };
        let (acting, deaf) = (&acting, &AtomicBool::new(false));
        let acts = batch.acts.iter().map(|act| async move {
            let ours = match deaf.load(Ordering::Relaxed) {
                true => Err(Error::failed("the journal cannot be written")),
                false => self.ours(Known::Lately).await,
            };
            (
                act,
                match ours {
                    Ok(()) => Ok(acting.act(act).await),
                    Err(lost) => Err(lost),
                },
            )
        });
        let mut acts = stream::iter(acts).buffer_unordered(self.parallel.max(1));
        let mut lost = None;
        while let Some((act, result)) = acts.next().await {
            let result = match result {
                Ok(result) => result,
                Err(error) => {
                    lost.get_or_insert(error);
                    continue;
                }
            };
            let done = Done { key: act.key.clone(), verb: act.verb, outcome: result };
            if let Err(error) = self.journal.note((self.clock)(), [done.entry(step)]) {
                deaf.store(true, Ordering::Relaxed);
                lost.get_or_insert(error);
                continue;
            }
            outcome.count(done);
            (self.event)(Event::Act);
        }
        lost.map_or(Ok(()), Err)?;
        self.journal.sync()
    }

    /// Runs the program of a step, or says why not. What it wrote is sealed; that it ran is in the journal before.
    async fn command(&self, step: &Step, command: &Command, outcome: &mut StepOutcome) -> Result<()> {
        if !command.allowed {
            outcome.outcome = "skipped";
            outcome
                .failures
                .push(format!("`{command}` was not run: allow it with --allow-run, or run it by hand"));
            return Ok(());
        }
        self.ours(Known::Now).await?;
        let (id, words) = (step.id.clone(), command.words.clone());
        self.journal.write((self.clock)(), [Entry::Run { step: id.clone(), command: words }])?;
        outcome.ran = true;
        let ended = match command::run(command, Duration::from_secs(step.timeout_s)).await {
            Ok(ended) => ended,
            Err(why) => {
                outcome.outcome = "failed";
                outcome.failures.push(why);
                return Ok(());
            }
        };
        let session = if self.session == 1 { String::new() } else { format!("{}-", self.session) };
        let file = format!("run-{session}{id}.log.zst.age");
        let path = self.folder.join(&file);
        let sealed = ended.output.seal(self.recipients, &path)?;
        let (status, bytes, sha256) = (ended.status, ended.output.bytes, sealed.sha256);
        self.journal.write((self.clock)(), [Entry::Exited { step: id, status, bytes, file, sha256 }])?;
        if let Some(why) = ended.failure(step.timeout_s) {
            outcome.outcome = "failed";
            outcome.failures.push(format!(
                "`{command}` {why}; what it wrote: age -d -i IDENTITY {} | zstd -d",
                path.display()
            ));
        }
        Ok(())
    }

    async fn probes(&self, step: &Step, discovery: &mut Discovery, outcome: &mut StepOutcome) -> Result<()> {
        if step.looks.is_empty() {
            return Ok(());
        }
        *discovery = self.cluster.discover().await?;
        for look in &step.looks {
            (self.event)(Event::Waiting(&look.to_string()));
            let probed = probes::probe(&self.waiting(step), discovery, look).await;
            if probed.result == "failed" {
                outcome.failures.push(format!("{}: {}", probed.name, probed.detail));
            }
            outcome.probes.push(probed);
        }
        Ok(())
    }

    fn waiting(&self, step: &Step) -> Waiting<'_> {
        let timeout = Duration::from_secs(step.timeout_s);
        Waiting { cluster: self.cluster, timeout, poll: self.poll, event: self.event }
    }

    /// A program may have restarted the API server; where none answered before, the run waits for it as a whole.
    async fn answers(&self, step: &Step, outcome: &mut StepOutcome) -> bool {
        if step.command.is_none() || self.lease.is_none() {
            return true;
        }
        let timeout = Duration::from_secs(step.timeout_s);
        let answer = ready::wait(self.cluster, timeout, self.poll, self.event).await;
        let held = answer.is_ok();
        outcome.failures.extend(answer.err());
        held
    }

    /// Waits for the gates, but not for an object whose own act failed: that one never comes.
    async fn gates(&self, step: &Step, discovery: &mut Discovery, outcome: &mut StepOutcome) -> bool {
        let lost: BTreeSet<&ItemKey> =
            outcome.acts.iter().filter(|d| d.is_failure()).map(|d| &d.key).collect();
        let (hopeless, pending): (Vec<&Gate>, Vec<&Gate>) =
            step.gates.iter().partition(|gate| gates::object(gate).is_some_and(|key| lost.contains(&key)));
        let mut failures: Vec<String> =
            hopeless.iter().map(|gate| format!("{gate}: not waited for, it was not restored")).collect();
        for (gate, why) in self.waiting(step).wait(pending, discovery).await {
            failures.push(why);
            outcome.unready.push(gate.clone());
        }
        let held = failures.is_empty();
        outcome.failures.extend(failures);
        held
    }
}

fn served(discovery: &Discovery, key: &ItemKey) -> bool {
    match key {
        ItemKey::Resource { group, plural, .. } => discovery.find(group, plural).is_some(),
        ItemKey::Release { .. } => discovery.find("", "secrets").is_some(),
        ItemKey::File { .. } => true,
    }
}

fn intent(step: &str, act: &Act) -> Entry {
    Entry::Intent {
        step: step.into(),
        key: act.key.clone(),
        component: Some(act.component),
        verb: act.verb,
        live: act.live_sha256.clone(),
        wanted: act.item.as_ref().map(Item::sha256),
        replicas: plan::replicas(&act.key, act.live.as_ref()).filter(|_| act.verb == Verb::Scale),
    }
}
