//! The five stages, each with a trouble that strikes in it, and what must be so afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use chrono::Utc;
use futures::FutureExt as _;
use netdr::{
    Result,
    cluster::Cluster,
    model::{Set, SnapshotState},
    plan::RestorePlan,
    report::RecoveryReport,
    restore::{Event, Prepared},
};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Cell, Row, STAGES, Stage,
    killed::{ours, still},
    trouble::{Course, Trouble},
    world::{Mark, World, scope},
};
use crate::{
    story::restore::undo,
    support::{Dump, Fault, Faults, eventually, touched},
};

const SCENARIO: &str = "full-stack";
/// What every cell captures or restores at least.
const ITEMS: usize = 55;
/// What every restore does once, and another one again.
const RESTART: &str = "patch daemonsets.apps kube-system/rke2-canal";
/// As an operator tries it again.
const AGAIN: &str = "restore --scenario full-stack --allow-run";
const LEASE: (&str, &str) = ("leases.coordination.k8s.io", "kube-system/netdr-restore");

/// Proves the five cells of a row.
pub(super) async fn prove(row: &Row) {
    let world = World::backed_up().await;
    for (stage, cell) in STAGES.into_iter().zip(row.cells) {
        let case = Case { world: &world, trouble: row.trouble, cell, faults: Faults::default() };
        let proof = async {
            match stage {
                Stage::Capture => case.capture().await,
                Stage::Resolve => case.resolve().await,
                Stage::Apply => case.apply().await,
                Stage::Wait => case.wait().await,
                Stage::Undo => case.undo().await,
            }
            case.asked_as_told();
        };
        if let Err(panic) = AssertUnwindSafe(proof).catch_unwind().await {
            let why = panic.downcast_ref::<String>().map_or("see above", String::as_str);
            panic!("{}: {stage:?} does not end {}: {why}", row.trouble.title(), cell.words());
        }
    }
}

struct Case<'a> {
    world: &'a World,
    trouble: Trouble,
    cell: Cell,
    faults: Faults,
}

fn lists(method: &str, path: &str) -> bool {
    method == "GET" && path.contains("limit=500")
}

fn writes(method: &str, path: &str) -> bool {
    method != "GET" && !path.contains("/leases")
}

impl Case<'_> {
    async fn capture(&self) {
        let Self { world, cell, .. } = self;
        let (cluster, mark) = (world.behind(&self.faults).await, world.mark());
        let backup = world.library.backup(&cluster, Set::Network, Utc::now());
        let made = self.during(lists, backup).await;
        let quiet = !matches!(self.trouble.course(), Course::Passing | Course::Staying);
        assert!(!quiet || world.written(&mark).is_empty(), "{:?}", world.written(&mark));
        let again = world.library.backup(&world.cluster, Set::Network, Utc::now()).await.unwrap();
        assert_eq!(again.state, SnapshotState::Complete, "{:?}", again.reasons);
        assert!(again.items >= ITEMS as u64, "{} items", again.items);
        match (cell, made) {
            (Cell::WaitedOut | Cell::Unaffected, made) => {
                let made = made.unwrap();
                assert_eq!(made.state, SnapshotState::Complete, "{:?}", made.reasons);
                let diff = ["diff", made.id.as_str(), again.id.as_str(), "--json"];
                let diff = world.operator.home.netdr(&diff).await.json(0);
                assert_eq!(diff["items"], serde_json::json!([]));
            }
            (Cell::Partial, made) => {
                let made = made.unwrap();
                assert_ne!(made.state, SnapshotState::Complete);
                let failures = made.components.iter().flat_map(|component| &component.failures);
                let said: Vec<&String> = made.reasons.iter().chain(failures).collect();
                assert!(said.iter().any(|line| line.contains(self.trouble.words())), "{said:?}");
            }
            (Cell::Failed, made) => self.is_named(&format!("{:?}", made.unwrap_err())),
        }
    }

    async fn resolve(&self) {
        let Self { world, cell, .. } = self;
        let (before, mark) = (world.corrupt().await, world.mark());
        let calm = self.prepare(&world.cluster, &plan_text()).await.plan;
        let (cluster, text) = (world.behind(&self.faults).await, plan_text());
        let prepare = world.library.prepare_plan(&cluster, SCENARIO, &text);
        let prepared = self.during(lists, prepare).await;
        match (cell, prepared) {
            (Cell::Failed, prepared) => {
                self.is_named(&format!("{:?}", prepared.map(drop).unwrap_err()));
            }
            (_, prepared) => {
                let prepared = prepared.unwrap();
                if matches!(cell, Cell::WaitedOut | Cell::Unaffected) {
                    assert_eq!(prepared.plan.digest(), calm.digest());
                }
                self.ended_as_told(&world.library.run_told(prepared, &|_| {}).await);
            }
        }
        if *cell != Cell::WaitedOut && *cell != Cell::Unaffected {
            self.netdr(AGAIN).await;
        }
        self.is_whole(&before, &scope(&calm), &mark).await;
    }

    async fn apply(&self) {
        let world = self.world;
        let (before, mark) = (world.corrupt().await, world.mark());
        let cluster = world.behind(&self.faults).await;
        let prepared = self.prepare(&cluster, &plan_text()).await;
        let (scope, run) = (scope(&prepared.plan), prepared.run().clone());
        let report = self.during(writes, world.library.run_told(prepared, &|_| {})).await;
        self.ended_as_told(&report);
        self.try_again(report, run.as_str()).await;
        self.is_whole(&before, &scope, &mark).await;
    }

    async fn wait(&self) {
        let world = self.world;
        let (before, mark) = (world.corrupt().await, world.mark());
        let cluster = world.behind(&self.faults).await;
        let lasting = matches!(self.trouble.course(), Course::Lasting(_));
        // What nobody mends is waited for until the deadline: here that is soon. What is mended may take a busy machine long.
        let timeout = if lasting { "timeout: 2s" } else { "timeout: 5m" };
        let text = plan_text().replace("timeout: 60s", timeout);
        let prepared = self.prepare(&cluster, &text).await;
        let (scope, run) = (scope(&prepared.plan), prepared.run().clone());
        let gated: Vec<bool> = prepared.plan.steps.iter().map(|step| !step.gates.is_empty()).collect();
        let (waiting, left, step) =
            (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0), AtomicUsize::new(0));
        let event = |event: Event<'_>| {
            let acts_left = match event {
                Event::Step { number, acts, .. } => {
                    step.store(number, SeqCst);
                    left.store(acts, SeqCst);
                    acts
                }
                Event::Act => left.fetch_sub(1, SeqCst) - 1,
                _ => return,
            };
            if acts_left == 0 && gated[step.load(SeqCst)] {
                waiting.store(true, SeqCst);
            }
        };
        let begun = Arc::clone(&waiting);
        let looks = move |_: &str, path: &str| begun.load(SeqCst) && !path.contains("/leases");
        let report = self.during(looks, world.library.run_told(prepared, &event)).await;
        self.ended_as_told(&report);
        assert!(waiting.load(SeqCst), "nothing was waited for");
        self.try_again(report, run.as_str()).await;
        self.is_whole(&before, &scope, &mark).await;
    }

    async fn undo(&self) {
        let world = self.world;
        let before = world.corrupt().await;
        let prepared = self.prepare(&world.cluster, &plan_text()).await;
        let scope = scope(&prepared.plan);
        let run = world.library.run(prepared).await.run;
        let cluster = world.behind(&self.faults).await;
        let (restored, mark) = (world.objects.dump().await, world.mark());
        let report = self.during(writes, world.library.undo(&cluster, &run)).await;
        self.ended_as_told(&report);
        if !matches!(self.cell, Cell::WaitedOut | Cell::Unaffected) {
            self.free_lease().await;
            self.netdr(&format!("undo {run}")).await;
        }
        let mut now = world.objects.dump().await;
        self.is_within(&scope, &restored, &now);
        now.retain(|key, _| before.contains_key(key) || !key.starts_with("customresourcedefinitions")); // for good
        undo::same(&still(before), &still(now));
        world.operator.home.shell("diff -r damaged host").await.ok();
        self.is_done_once(&mark);
    }

    /// The trouble strikes with the first request that is meant, and is mended when it has been met or, if it does not
    /// pass, when the work is done.
    async fn during<T>(
        &self,
        meant: impl Fn(&str, &str) -> bool + Send + 'static,
        work: impl Future<Output = T>,
    ) -> T {
        let Self { world, trouble, faults, .. } = self;
        let (trouble, met) = (*trouble, AtomicBool::new(false));
        let first_and_all_after = move |method: &str, path: &str| {
            met.load(SeqCst) || (meant(method, path) && !met.swap(true, SeqCst))
        };
        let staying = match trouble.course() {
            Course::Injected(times, fault) => {
                let counts: Mutex<BTreeMap<String, usize>> = Mutex::default();
                let twice = move |m: &str, p: &str| {
                    let mut counts = counts.lock().unwrap();
                    let count = counts.entry(format!("{m} {p}")).or_default();
                    *count += 1;
                    *count <= 2
                };
                faults.strike(times, fault, move |m, p| {
                    first_and_all_after(m, p) && trouble.meets(m, p) && twice(m, p)
                });
                let done = work.await;
                faults.clear();
                return done;
            }
            Course::Lasting(fault) => {
                faults.strike(usize::MAX, fault, first_and_all_after);
                let done = work.await;
                faults.clear();
                return done;
            }
            Course::Passing => false,
            Course::Staying => true,
        };
        let (open, held) = watch::channel(false);
        faults.strike(usize::MAX, Fault::Hold(held), first_and_all_after);
        let over = AtomicBool::new(false);
        let work = async {
            let done = work.await;
            over.store(true, SeqCst);
            done
        };
        let course = async {
            eventually("the stage to begin", async || (!faults.hit().is_empty()).then_some(())).await;
            trouble.strike(world).await;
            faults.clear();
            open.send_replace(true);
            eventually("the trouble to pass", async || {
                let passed = !staying && trouble.met(faults.server_failed());
                (over.load(SeqCst) || passed).then_some(())
            })
            .await;
            trouble.mend(world).await;
        };
        tokio::join!(work, course).0
    }

    /// The report, or the error instead of it, is the cell's, and tells what happened.
    #[track_caller]
    fn ended_as_told(&self, report: &Result<RecoveryReport>) {
        let report = match (self.cell, report) {
            (Cell::Failed, Err(error)) => return self.is_named(&format!("{error:?}")),
            (_, report) => report.as_ref().unwrap(),
        };
        let failures = report.steps.iter().flat_map(|step| &step.failures);
        let said = failures.chain(&report.remarks).map(String::as_str).collect::<Vec<_>>().join("\n");
        let outcome = match self.cell {
            Cell::WaitedOut | Cell::Unaffected if report.undoes.is_some() => "undone",
            Cell::WaitedOut | Cell::Unaffected => "recovered",
            Cell::Partial => "partial",
            Cell::Failed => "failed",
        };
        assert_eq!(report.outcome, outcome, "{said}");
        let good = ["recovered", "undone"].contains(&outcome);
        assert_eq!(report.differences_left == 0, good, "{said}");
        if self.trouble == Trouble::Denial && outcome == "partial" {
            let denied = self.world.denying.denied().unwrap();
            assert!(said.contains(&denied), "{denied} is not named:\n{said}");
            assert_eq!(report.differences_left, 1, "one that is denied stops no other:\n{said}");
        }
        if !good {
            self.is_named(&said);
        }
    }

    #[track_caller]
    fn is_named(&self, said: &str) {
        let words = self.trouble.words();
        assert!(!words.is_empty() && said.contains(words), "`{words}` is not in:\n{said}");
    }

    /// A restore, up to the question, that has as much to do as every cell must.
    async fn prepare<'a>(&'a self, cluster: &'a Cluster, text: &str) -> Prepared<'a> {
        let prepared = self.world.library.prepare_plan(cluster, SCENARIO, text).await.unwrap();
        let acts = prepared.plan.acts().count();
        assert!(acts >= ITEMS, "{acts} acts: {:#?}", scope(&prepared.plan));
        prepared
    }

    /// A run that broke off is resumed; one that ended with something left is followed by another.
    async fn try_again(&self, report: Result<RecoveryReport>, run: &str) {
        match report {
            Ok(report) if report.outcome == "recovered" => {}
            Ok(_) => {
                self.free_lease().await;
                self.netdr(AGAIN).await;
            }
            Err(_) => {
                let report = self.netdr(&format!("restore --resume {run}")).await;
                assert!(report["remarks"].to_string().contains("the run was resumed"), "{report:#}");
            }
        }
    }

    /// `netdr` with these words, on this server: afterwards nothing is left to do.
    async fn netdr(&self, words: &str) -> Value {
        let all = format!("netdr {words} --json --yes --identity keys/operator.txt --host-root host");
        let said = self.world.operator.home.shell(&format!("{all} || test $? = 6")).await.ok();
        let report: Value = serde_json::from_str(&said).unwrap();
        let good = if words.starts_with("undo") { "undone" } else { "recovered" };
        assert_eq!(
            (&report["outcome"], &report["differences_left"]),
            (&good.into(), &0.into()),
            "{report:#}"
        );
        report
    }

    /// Who could not give the Lease back would keep the next one waiting for 30 seconds.
    async fn free_lease(&self) {
        if self.world.objects.get(LEASE.0, LEASE.1).await.is_some() {
            assert_eq!(self.trouble, Trouble::ExpiredToken, "the Lease was not given back");
            self.world.objects.delete(LEASE.0, LEASE.1).await;
        }
    }

    /// All is as in the snapshot, nothing else was touched since, and nothing written twice.
    async fn is_whole(&self, before: &Dump, scope: &BTreeSet<String>, mark: &Mark) {
        let now = self.world.objects.dump().await;
        self.world.is_healthy(&now).await;
        self.is_within(scope, before, &now);
        self.is_done_once(mark);
    }

    /// Nothing else was touched.
    #[track_caller]
    fn is_within(&self, scope: &BTreeSet<String>, before: &Dump, now: &Dump) {
        let foreign = |key: &&str| !ours(scope, key) && !self.trouble.touches(key);
        let foreign: Vec<&str> = touched(before, now).into_iter().filter(foreign).collect();
        assert_eq!(foreign, Vec::<&str>::new(), "not in the plan's scope");
    }

    fn is_done_once(&self, mark: &Mark) {
        let mut times = BTreeMap::new();
        for write in self.world.written(mark).into_iter().filter(|write| !self.trouble.touches(write)) {
            *times.entry(write).or_insert(0) += 1;
        }
        let restores = self.world.restores_since(mark);
        times.retain(|write, times| *times > if write == RESTART { restores } else { 1 });
        assert_eq!(times, BTreeMap::new(), "done more than once");
    }

    /// What was to be met was met, and whoever is told to come back later does not come before.
    fn asked_as_told(&self) {
        let hits = self.faults.hits();
        if let Course::Injected(..) = self.trouble.course() {
            assert_eq!(hits.is_empty(), self.cell == Cell::Unaffected, "{hits:?}");
        }
        if self.trouble == Trouble::Storm {
            for (number, hit) in hits.iter().enumerate() {
                let again = hits[number + 1..].iter().find(|later| later.request == hit.request);
                let soon = again.filter(|again| again.at - hit.at < Duration::from_secs(1));
                assert!(soon.is_none(), "told to come back in 1 s: {}", hit.request);
            }
        }
    }
}

/// The shipped plan; in this process nobody plays systemctl.
fn plan_text() -> String {
    let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == SCENARIO).unwrap();
    let restart = "command: [systemctl, restart, rke2-server]";
    assert!(text.contains(restart));
    text.replace(restart, "command: ['true'], allowed: true")
}
